//! The matrix of hosts: machines and folders as people have them. Each row lays a host of its own around this one, in a
//! mount namespace that ends with it, and says what `doctor`, and where lanes are concerned, a real gate make of it.
// A test that cannot be set up must stop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rows;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use rows::{Expected, ROWS, Row};

use support::ladder;

/// The gate that is run: the quickest with a containerd and a daemon.
const GATE: &str = "preflight::";
/// Variables by which a run is told what to do.
const OF_A_RUN: [&str; 4] = ["RUN_DIR", "K1S_ROOT", "WORKERBEE_BIN", "XDG_RUNTIME_DIR"];
/// The same gate, as users run it.
const BY_NEXTEST: [&str; 10] = [
    "nextest",
    "run",
    "--offline",
    "--profile",
    "gates",
    "--test",
    "gates",
    "--no-input-handler",
    "-E",
    "test(/^preflight::/)",
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_root = rustix::process::geteuid().is_root();
    // Without root there are no mounts to lay.
    let trial = |row: &'static Row| Trial::test(row.name, move || check(row)).with_ignored_flag(!is_root);
    libtest_mimic::run(&arguments, ROWS.iter().map(trial).collect()).exit_code()
}

fn check(row: &Row) -> Result<(), Failed> {
    let folder = tempfile::Builder::new().prefix("host-").tempdir().unwrap();
    let mut wrong = Vec::new();
    let doctor = on(row, folder.path(), env!("CARGO_BIN_EXE_k1s-gates"), &["doctor", "--json"]);
    for (condition, expected) in row.doctor {
        wrong.extend(differs(&doctor, condition, *expected));
    }
    let mut printed = format!("doctor: {}", text(&doctor));
    if let Some(expected) = row.gate {
        let ladder = ladder::ladder();
        let gate = if row.by_nextest {
            on(row, folder.path(), "cargo", &BY_NEXTEST)
        } else {
            on(row, folder.path(), ladder.to_str().unwrap(), &[GATE])
        };
        printed = format!("{printed}\ngate: {}", text(&gate));
        match expected {
            Expected::Good if !gate.status.success() => wrong.push(format!("the gate is red: {}", gate.status)),
            Expected::Told(words) if gate.status.success() || !text(&gate).contains(words) => {
                wrong.push(format!("expected a red gate that says `{words}`; it ended with {}", gate.status));
            }
            _ => {}
        }
        let left = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap_or_default();
        if let Some((file, words)) = row.leaves.filter(|(file, words)| !left(file).contains(words)) {
            wrong.push(format!("the host was not as it should be: no `{words}` in {file}: {}", left(file)));
        }
    }
    for command in row.commands {
        let arguments = [command, "RUN_DIR"];
        let output = on(row, folder.path(), env!("CARGO_BIN_EXE_k1s-gates"), &arguments);
        let said = text(&output);
        if output.status.code() != Some(3) || !said.contains("belongs to user") || said.contains("S3cret") {
            wrong.push(format!("`{command}` should refuse the folder and ended with {}: {said}", output.status));
        }
    }
    println!("{}: {}", row.name, row.expected);
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n\n{printed}", wrong.join("\n")).into()) }
}

/// Returns how the doctor's finding on a condition differs from the expected one; none when it does not.
fn differs(doctor: &Output, condition: &str, expected: Expected) -> Option<String> {
    let conditions: Vec<serde_json::Value> = serde_json::from_slice(&doctor.stdout).unwrap_or_default();
    let Some(found) = conditions.iter().find(|one| one["name"] == condition) else {
        return Some(format!("the doctor says nothing of `{condition}`"));
    };
    let (ok, seen) = (found["ok"] == true, found["seen"].as_str().unwrap_or_default());
    let remedy = found["remedy"].as_str().unwrap_or_default();
    match expected {
        Expected::Good if ok => None,
        Expected::Told(words) if !ok && seen.contains(words) && !remedy.is_empty() => None,
        _ => Some(format!("the doctor says of `{condition}`: ok {ok}, {seen}; expected {expected:?}")),
    }
}

/// Runs a program on the row's host. `HOST` is a folder of the row's own, outside of what a lane covers.
fn on(row: &Row, folder: &Path, program: &str, arguments: &[&str]) -> Output {
    let script = format!("set -e\nmount --make-rprivate /\n{}\nexec {} \"$@\"", row.host, row.through);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh", program]);
    let place = |text: &str| text.replace("HOST", folder.to_str().unwrap());
    let run_dir = row.variables.iter().find(|(name, _)| *name == "RUN_DIR").map(|(_, value)| place(value));
    for argument in arguments {
        command.arg(if *argument == "RUN_DIR" { run_dir.as_deref().unwrap_or_default() } else { argument });
    }
    // What the tests' own run is told is not for the row's.
    let own = |name: &str| name.starts_with("NEXTEST") || OF_A_RUN.contains(&name);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(own)) {
        command.env_remove(name);
    }
    // Where cargo has built all this.
    let target = Path::new(env!("CARGO_BIN_EXE_k1s-gates")).ancestors().nth(2).unwrap();
    // And where the stack is.
    let cache = std::env::var_os("K1S_GATES_CACHE").unwrap_or_default();
    command.env("CACHE", cache).env("TARGET", target).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("HOST", folder).env("TMPDIR", folder).env("XDG_STATE_HOME", folder.join("state"));
    for (name, value) in row.variables {
        command.env(name, place(value));
    }
    command.stdin(Stdio::null()).output().expect("unshare, of util-linux")
}

fn text(output: &Output) -> String {
    let printed = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    // Only what went wrong is of interest.
    let lines = String::from_utf8_lossy(&printed)
        .lines()
        .filter(|line| !line.ends_with("... ok"))
        .collect::<Vec<_>>()
        .join("\n");
    format!("{}\n{lines}", output.status)
}
