//! Real runs of nextest on the real stack that are more than one run of each gate: stressed, retried, two at once, and
//! with what failed gates have left.
// A test that cannot be set up must stop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod at_once;
mod clock;
mod kept;
mod packaged;
mod repeated;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use k1s_profile_gates::stack::{self, Options, Stack};
use libtest_mimic::{Arguments, Failed, Trial};

use support::asked;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if !asked::is_asked_for("runs", &arguments) {
        return ExitCode::SUCCESS;
    }
    let trials = vec![
        Trial::test("stressed", repeated::stressed),
        Trial::test("retried", repeated::retried),
        Trial::test("retried-in-vain", repeated::retried_in_vain),
        Trial::test("two-at-once-in-lanes", at_once::in_lanes),
        Trial::test("two-at-once-on-one-host", at_once::on_one_host),
        Trial::test("two-users-on-one-host", at_once::by_two_users),
        Trial::test("kept-in-a-lane", kept::in_a_lane),
        Trial::test("kept-on-the-host", kept::on_the_host),
        Trial::test("foreign-stack", at_once::beside_a_foreign_stack),
        Trial::test("packaged", packaged::first_gate),
        Trial::test("clock-set-forth", || clock::set(3600)).with_ignored_flag(true),
        Trial::test("clock-set-back", || clock::set(-3600)).with_ignored_flag(true),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn stack() -> Stack {
    stack::ensure(&Options::from_env(), &mut |progress| eprintln!("stack: {progress}")).unwrap()
}

/// Passes when nothing is wrong; else says what, and what was printed.
fn verdict(wrong: &[String], output: &str) -> Result<(), Failed> {
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n\n{output}", wrong.join("\n")).into()) }
}
