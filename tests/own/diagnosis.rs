//! The diagnosis of gates from their evidence: what broke first, why, whose fault it is, and what follows.

use std::path::Path;

use k1s_profile_gates::diagnosis::{self, Diagnosis, Fault};
use k1s_profile_gates::plan::{Gate, Profile};
use k1s_profile_gates::{Evidence, Failure, Kind};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::evidence_fixture::EvidenceFixture;

const SQLITE: Gate = Gate::Startup(Profile::DevMinSqlite);
const HA: Gate = Gate::Startup(Profile::HaMin);
const FOLDER: &str = "startup-test";

/// A gate in which components ended, with the logs that its triage kept.
fn diagnosed(
    gate: Gate,
    exits: &Value,
    logs: &[(&str, Vec<u8>)],
    tamper: impl FnOnce(&mut EvidenceFixture),
) -> (TempDir, Diagnosis) {
    let run = tempfile::tempdir().unwrap();
    let mut fixture = EvidenceFixture::honest(gate);
    *fixture.seen("component-exits", "/exits") = exits.clone();
    // A look at logs that have lost nothing since.
    for log in fixture.seen("logs", "/logs").as_array_mut().unwrap() {
        log["lines"] = json!(1);
    }
    tamper(&mut fixture);
    fixture.leave_in(run.path(), FOLDER);
    let triage = run.path().join("triage").join(FOLDER).join("logs");
    std::fs::create_dir_all(&triage).unwrap();
    for (name, log) in logs {
        std::fs::write(triage.join(format!("{name}.log")), log).unwrap();
    }
    let diagnosis = of(run.path());
    (run, diagnosis)
}

fn of(run_dir: &Path) -> Diagnosis {
    let evidence = Evidence::load(run_dir, &run_dir.join("gates").join(FOLDER).join("record.json")).unwrap();
    diagnosis::of(&evidence, &diagnosis::red(&evidence))
}

fn exit(component: &str, status: u32, seconds: f64) -> Value {
    json!({
        "component": component, "container": component, "status": status, "at": "2026-01-01T00:00:05Z",
        "seconds": seconds, "ran_for_seconds": 1.4, "out_of_memory": false, "restarted": false, "removed": false
    })
}

/// A log as nerdctl keeps it.
fn log(text: &str) -> Vec<u8> {
    let line = |line: &str| json!({ "log": format!("{line}\n"), "stream": "stderr", "time": "x" }).to_string() + "\n";
    text.lines().map(line).collect::<String>().into_bytes()
}

fn nothing(_: &mut EvidenceFixture) {}

fn headlines(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.causes.iter().map(diagnosis::Cause::headline).collect()
}

const SYNTAX: &str = include_str!("../answers/logs/syntax.txt");
const IMPORT: &str = include_str!("../answers/logs/traceback.txt");
const REFUSED: &str = "Traceback (most recent call last):\n  File \"/workspace/src/ae/controller/state.py\", line 9, in connect\n    connect()\nConnectionRefusedError: etcd does not answer\n";

#[test]
fn a_component_that_died_is_the_cause_of_all_that_follows() {
    let (_run, diagnosis) =
        diagnosed(SQLITE, &json!([exit("controller-0", 1, 5.0)]), &[("controller-0", log(SYNTAX))], |fixture| {
            *fixture.seen("containers", "/components/1/after/status") = json!("STOPPED");
            *fixture.at("profile-status-after", "/running") = json!(false);
        });
    assert_eq!(
        headlines(&diagnosis),
        [
            "controller-0 exited with status 1 after 1.4 s: SyntaxError: from __future__ imports must occur at the beginning of \
         the file (/workspace/src/ae/controller/__main__.py:15)"
        ]
    );
    let cause = &diagnosis.causes[0];
    assert_eq!((cause.fault, cause.component.as_deref()), (Fault::K1s, Some("controller-0")));
    assert!(
        cause.checks.contains(&"attest::containers".to_owned())
            && cause.checks.contains(&"profile-status-after".to_owned())
    );
    assert_eq!(cause.excerpt.last().map(String::as_str), SYNTAX.lines().last());
}

