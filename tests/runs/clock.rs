//! The machine's clock is set while a profile is validated. It is the whole machine's: these trials run when they are
//! asked for (`make test-clock`), by root, and put it back.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use k1s_profile_gates::run;
use k1s_profile_gates::summary::Summary;
use libtest_mimic::Failed;

use crate::support::nested::{GATE, Nested};
use crate::{stack, verdict};

const SCRIPT: &str = include_str!("clock.py");

/// By `seconds`, from the beginning of `validate` until the run is over.
pub(crate) fn set(seconds: i32) -> Result<(), Failed> {
    drop(stack());
    let mut run = Nested::start(&["--profile", "gates", "-E", "test(startup::k1s-dev-min-sqlite::)"], &[]);
    run.reach("validate")?;
    let mut clock = Command::new("python3")
        .args(["-c", SCRIPT, &seconds.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(stdout) = clock.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    if said.is_empty() {
        return Err(format!("the clock cannot be set: {}", clock.wait()?).into());
    }
    let passed = run.wait();
    run::wait_until_sealed(&run.run_dir());
    drop(clock.stdin.take());
    let mut wrong = Vec::new();
    if !clock.wait()?.success() {
        wrong.push("the clock was not put back".to_owned());
    }
    let summary = Summary::load(&run.run_dir())?;
    let gate = summary.gates.get(&GATE.to_string());
    let way = if seconds < 0 { "back" } else { "forth" };
    let said = gate.and_then(|gate| gate.flaky.clone()).unwrap_or_default();
    println!("green: {passed}; {said}");
    if !said.contains(&format!("was set {way} by {}.0 s during `validate`", seconds.abs())) {
        wrong.push(format!("the gate does not say that the clock was set: {said:?}"));
    }
    if gate.is_none_or(|gate| !(1.0..600.0).contains(&gate.seconds)) {
        wrong.push(format!("the gate took {:?} s", gate.map(|gate| gate.seconds)));
    }
    let red: Vec<String> =
        gate.iter().flat_map(|gate| gate.failures()).map(|(check, why)| format!("{check}: {}", why.seen)).collect();
    // A certificate that was made before is not valid yet by a clock that was set back.
    let as_it_should = match red.as_slice() {
        [] => passed && seconds > 0,
        [routes] => !passed && seconds < 0 && routes.starts_with("attest::routes: ") && routes.contains("NotValidYet"),
        _ => false,
    };
    if !as_it_should {
        wrong.push(format!("red are {red:?}"));
    }
    verdict(&wrong, &run.output())
}
