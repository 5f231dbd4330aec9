//! A gate that failed and whose project is to stay (`K1S_GATES_KEEP=failed`): nothing of it is stopped or purged.

use super::session::Session;
use crate::failure::Failure;
use crate::ledger;
use crate::workerbee::naming;

/// Is true when the project is to stay: something is red, it is this gate's own, and it is still there. A gate that met
/// a 409 is run once more: it has not failed yet.
pub(super) fn is_due(session: &Session<'_>) -> bool {
    let own = session.owns_project || !session.shares_its_host();
    let rerun_to_come = session.record.conflict.is_some() && session.spec.rerun_of.is_none();
    let there = own && !session.record.calls.contains_key("profile-stop");
    // What is red was looked at, of a gate that has a environment.
    session.spec.settings.keep_failed && there && session.triage.is_some() && !rerun_to_come
}

/// Writes down that the project stays, with the way to it.
pub(super) fn keep(session: &mut Session<'_>) -> Result<(), Failure> {
    let in_lane = !session.shares_its_host();
    let environment = session.environment()?;
    let project = &session.spec.project;
    let namespace = naming::namespace(&environment.state_root, project);
    let program = session.spec.workerbee.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let mut env = environment.env.clone();
    let known = env.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
    let path = known.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
    env.retain(|(name, _)| name != "PATH");
    env.extend([
        ("PATH".to_owned(), format!("{program}:{path}")),
        ("CONTAINERD_ADDRESS".into(), environment.address.display().to_string()),
        ("CONTAINERD_NAMESPACE".into(), namespace),
        ("WORKERBEE_CONTAINERD_STATE_ROOT".into(), environment.state_root.display().to_string()),
        ("WORKERBEE_BIN".into(), session.spec.workerbee.display().to_string()),
        ("K1S_ROOT".into(), session.spec.k1s_root.display().to_string()),
        ("WB_PROJECT".into(), project.clone()),
    ]);
    let (gate, run_dir) = (session.key.gate.to_string(), &session.spec.settings.run_dir);
    ledger::keep(&session.spec.entry, &gate, run_dir, env, in_lane).map_err(|error| {
        Failure::new(format!("the project `{project}` cannot be kept: {error}"))
            .expected("its entry in the ledger")
            .seen(error.to_string())
            .remedy("see that the state folder can be written to (XDG_STATE_HOME)")
    })?;
    session.record.project_kept = true;
    Ok(())
}