#[test]
fn two_that_broke_by_themselves_are_two() {
    let exits = json!([exit("apishim", 1, 4.0), exit("controller-0", 1, 5.0)]);
    let logs = [("controller-0", log(SYNTAX)), ("apishim", log(IMPORT))];
    let (_run, diagnosis) = diagnosed(SQLITE, &exits, &logs, |fixture| {
        *fixture.seen("containers", "/components/1/after/status") = json!("STOPPED");
    });
    let found = headlines(&diagnosis);
    assert!(
        found.len() == 2 && found[0].starts_with("apishim exited") && found[1].starts_with("controller-0"),
        "{found:#?}"
    );
}

#[test]
fn what_died_of_another_is_no_cause() {
    let exits = json!([exit("etcd", 2, 4.0), exit("controller-1", 1, 5.0)]);
    let etcd = log(include_str!("../answers/logs/etcd.txt"));
    let (_run, diagnosis) = diagnosed(HA, &exits, &[("etcd", etcd), ("controller-1", log(REFUSED))], nothing);
    let found = headlines(&diagnosis);
    assert!(found.len() == 1 && found[0].starts_with("etcd exited with status 2"), "{found:#?}");
}

#[test]
fn one_fault_of_three_controllers_is_one() {
    let exits = json!([exit("controller-0", 1, 4.0), exit("controller-1", 1, 4.1), exit("controller-2", 1, 4.2)]);
    let logs = ["controller-0", "controller-1", "controller-2"].map(|name| (name, log(IMPORT)));
    let (_run, diagnosis) = diagnosed(HA, &exits, &logs, nothing);
    let found = headlines(&diagnosis);
    assert!(
        found.len() == 1 && found[0].contains("controller-1 too, controller-2 too: ModuleNotFoundError"),
        "{found:#?}"
    );
}

#[test]
fn what_the_purge_left_is_no_consequence() {
    let (_run, diagnosis) =
        diagnosed(SQLITE, &json!([exit("controller-0", 1, 5.0)]), &[("controller-0", log(SYNTAX))], |fixture| {
            *fixture.at("profile-purge", "/ok") = json!(false);
        });
    let faults: Vec<Fault> = diagnosis.causes.iter().map(|cause| cause.fault).collect();
    assert_eq!(faults, [Fault::K1s, Fault::WorkerBee], "{diagnosis}");
    assert_eq!(diagnosis.cause_of(Some("cleanup::profile-purge")).map(|cause| cause.fault), Some(Fault::WorkerBee));
}

#[rstest]
#[case::exits_0(
    exit("controller-0", 0, 5.0),
    log("done\n"),
    "controller-0 exited with status 0 after 1.4 s: its last words: done"
)]
#[case::killed(
    exit("controller-0", 137, 5.0),
    log(IMPORT),
    "controller-0 was ended by SIGKILL (status 137) after 1.4 s"
)]
#[case::rotated_away(exit("controller-0", 1, 5.0), Vec::new(), "after 1.4 s, and its log was cut off meanwhile")]
#[case::escapes(exit("controller-0", 1, 5.0), log("\x1b[31m\x1b[2Jboom\x1b[0m\n"), "its last words: boom")]
#[case::hostile(
    exit("controller-0", 1, 5.0),
    log("<script>alert(1)</script>\n"),
    "its last words: <script>alert(1)</script>"
)]
#[case::binary(exit("controller-0", 1, 5.0), (0..=255).cycle().take(90_000).collect(), "its last words: ")]
fn whatever_the_log_is(#[case] exit: Value, #[case] log: Vec<u8>, #[case] says: &str) {
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([exit]), &[("controller-0", log)], nothing);
    let found = headlines(&diagnosis);
    assert!(found.len() == 1 && found[0].contains(says), "{found:#?}");
    assert!(!diagnosis.to_string().contains('\x1b'));
}

#[test]
fn where_nothing_says_why_that_is_said() {
    let (_run, diagnosis) =
        diagnosed(SQLITE, &json!([exit("controller-0", 137, 5.0)]), &[("controller-0", log("up\n"))], nothing);
    let second = diagnosis.causes[0].second_line(&diagnosis.read);
    assert!(second.contains("cause not found, looked at: controller-0"), "{second}");
}

