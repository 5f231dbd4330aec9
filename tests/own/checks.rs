//! Every check over honest evidence, and over evidence that was tampered with in one place.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use k1s_profile_gates::Failure;
use k1s_profile_gates::plan::{Gate, Transports};
use rstest::rstest;

use crate::support::evidence_fixture::EvidenceFixture;
use crate::tampered;
use crate::tampered::Tampered;

#[test]
fn the_truth_is_green() {
    for gate in Gate::ALL {
        for way in [Transports::Cli, Transports::Mcp, Transports::Both] {
            let judged = EvidenceFixture::told(gate, way).judged();
            assert!(judged.is_empty(), "{gate}, {way:?}: {judged:#?}");
        }
    }
}

/// The test of one row: these checks are red at each of its gates, all others green, and each says all that it should.
pub(crate) fn caught(row: &Tampered) {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for gate in row.gates {
        let mut fixture = EvidenceFixture::told(*gate, row.way);
        (row.tamper)(&mut fixture);
        let checks: BTreeSet<String> = fixture.checks().into_iter().map(|check| check.name).collect();
        // `ha-leader-observed` is a check of one profile only.
        let expected: BTreeSet<String> = row.red().into_iter().filter(|name| checks.contains(name)).collect();
        known.extend(expected.clone());
        let judged = fixture.judged();
        assert_eq!(judged.keys().cloned().collect::<BTreeSet<_>>(), expected, "{gate}: {judged:#?}");
        for (check, failure) in &judged {
            complete(&format!("{gate}::{check}"), failure);
        }
    }
    assert_eq!(known, row.red().into_iter().collect(), "a check that none of the gates has");
}

fn complete(check: &str, failure: &Failure) {
    let text = failure.to_string();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    assert!(first.strip_prefix("Error: ").is_some_and(|what| !what.trim().is_empty()), "{check}: {text}");
    assert!(first.chars().count() < 300, "{check}: one line that is no line: {first}");
    for (label, part) in [("expected", &failure.expected), ("seen", &failure.seen), ("remedy", &failure.remedy)] {
        assert!(!part.trim().is_empty(), "{check} says nothing of what is {label}: {text}");
        assert!(!part.starts_with([';', ',', ':']), "{check}: half a sentence: {text}");
    }
    // What is said once need not be said again in the next line.
    assert!(!failure.what.contains(&failure.seen), "{check} says it twice: {text}");
    let evidence = failure.evidence.as_ref().unwrap_or_else(|| panic!("{check} names no evidence: {text}"));
    assert!(evidence.is_file(), "{check}: the evidence is not there: {text}");
}

/// The messages as a person reads them: of each row, all that it turns red in one gate.
#[rstest]
#[case::preflight("preflight", tampered::preflight::TAMPERED)]
#[case::inventory("inventory", tampered::inventory::TAMPERED)]
#[case::startup("startup", tampered::startup::TAMPERED)]
#[case::workload("workload", tampered::workload::TAMPERED)]
#[case::inside("inside", tampered::inside::TAMPERED)]
#[case::outside("outside", tampered::outside::TAMPERED)]
#[case::behaviour("behaviour", tampered::behaviour::TAMPERED)]
#[case::life("life", tampered::life::TAMPERED)]
#[case::finish("finish", tampered::finish::TAMPERED)]
#[case::residue("residue", tampered::residue::TAMPERED)]
#[case::secrets("secrets", tampered::secrets::TAMPERED)]
#[case::agent("agent", tampered::agent::TAMPERED)]
#[case::parity("parity", tampered::parity::TAMPERED)]
fn messages(#[case] name: &str, #[case] table: &[Tampered]) {
    let mut text = String::new();
    for row in table {
        let gate = *row.gates.last().unwrap();
        let mut fixture = EvidenceFixture::told(gate, row.way);
        (row.tamper)(&mut fixture);
        let judged = fixture.judged();
        let red: Vec<_> = row.red().iter().filter_map(|red| judged.get_key_value(red)).collect();
        assert!(!red.is_empty(), "{} turns nothing red in {gate}", row.name);
        for (check, failure) in red {
            let message = failure.to_string().replace(&fixture.run_dir(), "[run]");
            writeln!(text, "{}: {gate}::{check}\n{message}\n", row.name).unwrap();
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(format!("messages-{name}"), text.trim_end()));
}

/// docs/parity.md lists the differences that the checks leave out, and no others.
#[test]
fn the_docs_have_the_table_of_differences() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/parity.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let table = text.split_once("| answers |").map(|(_, table)| format!("| answers |{table}")).unwrap_or_default();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always")
        && table != k1s_profile_gates::parity::table()
    {
        let before = text.split_once("| answers |").map_or(text.as_str(), |(before, _)| before);
        std::fs::write(&file, format!("{before}{}", k1s_profile_gates::parity::table())).unwrap();
        return;
    }
    assert_eq!(table, k1s_profile_gates::parity::table(), "write it anew with INSTA_UPDATE=always");
}

#[test]
fn no_check_is_without_a_lie_that_it_catches() {
    let mut blind: BTreeSet<String> = BTreeSet::new();
    for gate in Gate::ALL {
        for way in [Transports::Cli, Transports::Mcp, Transports::Both] {
            for check in EvidenceFixture::told(gate, way).checks() {
                let catches = |row: &&Tampered| row.gates.contains(&gate) && row.red().contains(&check.name);
                if !tampered::all().any(|row| catches(&row)) {
                    blind.insert(format!("{gate}::{}", check.name));
                }
            }
        }
    }
    assert!(blind.is_empty(), "no row turns these red: {blind:?}");
}

/// A call that no check reads could say anything.
#[test]
fn every_call_is_read_by_a_check() {
    for gate in Gate::ALL {
        for way in [Transports::Cli, Transports::Mcp] {
            let unread = EvidenceFixture::told(gate, way).unread();
            assert!(unread.is_empty(), "{gate} by {way:?}: no check reads {unread:?}");
        }
    }
}
