//! The faults of k1s: each row plants one in a copy of the k1s root, as a developer would make it, and runs the gate that
//! must catch it on the real stack. Exactly the checks that the row names go red, and say why.
//!
//! A row takes as long as its gate: they run when they are asked for (`make faults`; `K1S_GATES_FAULTS`), never because
//! all tests do.
// A test that cannot be set up must stop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fault;
mod planted;
mod sample;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::process::ExitCode;

use fault::Fault;
use k1s_profile_gates::plan::Transport;
use k1s_profile_gates::stack::{self, Options, Stack};
use libtest_mimic::{Arguments, Failed, Trial};
use planted::Planted;

use support::outcome;
use support::outcome::Attempt;

/// Seconds that `WorkerBee` waits for what a fault keeps from coming up.
const LIMITS: [(&str, &str); 2] = [("K1S_GATES_STARTUP_TIMEOUT", "60"), ("K1S_GATES_WORKLOAD_TIMEOUT", "180")];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = vec![Trial::test("rows", || check_rows().map_err(Failed::from))];
    // Rows that cannot be read are what `rows` says.
    let faults = fault::all().unwrap_or_default();
    let chosen = sample::chosen(&faults);
    trials.extend(faults.into_iter().enumerate().map(|(number, fault)| {
        let is_chosen = chosen.contains(&number);
        Trial::test(fault.trial(), move || run(number, &fault)).with_ignored_flag(!is_chosen)
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// All rows can be read, apply to the k1s of the stack, and name checks that there are; the docs list them.
fn check_rows() -> Result<(), String> {
    let faults = fault::all()?;
    let root = stack().k1s_root;
    let mut wrong: Vec<String> = faults.iter().flat_map(Fault::defects).collect();
    wrong.extend(faults.iter().filter_map(|fault| fault.changed(&root).err()));
    wrong.extend(table::check(&faults).err());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Runs the gate of a fault on a k1s root that has it, and compares.
fn run(number: usize, fault: &Fault) -> Result<(), Failed> {
    let stack = stack();
    let folder = tempfile::Builder::new().prefix("k1s-fault").tempdir().unwrap();
    let planted = Planted::of(fault, &stack, folder.path())?;
    let mut env = vec![("K1S_ROOT", planted.root.display().to_string())];
    env.extend(LIMITS.map(|(name, value)| (name, value.to_owned())));
    let red = fault.red.iter().map(|(check, says)| (check.as_str(), says.as_str())).collect();
    let attempt = Attempt { gate: fault.gate(), transport: Transport::Cli, base: outcome::base('f', number), env, red };
    let outcome = outcome::of(folder.path(), &attempt);
    let mut wrong = outcome.differs_from(&attempt);
    wrong.extend(fault.untold(&outcome));
    let others = outcome.faults.keys().filter(|fault| ["stack", "host", "harness"].contains(&fault.as_str()));
    wrong.extend(others.map(|fault| format!("called the fault of {fault}")));
    if wrong.is_empty() {
        return Ok(());
    }
    let messages: Vec<String> = outcome.failed.into_values().collect();
    Err(format!("{}\n{}\n\n{}", fault.mistake, wrong.join("\n"), messages.join("\n")).into())
}

fn stack() -> Stack {
    stack::ensure(&Options::from_env(), &mut |progress| eprintln!("stack: {progress}")).unwrap()
}
