//! What a run's folder says of its gates: how far each came, and what its checks say of what it left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::manifest::{MANIFEST, Manifest};
use crate::evidence::{Evidence, triage_folder};
use crate::failure::Failure;
use crate::plan::Gate;
use crate::run::{GateKey, gate_folder, gate_of_folder};

/// How far a gate came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A trial asked for it; its turn had not come.
    Waiting,
    /// It had begun and not ended.
    Running,
    /// It left a record, whatever its checks say.
    Ended,
    /// It ended without a record.
    Failed,
}

/// A gate of a run and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateState {
    /// Its name, such as `startup::k1s-ha-min`.
    pub gate: String,
    /// The iteration of a stress run, from 1.
    pub iteration: u32,
    /// 1, or more when a trial of it was retried.
    pub attempt: u32,
    /// How far it came.
    pub state: State,
    /// The part of the run that ran it, from 1: an earlier one than the last when it was kept.
    pub part: usize,
}

impl GateState {
    /// Which gate it is; none when there is no gate of that name.
    pub fn key(&self) -> Option<GateKey> {
        Some(GateKey { gate: self.gate.parse().ok()?, iteration: self.iteration, attempt: self.attempt })
    }

    pub(crate) fn new(key: GateKey, state: State, part: usize) -> Self {
        Self { gate: key.gate.to_string(), iteration: key.iteration, attempt: key.attempt, state, part }
    }
}

/// What a check says.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Green.
    Passed,
    /// Red, and why.
    Failed(Failure),
    /// Compared by its trial alone, which knows whose snapshots are meant.
    NotJudged,
}

/// A check over what a gate left.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The check's name within its gate.
    pub check: String,
    /// What it says.
    pub outcome: Outcome,
    /// The files in the run's folder that it rests on.
    pub files: BTreeSet<PathBuf>,
}

/// One run of a gate.
#[derive(Debug)]
pub struct GateResult {
    /// Which gate, and which attempt at it.
    pub key: GateKey,
    /// How far it came.
    pub state: State,
    /// Its folder in the run's folder.
    pub folder: PathBuf,
    /// Whether it ended in a conflict and was run again: its folder was set aside.
    pub set_aside: bool,
    /// What it left, when it left a record.
    pub evidence: Option<Evidence>,
    /// What its checks say of that.
    pub verdicts: Vec<Verdict>,
}

/// The gates of a run, in the order of the runbook; a gate that was run several times, from the first time to the last.
pub fn gates(run_dir: &Path) -> Vec<GateResult> {
    gates_with(run_dir, &Manifest::read(&run_dir.join(MANIFEST)).map(|manifest| manifest.gates).unwrap_or_default())
}

/// The same, with what is known of their states; of others their folders tell.
pub(super) fn gates_with(run_dir: &Path, states: &[GateState]) -> Vec<GateResult> {
    let states: BTreeMap<GateKey, State> =
        states.iter().filter_map(|known| Some((known.key()?, known.state))).collect();
    let mut found: Vec<GateResult> = Vec::new();
    for folder in std::fs::read_dir(run_dir.join("gates")).into_iter().flatten().flatten() {
        let Some((key, set_aside)) = folder.file_name().to_str().and_then(gate_of_folder) else { continue };
        let state = states.get(&key).copied().filter(|_| !set_aside);
        found.push(result(run_dir, key, Path::new("gates").join(folder.file_name()), set_aside, state));
    }
    for (key, state) in &states {
        if !found.iter().any(|gate| gate.key == *key && !gate.set_aside) {
            found.push(result(run_dir, *key, gate_folder(*key), false, Some(*state)));
        }
    }
    let place = |gate: Gate| Gate::ALL.iter().position(|known| *known == gate);
    found.sort_by_key(|gate| (place(gate.key.gate), gate.key.iteration, gate.key.attempt, !gate.set_aside));
    found
}

fn result(run_dir: &Path, key: GateKey, folder: PathBuf, set_aside: bool, state: Option<State>) -> GateResult {
    let evidence = Evidence::load(run_dir, &run_dir.join(&folder).join("record.json")).ok();
    let state = match (&evidence, state) {
        (Some(_), _) => State::Ended,
        // It left no record that can be read, whatever is said of it.
        (None, Some(State::Ended)) => State::Failed,
        (None, Some(known)) => known,
        (None, _) => State::Running,
    };
    let verdicts = evidence.as_ref().map(judged).unwrap_or_default();
    GateResult { key, state, folder, set_aside, evidence, verdicts }
}

fn judged(evidence: &Evidence) -> Vec<Verdict> {
    let judge = |check: crate::Check| {
        if check.name == "snapshot" {
            return Verdict { check: check.name, outcome: Outcome::NotJudged, files: BTreeSet::new() };
        }
        let (verdict, files) = evidence.traced(|evidence| check.judge(evidence));
        Verdict { check: check.name, outcome: verdict.map_or_else(Outcome::Failed, |()| Outcome::Passed), files }
    };
    crate::checks_of(evidence.record.gate).into_iter().map(judge).collect()
}

impl GateResult {
    /// The names of the trials that rest on a file of the run's folder.
    pub fn checks_on(&self, file: &Path) -> impl Iterator<Item = String> + '_ {
        let file = file.to_owned();
        let rests = move |verdict: &&Verdict| verdict.files.contains(&file);
        self.verdicts
            .iter()
            .filter(rests)
            .map(|verdict| self.key.name(&format!("{}::{}", self.key.gate, verdict.check)))
    }

    /// Whether a file of the run's folder is this gate's own.
    pub fn owns(&self, file: &Path) -> bool {
        let own = [self.folder.clone(), triage_folder(&self.folder)];
        own.iter().any(|folder| file.starts_with(folder))
            || self.evidence.as_ref().is_some_and(|evidence| evidence.record.owns(file))
    }
}
