//! JUnit against the rules of those who read it.

use std::collections::BTreeSet;

use k1s_profile_gates::plan::{Gate, Transport};
use k1s_profile_gates::results::junit;
use k1s_profile_gates::summary::Stage;
use roxmltree::{Document, Node};
use rstest::rstest;
use serde_json::{Value, json};

use crate::results::verify::{attempt_2, noticed, red, rerun, statement};
use crate::support::evidence_fixture::EvidenceFixture;
use crate::support::sealed::{RunDir, STARTUP, WORKLOAD};

/// Checks the rules that a report must keep to, so that all of Jenkins, GitLab and GitHub's reporters read it alike.
fn conforms(xml: &str) {
    let document = Document::parse(xml).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let suites: Vec<Node<'_, '_>> = root.children().filter(Node::is_element).collect();
    let mut names = BTreeSet::new();
    for suite in &suites {
        // Jenkins: suites directly below the root; properties before cases; nothing else.
        let order = ["properties", "testcase", "system-out", "system-err"];
        assert_eq!(suite.tag_name().name(), "testsuite");
        assert!(children(suite).is_sorted_by_key(|name| order.iter().position(|known| *known == name).unwrap()));
        let cases: Vec<Node<'_, '_>> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
        for case in &cases {
            conforms_case(case);
            // GitLab drops all but the first of two cases of one class and name.
            let name = (case.attribute("classname").unwrap(), case.attribute("name").unwrap());
            assert!(names.insert(name), "twice: {name:?}");
            // dorny's reporter shows cases of another class than the suite's name as a group of their own.
            assert_eq!(case.attribute("classname"), suite.attribute("name"));
        }
        let with = |tag: &str| cases.iter().filter(|case| children(case).contains(&tag.to_owned())).count();
        counts(suite, &[("tests", cases.len()), ("failures", with("failure")), ("errors", with("error"))]);
        counts(suite, &[("skipped", with("skipped"))]);
        seconds(suite);
        for property in suite.descendants().filter(|node| node.has_tag_name("property")) {
            assert!(property.attribute("name").is_some() && property.attribute("value").is_some());
        }
    }
    let sum = |name: &str| suites.iter().map(|suite| suite.attribute(name).unwrap().parse::<usize>().unwrap()).sum();
    seconds(&root);
    counts(&root, &[("tests", sum("tests")), ("failures", sum("failures")), ("errors", sum("errors"))]);
}

fn conforms_case(case: &Node<'_, '_>) {
    let children = children(case);
    let results = ["skipped", "error", "failure"];
    let known = ["rerunFailure", "rerunError", "flakyFailure", "flakyError", "system-out", "system-err"];
    assert!(children.iter().all(|name| results.iter().chain(&known).any(|known| known == name)), "{children:?}");
    // One result, and first: Jenkins takes the first that it meets, GitLab failures before errors.
    let results: Vec<_> = children.iter().enumerate().filter(|(_, name)| results.contains(&name.as_str())).collect();
    assert!(results.len() <= 1 && results.iter().all(|(place, _)| *place == 0), "{children:?}");
    seconds(case);
    for result in case.children().filter(|node| node.has_tag_name("failure") || node.has_tag_name("error")) {
        // Reporters on GitHub put the message in a headline.
        let message = result.attribute("message").unwrap();
        assert!(!message.is_empty() && !message.contains('\n') && message.chars().count() <= 400, "{message}");
        assert!(result.attribute("type").is_some_and(|kind| !kind.is_empty()));
        // GitLab shows the text and nothing else.
        assert!(result.text().is_some_and(|text| text.contains("evidence:")), "{:?}", result.text());
    }
    for skipped in case.children().filter(|node| node.has_tag_name("skipped")) {
        assert!(skipped.attribute("message").is_some());
    }
}

fn children(node: &Node<'_, '_>) -> Vec<String> {
    node.children().filter(Node::is_element).map(|child| child.tag_name().name().to_owned()).collect()
}

fn counts(node: &Node<'_, '_>, expected: &[(&str, usize)]) {
    for (name, count) in expected {
        assert_eq!(node.attribute(*name).map(str::parse), Some(Ok(*count)), "{name} of {:?}", node.attribute("name"));
    }
}

/// Plain seconds: Jenkins reads commas as thousands and no exponents.
fn seconds(node: &Node<'_, '_>) {
    let time = node.attribute("time").unwrap();
    assert!(time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && time.parse::<f64>().is_ok(), "{time}");
}