#[test]
fn who_leads_is_one_thing_whoever_says_it() {
    let (_run, diagnosis) = diagnosed(HA, &json!([]), &[], |fixture| {
        *fixture.seen("leader", "/leader") = Value::Null;
        let first = fixture.seen("leadership", "/changes/0").clone();
        *fixture.seen("leadership", "/changes") = json!([first, { "seconds": 34.7, "leader": null }]);
        *fixture.seen("leadership", "/lease/renewed") = json!([]);
        *fixture.at("profile-status-after", "/leader") = Value::Null;
    });
    let found = headlines(&diagnosis);
    assert!(found.len() == 1 && found[0].contains("lease was never renewed"), "{found:#?}");
    assert!(diagnosis.causes[0].checks.len() >= 4, "{diagnosis}");
}

#[test]
fn a_finding_that_is_the_cause_itself_asks_for_none() {
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([]), &[("controller-0", log("up\n"))], |fixture| {
        *fixture.seen("versions", "/programs/0/said/Ok") = json!("v0.0.1");
    });
    let second = diagnosis.causes[0].second_line(&diagnosis.read);
    assert!(second.contains("red: attest::versions") && !second.contains("cause not found"), "{second}");
}

#[test]
fn of_many_logs_a_few_are_named_and_the_components_first() {
    let apps: Vec<String> = (0..9).map(|number| format!("ae-x-app-rev1-0-{number}")).collect();
    let mut logs: Vec<(&str, Vec<u8>)> = apps.iter().map(|name| (name.as_str(), log("up\n"))).collect();
    logs.push(("controller-0", log("up\n")));
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([exit("controller-0", 137, 5.0)]), &logs, nothing);
    let second = diagnosis.causes[0].second_line(&diagnosis.read);
    assert!(second.contains("looked at: controller-0, ae-x-app-rev1-0-0") && second.contains("and 5 more"), "{second}");
}

#[rstest]
#[case::a_full_disk(Failure::new("evidence cannot be kept: No space left on device").seen("No space left on device"), Fault::Host)]
#[case::containerd(Failure::new("containerd does not answer as it should: connection refused").seen("connection refused").of(Kind::Containerd), Fault::Stack)]
#[case::daemon(Failure::new("WorkerBee's MCP daemon is not ready: MCP_NOT_READY").seen("running false").of(Kind::Daemon), Fault::WorkerBee)]
#[case::ours(Failure::new("a thing that cannot be").seen("it is").to_be_reported(), Fault::Harness)]
fn whose_fault_it_is_that_a_gate_could_not_go_on(#[case] failure: Failure, #[case] fault: Fault) {
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([]), &[], |fixture| {
        fixture.record.observations.clear();
        fixture.record.failure = Some(failure);
    });
    assert_eq!(diagnosis.fault(), Some(fault), "{diagnosis}");
    assert_eq!(diagnosis.causes.len(), 1, "{diagnosis}");
}

#[test]
fn a_copy_says_the_same() {
    let (run, diagnosis) =
        diagnosed(SQLITE, &json!([exit("controller-0", 1, 5.0)]), &[("controller-0", log(SYNTAX))], nothing);
    let copy = tempfile::tempdir().unwrap();
    let status =
        std::process::Command::new("cp").arg("-r").arg(run.path().join(".")).arg(copy.path()).status().unwrap();
    assert!(status.success());
    assert_eq!(of(copy.path()), diagnosis);
}

#[test]
fn what_is_green_has_no_cause() {
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([]), &[("controller-0", log(IMPORT))], nothing);
    assert_eq!(diagnosis, Diagnosis::default());
}

#[test]
fn what_pip_could_not_install_is_the_cause() {
    let pip = b"Collecting k1s-nothing==9.9\nERROR: Could not find a version that satisfies it\nERROR: No matching distribution found for k1s-nothing==9.9\n";
    let logs = [("controller-0", Vec::new()), ("controller-0.installing", pip.to_vec())];
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([exit("controller-0", 1, 5.0)]), &logs, nothing);
    let says = "its requirements could not be installed: ERROR: No matching distribution found for k1s-nothing==9.9";
    assert_eq!(headlines(&diagnosis), [format!("controller-0 exited with status 1 after 1.4 s: {says}")]);
}

