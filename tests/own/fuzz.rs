//! Runs with one file spoiled: whatever the bytes are, checks judge or say why not, the page and JUnit stay whole, and
//! no spoiled file passes for sound.
//!
//! `make fuzz` runs more cases (`PROPTEST_CASES`). What has failed once is kept in `tests/own/fuzz.regressions`, and is tried
//! first from then on.

use std::path::{Path, PathBuf};

use k1s_profile_gates::Evidence;
use k1s_profile_gates::evidence::{Redactor, Store};
use k1s_profile_gates::plan::{Gate, Transport};
use k1s_profile_gates::{checks_of, report, results};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};

use crate::support::evidence_fixture::EvidenceFixture;
use crate::support::sealed::RunDir;

/// One thing that is done to a file.
#[derive(Debug, Clone)]
enum Spoil {
    /// Bytes in place of others.
    Bytes { at: Index, over: usize, with: Vec<u8> },
    /// The end is missing.
    Cut(Index),
    /// One of the values of its JSON becomes another; a file that is no JSON gets it at its end.
    Value { which: Index, with: Value },
    /// One member or item of its JSON is twice there, under another name.
    Twice(Index),
}

fn values() -> impl Strategy<Value = Value> {
    let long = "x".repeat(100_000);
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let odd = ["", "\u{0}", "]]>", "<script>", "\u{1b}[2J", "../../etc/passwd", "/dev/zero", "-1", "é\u{202e}"];
    let numbers = [json!(-1), json!(0), json!(1e308), json!(u64::MAX), json!(i64::MIN), json!(0.1)];
    let others = [json!(null), json!(true), json!([]), json!({}), json!([null]), json!({ "": {} }), json!(long), deep];
    select(odd.map(Value::from).into_iter().chain(numbers).chain(others).collect::<Vec<Value>>())
}

fn spoils() -> impl Strategy<Value = Spoil> {
    let signs = select(b"\"'\\{}[]():=,<>&;\n\0\xff\xc3-0".to_vec());
    prop_oneof![
        1 => (any::<Index>(), 0..4_usize, prop::collection::vec(signs, 0..4)).prop_map(|(at, over, with)| Spoil::Bytes {
            at,
            over,
            with
        }),
        1 => any::<Index>().prop_map(Spoil::Cut),
        4 => (any::<Index>(), values()).prop_map(|(which, with)| Spoil::Value { which, with }),
        1 => any::<Index>().prop_map(Spoil::Twice),
    ]
}

impl Spoil {
    fn apply(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = |index: &Index, bytes: &[u8]| index.index(bytes.len() + 1);
        match self {
            Self::Bytes { at: index, over, with } => {
                let from = at(index, &bytes);
                let to = (from + over).min(bytes.len());
                bytes.splice(from..to, with.iter().copied());
                bytes
            }
            Self::Cut(index) => {
                bytes.truncate(at(index, &bytes));
                bytes
            }
            Self::Value { which, with } => match serde_json::from_slice::<Value>(&bytes) {
                Ok(mut json) => {
                    let count = nodes(&mut json, usize::MAX, &mut |_| ());
                    nodes(&mut json, which.index(count), &mut |value| *value = with.clone());
                    json.to_string().into_bytes()
                }
                Err(_) => [bytes, with.to_string().into_bytes()].concat(),
            },
            Self::Twice(which) => match serde_json::from_slice::<Value>(&bytes) {
                Ok(mut json) => {
                    let count = nodes(&mut json, usize::MAX, &mut |_| ());
                    nodes(&mut json, which.index(count), &mut |value| match value {
                        Value::Array(items) => items.extend(items.first().cloned()),
                        Value::Object(members) => {
                            if let Some(first) = members.values().next().cloned() {
                                members.insert("another".into(), first);
                            }
                        }
                        other => *other = json!([other.clone(), other.clone()]),
                    });
                    json.to_string().into_bytes()
                }
                Err(_) => bytes.repeat(2),
            },
        }
    }
}

/// Calls `act` on the value with that number, counted from the outermost; the number of all values.
fn nodes(json: &mut Value, which: usize, act: &mut impl FnMut(&mut Value)) -> usize {
    if which == 0 {
        act(json);
        return 1;
    }
    let children: Vec<&mut Value> = match json {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    let mut count = 1;
    for child in children {
        if count > which {
            break;
        }
        count += nodes(child, which - count, act);
    }
    count
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    files
}

/// Loads a gate's record and judges all of its checks; what cannot be loaded says why.
fn judge(run_dir: &Path, gate: Gate) -> Result<(), TestCaseError> {
    let record = Path::new("gates").join(gate.slug()).join("record.json");
    let evidence = match Evidence::load(run_dir, &run_dir.join(record)) {
        Ok(evidence) => evidence,
        Err(failure) => return complete(&failure.to_string()),
    };
    for check in checks_of(gate, Transport::Cli).into_iter().filter(|check| check.name != "snapshot") {
        if let Err(failure) = check.judge(&evidence) {
            complete(&failure.to_string())?;
        }
    }
    Ok(())
}

/// A message says something, in a size that a person reads, without signs that move a terminal's cursor.
fn complete(message: &str) -> Result<(), TestCaseError> {
    prop_assert!(!message.lines().next().unwrap_or_default().trim().is_empty(), "an empty message");
    prop_assert!(message.len() < 20_000, "a message of {} bytes: {}", message.len(), &message[..500]);
    prop_assert!(!message.contains(['\u{1b}', '\0']), "an escape sequence in {message:?}");
    Ok(())
}

/// What an envelope says: its readers pass over members that they do not know.
fn payload(envelope: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(envelope).ok()?.get("payload").cloned()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/own/fuzz.regressions"))),
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_spoiled_file_is_judged_shown_and_found(
        gate in select(Gate::ALL.to_vec()),
        which in any::<Index>(),
        spoils in prop::collection::vec(spoils(), 1..3),
    ) {
        let run = RunDir::new().with(EvidenceFixture::honest(gate)).sealed(None, true);
        let run_dir = run.path();
        let file = which.get(&files(&run_dir)).clone();
        let before = std::fs::read(&file).unwrap();
        let after = spoils.iter().fold(before.clone(), |bytes, spoil| spoil.apply(bytes));
        std::fs::write(&file, &after).unwrap();

        judge(&run_dir, gate)?;

        let sound = results::verify(&run_dir, None).is_ok_and(|found| found.is_sound());
        let same = before == after || (file.ends_with("result.intoto.json") && payload(&before) == payload(&after));
        prop_assert!(!sound || same, "{} was spoiled, and the run is called sound", file.display());

        if let Ok(xml) = results::junit(&run_dir) {
            let parsed = roxmltree::Document::parse(&xml);
            prop_assert!(parsed.is_ok(), "JUnit is no XML: {:?}", parsed.err());
        }

        let store = Store::open(&run_dir, Redactor::default()).unwrap();
        if let Ok(page) = report::write(&store, &run_dir) {
            let page = std::fs::read_to_string(page).unwrap();
            prop_assert!(page.trim_end().ends_with("</html>"), "the page has no end");
            prop_assert!(page.len() < 20_000_000, "a page of {} bytes", page.len());
        }
    }
}
