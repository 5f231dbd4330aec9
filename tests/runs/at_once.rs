//! Two runs that begin in the same second on one host, with one ledger: they do not meet.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use k1s_profile_gates::run;
use k1s_profile_gates::summary::{State, Summary};
use libtest_mimic::Failed;
use walkdir::WalkDir;

use crate::support::ladder::ladder;
use crate::support::nested::Nested;
use crate::{stack, support::cgroups, support::stand_in, verdict};

/// Folders and names are the runs' own choice.
pub(crate) fn in_lanes() -> Result<(), Failed> {
    drop(stack());
    let arguments = ["--profile", "gates", "-E", "test(startup::k1s-dev-min-sqlite::) | test(inventory::)"];
    let unset = || [("RUN_DIR", "".into()), ("WB_PROJECT_BASE", "".into()), ("K1S_GATES_LANES", "1".into())];
    let mut first = Nested::start(&arguments, &unset());
    let mut second = first.again(&arguments, &unset());
    let passed = (first.wait(), second.wait());
    let mut wrong = Vec::new();
    if passed != (true, true) {
        wrong.push(format!("green: {passed:?}"));
    }
    let runs: Vec<PathBuf> =
        std::fs::read_dir(first.folder().join("tmp"))?.flatten().map(|entry| entry.path()).collect();
    for run in &runs {
        run::wait_until_sealed(run);
    }
    let summaries: Vec<Summary> = runs.iter().filter_map(|run| Summary::load(run).ok()).collect();
    let projects: BTreeSet<&String> =
        summaries.iter().flat_map(|run| run.gates.values().map(|gate| &gate.project)).collect();
    let passed = summaries.iter().filter(|run| run.verdict() == State::Passed).count();
    if (summaries.len(), projects.len(), passed) != (2, 4, 2) {
        wrong.push(format!("{} runs in {runs:?}, projects {projects:?}, {passed} passed", summaries.len()));
    }
    let seconds: Vec<String> = summaries.iter().map(|run| run.started.to_string()).collect();
    println!("begun at {}, projects {projects:?}", seconds.join(" and "));
    for name in ["runtime", "state"] {
        let left = WalkDir::new(first.folder().join(name)).into_iter().flatten();
        wrong.extend(
            left.filter(|entry| entry.file_type().is_file()).map(|entry| format!("left: {}", entry.path().display())),
        );
    }
    verdict(&wrong, &(first.output() + &second.output()))
}

const SCRIPT: &str = include_str!("at_once.sh");

/// On a user's own host, for which a lane stands: one state root, one containerd, one set of ports.
pub(crate) fn on_one_host() -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("k1s-runs").tempdir_in("/tmp")?;
    in_a_host(folder.path(), SCRIPT, "", stand_in::SEEDS)
}

/// The same by two users, each with a state root: one containerd, one set of ports.
pub(crate) fn by_two_users() -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("k1s-runs").tempdir_in("/tmp")?;
    let ran = in_a_host(folder.path(), SCRIPT, "nobody", stand_in::SEEDS);
    // The second user's ingress ends with the lane, and is in nobody's ledger.
    if let Ok(system) = std::fs::read_to_string(folder.path().join("system")) {
        cgroups::remove(system.trim());
    }
    ran
}

/// With somebody else's stack in the state root, which a restart of the daemon would stop.
pub(crate) fn beside_a_foreign_stack() -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("k1s-runs").tempdir_in("/tmp")?;
    in_a_host(folder.path(), include_str!("foreign.sh"), "", "exec \"$REAL\" \"$@\"")
}

/// Runs a script in a lane, with a `WorkerBee` that does something of its own before the real one.
pub(crate) fn in_a_host(folder: &std::path::Path, script: &str, argument: &str, workerbee: &str) -> Result<(), Failed> {
    stand_in::script(folder, workerbee);
    let output = Command::new(env!("CARGO_BIN_EXE_k1s-gates"))
        .args(["lane", "--", "bash", "-c", script, "script", argument])
        .env("HERE", folder)
        .env("IMAGES", &stack().images)
        .env("LADDER", ladder())
        .env("GATES", env!("CARGO_BIN_EXE_k1s-gates"))
        .env_remove("NEXTEST_RUN_ID")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}");
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{text}{errors}").into()) }
}