#[test]
fn what_hangs_is_told_by_the_end_of_its_log() {
    let logs = [("controller-0", log("INFO migrating the store\n"))];
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([]), &logs, |fixture| {
        let answers = fixture.seen("readiness", "/components").as_array_mut().unwrap();
        let own = answers.iter_mut().find(|one| one["name"].as_str().unwrap().ends_with("controller-0")).unwrap();
        own["status"] = Value::Null;
    });
    let says =
        "controller-0 does not answer: it has not ended, and its log goes no further than `INFO migrating the store`";
    assert_eq!(headlines(&diagnosis), [says]);
}

#[test]
fn what_the_stack_could_not_install_is_told_by_its_error() {
    let seen = "the step `images` of the stack failed (exit status: 1); the end of its log:\n  | images: installing\n  | ERROR: No matching distribution found for x==9\nWhole log: less images.log";
    let what = "the stack is not complete: the step `images` of the stack failed (exit status: 1); the end of its log:";
    let diagnosis = diagnosis::of_no_record(&Failure::new(what).seen(seen), Path::new("/run"));
    let says = "the stack is not complete: the step `images` of the stack failed (exit status: 1): ERROR: No matching distribution found for x==9";
    assert_eq!(headlines(&diagnosis), [says]);
    assert_eq!(diagnosis.fault(), Some(Fault::K1s));
}

/// What a crash loop, an end under observation, and a clock that jumps leave in the evidence.
#[rstest]
#[case::a_crash_loop(
    (0..50).map(|n| json!({ "component": "apishim", "container": "a", "status": 1, "at": null, "seconds": f64::from(n),
        "ran_for_seconds": 0.5, "out_of_memory": false, "restarted": true, "removed": false })).collect(),
    "apishim exited with status 1 after 0.5 s"
)]
#[case::a_clock_that_jumps(
    vec![json!({ "component": "apishim", "container": "a", "status": 1, "at": "1999-01-01T00:00:00Z", "seconds": 5.0,
        "ran_for_seconds": 1.4, "out_of_memory": false, "restarted": false, "removed": false })],
    "apishim exited with status 1 after 1.4 s"
)]
#[case::out_of_memory(
    vec![json!({ "component": "apishim", "container": "a", "status": 137, "at": null, "seconds": 5.0,
        "ran_for_seconds": 1.4, "out_of_memory": true, "restarted": false, "removed": false })],
    "apishim was ended by SIGKILL (status 137) (out of memory) after 1.4 s"
)]
fn one_cause_however_it_ended(#[case] exits: Vec<Value>, #[case] says: &str) {
    let (_run, diagnosis) = diagnosed(SQLITE, &json!(exits), &[("apishim", log("boom\n"))], nothing);
    let found = headlines(&diagnosis);
    assert!(found.len() == 1 && found[0].starts_with(says), "{found:#?}");
}

/// An image that cannot be unpacked is no fault of k1s's.
#[rstest]
#[case::of_a_layer("failed to extract layer sha256:0: unexpected EOF: unknown")]
#[case::of_an_image("failed to unpack image on snapshotter overlayfs: invalid tar header")]
fn an_image_that_cannot_be_unpacked_is_the_stacks(#[case] message: &str) {
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([]), &[], |fixture| {
        let answer = json!({ "ok": false, "error": { "code": "NERDCTL_FAILED", "message": message } });
        *fixture.at("validate", "") = answer;
    });
    assert_eq!(diagnosis.fault(), Some(Fault::Stack), "{diagnosis}");
    assert!(headlines(&diagnosis)[0].contains(message), "{diagnosis}");
}

#[test]
fn a_log_that_was_cut_off_is_no_silence() {
    let logs = [("controller-0", log("on\n"))];
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([exit("controller-0", 1, 5.0)]), &logs, |fixture| {
        for log in fixture.seen("logs", "/logs").as_array_mut().unwrap() {
            log["lines"] = json!(100);
        }
    });
    let found = headlines(&diagnosis);
    let says = "after 1.4 s, and its log was cut off meanwhile: it had 100 lines, and has 1";
    assert!(found.len() == 1 && found[0].contains(says), "{found:#?}");
}

