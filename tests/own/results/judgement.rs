//! Runs that are judged again: by checks that were others then, over evidence that is as it was, or not.

use k1s_profile_gates::plan::Gate;
use k1s_profile_gates::results::{JudgeError, Judged, NotJudged, Now, Then, Trend, bundle, judge};
use k1s_profile_gates::summary::Stage;
use rstest::rstest;
use serde_json::{Value, json};

use super::verify::{STATEMENT_FILE, edit_statement, red};
use crate::support::evidence_fixture::EvidenceFixture;
use crate::support::sealed::{RunDir, STARTUP};

const ROUTES: &str = "startup::k1s-ha-min::attest::routes";

/// The check of this name.
fn one<'a>(checks: &'a [Judged], name: &str) -> &'a Judged {
    checks.iter().find(|one| one.check == name).unwrap_or_else(|| panic!("{name} is not judged"))
}

/// What was said then of a check is changed, as if the harness of then had known it otherwise.
fn told_then(run: &RunDir, change: impl Fn(&mut Vec<Value>, &mut Vec<Value>)) {
    edit_statement(run, |statement| {
        let mut green = statement["predicate"]["passedTests"].as_array().unwrap().clone();
        let mut red = statement["predicate"]["failedTests"].as_array().unwrap().clone();
        change(&mut green, &mut red);
        statement["predicate"]["passedTests"] = json!(green);
        statement["predicate"]["failedTests"] = json!(red);
    });
}

fn status(run: &RunDir) -> Option<i32> {
    run.command("judge", &[]).status.code()
}

#[test]
fn a_run_of_this_version_is_what_it_was_and_shapes_are_left_to_their_trials() {
    let run = RunDir::honest();
    let judgement = judge(&run.path(), None).unwrap();
    assert_eq!(judgement.trend(), Trend::Held);
    for Judged { check, then, now, .. } in &judgement.checks {
        let expected = if check.ends_with("::snapshot") {
            (Then::NotJudged, Now::NotJudged(NotJudged::ByItsTrialOnly))
        } else {
            (Then::Passed, Now::Passed)
        };
        assert_eq!((*then, now.clone()), expected, "{check}");
    }
    assert_eq!(status(&run), Some(0));
    // A bundle is judged as its folder is.
    let packed = run.beside("run.tar.zst");
    bundle(&run.path(), Some(&packed), false).unwrap();
    let output = run.command_on("judge", &packed, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told, serde_json::to_value(&judgement).unwrap());
}

#[test]
fn what_was_called_green_and_is_red_is_worse_whatever_the_run_says() {
    let run = RunDir::new().with(red(STARTUP)).sealed(None, true);
    let purge = "startup::k1s-ha-min::cleanup::profile-purge";
    let judgement = judge(&run.path(), None).unwrap();
    assert_eq!((judgement.trend(), one(&judgement.checks, purge).then), (Trend::Held, Then::Failed));
    told_then(&run, Vec::append);
    let judgement = judge(&run.path(), None).unwrap();
    let found = one(&judgement.checks, purge);
    assert!(found.worse && matches!(&found.now, Now::Failed(failure) if failure.evidence.is_some()), "{found:?}");
    assert_eq!(judgement.checks.iter().filter(|one| one.worse).count(), 1);
    let output = run.command("judge", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("green       red         {purge}\n    Error: ")), "{text}");
    assert!(text.contains("; 1 worse, 0 better, "), "{text}");
}

#[test]
fn a_check_that_is_green_now_is_no_reason_to_complain() {
    let run = RunDir::honest();
    told_then(&run, |green, red| {
        green.retain(|name| name != ROUTES);
        red.push(json!(ROUTES));
    });
    let judgement = judge(&run.path(), None).unwrap();
    assert_eq!((one(&judgement.checks, ROUTES).then, judgement.trend()), (Then::Failed, Trend::Held));
}

/// A check that the harness of then did not have: by the gate's verdict of then it is worse, or one more that is red.
#[rstest]
#[case::in_a_gate_that_was_green(false, Trend::Worse, 1)]
#[case::in_a_gate_that_was_red(true, Trend::Held, 0)]
fn a_new_check_counts_where_its_gate_was_green(#[case] was_red: bool, #[case] trend: Trend, #[case] expected: i32) {
    let mut fixture = EvidenceFixture::honest(STARTUP);
    *fixture.seen("routes", "/routes/0/answer/answered/status") = json!(503);
    let run = RunDir::new().with(fixture).sealed(None, true);
    told_then(&run, |_, red| {
        red.retain(|name| name != ROUTES);
        if was_red {
            red.push(json!("startup::k1s-ha-min::a-check-of-then"));
        }
    });
    let judgement = judge(&run.path(), None).unwrap();
    let found = one(&judgement.checks, ROUTES);
    assert_eq!((found.then, found.worse, judgement.trend()), (Then::NotJudged, !was_red, trend));
    assert!(matches!(found.now, Now::Failed(_)), "{found:?}");
    assert_eq!(status(&run), Some(expected));
}

