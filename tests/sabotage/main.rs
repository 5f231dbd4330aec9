//! The sabotage matrix: each row breaks one thing for real, on the real stack in a lane, or lies in what the real
//! `WorkerBee` prints. Exactly the checks that the row names go red, say why, and all others of the gate stay green.
//! A check that no row turns red is a defect of this harness, and fails `coverage`.
// A test that cannot be set up must stop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod conflict;
#[path = "../faults/fault.rs"]
#[allow(dead_code, reason = "only what its rows turn red is read here")]
mod fault;
mod refusals;
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod table;
#[path = "../tampered/mod.rs"]
#[allow(dead_code, reason = "only the names of its rows are read here")]
mod tampered;
mod unbroken;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use rows::Row;

use support::asked;

fn main() -> ExitCode {
    // The part of this program that plays in a lane.
    if std::env::args().nth(1).as_deref() == Some(refusals::IN_LANE) {
        return refusals::in_lane();
    }
    let arguments = Arguments::from_args();
    if !asked::is_asked_for("sabotage", &arguments) {
        return ExitCode::SUCCESS;
    }
    let mut trials: Vec<Trial> = rows::all()
        .enumerate()
        .map(|(number, row)| Trial::test(format!("{}::{}", row.gate, row.name), move || sabotage(number, row)))
        .collect();
    trials.push(Trial::test("conflict::not-leader", || conflict::not_leader().map_err(Failed::from)));
    trials.push(Trial::test("conflict::port-taken", || conflict::port_taken().map_err(Failed::from)));
    trials.push(Trial::test("refusals", || refusals::check().map_err(Failed::from)));
    trials.push(Trial::test("coverage", || table::check().map_err(Failed::from)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs the row's gate with the row's wrapper in `WorkerBee`'s place, and compares.
fn sabotage(number: usize, row: &Row) -> Result<(), Failed> {
    let (outcome, wrong) = row.run(number);
    if wrong.is_empty() {
        return Ok(());
    }
    let messages: Vec<String> = outcome.failed.into_values().collect();
    Err(format!("{}\n\n{}", wrong.join("\n"), messages.join("\n")).into())
}
