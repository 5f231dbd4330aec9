//! A run that is resumed: what is kept of it, what is run, and what is refused, against a stand-in for `WorkerBee`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use k1s_profile_gates::results::{junit, verify};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::ladder::ladder;
use crate::support::machine::{ANSWER, Machine, errors, files};
use crate::support::stand_in::eventually;

/// Hangs over the inventory for as long as a file says so.
const HANGS: &str = r#"
case "$*" in *--version*) echo 'workerbee 0.1.7'; exit;; esac
echo "$*" >> "$HERE/calls"
case "$*" in *'profile list'*) : > "$HERE/begun"; while [ -e "$HERE/hangs" ]; do sleep 0.1; done;; esac
cat "$HERE/answer.json""#;

/// Without a containerd the startup ends red, with a record. It goes first.
const TRIALS: [&str; 8] = ["::ok", "--skip", "workload", "--skip", "etcd", "--skip", "ha-min", "--test-threads=2"];
const RED: &str = "startup::k1s-dev-min-sqlite";

fn machine() -> Machine {
    let machine = bare();
    std::fs::create_dir(machine.at("behind")).unwrap();
    std::fs::write(machine.at("behind/code.py"), "one").unwrap();
    std::os::unix::fs::symlink(machine.at("behind"), machine.at("k1s/src/ae/linked")).unwrap();
    machine
}

fn bare() -> Machine {
    Machine::new(HANGS).set("K1S_GATES_QUERY_TIMEOUT", Some("600"))
}

