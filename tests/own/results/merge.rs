//! Shards of one run joined into one, in any order; and shards that cannot be.

use std::path::{Path, PathBuf};

use k1s_profile_gates::plan::{Gate, Shard};
use k1s_profile_gates::results::{MergeError, gates, junit, merge, verify};
use k1s_profile_gates::summary::State;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::evidence_fixture::EvidenceFixture;
use crate::support::sealed::RunDir;

const COUNT: usize = 3;

/// A shard as its run leaves it: its gates, all green, its summary and inputs.
fn shard(index: usize, change: impl FnOnce(&mut Value, &mut Value)) -> RunDir {
    let shard = Shard { index, count: COUNT };
    run_of(index, &shard.of(&Gate::ALL), Some(shard), change)
}

/// A run of some gates, all green. What tells machines apart has the index in it.
pub(crate) fn run_of(
    index: usize,
    of_this: &[Gate],
    shard: Option<Shard>,
    change: impl FnOnce(&mut Value, &mut Value),
) -> RunDir {
    let mut run = RunDir::new();
    for gate in of_this {
        run = run.with(EvidenceFixture::honest(*gate));
    }
    let at = |seconds: usize| format!("2026-01-01T00:00:{seconds:02}Z");
    let gate = |gate: &Gate| {
        let folder = format!("gates/{}", gate.slug());
        let check = json!({ "check": "ok", "expected": "", "outcome": "passed", "read": [] });
        let told = json!({
            "gate": gate, "transport": "cli", "iteration": 1, "attempt": 1, "part": 1, "folder": folder, "project": "demo",
            "runs": 1, "asked": at(index), "began": at(index), "ended": at(30 + index), "seconds": 9.0, "checks": [check],
            "failure": null, "flaky": null, "project_kept": false, "again": null,
        });
        (gate.to_string(), told)
    };
    let mut summary = json!({
        "harness": env!("CARGO_PKG_VERSION"), "run_dir": run.path(), "started": at(index), "ended": at(40 + index),
        "project_base": format!("b{index}"), "mode": "embedded", "transports": "cli", "lanes": 1,
        "shard": shard, "versions": { "WorkerBee": "0.1.7" },
        "environment": { "machine": format!("runner {index}") },
        "parts": [{ "started": at(index), "ended": at(40 + index), "supervisor": { "pid": 1, "start": 1, "boot": "b" },
                    "command": ["cargo"], "project_base": "b", "kept": 0, "begun": of_this.len() }],
        "gates": of_this.iter().map(gate).collect::<serde_json::Map<_, _>>(),
    });
    let mut inputs = json!({
        "k1s root": [["src/ae/cli.py", "1234"]], "machine": [["kernel", format!("{index}")]],
        "harness": [["version", "0.1.0"], ["test executable", format!("built on {index}")]],
    });
    change(&mut summary, &mut inputs);
    run.write("run.json", &summary.to_string());
    run.write("inputs.json", &inputs.to_string());
    run.sealed(None, true)
}

fn honest() -> Vec<RunDir> {
    (1..=COUNT).map(|index| shard(index, |_, _| {})).collect()
}

fn folders(shards: &[RunDir]) -> Vec<PathBuf> {
    shards.iter().map(RunDir::path).collect()
}

/// The verdicts of a run, by the names of their trials.
fn verdicts(run_dir: &Path) -> Vec<String> {
    gates(run_dir)
        .iter()
        .flat_map(|gate| gate.verdicts.iter().map(|one| format!("{} {one:?}", gate.gate_name())))
        .collect()
}

#[rstest]
#[case::in_order([0, 1, 2])]
#[case::in_another_order([2, 0, 1])]
fn shards_make_one_run_in_any_order(#[case] order: [usize; COUNT]) {
    let shards = honest();
    let given: Vec<PathBuf> = order.iter().map(|index| shards[*index].path()).collect();
    let into = tempfile::tempdir().unwrap();
    let merged = merge(&given, into.path(), None).unwrap();
    assert_eq!(merged.summary.verdict(), State::Passed);
    assert_eq!(merged.summary.gates.len(), Gate::ALL.len());
    assert_eq!((merged.summary.shard, merged.summary.project_base.as_str()), (None, "b1 b2 b3"));
    assert_eq!(merged.summary.environment["machine"], "runner 1, runner 2, runner 3");
    let found = verify(into.path(), None).unwrap();
    assert!(found.is_sound() && found.is_complete() && found.added.is_empty(), "{found:?}");
    for gate in Gate::ALL {
        assert!(junit(into.path()).unwrap().contains(&gate.to_string()), "{gate}");
    }
    let seen: Vec<String> = shards.iter().flat_map(|shard| verdicts(&shard.path())).collect();
    let mut both = [seen, verdicts(into.path())];
    for one in &mut both {
        one.sort();
    }
    assert_eq!(both[0], both[1], "merged, each check says what it said of its shard");
    // What each shard said of itself stays, as it said it.
    let kept = std::fs::read_to_string(into.path().join("shards/2/run.json")).unwrap();
    assert_eq!(kept, shards[1].read("run.json"));
}

