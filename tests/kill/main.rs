//! Real runs, cut short at points drawn from a seed: afterwards nothing of them is left, what they had found is still
//! there, and what was somebody else's is as it was, to the byte.
//!
//! `K1S_GATES_KILL_SEED` draws the same points again; `K1S_GATES_KILL_POINTS` says how many.
// A test that cannot be set up must stop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod evidence;
mod external;
mod foreign;
mod point;
mod residue;
mod resumed;
mod strike;
#[path = "../support/mod.rs"]
mod support;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use foreign::Foreign;
use k1s_profile_gates::stack::{self, Options, Stack};
use libtest_mimic::{Arguments, Failed, Trial};
use point::{Point, Victim};
use residue::Host;

use support::nested::Nested;
use support::{asked, nested, stand_in};

/// How long a run may take to be gone once nextest is.
const GONE: Duration = Duration::from_secs(10);
/// How long nextest may take to end, which is the gate's end when only a trial was killed.
const OVER: Duration = Duration::from_mins(3);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if !asked::is_asked_for("kill", &arguments) {
        return ExitCode::SUCCESS;
    }
    let points = point::all().into_iter();
    let mut trials: Vec<Trial> =
        points.map(|point| Trial::test(format!("point-{:02}", point.number), move || killed_at(&point))).collect();
    trials.push(Trial::test("nextest-own-timeout", nextest_own_timeout));
    trials.push(Trial::test("nextest-fail-fast", nextest_fail_fast));
    trials.push(Trial::test("resumed", resumed::killed_and_resumed));
    let ends = [
        ("external-reaper", "KILL", "attestations", "cli", ""),
        ("external-sweep", "KILL", "attestations", "cli", "reaper"),
        ("external-under-a-call", "KILL", "validate", "cli", ""),
        ("external-under-a-call-through-mcp", "KILL", "validate", "mcp", ""),
        ("external-interrupted", "INT", "validate", "cli", ""),
    ];
    for (name, signal, phase, transport, also) in ends {
        let end = external::End { signal, phase, transport, also };
        trials.push(Trial::test(name, move || external::ended(&stack(), &end)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn stack() -> Stack {
    assert!(rustix::process::geteuid().is_root(), "whether a process is left can be seen by root alone: run as root");
    stack::ensure(&Options::from_env(), &mut |progress| eprintln!("stack: {progress}")).unwrap()
}

const THE_GATE: [&str; 4] = ["--profile", "gates", "-E", "test(startup::k1s-dev-min-sqlite::)"];

fn killed_at(point: &Point) -> Result<(), Failed> {
    println!("{point}");
    let foreign = Foreign::start(&stack());
    let (host, view) = (Host::look(), foreign.view());
    let mut run = Nested::start(&THE_GATE, &[]);
    run.reach(point.phase)?;
    std::thread::sleep(point.later);
    run.strike(point.victim, point.signal)?;
    let mut wrong = gone(&mut run, &host, !point.leaves_the_sweep());
    if point.leaves_the_sweep() {
        println!("left to the sweep: {}", residue::for_the_sweep(run.folder(), &run.project).join(", "));
        sweep(&run)?;
        wrong.extend(residue::for_the_sweep(run.folder(), &run.project));
    }
    wrong.extend(evidence::faults(&run.run_dir()));
    if point.victim == Victim::Trial {
        wrong.extend(the_rest_went_on(&run));
    }
    if foreign.view() != view {
        wrong.push(format!("what is somebody else's was\n{view}\nand is\n{}", foreign.view()));
    }
    verdict(&run, &wrong)
}

/// Waits until nothing is left, and says after how long; returns what stays. `swept`: the supervisor cleaned up.
fn gone(run: &mut Nested, host: &Host, swept: bool) -> Vec<String> {
    let begin = Instant::now();
    let mut over = None;
    loop {
        if over.is_none() && run.ended().is_some() {
            over = Some(Instant::now());
        }
        let mut left = residue::look(run.folder(), &run.project, host);
        if swept {
            left.extend(residue::for_the_sweep(run.folder(), &run.project));
            left.extend(residue::unfinished(&run.run_dir()));
        }
        if over.is_none() {
            left.push("nextest".to_owned());
        }
        if left.is_empty() {
            let after = |from: Instant| from.elapsed().as_secs_f64();
            println!(
                "nothing left {:.1} s after the signal, {:.1} s after nextest",
                after(begin),
                over.map_or(0.0, after)
            );
            return left;
        }
        if over.map_or(begin.elapsed() > OVER, |over| over.elapsed() > GONE) {
            return left;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `k1s-gates sweep --execute`, with the run's own ledger.
fn sweep(run: &Nested) -> Result<(), Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_k1s-gates"))
        .args(["sweep", "--execute"])
        .env("XDG_RUNTIME_DIR", run.folder().join("runtime"))
        .env("XDG_STATE_HOME", run.folder().join("state"))
        .env_remove("WORKERBEE_CONTAINERD_STATE_ROOT")
        .output()?;
    if output.status.success() { Ok(()) } else { Err(format!("the sweep failed: {output:?}").into()) }
}

/// A trial that was killed is red, and it alone.
fn the_rest_went_on(run: &Nested) -> Option<String> {
    let output = run.output();
    let one = output.contains(" 1 failed") || output.contains("1 signalled");
    (!one || !run.run_dir().join("gates").join(nested::GATE.slug()).join("record.json").is_file())
        .then(|| format!("more than the killed trial is red:\n{output}"))
}

fn verdict(run: &Nested, wrong: &[String]) -> Result<(), Failed> {
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n\n{}", wrong.join("\n"), run.output()).into()) }
}

/// nextest ends trials that take too long by its own rule.
fn nextest_own_timeout() -> Result<(), Failed> {
    cut_short_by_nextest(&["--profile", "cut-short", "-E", "test(startup::k1s-dev-min-sqlite::)"], "TIMEOUT")
}

/// nextest ends all trials with the first that is red.
fn nextest_fail_fast() -> Result<(), Failed> {
    let both = "test(=startup::k1s-dev-min-sqlite::ok) | test(=inventory::ok)";
    cut_short_by_nextest(&["--profile", "gates", "--max-fail", "1:immediate", "-E", both], "SIGTERM")
}

fn cut_short_by_nextest(arguments: &[&str], says: &str) -> Result<(), Failed> {
    let stack = stack();
    let folder = tempfile::Builder::new().prefix("k1s-kill-workerbee").tempdir()?;
    // Its inventory is no JSON: the one trial that is red by itself.
    let body = format!(
        "case \" $* \" in *' profile list '*) sleep 5; exit 1;; esac\nexec '{}' \"$@\"",
        stack.workerbee.display()
    );
    let workerbee = stand_in::script(folder.path(), &body);
    let host = Host::look();
    let mut run = Nested::start(arguments, &[("WORKERBEE_BIN", workerbee.into()), ("K1S_GATES_LANES", "2".into())]);
    let mut wrong = gone(&mut run, &host, true);
    wrong.extend(evidence::faults(&run.run_dir()));
    if !run.output().contains(says) {
        wrong.push(format!("nextest did not say {says}"));
    }
    verdict(&run, &wrong)
}