/// Starts a run that hangs over its last gate.
fn hanging(machine: &Machine) -> Child {
    std::fs::write(machine.at("hangs"), "").unwrap();
    let _ = std::fs::remove_file(machine.at("begun"));
    let run = machine.command(&TRIALS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while !machine.at("begun").exists() {
        assert!(begin.elapsed() < Duration::from_mins(1), "the last gate has not begun");
        std::thread::sleep(Duration::from_millis(20));
    }
    run
}

/// The supervisor's number.
fn supervisor(machine: &Machine) -> i64 {
    let parts = machine.summary()["parts"].as_array().cloned().unwrap();
    parts.last().unwrap()["supervisor"]["pid"].as_i64().unwrap()
}

/// Cuts a run short: all of it, or with its supervisor left to put the folder in order.
fn interrupt(machine: &Machine, mut run: Child, all: bool) {
    if all {
        let pid = supervisor(machine).to_string();
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    }
    run.kill().unwrap();
    run.wait().unwrap();
    eventually("nothing runs any more", || machine.processes().is_empty());
    std::fs::remove_file(machine.at("hangs")).unwrap();
}

fn interrupted(all: bool) -> Machine {
    let machine = machine();
    let run = hanging(&machine);
    interrupt(&machine, run, all);
    machine
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

fn inventories(machine: &Machine) -> usize {
    let calls = std::fs::read_to_string(machine.at("calls")).unwrap_or_default();
    calls.lines().filter(|line| line.contains("profile list")).count()
}

#[rstest]
#[case::with_its_supervisor(true)]
#[case::without(false)]
fn what_had_ended_is_kept_and_the_rest_is_run(#[case] all: bool) {
    let machine = interrupted(all);
    let before = std::fs::read(machine.at(&format!("run/gates/{}/record.json", RED.replace("::", "-")))).unwrap();
    let output = machine.run(&TRIALS);
    // Red stays red.
    assert_eq!(errors(&output).len(), 1, "{}", text(&output));
    machine.leaves_nothing();
    let run = machine.summary();
    assert_eq!(run["parts"].as_array().unwrap().len(), 2, "{run}");
    assert_eq!((&run["gates"][RED]["part"], &run["gates"][RED]["runs"]), (&json!(1), &json!(1)));
    assert_eq!(run["gates"]["inventory"]["part"], 2);
    assert_eq!(run["gates"]["inventory"]["again"], "cut short in part 1 at profile-list");
    assert_eq!(run["gates"]["inventory"]["checks"][0]["outcome"], "passed");
    assert_eq!(
        std::fs::read(machine.at(&format!("run/gates/{}/record.json", RED.replace("::", "-")))).unwrap(),
        before
    );
    assert_eq!(inventories(&machine), 2);
    // What was cut short is no evidence, and is not lost.
    assert!(machine.at("run/interrupted/1/gates/inventory/progress.json").is_file());
    let found = verify(&machine.at("run"), None).unwrap();
    assert!(found.is_sound() && found.is_complete() && found.added.is_empty(), "{found:?}");
    assert_eq!(found.resumed.len(), 1);
    assert_eq!(found.kept.get(RED), Some(&1));
    assert!(!found.kept.contains_key("inventory"), "{found:?}");
    let summary = std::fs::read_to_string(machine.at("run/summary.txt")).unwrap();
    assert!(summary.contains("1 of 2 gates kept, 1 run") && summary.contains("kept=part-1"), "{summary}");
    let page = std::fs::read_to_string(machine.at("run/report.html")).unwrap();
    assert!(page.contains("1 of 2 gates kept, 1 run") && page.contains("kept from part 1"), "{page}");
    let report = junit(&machine.at("run")).unwrap();
    assert!(report.contains("name=\"kept\" value=\"from part 1 of the run\""), "{report}");
}

#[test]
fn a_run_may_be_resumed_several_times() {
    let machine = interrupted(true);
    let run = hanging(&machine);
    interrupt(&machine, run, false);
    let run = hanging(&machine);
    interrupt(&machine, run, true);
    machine.run(&TRIALS);
    machine.leaves_nothing();
    let run = machine.summary();
    assert_eq!(run["parts"].as_array().unwrap().len(), 4);
    assert_eq!(run["gates"][RED]["part"], 1);
    assert_eq!((&run["gates"]["inventory"]["part"], &run["gates"]["inventory"]["runs"]), (&json!(4), &json!(4)));
    for part in 1..=3 {
        assert!(machine.at(&format!("run/interrupted/{part}/gates/inventory/progress.json")).is_file());
    }
    let found = verify(&machine.at("run"), None).unwrap();
    assert!(found.is_sound() && found.is_complete(), "{found:?}");
    // Complete: all is kept, and nothing is run.
    let calls = machine.calls();
    let output = machine.run(&TRIALS);
    assert_eq!(errors(&output).len(), 1);
    machine.leaves_nothing();
    assert_eq!(machine.calls(), calls);
    let summary = std::fs::read_to_string(machine.at("run/summary.txt")).unwrap();
    assert!(summary.contains("2 of 2 gates kept, nothing was run"), "{summary}");
    let found = verify(&machine.at("run"), None).unwrap();
    assert!(found.is_sound() && found.is_complete(), "{found:?}");
}

#[test]
fn a_gate_that_is_not_asked_for_again_is_still_missing() {
    let machine = interrupted(false);
    machine.run(&["--exact", "startup::k1s-dev-min-sqlite::ok"]);
    machine.leaves_nothing();
    let found = verify(&machine.at("run"), None).unwrap();
    assert!(found.is_sound() && !found.is_complete() && found.unfinished.contains("inventory"), "{found:?}");
    let run: k1s_profile_gates::summary::Summary = serde_json::from_value(machine.summary()).unwrap();
    assert_eq!(run.state(&run.gates["inventory"]), k1s_profile_gates::summary::State::CutShort);
}

/// The content of every file of the run's folder.
fn content(machine: &Machine) -> BTreeMap<PathBuf, Vec<u8>> {
    // One that a living run has replaced meanwhile is a change too.
    let read = |file: PathBuf| Some((file.clone(), std::fs::read(file).ok()?));
    files(&machine.at("run")).into_iter().filter_map(read).collect()
}

/// Every trial is told, and nothing is touched.
fn is_refused(machine: &Machine, named: &[&str]) {
    let (before, calls) = (content(machine), machine.calls());
    let output = machine.run(&TRIALS);
    machine.leaves_nothing();
    let told = text(&output);
    assert_eq!(errors(&output).len(), 2, "{told}");
    for part in named.iter().chain(&["expected:", "seen:", "remedy:"]) {
        assert!(told.matches(part).count() >= 2, "{part} is not in both of {told}");
    }
    assert!(content(machine) == before, "the folder was changed");
    assert_eq!(machine.calls(), calls);
}

fn write(machine: &Machine, file: &str, content: &str) {
    std::fs::write(machine.at(file), content).unwrap();
}

#[rstest]
#[case::workerbee(|machine: Machine| {
    let script = std::fs::read_to_string(machine.at("workerbee")).unwrap();
    write(&machine, "workerbee", &(script + "\n# mended"));
    machine
}, &["WorkerBee: program"])]
#[case::its_version(|machine: Machine| {
    let script = std::fs::read_to_string(machine.at("workerbee")).unwrap();
    write(&machine, "workerbee", &script.replace("0.1.7", "0.1.8"));
    machine
}, &["and 1 more changed", "version: WorkerBee: 0.1.7", "version: WorkerBee: 0.1.8"])]
#[case::k1s_changed(|machine: Machine| { write(&machine, "k1s/requirements.txt", "more\n"); machine },
    &["k1s root: requirements.txt"])]
