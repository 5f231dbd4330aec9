//! What every gate of a run stands on: the embedded stack, or the user's own parts, checked before any gate starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::machine;
use super::settings::{External, Mode, Settings};
use crate::evidence::Store;
use crate::evidence::layout::STACK_LOG;
use crate::failure::Failure;
use crate::stack::{self, Stack, StackError};

/// What every gate of the run stands on.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) stack: Option<Stack>,
    pub(crate) workerbee: PathBuf,
    pub(crate) k1s_root: PathBuf,
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Prepared {
    /// Finds the parts, or builds what is missing of the stack; what that prints is kept in `log`.
    pub(crate) async fn by(settings: &Settings, log: Option<&Store>) -> Result<Self, Failure> {
        let (settings, log) = (settings.clone(), log.cloned());
        let prepared = tokio::task::spawn_blocking(move || match &settings.mode {
            Mode::Embedded => embedded(&settings, log.as_ref()),
            Mode::External(external) => external_ground(&settings, external),
        });
        prepared.await.unwrap_or_else(|error| {
            Err(Failure::new(format!("preparing the stack ended early: {error}"))
                .expected("a stack, or why there is none")
                .seen(error.to_string())
                .remedy("report this"))
        })
    }
}

fn embedded(settings: &Settings, log: Option<&Store>) -> Result<Prepared, Failure> {
    let options = stack::Options {
        k1s_root: settings.k1s_root.clone(),
        workerbee_bin: settings.workerbee_bin.clone(),
        nextest: false,
        plain: settings.plain,
        ..stack::Options::from_env()
    };
    let mut lines = String::new();
    let stack = match stack::find(&options) {
        Some(stack) => stack,
        None => stack::ensure(&options, &mut |progress| {
            let _ = writeln!(lines, "{progress}");
            // The log is a help to who waits, not evidence.
            let _ = log.map(|store| store.write(Path::new(STACK_LOG), lines.as_bytes()));
        })
        .map_err(|error| {
            let what = error.to_string();
            let failure =
                Failure::new(format!("the stack is not complete: {}", what.lines().next().unwrap_or_default()))
                    .expected("WorkerBee, containerd and all that the gates need")
                    .seen(what)
                    .remedy("run `make stack`, which shows what is missing and installs it");
            match log {
                Some(store) => failure.evidence(store.root().join(STACK_LOG)),
                None => failure,
            }
        })?,
    };
    // Before a lane executes any of it, as root.
    stack.check_seals().map_err(|error| {
        let what = error.to_string();
        Failure::new(format!("the stack is not what was built: {}", what.lines().next().unwrap_or_default()))
            .expected("the programs and images that the stack has built, by their digests")
            .seen(what)
            .remedy("see who has changed them; then build them anew: make clean-cache stack")
    })?;
    Ok(Prepared {
        workerbee: stack.workerbee.clone(),
        k1s_root: stack.k1s_root.clone(),
        versions: stack.versions.clone(),
        environment: machine::of(&stack.workerbee, &stack.k1s_root),
        stack: Some(stack),
    })
}

fn external_ground(settings: &Settings, external: &External) -> Result<Prepared, Failure> {
    let named = |path: &Option<PathBuf>, name: &str| {
        path.clone().ok_or_else(|| {
            Failure::new(format!("{name} is not set"))
                .expected(format!("{name} beside WORKERBEE_CONTAINERD_STATE_ROOT, which selects your own WorkerBee"))
                .seen("no value")
                .remedy(format!("export {name}=…, or unset WORKERBEE_CONTAINERD_STATE_ROOT to use the embedded stack"))
        })
    };
    let workerbee = named(&settings.workerbee_bin, "WORKERBEE_BIN")?;
    let k1s_root = named(&settings.k1s_root, "K1S_ROOT")?;
    stack::check_workerbee(&workerbee).and_then(|()| stack::check_k1s_root(&k1s_root)).map_err(|error| {
        let what = match &error {
            StackError::Unmet(unmet) => unmet.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            other => other.to_string(),
        };
        Failure::new(what)
            .expected("your own WorkerBee and k1s, beside WORKERBEE_CONTAINERD_STATE_ROOT")
            .seen(format!("WORKERBEE_BIN={}, K1S_ROOT={}", workerbee.display(), k1s_root.display()))
            .remedy("correct the variable, or unset WORKERBEE_CONTAINERD_STATE_ROOT to use the embedded stack")
    })?;
    if !external.state_root.is_dir() {
        return Err(Failure::new(format!(
            "WORKERBEE_CONTAINERD_STATE_ROOT {} is no folder",
            external.state_root.display()
        ))
        .expected("WorkerBee's state root")
        .seen("nothing, or a file, of that name")
        .remedy("make the folder, or name the one that your WorkerBee uses"));
    }
    let versions = stack::users_versions(&workerbee, &k1s_root, Duration::from_secs(settings.limits.query));
    let environment = machine::of(&workerbee, &k1s_root);
    Ok(Prepared { stack: None, workerbee, k1s_root, versions, environment })
}
