//! The gates in a run's folder: how far each came, and the verdicts over its evidence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::memory::Memory;
use crate::diagnosis::{self, Diagnosis, Red};
use crate::evidence::layout::{GATES, RECORD, gate_folder, gate_of_folder};
use crate::evidence::{Evidence, Reading, Redactor};
use crate::plan::{Gate, GateKey, Transport, Transports};
use crate::summary::{GateState, GateSummary, Outcome, Stage, Summary, Verdict};

/// One run of a gate.
#[derive(Debug)]
pub struct GateResult {
    /// The gate, its transport, and which attempt at it.
    pub key: GateKey,
    /// The transports over which the gates of its run ask.
    pub transports: Transports,
    /// The stage that it reached.
    pub state: Stage,
    /// Its folder in the run's folder.
    pub folder: PathBuf,
    /// True when it ended in a conflict and was run again: its folder was set aside.
    pub set_aside: bool,
    /// Its evidence; none when it left no record.
    pub evidence: Option<Evidence>,
    /// The verdicts of its checks over that evidence.
    pub verdicts: Vec<Verdict>,
}

/// The gates of a run, in the order of the runbook; a gate that was run several times, from the first time to the last.
/// `states` says what is known of their states; of others their folders tell. `summary` is what the run says of itself.
pub(super) fn gates_with(
    run_dir: &Path,
    states: &[GateState],
    summary: Option<&Summary>,
    memory: &mut Memory,
) -> Vec<GateResult> {
    let states: BTreeMap<GateKey, Stage> =
        states.iter().filter_map(|known| Some((known.key()?, known.state))).collect();
    let mut found: Vec<GateResult> = Vec::new();
    for folder in std::fs::read_dir(run_dir.join(GATES)).into_iter().flatten().flatten() {
        let Some((key, set_aside)) = folder.file_name().to_str().and_then(gate_of_folder) else { continue };
        let state = states.get(&key).copied().filter(|_| !set_aside);
        found.push(result(run_dir, key, Path::new(GATES).join(folder.file_name()), set_aside, state, memory));
    }
    let there: BTreeSet<GateKey> = found.iter().filter(|gate| !gate.set_aside).map(|gate| gate.key).collect();
    for (key, state) in states.iter().filter(|(key, _)| !there.contains(key)) {
        found.push(result(run_dir, *key, gate_folder(*key), false, Some(*state), memory));
    }
    if let Some(summary) = summary {
        let mut told: HashMap<GateKey, Vec<&GateSummary>> = HashMap::new();
        summary.gates.values().for_each(|gate| told.entry(gate.key).or_default().push(gate));
        for gate in found.iter_mut().filter(|gate| !gate.set_aside) {
            told.get(&gate.key).into_iter().flatten().for_each(|told| gate.merge_trial_verdicts(told));
        }
    }
    let recorded = found.iter().find_map(|gate| Some(gate.evidence.as_ref()?.record.transports));
    let transports = recorded.unwrap_or_else(|| transports(found.iter().map(|gate| gate.key.transport)));
    for gate in &mut found {
        gate.transports = transports;
    }
    let place = |gate: Gate| Gate::ALL.iter().position(|known| *known == gate);
    found.sort_by_key(|gate| (place(gate.key.gate), gate.key, !gate.set_aside));
    found
}

/// Returns the transports of a run of which no gate has left a record.
fn transports(mut seen: impl Iterator<Item = Transport> + Clone) -> Transports {
    match (seen.clone().any(|one| one == Transport::Cli), seen.any(|one| one == Transport::Mcp)) {
        (true, true) => Transports::Both,
        (false, true) => Transports::Mcp,
        _ => Transports::Cli,
    }
}

fn result(
    run_dir: &Path,
    key: GateKey,
    folder: PathBuf,
    set_aside: bool,
    state: Option<Stage>,
    memory: &mut Memory,
) -> GateResult {
    let record = run_dir.join(&folder).join(RECORD);
    let evidence = Evidence::load(run_dir, &record).ok();
    let state = match (&evidence, state) {
        (Some(_), _) => Stage::Ended,
        // It left no record that can be read, whatever is said of it.
        (None, Some(Stage::Ended)) => Stage::Failed,
        (None, Some(known)) => known,
        (None, _) => Stage::Running,
    };
    let judged = |evidence| memory.verdicts(&record, || judged(evidence));
    let verdicts = evidence.as_ref().map(judged).unwrap_or_default();
    GateResult { key, transports: Transports::default(), state, folder, set_aside, evidence, verdicts }
}

/// Judges a gate's evidence; each verdict rests on the record too.
fn judged(evidence: &Evidence) -> Vec<Verdict> {
    let mut verdicts = Verdict::all(evidence);
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.outcome != Outcome::Unjudged) {
        verdict.read.push(Reading { file: evidence.own_file().to_owned(), pointer: String::new() });
    }
    verdicts
}

impl GateResult {
    /// Takes what trials have told the run's summary of checks that only they can judge: comparisons with snapshots, and
    /// a consumer's own checks.
    fn merge_trial_verdicts(&mut self, summary: &GateSummary) {
        for told in &summary.checks {
            if told.outcome == Outcome::Unjudged {
                continue;
            }
            match self.verdicts.iter_mut().find(|verdict| verdict.check == told.check) {
                Some(verdict) if verdict.outcome == Outcome::Unjudged => verdict.clone_from(told),
                None if self.state == Stage::Ended => self.verdicts.push(told.clone()),
                Some(_) | None => {}
            }
        }
    }

    /// What broke it, by its own evidence and what its trials have told, without secrets.
    pub(super) fn diagnosis(&self) -> Diagnosis {
        let Some(evidence) = &self.evidence else { return Diagnosis::default() };
        let red =
            |verdict: &Verdict| Some(Red { check: Some(verdict.check.clone()), failure: verdict.failure()?.clone() });
        let stopped = evidence.record.failure.clone().map(|failure| Red { check: None, failure });
        let red: Vec<Red> = stopped.into_iter().chain(self.verdicts.iter().filter_map(red)).collect();
        Redactor::default().value(&diagnosis::of(evidence, &red)).unwrap_or_default()
    }

    /// The name of the trial of one of its checks.
    pub(super) fn trial(&self, check: &str) -> String {
        self.key.name(&format!("{}::{check}", self.gate_name()))
    }

    /// Returns the prefix of the names of its trials.
    pub fn gate_name(&self) -> String {
        self.transports.name(self.key.gate, self.key.transport)
    }
}