#[case::k1s_added(|machine: Machine| { write(&machine, "k1s/src/ae/new.py", ""); machine },
    &["k1s root: src/ae/new.py: nothing"])]
#[case::k1s_behind_a_link(|machine: Machine| { write(&machine, "behind/code.py", "two"); machine },
    &["k1s root: src/ae/linked/code.py"])]
#[case::limit(|machine: Machine| machine.set("K1S_GATES_STARTUP_TIMEOUT", Some("100")),
    &["settings: limit of startup: 240 s", "settings: limit of startup: 100 s"])]
#[case::mode(|machine: Machine| machine.set("WORKERBEE_CONTAINERD_STATE_ROOT", None),
    &["settings: mode: external", "settings: mode: embedded"])]
#[case::variable(|machine: Machine| machine.set("WORKERBEE_CADDY_IMAGE", Some("another")),
    &["environment: WORKERBEE_CADDY_IMAGE: nothing"])]
#[case::changed(|machine: Machine| { write(&machine, "run/gates/startup-k1s-dev-min-sqlite/spec.json", "{}"); machine },
    &["changed: gates/startup-k1s-dev-min-sqlite/spec.json"])]
#[case::missing(|machine: Machine| {
    std::fs::remove_file(machine.at("run/gates/startup-k1s-dev-min-sqlite/record.json")).unwrap();
    machine
}, &["missing: gates/startup-k1s-dev-min-sqlite/record.json"])]
#[case::added(|machine: Machine| { write(&machine, "run/gates/startup-k1s-dev-min-sqlite/more.json", "{}"); machine },
    &["added: gates/startup-k1s-dev-min-sqlite/more.json"])]
#[case::inputs_changed(|machine: Machine| { write(&machine, "run/inputs.json", "{}"); machine },
    &["changed: inputs.json"])]
#[case::no_manifest(|machine: Machine| {
    std::fs::remove_file(machine.at("run/manifest.json")).unwrap();
    machine
}, &["its manifest.json cannot be read"])]
#[case::another_version(|machine: Machine| {
    let run = std::fs::read_to_string(machine.at("run/run.json")).unwrap();
    let own = format!("\"harness\": \"{}\"", env!("CARGO_PKG_VERSION"));
    write(&machine, "run/run.json", &run.replace(&own, "\"harness\": \"0.0.1\""));
    machine
}, &["not one of this harness", "0.0.1"])]
#[case::no_run(|machine: Machine| {
    std::fs::remove_dir_all(machine.at("run")).unwrap();
    std::fs::create_dir(machine.at("run")).unwrap();
    write(&machine, "run/notes.txt", "mine");
    machine
}, &["holds something else than a run", "notes.txt"])]
fn what_is_not_as_it_was_is_refused(
    #[case] change: fn(Machine) -> Machine,
    #[case] named: &[&str],
    #[values(true, false)] all: bool,
) {
    is_refused(&change(interrupted(all)), named);
}

