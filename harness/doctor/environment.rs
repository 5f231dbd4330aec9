//! The conditions of a run in either mode: names, places, room; and the user's own parts.

use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::Condition;
use crate::lane::{External, Settings, k1s_under_test};
use crate::ledger;
use crate::plan::GateKey;
use crate::run::{refuse_another, runtime_dir};
use crate::stack;
use crate::trust::{self, Untrusted};
use crate::workerbee::naming;

/// Room that the evidence of a whole run takes, many times over.
const EVIDENCE: u64 = 100_000_000;

/// Checks which k1s is under test.
pub(super) fn k1s(settings: &Settings) -> Condition {
    Condition::of("k1s under test", k1s_under_test(settings).map_err(|failure| (failure.what, failure.remedy)))
}

/// Every gate's project within the room that its profile leaves.
pub(super) fn names(settings: &Settings) -> Vec<Condition> {
    let long = |key: GateKey| {
        let gate = key.gate;
        let (project, budget) = (settings.project(gate, key.transport, 1), naming::project_budget(gate.profile()?));
        (project.len() > budget).then(|| {
            Condition::unmet(
                format!("project name of {gate}"),
                format!("`{project}` has {} characters, {budget} at most work", project.len()),
                "unset WB_PROJECT_BASE WB_PROJECT WB_SINGLE_PROJECT WB_HA_PROJECT",
            )
        })
    };
    let long: Vec<Condition> = settings.keys().filter_map(long).collect();
    if long.is_empty() { vec![Condition::met("project names", "short enough for every profile")] } else { long }
}

/// Checks the folder in which trials meet their supervisor.
pub(super) fn meeting() -> Condition {
    let found = runtime_dir().map(|folder| folder.display().to_string());
    Condition::of(
        "meeting place",
        found.map_err(|failure| (format!("{}: {}", failure.what, failure.seen), failure.remedy)),
    )
}

/// A folder for the evidence that nobody else can change or replace, and that holds nothing else.
pub(super) fn evidence(settings: &Settings) -> Condition {
    let folder = &settings.run_dir;
    let name = "folder of the evidence";
    let found = of_ones_own(name, folder, "RUN_DIR");
    match refuse_another(folder) {
        Err(failure) if found.ok => {
            Condition::unmet(name, format!("{}: {}", failure.what, failure.seen), failure.remedy)
        }
        _ => found,
    }
}

/// A folder for what runs write down before they create it.
pub(super) fn ledger() -> Condition {
    of_ones_own("folder of the ledger", &ledger::folder(), "XDG_STATE_HOME")
}

/// A folder that nobody else can change or replace; `variable` names another one.
fn of_ones_own(name: &str, folder: &Path, variable: &str) -> Condition {
    let found = trust::examine(folder).map(|()| folder.display().to_string());
    let told = |error: std::io::Error| match Untrusted::of(&error) {
        Some(refused) => (refused.to_string(), format!("export {variable}=<a folder of your own>")),
        None => (error.to_string(), format!("export {variable}=<a folder that can be made and read>")),
    };
    Condition::of(name, found.map_err(told))
}

/// Room for the evidence, in the folder that there is above the run's.
pub(super) fn room(settings: &Settings) -> Condition {
    let there = settings.run_dir.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let free = rustix::fs::statvfs(there).map(|system| system.f_bavail.saturating_mul(system.f_frsize));
    let found = match free {
        Ok(free) if free >= EVIDENCE => Ok(format!("{} MB free in {}", free / 1_000_000, there.display())),
        Ok(free) => Err(format!("{} MB free in {}", free / 1_000_000, there.display())),
        Err(error) => Err(format!("{}: {error}", there.display())),
    };
    Condition::of(
        "room for evidence",
        found.map_err(|seen| (seen, "export RUN_DIR=<a folder with 100 MB free>".into())),
    )
}

/// The user's own `WorkerBee`, k1s, state root and containerd.
pub(super) fn external(settings: &Settings, external: &External) -> Vec<Condition> {
    let stack_says = |error: stack::StackError| {
        let stack::StackError::Unmet(unmet) = &error else { return (error.to_string(), String::new()) };
        let join = |of: &dyn Fn(&stack::Unmet) -> String| unmet.iter().map(of).collect::<Vec<_>>().join("; ");
        (join(&ToString::to_string), join(&stack::Unmet::remedy))
    };
    let named = |path: &Option<std::path::PathBuf>, name: &str, check: fn(&Path) -> Result<(), stack::StackError>| {
        let found = match path {
            None => Err(("not set".to_owned(), format!("export {name}=<its path>"))),
            Some(path) => check(path).map(|()| path.display().to_string()).map_err(stack_says),
        };
        Condition::of(name, found)
    };
    let root = &external.state_root;
    let root_found = if root.is_dir() {
        Ok(root.display().to_string())
    } else {
        Err((format!("{} is no folder", root.display()), format!("mkdir -p {}", root.display())))
    };
    let socket = &external.address;
    let is_socket = std::fs::metadata(socket).is_ok_and(|file| file.file_type().is_socket());
    let answers = is_socket && std::os::unix::net::UnixStream::connect(socket).is_ok();
    let containerd = if answers {
        Ok(format!("{} accepts connections", socket.display()))
    } else {
        let seen = if is_socket { "does not accept connections of this user" } else { "is no socket" };
        let remedy = "sudo systemctl start containerd, or: export WORKERBEE_CONTAINERD_ADDRESS=<its socket>";
        Err((format!("{} {seen}", socket.display()), remedy.to_owned()))
    };
    vec![
        named(&settings.trees.workerbee.path, "WORKERBEE_BIN", stack::check_workerbee),
        named(&settings.trees.k1s.path, "K1S_ROOT", |_| Ok(())),
        Condition::of("WORKERBEE_CONTAINERD_STATE_ROOT", root_found),
        Condition::of("containerd", containerd),
    ]
}