#[test]
fn what_never_said_a_word_is_called_silent() {
    let logs = [("controller-0", Vec::new())];
    let exits = json!([exit("controller-0", 1, 5.0)]);
    let (_run, diagnosis) = diagnosed(SQLITE, &exits, &logs, |fixture| fixture.unseen("logs"));
    assert_eq!(headlines(&diagnosis), ["controller-0 exited with status 1 after 1.4 s, without a word in its log"]);
}

#[test]
fn what_was_rotated_away_is_read_where_nothing_came_after_it() {
    let logs = [("controller-0", Vec::new()), ("controller-0.rotated", log(SYNTAX))];
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([exit("controller-0", 1, 5.0)]), &logs, nothing);
    let found = headlines(&diagnosis);
    assert!(found.len() == 1 && found[0].contains("SyntaxError"), "{found:#?}");
    assert!(diagnosis.causes[0].evidence[0].ends_with("controller-0.rotated.log"), "{diagnosis}");
}

/// It was seen alive, and then its questions were answered no more.
#[test]
fn what_exits_while_it_is_looked_at_is_the_cause_of_what_was_not_seen_after_it() {
    let exits = json!([exit("controller-0", 3, 5.0)]);
    let (_run, diagnosis) = diagnosed(SQLITE, &exits, &[("controller-0", log(IMPORT))], |fixture| {
        *fixture.seen("containers", "/components/1/after/status") = json!("STOPPED");
        for route in fixture.seen("routes", "/routes").as_array_mut().unwrap() {
            if route["name"] != "api" {
                route["answer"] = json!({ "answered": { "status": 502, "bytes": 0 } });
            }
        }
    });
    let found = headlines(&diagnosis);
    assert!(found.len() == 1 && found[0].starts_with("controller-0 exited with status 3"), "{found:#?}");
    let checks = &diagnosis.causes[0].checks;
    assert!(checks.iter().any(|check| check == "attest::routes"), "{checks:?}");
    assert!(!checks.iter().any(|check| check == "attest::readiness"), "{checks:?}");
}

/// All that was looked at was green, and then a component died, before the gate stopped it.
#[test]
fn what_dies_after_all_was_green_is_seen_and_named() {
    let exits = json!([exit("apishim", 1, 40.0)]);
    let (_run, diagnosis) = diagnosed(SQLITE, &exits, &[("apishim", log(IMPORT))], nothing);
    assert!(headlines(&diagnosis)[0].starts_with("apishim exited with status 1"), "{diagnosis}");
    assert_eq!(diagnosis.causes[0].checks, ["attest::component-exits"]);
    assert_eq!(diagnosis.fault(), Some(Fault::K1s));
}

const REALTIME: Gate = Gate::Workload(Profile::SingleEtcdContainerd);

/// What `WorkerBee` says of a thing goes with what the harness has seen of it.
#[test]
fn what_workerbee_tells_of_a_thing_follows_from_the_look_at_it() {
    let (_run, diagnosis) = diagnosed(REALTIME, &json!([]), &[], |fixture| {
        *fixture.seen("websocket", "/text/answered/echoed") = json!(false);
        let checks = fixture.at("validate", "/checks").as_array_mut().unwrap();
        checks.iter_mut().find(|check| check["name"] == "websocket-probe").unwrap()["ok"] = json!(false);
        *fixture.at("validate", "/ok") = json!(false);
    });
    assert_eq!(headlines(&diagnosis).len(), 1, "{diagnosis}");
    let cause = &diagnosis.causes[0];
    assert_eq!((cause.fault, cause.checks[0].as_str()), (Fault::WorkerBee, "attest::websocket"), "{diagnosis}");
    assert!(["ok", "websocket-probe"].iter().all(|check| cause.checks.iter().any(|one| one == check)), "{diagnosis}");
}

/// The harness has seen what `WorkerBee`'s answer says there is none of; or it has not.
#[rstest]
#[case::seen(false, Fault::WorkerBee)]
#[case::not_seen(true, Fault::K1s)]
fn an_answer_that_contradicts_itself_is_judged_by_the_look(#[case] looks_the_same: bool, #[case] fault: Fault) {
    let (_run, diagnosis) = diagnosed(REALTIME, &json!([]), &[], |fixture| {
        *fixture.at("validate", "/status/resources/pods/count") = json!(0);
        if looks_the_same {
            *fixture.seen("resources", "/deployed/0/replicas") = json!(2);
        }
    });
    assert_eq!(diagnosis.cause_of(Some("workload-status")).map(|cause| cause.fault), Some(fault), "{diagnosis}");
}

