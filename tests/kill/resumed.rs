//! A real run that is killed, supervisor and all, and resumed: what had ended is kept, the rest is run, all is green.

use std::process::Command;

use k1s_profile_gates::results::verify;
use k1s_profile_gates::summary::{State, Summary};
use libtest_mimic::Failed;
use rustix::process::Signal;

use crate::point::Victim;
use crate::support::nested::{GATE, Nested};

const BOTH: [&str; 4] = ["--profile", "gates", "-E", "test(startup::k1s-dev-min-sqlite::) | test(inventory::)"];

pub(crate) fn killed_and_resumed() -> Result<(), Failed> {
    drop(crate::stack());
    let lanes = ("K1S_GATES_LANES", "2".into());
    let mut run = Nested::start(&BOTH, &[lanes]);
    let mut wrong = Vec::new();
    // The inventory has ended long before.
    for phase in ["attestations", "profile-stop"] {
        run.reach(phase)?;
        run.strike(Victim::All, Signal::KILL)?;
        run.wait();
        // A killed process may take a moment to its end.
        crate::support::stand_in::eventually("the run's processes have ended", || {
            crate::residue::processes(run.folder(), &run.project).is_empty()
        });
        wrong.extend(shown_by_the_sweep(&run));
        // Another number of lanes makes no difference.
        run = run.again(&BOTH, &[("K1S_GATES_LANES", "1".into())]);
    }
    if !run.wait() {
        wrong.push("not all is green after the resume".to_owned());
    }
    k1s_profile_gates::run::wait_until_sealed(&run.run_dir());
    let summary = Summary::load(&run.run_dir())?;
    let (kept, anew) = (&summary.gates["inventory"], &summary.gates[&GATE.to_string()]);
    println!("{}", summary.resumes().join("\n"));
    println!("{:?}", anew.again);
    let parts = (summary.parts.len(), kept.part, anew.part, kept.runs, anew.runs);
    if parts != (3, 1, 3, 1, 3) || summary.verdict() != State::Passed {
        wrong.push(format!("parts and runs {parts:?}, {:?}", summary.verdict()));
    }
    let found = verify(&run.run_dir(), None)?;
    if !found.is_sound() || !found.is_complete() || found.resumed.len() != 2 || !found.kept.contains_key("inventory") {
        wrong.push(format!("not sealed as a run that was resumed: {found:?}"));
    }
    wrong.extend(crate::evidence::faults(&run.run_dir()));
    crate::verdict(&run, &wrong)
}

/// Checks that the sweep shows whose it was and how old it is; returns the sweep's output when it does not.
fn shown_by_the_sweep(run: &Nested) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_k1s-gates"))
        .arg("sweep")
        .env("XDG_RUNTIME_DIR", run.folder().join("runtime"))
        .env("XDG_STATE_HOME", run.folder().join("state"))
        .env_remove("WORKERBEE_CONTAINERD_STATE_ROOT")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(", made by process ")).unwrap_or_default();
    println!("{line}");
    (!line.contains("which is no more") || !line.contains(" s ago")).then(|| format!("the sweep says {text:?}"))
}
