//! The gates as a program: from its command line to what it leaves behind, against a stand-in for `WorkerBee`.

use std::collections::BTreeSet;
use std::process::Command;

use k1s_profile_gates::evidence::Redactions;
use k1s_profile_gates::results::{Seal, bundle, junit, verify};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::forms;
use crate::support::ladder::ladder;
use crate::support::machine::{ANSWER, HONEST, Machine, errors, files};
use crate::support::stand_in::eventually;

#[test]
fn the_list_has_each_name_once_and_costs_nothing() {
    let machine = Machine::new(HONEST);
    let output = machine.run(&["--list", "--format", "terse"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text.lines().map(|line| line.strip_suffix(": test").expect(line)).collect();
    assert!(names.len() > 100, "{text}");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(!machine.at("run").exists());
    assert_eq!(machine.calls(), 0);
    machine.leaves_nothing();
}

#[rstest]
#[case::the_same_both_ways("mcp", &["inventory::ok", "inventory::agent::tools"], &["inventory::mcp::ok", "inventory::parity::profiles"])]
#[case::beside_each_other("both", &["inventory::ok", "inventory::mcp::ok", "inventory::parity::profiles"], &["inventory::mcp::parity::profiles"])]
fn trials_are_named_by_the_way_they_ask(#[case] way: &str, #[case] has: &[&str], #[case] has_not: &[&str]) {
    let machine = Machine::new(HONEST).set("K1S_GATES_TRANSPORT", Some(way));
    let output = machine.run(&["--list", "--format", "terse"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let listed = |name: &str| text.lines().any(|line| line == format!("{name}: test"));
    assert!(has.iter().all(|name| listed(name)) && !has_not.iter().any(|name| listed(name)), "{text}");
    assert_eq!(machine.calls(), 0);
    machine.leaves_nothing();
}

#[test]
fn a_way_that_there_is_not_fails() {
    let output = Machine::new(HONEST).set("K1S_GATES_TRANSPORT", Some("smtp")).run(&["--list"]);
    let errors = errors(&output);
    assert!(!output.status.success() && errors[0].contains("K1S_GATES_TRANSPORT=smtp"), "{errors:?}");
}

#[test]
fn ignored_trials_are_listed_as_none() {
    // nextest asks for them, and would count each trial twice if it got them all again.
    let output = Machine::new(HONEST).run(&["--list", "--format", "terse", "--ignored"]);
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn a_name_that_there_is_not_fails() {
    let machine = Machine::new(HONEST);
    let output = machine.run(&["--exact", "inventory::no-such-check"]);
    assert!(!output.status.success());
    let errors = errors(&output);
    assert!(errors.len() == 1 && errors[0].contains("inventory::no-such-check"), "{errors:?}");
    assert!(!machine.at("run").exists());
}

#[test]
fn an_honest_answer_passes_and_is_kept() {
    let machine = Machine::new(HONEST);
    let output = machine.run(&["--exact", "inventory::ok"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(machine.at("run/profile-list.json")).unwrap(), ANSWER);
    let record = std::fs::read(machine.at("run/gates/inventory/record.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["versions"]["WorkerBee"], "0.1.7");
    assert_eq!(record["calls"]["profile-list"]["exit"], 0);
    assert!(machine.at("run/summary.txt").is_file() && machine.at("run/report.html").is_file());
    assert!(!machine.at("run/gates/inventory/progress.json").exists());
    machine.leaves_nothing();
    let run = machine.summary();
    assert!(run["ended"].is_string());
    let verdict = &run["gates"]["inventory"]["checks"][0];
    assert_eq!((&verdict["check"], &verdict["outcome"]), (&json!("ok"), &json!("passed")));
    assert_eq!(verdict["read"][0]["file"], "profile-list.json");
    machine.leaves_nothing();
}

#[test]
fn cargo_test_has_all_gates_run_side_by_side() {
    let machine = Machine::new(HONEST);
    machine.run(&["::ok"]);
    machine.leaves_nothing();
    let run = machine.summary();
    let times = |member: &str| -> Vec<jiff::Timestamp> {
        let gates = run["gates"].as_object().unwrap().values();
        gates.map(|gate| gate[member].as_str().unwrap().parse().unwrap()).collect()
    };
    let (asked, ended) = (times("asked"), times("ended"));
    assert_eq!(asked.len(), 7);
    assert!(asked.iter().max() < ended.iter().min(), "{asked:?} {ended:?}");
}

#[rstest]
#[case::of_all(&["--test", "gates"], 8)]
#[case::of_some(&["--test", "gates", "inventory"], 1)]
fn a_first_trial_of_nextest_asks_for_all_that_nextest_was_asked_for(#[case] arguments: &[&str], #[case] gates: usize) {
    let machine = Machine::new(HONEST);
    let mut shell = Command::new("sh");
    // Between nextest, which this shell stands for, and its trial.
    let line = format!(
        "NEXTEST_RUN_ID=one NEXTEST_TEST_THREADS=2 NEXTEST_WORKSPACE_ROOT={} {} --exact inventory::ok; exec sleep 1000",
        machine.folder.path().display(),
        ladder().display()
    );
    shell.args(["-c", &line, "nextest", "run"]).args(arguments).env_clear();
    let mut shell = shell.envs(machine.env.iter().map(|(name, value)| (name, value))).spawn().unwrap();
    let known = || -> Option<Vec<bool>> {
        let run: Value = serde_json::from_slice(&std::fs::read(machine.at("run/run.json")).ok()?).ok()?;
        Some(run["gates"].as_object()?.values().map(|gate| gate["ended"].is_string()).collect())
    };
    eventually("the gates have run", || known().is_some_and(|ended| ended.len() >= gates && ended.contains(&true)));
    eventually("its trial is over", || known().is_some_and(|ended| ended.len() == gates));
    shell.kill().unwrap();
    shell.wait().unwrap();
}

#[test]
fn trials_of_one_gate_share_one_run_of_it() {
    let machine = Machine::new(HONEST);
    let output = machine.run(&["inventory::", "--skip", "snapshot", "--test-threads", "4"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("5 passed"));
    assert_eq!(machine.calls(), 1);
}

#[rstest]
#[case::no_workerbee("WORKERBEE_BIN", Some("@/none"), "WORKERBEE_BIN")]
#[case::workerbee_unset("WORKERBEE_BIN", None, "WORKERBEE_BIN")]
#[case::workerbee_not_executable("WORKERBEE_BIN", Some("@/answer.json"), "WORKERBEE_BIN")]
#[case::k1s_without_src("K1S_ROOT", Some("@/k1s/src"), "src/ae")]
#[case::k1s_unset("K1S_ROOT", None, "K1S_ROOT is not set")]
#[case::no_state_root("WORKERBEE_CONTAINERD_STATE_ROOT", Some("@/none"), "WORKERBEE_CONTAINERD_STATE_ROOT")]
#[case::run_dir_in_a_file("RUN_DIR", Some("@/answer.json/run"), "RUN_DIR")]
#[case::ledger_in_a_file("XDG_STATE_HOME", Some("@/answer.json"), "state folder")]
#[case::socket_too_deep(
    "XDG_RUNTIME_DIR",
    Some("@/runtime/deep-deep-deep-deep-deep-deep-deep-deep-deep-deep-deep-deep-deep-deep"),
    "XDG_RUNTIME_DIR"
)]
#[case::no_number("K1S_GATES_QUERY_TIMEOUT", Some("2m"), "K1S_GATES_QUERY_TIMEOUT=2m")]
#[case::no_key("K1S_GATES_SIGNING_KEY", Some("@/answer.json"), "K1S_GATES_SIGNING_KEY")]
#[case::no_slug("WB_PROJECT", Some("My_App"), "WB_PROJECT=My_App")]
#[case::too_long_a_project("WB_PROJECT_BASE", Some("k1spv031122"), "k1spv031122")]
fn a_setting_that_cannot_work_fails_at_once(
    #[case] variable: &'static str,
    #[case] value: Option<&str>,
    #[case] named: &str,
) {
    let machine = Machine::new(HONEST).set(variable, value);
    if variable == "XDG_RUNTIME_DIR" {
        let folder = &machine.env.iter().find(|(name, _)| *name == variable).unwrap().1;
        std::fs::create_dir_all(folder).unwrap();
    }
    let trial = if variable == "WB_PROJECT_BASE" { "startup::k1s-single-etcd-containerd::ok" } else { "inventory::ok" };
    let output = machine.run(&["--exact", trial]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    let errors = errors(&output);
    assert!(errors.len() == 1 && errors[0].contains(named), "{text}");
    for label in ["expected:", "seen:", "remedy:"] {
        assert!(text.contains(label), "no {label} in {text}");
    }
    assert_eq!(machine.calls(), 0);
    machine.leaves_nothing();
}

#[test]
fn a_name_that_is_too_long_is_told_how_long_it_may_be() {
    let machine = Machine::new(HONEST).set("WB_PROJECT_BASE", Some("k1spv031122"));
    let output = machine.run(&["--exact", "startup::k1s-single-etcd-containerd::ok"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("at most 8 characters") && text.contains("12 characters"), "{text}");
    assert_eq!(machine.calls(), 0);
}

#[rstest]
#[case::garbage("echo Traceback: it broke", "it printed no JSON", "Traceback: it broke")]
#[case::nothing("echo no key >&2; exit 3", "it printed nothing", "exit 3; no output; standard error: no key")]
#[case::hangs("echo waiting for the daemon >&2; sleep 1000", "it did not end in time", "waiting for the daemon")]
#[case::fails(
    r#"echo '{"ok": false, "error": {"code": "E1", "message": "broken", "remediation": "mend it"}}'; exit 1"#,
    "E1: broken",
    "mend it"
)]
fn a_workerbee_that_does_not_work_fails_the_trial(#[case] body: &str, #[case] first: &str, #[case] rest: &str) {
    let machine = Machine::new(body);
    let output = machine.run(&["--exact", "inventory::ok"]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    let errors = errors(&output);
    assert!(errors.len() == 1 && errors[0].contains(first), "{text}");
    assert!(text.contains(rest), "{text}");
    machine.leaves_nothing();
}

#[test]
fn a_run_that_is_killed_takes_its_workerbee_with_it() {
    let machine = Machine::new(
        r#"case "$*" in *--version*) echo 'workerbee 0.1.7'; exit;; esac
        : > "$HERE/begun"; while :; do sleep 1; done"#,
    )
    .set("K1S_GATES_QUERY_TIMEOUT", Some("600"));
    let mut run = machine.command(&["--exact", "inventory::ok"]).spawn().unwrap();
    eventually("WorkerBee is called", || machine.at("begun").exists());
    run.kill().unwrap();
    run.wait().unwrap();
    machine.leaves_nothing();
    // What it was at is known, and the page says so.
    let run = machine.summary();
    assert!(run["gates"]["inventory"]["began"].is_string() && run["gates"]["inventory"]["ended"].is_null());
    let progress = std::fs::read_to_string(machine.at("run/gates/inventory/progress.json")).unwrap();
    assert!(progress.contains("\"doing\": \"profile-list\""), "{progress}");
    let page = std::fs::read_to_string(machine.at("run/report.html")).unwrap();
    assert!(page.contains("Cut short</h1>") && page.contains("It was at <b>profile-list</b>"));
    let found = verify(&machine.at("run"), None).unwrap();
    assert!(found.is_sound() && found.unfinished.contains("inventory"), "{found:?}");
    assert_eq!(found.result.as_deref(), Some("FAILED"));
    let report = junit(&machine.at("run")).unwrap();
    assert!(report.contains("the run ended before this gate did") && !report.contains("<testcase/>"), "{report}");
}

/// Fills the run's folder when it is asked for the inventory.
const FILLS: &str = r#"
case "$*" in *--version*) echo 'workerbee 0.1.7'; exit;; esac
cat /dev/zero > "$RUN_DIR/full" 2> /dev/null
cat "$HERE/answer.json""#;

/// Turns the run's folder read-only when it is asked for the inventory.
const TURNS_READ_ONLY: &str = r#"
case "$*" in *--version*) echo 'workerbee 0.1.7'; exit;; esac
mount -o remount,bind,ro "$RUN_DIR"
cat "$HERE/answer.json""#;

#[rstest]
#[case::full(
    "mount -t tmpfs -o size=64k,mode=755 full @/run; cat /dev/zero > @/run/full 2> /dev/null",
    HONEST,
    7,
    "No space left"
)]
#[case::full_in_the_middle("mount -t tmpfs -o size=256k,mode=755 full @/run", FILLS, 1, "No space left")]
#[case::read_only_in_the_middle("mount --bind @/run @/run", TURNS_READ_ONLY, 1, "Read-only file system")]
#[case::read_only("mount --bind @/run @/run; mount -o remount,bind,ro @/run", HONEST, 7, "Read-only file system")]
fn a_folder_that_cannot_be_written_to_is_named(
    #[case] prepare: &str,
    #[case] workerbee: &str,
    #[case] by: usize,
    #[case] says: &str,
) {
    let machine = Machine::new(workerbee);
    std::fs::create_dir(machine.at("run")).unwrap();
    let here = machine.folder.path().display().to_string();
    // In mount namespaces of their own, which end with the run.
    let line = format!("{}; exec \"$0\" \"$@\"", prepare.replace('@', &here));
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &line]).arg(ladder());
    // One check of each gate but preflight.
    command.args(["::ok", "--test-threads", "8"]).env_clear().envs(machine.env.iter().cloned());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    // Behind the line that names the k1s under test.
    let told: Vec<&str> = text.split("\nError: ").skip(1).collect();
    // Each gate says what is wrong with it: what is wrong with one keeps no other from that.
    assert_eq!(told.len(), 7, "{text}");
    assert!(told.iter().all(|one| one.contains("seen:") && one.contains("remedy:")), "{text}");
    let named = told.iter().filter(|one| one.contains(says) && one.contains("RUN_DIR")).count();
    assert!(named >= by, "{text}");
    machine.leaves_nothing();
}

#[test]
fn a_run_is_sealed_when_it_is_over() {
    let machine = Machine::new(HONEST);
    machine.run(&["inventory::", "--skip", "snapshot"]);
    machine.leaves_nothing();
    let found = verify(&machine.at("run"), None).unwrap();
    assert!(found.is_sound() && found.is_complete() && found.added.is_empty(), "{found:?}");
    assert_eq!((found.result.as_deref(), found.signature), (Some("PASSED"), Seal::Unsigned));
}

/// Secrets of all kinds, each with the same mark in it.
const PLANTED: &str = r#"{
  "ok": true, "runtime_requirement": "S3cret is no secret by itself",
  "admin_token": "S3cret-admin", "nested": {"PASSWORD": "a\"S3cret\nb", "api_key": "S3cret"},
  "message": "{\"cmd\": [\"ae\", \"--token=S3cret-admin\", \"--password\", \"S3cret\"], \"url\": \"nats://u:S3cret@h\"}",
  "key": "-----BEGIN PRIVATE KEY-----\nS3cret\nS3cret\n-----END PRIVATE KEY-----",
  "identity": "AGE-SECRET-KEY-1S3CRET", "header": "Authorization: Bearer S3cret-admin",
  "env": [{"name": "AE_READ_TOKEN", "value": "S3cret"}, "AE_API_ADMIN_TOKEN=S3cret-admin"],
  "error": {"code": "E1", "message": "refused: --token S3cret-admin", "remediation": "export TOKEN=S3cret-admin"}
}"#;

#[rstest]
#[case::in_an_answer("cat \"$HERE/answer.json\"; exit 1")]
#[case::on_standard_error("cat \"$HERE/answer.json\" >&2; exit 1")]
#[case::in_half_an_answer("head -c 900 \"$HERE/answer.json\"")]
#[case::before_it_hangs("cat \"$HERE/answer.json\" >&2; sleep 1000")]
fn a_planted_secret_reaches_no_output(#[case] body: &str) {
    let body = format!("case \"$*\" in *--version*) echo 'workerbee 0.1.7'; exit;; esac\n{body}");
    let machine = Machine::new(&body).set("AE_API_ADMIN_TOKEN", Some("S3cret-admin"));
    std::fs::write(machine.at("answer.json"), PLANTED.replace("S3cret is", "this is")).unwrap();
    let output = machine.run(&["inventory::", "--skip", "snapshot"]);
    assert!(!output.status.success());
    machine.leaves_nothing();
    let run = machine.at("run");
    let outputs = told(&machine, output);
    assert!(outputs.len() > 10, "{outputs:?}");
    for (name, bytes) in outputs {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        assert!(!text.contains("s3cret"), "{name}: {text}");
    }
    let written: Redactions = serde_json::from_slice(&std::fs::read(run.join("redactions.json")).unwrap()).unwrap();
    assert!(written.files.values().flatten().count() > 5, "{written:?}");
    // The same secret in the same file, under three names.
    let placeholders: Vec<&str> = written.files.values().flatten().map(|one| one.placeholder.as_str()).collect();
    assert!(placeholders.iter().any(|one| placeholders.iter().filter(|other| *other == one).count() > 2));
    bundle(&run, Some(&machine.at("bundle.tar.zst")), false).unwrap();
}

/// All that a run tells: what its trials print, JUnit, and every file.
fn told(machine: &Machine, output: std::process::Output) -> Vec<(String, Vec<u8>)> {
    let run = machine.at("run");
    let mut told = vec![
        ("standard output".to_owned(), output.stdout),
        ("standard error".to_owned(), output.stderr),
        ("JUnit".to_owned(), junit(&run).unwrap().into_bytes()),
    ];
    told.extend(files(&run).into_iter().map(|file| (file.display().to_string(), std::fs::read(file).unwrap())));
    told
}

#[rstest]
#[case::on_standard_error("cat \"$HERE/answer.json\" >&2; exit 1")]
#[case::instead_of_an_answer("cat \"$HERE/answer.json\"")]
fn no_form_of_a_secret_reaches_any_output(#[case] body: &str) {
    let body = format!("case \"$*\" in *--version*) echo 'workerbee 0.1.7'; exit;; esac\n{body}");
    for family in forms::FAMILIES {
        let machine = Machine::new(&body);
        let texts: Vec<&str> = family.iter().map(|(_, text, _)| *text).collect();
        std::fs::write(machine.at("answer.json"), texts.join("\n\n")).unwrap();
        let output = machine.run(&["--exact", "inventory::ok"]);
        assert!(!output.status.success());
        machine.leaves_nothing();
        for (name, bytes) in told(&machine, output) {
            let text = String::from_utf8_lossy(&bytes);
            let line = text.lines().find(|line| forms::leaks(line));
            assert!(line.is_none(), "{}: {name}: {line:?}", family[0].0);
        }
        bundle(&machine.at("run"), Some(&machine.at("bundle.tar.zst")), false).unwrap();
    }
}

#[test]
fn a_retry_is_green_only_when_its_whole_gate_is() {
    // As when a first attempt was red in `ok` alone: the second answer is `ok`, and lacks a profile.
    let machine = Machine::new(HONEST).set("NEXTEST_ATTEMPT", Some("2"));
    std::fs::write(machine.at("answer.json"), ANSWER.replace("\"k1s-ha-min\"", "\"k1s-other\"")).unwrap();
    let output = machine.run(&["--exact", "inventory::ok"]);
    let errors = errors(&output);
    assert!(!output.status.success() && errors.len() == 1, "{errors:?}");
    for words in ["green at attempt 2", "`inventory::expected-profiles` is not"] {
        assert!(errors[0].contains(words), "{errors:?}");
    }
    machine.leaves_nothing();
}

#[rstest]
#[case::first_attempt("1")]
#[case::retry("2")]
fn an_honest_answer_is_green_at_each_attempt(#[case] attempt: &str) {
    let machine = Machine::new(HONEST).set("NEXTEST_ATTEMPT", Some(attempt));
    whole_answer(&machine);
    let output = machine.run(&["--exact", "inventory::ok"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The stand-in of a version without accepted shapes.
const NEWER: &str = r#"case "$*" in *--version*) echo 'workerbee 0.9.0'; exit;; esac; cat "$HERE/answer.json""#;

/// Fills in the members of WorkerBee's answer that no check reads, and that its shape has.
fn whole_answer(machine: &Machine) {
    let mut answer: Value = serde_json::from_str(ANSWER).unwrap();
    for profile in answer["profiles"].as_array_mut().unwrap() {
        for member in ["advanced", "external_core", "ha_mode", "requires_bootstrap"] {
            profile[member] = json!(false);
        }
        for member in ["description", "workload_runtime"] {
            profile[member] = json!("text");
        }
    }
    std::fs::write(machine.at("answer.json"), answer.to_string()).unwrap();
}

#[test]
fn an_answer_of_another_shape_than_the_accepted_one_is_red() {
    let consumer = |workerbee: &str, update: &str| {
        Machine::new(workerbee).set("CARGO_MANIFEST_DIR", Some("@")).set("INSTA_UPDATE", Some(update))
    };
    let change = |machine: &Machine| {
        std::fs::write(machine.at("answer.json"), ANSWER.replace("\"etcd\"", "\"etcd3\"")).unwrap();
    };
    let trial = ["--exact", "inventory::snapshot"];

    // A consumer that keeps no snapshots has those of the harness.
    let machine = consumer(HONEST, "no");
    whole_answer(&machine);
    let output = machine.run(&trial);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!machine.at("snapshots").exists());

    let machine = consumer(HONEST, "no").set("INSTA_FORCE_PASS", Some("1"));
    change(&machine);
    let output = machine.run(&trial);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors(&output).len() == 1, "{text}");
    assert!(text.contains("/profiles/0/etcd is gone") && text.contains("/profiles/0/etcd3 is new"), "{text}");
    // Only its trial can judge it: it has told the run.
    eventually("the run has the trial's verdict", || {
        let checks = machine.summary()["gates"]["inventory"]["checks"].as_array().cloned().unwrap_or_default();
        checks.iter().any(|verdict| verdict["check"] == "snapshot" && verdict["outcome"]["failed"]["what"].is_string())
    });

    // What is accepted lies beside the consumer's manifest, and counts from then on.
    let machine = consumer(HONEST, "always");
    change(&machine);
    let output = machine.run(&trial);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(machine.at("snapshots/workerbee-0.1.7/inventory.snap").is_file());
    eventually("the first run is over", || machine.processes().is_empty());
    let machine = machine.set("INSTA_UPDATE", Some("no")).set("RUN_DIR", Some("@/run-2"));
    assert!(machine.run(&trial).status.success());

    let machine = consumer(NEWER, "no");
    let output = machine.run(&trial);
    let errors = errors(&output);
    assert!(!output.status.success() && errors[0].contains("no accepted shape"), "{errors:?}");
    assert!(errors[0].contains("WorkerBee 0.9.0"), "{errors:?}");
}