#[test]
fn without_its_daemon_nothing_that_it_makes_is_asked_for_by_itself() {
    let run = tempfile::tempdir().unwrap();
    let mut fixture = EvidenceFixture::honest(Gate::Preflight);
    *fixture.at("mcp-status-after", "/running") = json!(false);
    for member in ["https_running", "ca_ready"] {
        *fixture.at("ingress-status", &format!("/{member}")) = json!(false);
    }
    fixture.leave_in(run.path(), FOLDER);
    let diagnosis = of(run.path());
    assert_eq!(headlines(&diagnosis).len(), 1, "{diagnosis}");
    assert_eq!(diagnosis.causes[0].checks, ["mcp-running", "ingress-healthy", "ca-ready"]);
}

#[test]
fn a_daemon_that_never_ran_is_told_by_its_last_line() {
    let run = tempfile::tempdir().unwrap();
    let mut fixture = EvidenceFixture::honest(Gate::Preflight);
    let failure = Failure::new("WorkerBee's MCP daemon is not ready").seen("running false").of(Kind::Daemon);
    fixture.record.failure = Some(failure.clone());
    *fixture.at("mcp-status-after", "/running") = json!(false);
    *fixture.at("ingress-status", "/https_running") = json!(false);
    fixture.leave_in(run.path(), FOLDER);
    let triage = run.path().join("triage").join(FOLDER);
    std::fs::create_dir_all(&triage).unwrap();
    std::fs::write(triage.join("mcp-daemon.log"), "INFO: starting\nworkerbee: The MCP SDK is not installed.\n")
        .unwrap();
    let diagnosis = of(run.path());
    assert_eq!(headlines(&diagnosis).len(), 1, "{diagnosis}");
    let headline = diagnosis.causes[0].headline();
    assert!(headline.contains("the log of mcp-daemon ends with `The MCP SDK is not installed.`"), "{headline}");
    assert!(diagnosis.causes[0].checks.contains(&"ingress-healthy".to_owned()), "{diagnosis}");
}

/// `WorkerBee` alone says that the profile did not live to the end.
#[test]
fn what_every_look_saw_alive_has_not_died_because_workerbee_says_so() {
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([]), &[], |fixture| {
        *fixture.at("profile-status-after", "/running") = json!(false);
    });
    assert_eq!(diagnosis.fault(), Some(Fault::WorkerBee), "{diagnosis}");
}

/// Whatever it is asked, the same component refuses.
#[test]
fn what_one_component_refuses_has_one_cause() {
    let (_run, diagnosis) = diagnosed(SQLITE, &json!([]), &[], |fixture| {
        *fixture.seen("objects", "/steps/0/status") = json!(403);
        *fixture.seen("rbac", "/deleted/0/1") = json!(403);
    });
    let found = headlines(&diagnosis);
    assert!(found.len() == 1 && found[0].starts_with("apishim answers `create one` with 403"), "{diagnosis}");
    assert_eq!(diagnosis.causes[0].checks, ["attest::objects", "attest::rbac"]);
}

#[rstest]
#[case::a_requirement("No matching distribution found for x==9", Fault::K1s)]
#[case::no_index("the package index was not reached, and so: No matching distribution found for x==9", Fault::Host)]
fn what_pip_refuses_before_any_gate_is_named_with_its_requirement(#[case] reason: &str, #[case] fault: Fault) {
    let what = format!("k1s's requirements cannot be installed: {reason}");
    let seen =
        format!("{what}\n  seen:     the end of pip's output:\n  | ERROR: No matching distribution found for x==9");
    let diagnosis = diagnosis::of_no_record(&Failure::new(&what).seen(seen), Path::new("/run"));
    let found = headlines(&diagnosis);
    assert!(found[0].starts_with("k1s's requirements cannot be installed") && found[0].contains("x==9"), "{found:?}");
    assert_eq!(found[0].matches("x==9").count(), 1, "{found:?}");
    assert_eq!(diagnosis.fault(), Some(fault));
}
