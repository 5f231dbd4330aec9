//! The command: what it prints for people and for programs, and the status that it ends with.

use std::process::{Command, Output};

use k1s_profile_gates::plan::{Gate, Profile, Transport};
use rstest::rstest;
use serde_json::Value;

use crate::support::run_dir::{RunDir, red};

const STARTUP: Gate = Gate::Startup(Profile::HaMin);

fn gates(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k1s-gates"));
    for variable in
        ["RUN_DIR", "WB_PROJECT_BASE", "WB_PROJECT", "WORKERBEE_CONTAINERD_STATE_ROOT", "K1S_GATES_TRANSPORT"]
    {
        command.env_remove(variable);
    }
    command.args(arguments).envs(env.iter().copied()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn passed() -> RunDir {
    let mut run = RunDir::new();
    run.gate(STARTUP, include_str!("../answers/startup.json"));
    run.write();
    run
}

#[rstest]
#[case::no_subcommand(&[], 2)]
#[case::unknown(&["frobnicate"], 2)]
#[case::missing_argument(&["compare", "one"], 2)]
#[case::no_run(&["report", "/nonexistent"], 3)]
#[case::nothing_to_compare(&["compare", "/nonexistent", "/nonexistent"], 3)]
#[case::nothing_to_judge(&["judge", "/nonexistent"], 3)]
#[case::nothing_to_watch(&["watch", "/nonexistent"], 3)]
#[case::nothing_to_resume(&["interrupted", "/nonexistent"], 3)]
#[case::nothing_to_enter(&["enter", "no-such-project", "--", "true"], 3)]
#[case::nothing_to_release(&["release", "no-such-project"], 1)]
#[case::no_such_trial(&["plan", "no-such-trial"], 3)]
#[case::help(&["--help"], 0)]
#[case::version(&["--version"], 0)]
fn the_status_says_what_happened(#[case] arguments: &[&str], #[case] status: i32) {
    let output = gates(arguments, &[]);
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert!(status == 0 || !output.stderr.is_empty());
}

#[test]
fn help_tells_the_statuses_and_shows_examples() {
    assert!(stdout(&gates(&["--help"], &[])).contains("3  could not be done"));
    for command in [
        "doctor",
        "plan",
        "watch",
        "report",
        "compare",
        "judge",
        "completions",
        "lane",
        "interrupted",
        "enter",
        "release",
    ] {
        assert!(stdout(&gates(&[command, "--help"], &[])).contains("Example"), "{command}");
    }
}

#[rstest]
#[case("bash")]
#[case("zsh")]
#[case("fish")]
fn shells_complete_its_subcommands(#[case] shell: &str) {
    assert!(stdout(&gates(&["completions", shell], &[])).contains("compare"));
}

#[test]
fn a_report_is_written_and_named() {
    let run = passed();
    let output = gates(&["report", run.path().to_str().unwrap()], &[]);
    assert_eq!(stdout(&output).trim(), run.path().join("report.html").display().to_string());
    assert!(run.path().join("report.html").is_file());
    assert_eq!(json(&gates(&["report", "--json", run.path().to_str().unwrap()], &[]))["verdict"], "passed");
}

#[test]
fn a_plan_names_every_check_and_executes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run_dir = folder.path().join("run");
    let env = [("WB_PROJECT_BASE", "demo"), ("RUN_DIR", run_dir.to_str().unwrap())];
    let plan = json(&gates(&["plan", "--json"], &env));
    let gates_planned = plan["gates"].as_array().unwrap();
    assert_eq!(gates_planned.len(), Gate::ALL.len());
    for gate in gates_planned {
        let name: Gate = gate["gate"].as_str().unwrap().parse().unwrap();
        assert_eq!(gate["checks"].as_array().unwrap().len(), k1s_profile_gates::checks_of(name, Transport::Cli).len());
        assert_eq!(gate["project"], format!("demo{}", name.suffix(Transport::Cli)));
    }
    // The one whose start suffers from company goes first.
    assert_eq!(gates_planned[0]["gate"], "workload::k1s-ha-min");
    assert!(!run_dir.exists());
}

#[test]
fn a_plan_knows_by_which_way_each_gate_asks() {
    let plan =
        json(&gates(&["plan", "--json", "inventory"], &[("K1S_GATES_TRANSPORT", "both"), ("WB_PROJECT_BASE", "demo")]));
    let gates: Vec<_> = plan["gates"].as_array().unwrap().iter().collect();
    let of = |member: &str| gates.iter().map(|gate| gate[member].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(of("name"), ["inventory", "inventory::mcp"]);
    assert_eq!(of("transport"), ["cli", "mcp"]);
    assert_eq!(of("project"), ["demoi", "demol"]);
    let has = |gate: usize, name: &str| gates[gate]["checks"].as_array().unwrap().iter().any(|check| check == name);
    assert!(
        has(0, "parity::profiles") && has(1, "agent::tools") && !has(0, "agent::tools") && !has(1, "parity::profiles")
    );
}

#[test]
fn a_plan_can_be_of_one_check() {
    let plan = json(&gates(&["plan", "--json", "startup::k1s-ha-min::routes"], &[]));
    assert_eq!(plan["gates"][0]["checks"], serde_json::json!(["routes"]));
    assert_eq!(plan["gates"].as_array().unwrap().len(), 1);
}

#[rstest]
#[case::long_name("WB_PROJECT_BASE", "toolongforthis", "project name of startup::k1s-single-etcd-containerd")]
#[case::no_slug("WB_PROJECT", "My_App", "settings")]
#[case::no_state_root("WORKERBEE_CONTAINERD_STATE_ROOT", "/nonexistent", "WORKERBEE_CONTAINERD_STATE_ROOT")]
fn the_doctor_names_what_is_wrong_with_its_remedy(#[case] variable: &str, #[case] value: &str, #[case] named: &str) {
    let output = gates(&["doctor", "--json"], &[(variable, value)]);
    assert_eq!(output.status.code(), Some(1));
    let conditions = json(&output);
    let found = conditions.as_array().unwrap().iter().find(|one| one["name"] == named).expect(named);
    assert_eq!(found["ok"], false);
    assert!(!found["remedy"].as_str().unwrap().is_empty(), "{found}");
    let text = stdout(&gates(&["doctor"], &[(variable, value)]));
    assert!(text.contains("remedy:") && !text.contains('\x1b'), "{text}");
}

#[test]
fn a_run_is_the_same_as_itself() {
    let run = passed();
    let path = run.path().to_str().unwrap();
    let output = gates(&["compare", path, path], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("No check changed its verdict") && !stdout(&output).contains('\x1b'));
}

#[test]
fn what_differs_between_runs_is_told() {
    let first = passed();
    let mut second = RunDir::new();
    second.summary.versions.insert("WorkerBee".into(), "0.1.8".into());
    let answer = include_str!("../answers/startup.json").replace("\"started\": true", "\"begun\": true");
    second.gate(STARTUP, answer).checks = vec![red("ok", "it is broken", "startup-k1s-ha-min.json")];
    second.gate(Gate::Inventory, "{}");
    second.write();
    let paths = [first.path().to_str().unwrap(), second.path().to_str().unwrap()];
    let output = gates(&["compare", "--json", paths[0], paths[1]], &[]);
    assert_eq!(output.status.code(), Some(1));
    let told = json(&output);
    assert_eq!(told["verdicts"][0]["verdicts"], serde_json::json!(["passed", "failed"]));
    assert_eq!(told["alone"][0]["gate"], "inventory");
    let pointers: Vec<&str> =
        told["shapes"][0]["changes"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers.len(), 2, "{pointers:?}");
    assert!(pointers.contains(&"/started/begun") && pointers.contains(&"/started/started"));
    let text = stdout(&gates(&["compare", paths[0], paths[1]], &[]));
    for part in
        ["WorkerBee: 0.1.7 -> 0.1.8", "startup::k1s-ha-min::ok: passed -> failed", "it is broken", "/started/begun"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let page = stdout(&gates(&["compare", "--html", paths[0], paths[1]], &[]));
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("it is broken"));
}

#[rstest]
#[case::passed(false, 0, "\"verdict\":\"passed\"")]
#[case::failed(true, 1, "\"failed\":[\"x\"]")]
fn watching_ends_with_the_verdict_of_the_run(#[case] broken: bool, #[case] status: i32, #[case] said: &str) {
    let mut run = RunDir::new();
    let gate = run.gate(STARTUP, "{}");
    if broken {
        gate.checks.push(red("x", "broken", "startup-k1s-ha-min.json"));
    }
    let output = gates(&["watch", "--json", run.write().to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(status));
    assert!(stdout(&output).contains(said), "{output:?}");
}

#[test]
fn the_newest_run_that_was_cut_short_is_found() {
    let temporary = tempfile::tempdir().unwrap();
    let run_dir = |name: &str| temporary.path().join(format!("workerbee-k1s-profile-validation-{name}"));
    let find = || gates(&["interrupted"], &[("TMPDIR", temporary.path().to_str().unwrap())]);
    assert_eq!(find().status.code(), Some(1));
    let mut run = RunDir::new();
    run.gate(Gate::Inventory, "{}");
    run.open(STARTUP, Some("validate"));
    for name in ["1", "2"] {
        std::fs::create_dir(run_dir(name)).unwrap();
        std::fs::copy(run.write().join("run.json"), run_dir(name).join("run.json")).unwrap();
    }
    // Newer, and complete.
    std::fs::create_dir(run_dir("3")).unwrap();
    std::fs::copy(passed().path().join("run.json"), run_dir("3").join("run.json")).unwrap();
    let output = find();
    assert_eq!(stdout(&output).trim(), run_dir("2").display().to_string(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("kept: inventory") && said.contains("run anew, when asked for: startup::k1s-ha-min"),
        "{said}"
    );
}

#[test]
fn a_run_that_was_killed_is_not_watched_for_ever() {
    let mut run = RunDir::new();
    run.open(STARTUP, Some("validate"));
    run.summary.ended = None;
    let output = gates(&["watch", run.write().to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1));
    // No terminal: plain lines, on standard error.
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("startup::k1s-ha-min  not ended: validate")
            && said.contains("Cut short")
            && !said.contains('\x1b'),
        "{said}"
    );
}