fn report(run: &RunDir) -> String {
    let xml = junit(&run.path()).unwrap();
    conforms(&xml);
    xml
}

/// The result of a case: its first child that is one, or `passed`.
fn result(xml: &str, name: &str) -> String {
    let document = Document::parse(xml).unwrap();
    let case = document.descendants().find(|node| node.attribute("name") == Some(name)).expect(name);
    children(&case).into_iter().next().unwrap_or_else(|| "passed".to_owned())
}

#[test]
fn every_check_is_a_case() {
    let xml = report(&RunDir::honest());
    for gate in [Gate::Inventory, STARTUP] {
        for check in k1s_profile_gates::checks_of(gate, Transport::Cli) {
            let expected = if check.name == "snapshot" { "skipped" } else { "passed" };
            assert_eq!(result(&xml, &format!("{gate}::{}", check.name)), expected);
        }
    }
    assert!(!xml.contains("workload::"), "a gate that nobody asked for");
}

#[rstest]
#[case::green(json!("passed"), "passed", "PASSED")]
#[case::red(json!({ "failed": { "what": "another shape", "expected": "", "seen": "", "evidence": "a", "remedy": "" } }), "failure", "FAILED")]
#[case::not_told(json!("unjudged"), "skipped", "PASSED")]
fn what_only_a_trial_can_judge_is_told_by_it(
    #[case] outcome: Value,
    #[case] expected: &str,
    #[case] result_of_all: &str,
) {
    let run = RunDir::new().with(EvidenceFixture::honest(Gate::Inventory));
    let time = "2026-01-01T00:00:00Z";
    let told = |check: &str| json!({ "check": check, "expected": "", "outcome": outcome, "read": [] });
    let gate = json!({
        "gate": "inventory", "transport": "cli", "iteration": 1, "attempt": 1, "part": 1, "folder": "gates/inventory",
        "project": "demo", "project_kept": false, "again": null, "runs": 1, "asked": time,
        "began": time, "ended": time, "seconds": 1.0, "failure": null, "flaky": null,
        "checks": [told("snapshot"), told("of-the-consumer"), told("ok")],
    });
    let summary = json!({
        "harness": "0.1.0", "transports": "cli", "parts": [], "run_dir": "", "started": time, "ended": time, "project_base": "demo", "mode": "embedded", "lanes": 1,
        "versions": {}, "environment": {}, "gates": { "inventory": gate },
    });
    run.write("run.json", &summary.to_string());
    let run = run.sealed(None, true);
    let xml = report(&run);
    assert_eq!(result(&xml, "inventory::snapshot"), expected);
    if expected != "skipped" {
        assert_eq!(result(&xml, "inventory::of-the-consumer"), expected);
    }
    // What the evidence itself says is not to be told otherwise.
    assert_eq!(result(&xml, "inventory::ok"), "passed");
    assert_eq!(statement(&run)["predicate"]["result"], result_of_all);
}