#[test]
fn a_shard_that_is_missing_is_named() {
    let shards = honest();
    let into = tempfile::tempdir().unwrap();
    let error = merge(&folders(&shards)[..2], into.path(), None).unwrap_err();
    assert!(matches!(&error, MergeError::Missing(missing) if missing.len() == 1), "{error}");
    assert!(error.to_string().contains("missing: shard 3/3"), "{error}");
    assert!(std::fs::read_dir(into.path()).unwrap().next().is_none(), "nothing is written");
}

#[test]
fn a_machine_that_had_no_gate_left_an_empty_folder() {
    let shards = honest();
    let empty = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> = folders(&shards).into_iter().chain([empty.path().to_owned()]).collect();
    assert!(merge(&folders, &shards[0].beside("merged"), None).is_ok());
    let error = merge(&folders[COUNT..], &shards[0].beside("none"), None).unwrap_err();
    assert!(matches!(error, MergeError::NoShard(_)), "{error}");
}

#[test]
fn a_shard_that_is_there_twice_is_named() {
    let mut shards = honest();
    shards.push(shard(2, |_, _| {}));
    let error = merge(&folders(&shards), &shards[0].beside("merged"), None).unwrap_err();
    assert!(error.to_string().contains("shard 2/3 is there twice"), "{error}");
}

#[rstest]
#[case::another_k1s(|_: &mut Value, inputs: &mut Value| inputs["k1s root"][0][1] = json!("5678"), "k1s root: src/ae/cli.py")]
#[case::a_file_more(|_: &mut Value, inputs: &mut Value| inputs["k1s root"].as_array_mut().unwrap().push(json!(["src/ae/new.py", "1"])), "src/ae/new.py")]
#[case::another_harness(|summary: &mut Value, _: &mut Value| summary["harness"] = json!("9"), "version or transports")]
fn a_shard_on_other_inputs_is_named(#[case] change: fn(&mut Value, &mut Value), #[case] named: &str) {
    let mut shards = honest();
    shards[1] = shard(2, change);
    let error = merge(&folders(&shards), &shards[0].beside("merged"), None).unwrap_err();
    assert!(matches!(error, MergeError::OtherInputs { .. }) && error.to_string().contains(named), "{error}");
}

#[test]
fn a_shard_of_another_run_is_named() {
    let mut shards = honest();
    shards[2] = shard(3, |summary, _| summary["shard"] = json!("3/4"));
    let error = merge(&folders(&shards), &shards[0].beside("merged"), None).unwrap_err();
    assert!(matches!(error, MergeError::OtherCount { .. }), "{error}");
    shards[2] = shard(3, |summary, _| summary["shard"] = Value::Null);
    let error = merge(&folders(&shards), &shards[0].beside("merged"), None).unwrap_err();
    assert!(matches!(error, MergeError::NoShard(_)), "{error}");
}

#[test]
fn evidence_that_was_changed_is_not_merged() {
    let shards = honest();
    shards[1].write("run.json", "{}");
    let error = merge(&folders(&shards), &shards[0].beside("merged"), None).unwrap_err();
    assert!(matches!(error, MergeError::NoRun(_) | MergeError::Unsound { .. }), "{error}");
    let shards = honest();
    shards[1].write("summary.txt", "another");
    let error = merge(&folders(&shards), &shards[0].beside("merged"), None).unwrap_err();
    assert!(matches!(error, MergeError::Unsound { .. }) && error.to_string().contains("summary.txt"), "{error}");
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let shards = honest();
    let error = merge(&folders(&shards), &shards[0].path(), None).unwrap_err();
    assert!(matches!(error, MergeError::NotEmpty(_)), "{error}");
}

#[test]
fn a_red_shard_makes_the_merged_run_red() {
    let mut shards = honest();
    shards[0] = shard(1, |summary, _| {
        for gate in summary["gates"].as_object_mut().unwrap().values_mut() {
            gate["checks"][0]["outcome"] =
                json!({ "failed": { "what": "broken", "expected": "", "seen": "", "remedy": "" } });
        }
    });
    let merged = merge(&folders(&shards), &shards[0].beside("merged"), None).unwrap();
    assert_eq!(merged.summary.verdict(), State::Failed);
}