/// A checkout in which k1s runs, and in which the run's own folder lies.
#[test]
fn what_git_ignores_and_the_run_itself_do_not_keep_it_from_being_resumed() {
    let machine = machine().set("RUN_DIR", Some("@/k1s/evidence"));
    let k1s = machine.at("k1s");
    write(&machine, "k1s/.gitignore", "/state/\n");
    std::fs::create_dir(k1s.join("state")).unwrap();
    for arguments in [
        vec!["init", "-q"],
        vec!["add", "-A"],
        vec!["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "first"],
    ] {
        assert!(Command::new("git").arg("-C").arg(&k1s).args(arguments).status().unwrap().success());
    }
    write(&machine, "k1s/state/live.db", "one");
    std::fs::write(machine.at("hangs"), "").unwrap();
    let mut run = machine.command(&TRIALS).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the last gate has begun", || machine.at("begun").exists());
    run.kill().unwrap();
    run.wait().unwrap();
    eventually("nothing runs any more", || machine.processes().is_empty());
    std::fs::remove_file(machine.at("hangs")).unwrap();
    write(&machine, "k1s/state/live.db", "two");
    assert!(Command::new("mkfifo").arg(k1s.join("state/fifo")).status().unwrap().success());
    let output = machine.run(&TRIALS);
    assert_eq!(errors(&output).len(), 1, "{}", text(&output));
    machine.leaves_nothing();
    let run: Value = serde_json::from_slice(&std::fs::read(k1s.join("evidence/run.json")).unwrap()).unwrap();
    assert_eq!((&run["gates"][RED]["part"], &run["gates"]["inventory"]["part"]), (&json!(1), &json!(2)));
    assert_eq!(run["k1s_root"]["dirty"], true, "the evidence is new there: {run}");
    let inputs = std::fs::read_to_string(k1s.join("evidence/inputs.json")).unwrap();
    assert!(inputs.contains("ignored by git") && !inputs.contains("evidence/run.json"), "{inputs}");
}

#[test]
fn how_many_lanes_there_are_makes_no_difference() {
    let machine = interrupted(false).set("K1S_GATES_LANES", Some("7")).set("WB_PROJECT_BASE", Some("other"));
    let output = machine.run(&["--exact", "inventory::ok"]);
    assert!(output.status.success(), "{}", text(&output));
}

/// Returns the files of a run whose gate hangs, once it writes no more.
fn settled(machine: &Machine) -> BTreeMap<PathBuf, Vec<u8>> {
    loop {
        let before = content(machine);
        std::thread::sleep(Duration::from_secs(4));
        if content(machine) == before {
            return before;
        }
    }
}

#[test]
fn a_folder_that_a_living_run_holds_is_refused_with_its_owner() {
    let machine = machine();
    let mut run = hanging(&machine);
    let (before, owner) = (settled(&machine), supervisor(&machine));
    // Ways to meet of its own, or it would be a trial of the same run.
    let output = machine.run(&["--exact", "inventory::ok"]);
    let told = text(&output);
    assert_eq!(errors(&output).len(), 1, "{told}");
    let words =
        ["is in use by another run", &format!("process {owner}"), ladder().to_str().unwrap()].map(str::to_owned);
    for part in words {
        assert!(told.contains(&part), "{part} is not in {told}");
    }
    assert!(content(&machine) == before);
    run.kill().unwrap();
    run.wait().unwrap();
    machine.leaves_nothing();
}

#[test]
fn a_run_that_is_signed_is_resumed_with_its_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str| -> String {
        let file = folder.path().join(name).display().to_string();
        let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out", &file]).output().unwrap();
        assert!(made.status.success());
        file
    };
    let (own, other) = (key("own.pem"), key("other.pem"));
    let machine = machine().set("K1S_GATES_SIGNING_KEY", Some(&own));
    let run = hanging(&machine);
    interrupt(&machine, run, true);
    let machine = machine.set("K1S_GATES_SIGNING_KEY", Some(&other));
    is_refused(&machine, &["and not by yours"]);
    let machine = machine.set("K1S_GATES_SIGNING_KEY", None);
    is_refused(&machine, &["settings: signed by: none"]);
    let machine = machine.set("K1S_GATES_SIGNING_KEY", Some(&own));
    machine.run(&TRIALS);
    machine.leaves_nothing();
    let signer = k1s_profile_gates::signing::Signer::read(std::path::Path::new(&own)).unwrap();
    let found = verify(&machine.at("run"), Some(&signer.public())).unwrap();
    assert!(found.is_sound() && found.is_complete(), "{found:?}");
}

#[test]
fn a_comparison_that_was_red_does_not_turn_green_unsaid() {
    let machine = Machine::new(HANGS).set("CARGO_MANIFEST_DIR", Some("@")).set("INSTA_UPDATE", Some("no"));
    std::fs::create_dir_all(machine.at("snapshots/workerbee-0.1.7")).unwrap();
    let trial = ["--exact", "inventory::snapshot"];
    let is_over = |machine: &Machine| eventually("the run is over", || machine.processes().is_empty());
    assert!(!machine.run(&trial).status.success(), "nothing was accepted yet");
    is_over(&machine);
    let red = |run: &Value| run["gates"]["inventory"]["checks"].to_string().contains("\"failed\"");
    assert!(red(&machine.summary()));
    let machine = machine.set("INSTA_UPDATE", Some("always"));
    machine.run(&trial);
    is_over(&machine);
    let run = machine.summary();
    assert_eq!(inventories(&machine), 1);
    let flaky = run["gates"]["inventory"]["flaky"].as_str().unwrap_or_default();
    assert!(red(&run) || flaky.contains("snapshot was red in part 1"), "{run}");
    assert!(std::fs::read_to_string(machine.at("answer.json")).unwrap() == ANSWER);
}