#[test]
fn a_check_that_is_gone_is_named_and_not_judged() {
    let run = RunDir::honest();
    told_then(&run, |green, _| green.push(json!("inventory::of-another-time")));
    let judgement = judge(&run.path(), None).unwrap();
    let gone = one(&judgement.checks, "inventory::of-another-time");
    assert_eq!((&gone.now, gone.then), (&Now::NotJudged(NotJudged::NoSuchCheck), Then::Passed));
    assert_eq!(status(&run), Some(0));
}

/// An observation that the harness of then did not make, or wrote down in another form.
#[rstest]
#[case::not_made(|fixture: &mut EvidenceFixture| drop(fixture.record.observations.remove("routes")))]
#[case::of_another_form(|fixture: &mut EvidenceFixture| *fixture.seen("routes", "") = json!({ "paths": 3 }))]
fn what_the_evidence_does_not_hold_is_neither_green_nor_red(#[case] change: fn(&mut EvidenceFixture)) {
    let mut fixture = EvidenceFixture::honest(STARTUP);
    change(&mut fixture);
    let run = RunDir::new().with(fixture).sealed(None, true);
    // The check is new.
    told_then(&run, |_, red| red.clear());
    let judgement = judge(&run.path(), None).unwrap();
    let found = one(&judgement.checks, ROUTES);
    assert!(matches!(&found.now, Now::NotJudged(NotJudged::NotInEvidence(_))), "{found:?}");
    assert_eq!((judgement.trend(), status(&run)), (Trend::Held, Some(0)));
    // It was there, and read something else.
    told_then(&run, |green, _| green.push(json!(ROUTES)));
    assert_eq!(judge(&run.path(), None).unwrap().trend(), Trend::Unknown);
    assert_eq!(status(&run), Some(2));
}

#[rstest]
#[case::changed(|run: &RunDir| run.write("summary.txt", "Started\n"), "changed: summary.txt")]
#[case::added(|run: &RunDir| run.write("more.json", "{}"), "added: more.json")]
#[case::no_statement(|run: &RunDir| run.write(STATEMENT_FILE, "{}"), "no DSSE envelope")]
#[case::another_form(
    |run: &RunDir| run.write("manifest.json", &run.read("manifest.json").replace("manifest/v2", "manifest/v9")),
    "k1s-profile-gates/manifest/v9"
)]
fn evidence_that_is_not_as_it_was_is_not_judged(#[case] change: fn(&RunDir), #[case] named: &str) {
    let run = RunDir::honest();
    change(&run);
    let output = run.command("judge", &["--json"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}");
    assert!(text.contains(named), "{text}");
}

#[test]
fn a_record_of_another_version_is_named_with_the_version_that_wrote_it() {
    let run = RunDir::new().with(EvidenceFixture::honest(Gate::Inventory)).with(EvidenceFixture::honest(STARTUP));
    run.write("run.json", r#"{ "harness": "0.7.0", "of_a_later_form": true }"#);
    let mut record: Value = serde_json::from_str(&run.read("gates/inventory/record.json")).unwrap();
    record["calls"]["profile-list"]["transport"] = json!("carrier-pigeon");
    run.write("gates/inventory/record.json", &record.to_string());
    let run = run.sealed(None, true);
    let error = judge(&run.path(), None).unwrap_err();
    assert!(matches!(&error, JudgeError::Record { gate, .. } if gate == "inventory"), "{error}");
    let output = run.command("judge", &[]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("carrier-pigeon") && text.contains("k1s-profile-gates 0.7.0"), "{text}");
}

#[test]
fn the_harness_of_then_is_named() {
    let run = RunDir::new().with(EvidenceFixture::honest(Gate::Inventory));
    run.write("run.json", r#"{ "harness": "0.0.9" }"#);
    run.write("inputs.json", r#"{ "harness": [["test executable", "abcd"], ["version", "0.0.9"]] }"#);
    let run = run.sealed(None, true);
    let text = String::from_utf8(run.command("judge", &[]).stdout).unwrap();
    assert!(
        text.starts_with("then: judged by k1s-profile-gates 0.0.9, program sha256:abcd\nnow:  judged by "),
        "{text}"
    );
    assert!(text.contains("not signed"), "{text}");
}

#[test]
fn a_gate_that_left_no_evidence_is_told() {
    let whole = RunDir::new().with(EvidenceFixture::honest(Gate::Inventory)).at(STARTUP, 1, Stage::Running);
    let run = whole.sealed(None, false);
    let judgement = judge(&run.path(), None).unwrap();
    assert!(judgement.without_evidence.contains("startup::k1s-ha-min"), "{judgement:?}");
    assert!(judgement.checks.iter().all(|one| one.check.starts_with("inventory::")), "{judgement:?}");
    assert_eq!(status(&run), Some(0));
    let run = RunDir::new().at(STARTUP, 1, Stage::Failed).sealed(None, true);
    assert!(matches!(judge(&run.path(), None), Err(JudgeError::Nothing(_))));
    assert_eq!(status(&run), Some(2));
    std::fs::remove_file(run.path().join("manifest.json")).unwrap();
    assert_eq!(status(&run), Some(3));
}
