//! The user's own `WorkerBee`, asked outside of a gate.

use std::time::Duration;

use serde_json::Value;

use crate::evidence::{Redactor, Store};
use crate::failure::Failure;
use crate::lane::{Environment, Mode, Settings};
use crate::workerbee::cli::Cli;

/// Returns what `WorkerBee`'s own `cleanup` would remove: its dry run, which it makes by default. Nothing of it is the
/// harness's. None in the embedded mode, where there is no host to clean up.
pub async fn cleanup_dry_run() -> Result<Option<Value>, Failure> {
    let settings = Settings::from_env()?;
    let (Mode::External(external), Some(bin)) = (&settings.mode, settings.trees.workerbee.path.clone()) else {
        return Ok(None);
    };
    let environment = Environment::on_host(external);
    let no_folder = |error: &dyn std::fmt::Display| {
        Failure::new(format!("there is no folder for WorkerBee's answer: {error}"))
            .expected("a temporary folder")
            .seen(error.to_string())
            .remedy("see that TMPDIR, or /tmp, can be written to")
    };
    let folder = tempfile::tempdir().map_err(|error| no_folder(&error))?;
    let store = Store::open(folder.path(), Redactor::default()).map_err(|error| no_folder(&error))?;
    let cli = Cli {
        bin,
        state_root: environment.state_root.clone(),
        project: settings.base.clone(),
        k1s_root: settings.trees.k1s.path.clone().unwrap_or_else(|| folder.path().to_owned()),
        privilege: "sudo-helper".to_owned(),
        env: environment.env.clone(),
        hermetic: false,
    };
    let limit = Duration::from_secs(settings.limits.query);
    let call = cli.call(&store, "cleanup-dry-run.json", &["cleanup"], limit).await;
    if let Some(problem) = call.problem {
        return Err(Failure::new("WorkerBee's `cleanup` gave no answer")
            .expected("a dry run, as JSON")
            .seen(problem.to_string())
            .remedy("see that WORKERBEE_BIN and WORKERBEE_CONTAINERD_STATE_ROOT name your WorkerBee"));
    }
    Ok(call.answer_in(folder.path()))
}
