//! One run split into eight shards, as if eight machines had shared it, and joined again: the same verdicts, byte for byte.
//!
//! By itself on a run made of fixtures. `K1S_GATES_SPLIT=RUN_DIR cargo test --test own results::split` takes a real one.

use std::path::{Path, PathBuf};

use k1s_profile_gates::evidence::{Redactor, Store};
use k1s_profile_gates::plan::{Gate, Shard};
use k1s_profile_gates::results::{self, Manifest, MergeError, Standing, gates, merge, verify};
use serde_json::{Value, json};

use crate::results::merge::run_of;

const COUNT: usize = 8;

/// The run, which lives as long as what holds it.
fn run() -> (PathBuf, Option<crate::support::sealed::RunDir>) {
    if let Some(named) = std::env::var_os("K1S_GATES_SPLIT").filter(|named| !named.is_empty()) {
        return (PathBuf::from(named), None);
    }
    let run = run_of(1, &Gate::ALL, None, |_, _| {});
    (run.path(), Some(run))
}

fn json_of(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// The folder of one shard of a run: its gates' files, and those of the run as a whole.
fn shard(run: &Path, index: usize, into: &Path) -> PathBuf {
    let shard = Shard { index, count: COUNT };
    let own = shard.of(&Gate::ALL);
    let is_own = |name: &str| own.iter().any(|gate| name.split(" (").next() == Some(gate.to_string().as_str()));
    let folder = into.join(format!("shard-{index}"));
    let manifest = Manifest::read(run).unwrap();
    for entry in manifest.files.iter().filter(|entry| entry.gate.as_deref().is_none_or(is_own)) {
        let to = folder.join(&entry.path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(run.join(&entry.path), to).unwrap();
    }
    let mut summary = json_of(&run.join("run.json"));
    summary["gates"].as_object_mut().unwrap().retain(|name, _| is_own(name));
    summary["shard"] = json!(shard.to_string());
    std::fs::write(folder.join("run.json"), summary.to_string()).unwrap();
    let states = manifest.gates.into_iter().filter(|state| is_own(&state.gate)).collect();
    let standing = Standing { gates: states, k1s_root: manifest.k1s_root, resumed: Vec::new(), over: true };
    results::seal(
        &Store::open(&folder, Redactor::default()).unwrap(),
        &standing,
        None,
        &mut results::Memory::default(),
    )
    .unwrap();
    folder
}

/// What a run says of each check, as it is written down.
fn verdicts(run: &Path) -> Vec<String> {
    let of_checks = gates(run).into_iter().map(|gate| {
        let verdicts = serde_json::to_string_pretty(&gate.verdicts).unwrap();
        format!("{} {verdicts}", gate.gate_name())
    });
    let summary = json_of(&run.join("run.json"));
    let told = summary["gates"].as_object().unwrap().iter().map(|(name, gate)| format!("{name} {}", gate["checks"]));
    of_checks.chain(told).collect()
}

#[test]
fn eight_shards_say_what_one_run_says() {
    let (run, _held) = run();
    let place = tempfile::tempdir().unwrap();
    let shards: Vec<PathBuf> = (1..=COUNT).map(|index| shard(&run, index, place.path())).collect();
    let into = place.path().join("merged");
    let merged = merge(&shards, &into, None).unwrap();
    assert_eq!(merged.summary.gates.len(), Gate::ALL.len());
    let found = verify(&into, None).unwrap();
    assert!(found.is_sound() && found.is_complete(), "{found:?}");
    let (one, eight) = (verdicts(&run), verdicts(&into));
    assert!(one.len() >= 2 * Gate::ALL.len());
    assert_eq!(one, eight);

    // The same shards, with one thing wrong each.
    let refused = |shards: &[PathBuf]| merge(shards, &place.path().join("none"), None).unwrap_err();
    assert!(matches!(refused(&shards[1..]), MergeError::Missing(missing) if missing.len() == 1));
    let twice: Vec<PathBuf> = shards.iter().chain(&shards[..1]).cloned().collect();
    assert!(matches!(refused(&twice), MergeError::Doubled { .. }));
    assert!(matches!(refused(&[run]), MergeError::NoShard(_)));
    assert!(matches!(merge(&shards, &into, None).unwrap_err(), MergeError::NotEmpty(_)));
    let inputs = shards[3].join("inputs.json");
    let honest = std::fs::read_to_string(&inputs).unwrap();
    std::fs::write(&inputs, format!("{honest} ")).unwrap();
    assert!(matches!(refused(&shards), MergeError::Unsound { .. }));
    let mut other: Value = serde_json::from_str(&honest).unwrap();
    other["k1s root"] = json!([["src/ae/cli.py", "another"]]);
    std::fs::write(&inputs, other.to_string()).unwrap();
    let manifest = Manifest::read(&shards[3]).unwrap();
    let standing = Standing { gates: manifest.gates, k1s_root: manifest.k1s_root, resumed: Vec::new(), over: true };
    results::seal(
        &Store::open(&shards[3], Redactor::default()).unwrap(),
        &standing,
        None,
        &mut results::Memory::default(),
    )
    .unwrap();
    assert!(matches!(refused(&shards), MergeError::OtherInputs { .. }));
    assert!(!place.path().join("none").exists(), "nothing is written");
}