#[test]
fn phases_and_versions_are_properties_of_the_gate() {
    let mut fixture = EvidenceFixture::honest(STARTUP);
    fixture.record.versions.insert("WorkerBee".into(), "0.1.7".into());
    fixture.record.interventions.insert("images".into(), "are imported\u{ffff}".into());
    fixture.record.phases =
        serde_json::from_value(json!([{ "name": "validate", "at": 1.0, "seconds": 4.25 }])).unwrap();
    let xml = report(&RunDir::new().with(fixture).sealed(None, true));
    for property in [
        r#"<property name="project" value="demo"/>"#,
        r#"<property name="version.WorkerBee" value="0.1.7"/>"#,
        "<property name=\"intervention.images\" value=\"are imported\u{fffd}\"/>",
        r#"<property name="seconds.validate" value="4.250"/>"#,
    ] {
        assert!(xml.contains(property), "{property} in {xml}");
    }
    assert!(xml.contains(r#"timestamp="2026-01-01T00:00:00.000+00:00""#), "{xml}");
}

#[test]
fn a_red_check_says_why_in_one_line_and_all_in_its_body() {
    let mut fixture = red(STARTUP);
    // Nothing that ends a message, an attribute or XML itself.
    fixture.at("profile-purge", "").as_object_mut().unwrap().insert(
        "error".into(),
        json!({ "code": "E<1>", "message": "\u{1b}[31m\"broken\" & ]]>\u{ffff}\u{202e}\nsecond line\u{0}", "remediation": "mend it" }),
    );
    let run = RunDir::new().with(fixture).sealed(None, true);
    let xml = report(&run);
    let document = Document::parse(&xml).unwrap();
    let name = "startup::k1s-ha-min::cleanup::profile-purge";
    let case = document.descendants().find(|node| node.attribute("name") == Some(name)).unwrap();
    let failure = case.first_element_child().unwrap();
    let message = failure.attribute("message").unwrap();
    assert_eq!(message, "WorkerBee answered with E<1>: \"broken\" & ]]>\u{fffd}\u{fffd}");
    assert_eq!(failure.attribute("type"), Some("fault of WorkerBee"));
    let text = failure.text().unwrap();
    for label in ["expected:", "seen:", "remedy:   mend it"] {
        assert!(text.contains(label), "{label} in {text}");
    }
    let evidence = run.path().join("startup-k1s-ha-min-profile-purge.json").display().to_string();
    assert!(text.contains(&evidence), "{text}");
    let output = case.children().find(|node| node.has_tag_name("system-out")).unwrap();
    assert!(output.text().unwrap().starts_with(&format!("[[ATTACHMENT|{evidence}]]")), "{:?}", output.text());
}

#[test]
fn what_did_not_end_is_no_pass() {
    let run = RunDir::new()
        .with(EvidenceFixture::honest(Gate::Inventory))
        .at(STARTUP, 1, Stage::Running)
        .at(WORKLOAD, 1, Stage::Waiting)
        .at(Gate::Preflight, 1, Stage::Failed)
        .sealed(None, false);
    let killed = report(&run);
    assert_eq!(result(&killed, "inventory::ok"), "passed");
    let expected = [("startup::k1s-ha-min", "error"), ("workload::k1s-ha-min", "skipped"), ("preflight", "error")];
    for (gate, expected) in expected {
        for check in k1s_profile_gates::checks_of(gate.parse().unwrap(), Transport::Cli) {
            assert_eq!(result(&killed, &format!("{gate}::{}", check.name)), expected);
        }
    }
    // Killed before the first manifest: the folder of a gate that began is there.
    std::fs::remove_file(run.path().join("manifest.json")).unwrap();
    assert_eq!(result(&report(&run), "startup::k1s-ha-min::ok"), "error");
}

#[test]
fn a_record_that_cannot_be_read_is_no_pass() {
    let run = RunDir::honest();
    run.write("gates/inventory/record.json", "{");
    assert_eq!(result(&report(&run), "inventory::ok"), "error");
}

#[rstest]
#[case::rerun(|| RunDir::new().with_in(red(WORKLOAD), "workload-k1s-ha-min.conflict").with(rerun()), WORKLOAD)]
#[case::retried(|| RunDir::new().with(red(STARTUP)).with_in(attempt_2(), "startup-k1s-ha-min.attempt-2"), STARTUP)]
fn what_was_red_before_is_flaky(#[case] run: fn() -> RunDir, #[case] gate: Gate) {
    let xml = report(&run().sealed(None, true));
    assert_eq!(result(&xml, &format!("{gate}::cleanup::profile-purge")), "flakyFailure");
    // What the harness saw is found in the folder that was set aside.
    assert_eq!(result(&xml, &format!("{gate}::cleanup::namespace-removed")), "passed");
}

#[test]
fn what_was_noticed_of_a_gate_is_a_property_of_its_suite() {
    let xml = report(&RunDir::new().with(noticed()).sealed(None, true));
    let property =
        r#"<property name="flaky" value="the machine&apos;s clock was set back by 3600.0 s during `validate`"/>"#;
    assert!(xml.contains(property), "{xml}");
}

#[test]
fn a_report_is_written_or_the_folder_refused() {
    let run = RunDir::honest();
    let file = run.beside("junit.xml");
    assert!(run.command("junit", &["-o", file.to_str().unwrap()]).status.success());
    let printed = run.command("junit", &[]).stdout;
    assert_eq!(std::fs::read(&file).unwrap(), printed);
    let empty = RunDir::new().command("junit", &[]);
    assert!(!empty.status.success() && String::from_utf8_lossy(&empty.stderr).contains("RUN_DIR"));
}
