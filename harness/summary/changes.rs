//! The changes by which the summary of a run grows, step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::gate::judged_by_trial_only;
use super::{GateSummary, Outcome, Part, Summary, Verdict};
use crate::diagnosis::{self, Diagnosis};
use crate::evidence::Evidence;
use crate::evidence::layout::gate_folder;
use crate::failure::Failure;
use crate::lane::Settings;
use crate::plan::{Gate, GateKey};

impl Summary {
    pub(crate) fn new(settings: &Settings, lanes: usize, part: Part) -> Self {
        Self {
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            run_dir: settings.run_dir.clone(),
            started: part.started,
            ended: None,
            project_base: settings.base.clone(),
            mode: settings.mode.clone(),
            transports: settings.transports,
            lanes,
            fails_flaky: settings.fails_flaky,
            k1s_root: None,
            shard: settings.shard,
            chosen: (settings.chosen != Gate::ALL).then(|| settings.chosen.clone()),
            versions: BTreeMap::new(),
            interventions: BTreeMap::new(),
            environment: BTreeMap::new(),
            parts: vec![part],
            gates: BTreeMap::new(),
        }
    }

    /// The same run in another part of it, which keeps these gates and runs the others anew.
    pub(crate) fn resumed(self, settings: &Settings, lanes: usize, part: Part, kept: &BTreeSet<GateKey>) -> Self {
        let cut = self.parts.len();
        let run_dir = &settings.run_dir;
        let gates = self.gates.into_iter().map(|(name, gate)| {
            let gate = if kept.contains(&gate.key) { gate.kept(run_dir) } else { gate.cut_short(run_dir, cut) };
            (name, gate)
        });
        let part = Part { kept: kept.len(), ..part };
        let parts = self.parts.into_iter().chain([part.clone()]).collect();
        Self {
            started: self.started,
            k1s_root: self.k1s_root,
            versions: self.versions,
            interventions: self.interventions,
            environment: self.environment,
            gates: gates.collect(),
            parts,
            ..Self::new(settings, lanes, part)
        }
    }

    /// Its last part ends.
    pub(crate) fn over(&mut self) {
        self.ended = Some(Timestamp::now());
        if let Some(part) = self.parts.last_mut() {
            part.ended = self.ended;
        }
    }

    /// A gate that a trial asks for.
    pub(crate) fn asked(&mut self, key: GateKey, project: String) {
        let part = self.part();
        let name = self.name(key);
        if let Some(again) = self.gates.get_mut(&name) {
            (again.project, again.asked, again.part) = (project, Timestamp::now(), part);
            return;
        }
        let gate = GateSummary {
            key,
            part,
            folder: gate_folder(key),
            project,
            runs: 0,
            asked: Timestamp::now(),
            began: None,
            ended: None,
            seconds: 0.0,
            checks: Vec::new(),
            failure: None,
            diagnosis: Diagnosis::default(),
            flaky: None,
            project_kept: false,
            again: None,
            bill: None,
        };
        self.gates.insert(name, gate);
    }

    pub(crate) fn began(&mut self, key: GateKey) {
        let name = self.name(key);
        if let Some(gate) = self.gates.get_mut(&name) {
            gate.began = Some(Timestamp::now());
            gate.runs += 1;
            if let Some(part) = self.parts.last_mut() {
                part.begun += 1;
            }
        }
    }

    /// The end of a gate, with the verdicts of its checks: the trials come to the same, but not every trial may have
    /// been asked for.
    pub(crate) fn ended(&mut self, key: GateKey, after: Duration, result: Result<&Path, &Failure>) {
        let run_dir = self.run_dir.clone();
        let name = self.name(key);
        let Some(gate) = self.gates.get_mut(&name) else { return };
        gate.ended = Some(Timestamp::now());
        // Not between the two moments: the clock may have been set meanwhile.
        gate.seconds = after.as_secs_f64();
        let loaded = result.map_err(Clone::clone).and_then(|file| Evidence::load(&run_dir, file));
        match loaded {
            Ok(evidence) => {
                self.versions.extend(evidence.record.versions.clone());
                self.interventions.extend(evidence.record.interventions.clone());
                gate.judged(&run_dir, &evidence);
            }
            Err(failure) => {
                gate.diagnosis = diagnosis::of_no_record(&failure, &run_dir);
                gate.failure = Some(failure);
            }
        }
    }

    /// Notes the verdict of a trial on a check that only it can judge: one of the consumer's own, or a comparison with
    /// snapshots. Returns true when it was noted.
    pub(crate) fn note_verdict(&mut self, key: GateKey, verdict: Verdict) -> bool {
        let run_dir = self.run_dir.clone();
        let (part, transports) = (self.part(), self.transports);
        let name = self.name(key);
        let Some(gate) = self.gates.get_mut(&name) else { return false };
        let kept = gate.part < part;
        match gate.checks.iter_mut().find(|known| known.check == verdict.check) {
            Some(known) if known.outcome == Outcome::Unjudged => *known = verdict,
            // On the evidence of an earlier part, with what is accepted now: no red check turns green unsaid.
            Some(known) if kept && judged_by_trial_only(key, transports, &known.check) => {
                if matches!(known.outcome, Outcome::Failed(_)) && verdict.outcome == Outcome::Passed {
                    let check = &known.check;
                    gate.flaky =
                        Some(format!("{check} was red in part {} and is green on the same evidence", gate.part));
                }
                *known = verdict;
            }
            Some(_) => return false,
            // Of a gate that could not be run, each trial says the same.
            None if gate.failure.is_some() => return false,
            None => gate.checks.push(verdict),
        }
        // A comparison of its trial's may be red because of what broke the gate.
        if let Ok(evidence) =
            Evidence::load(&run_dir, &run_dir.join(&gate.folder).join(crate::evidence::layout::RECORD))
        {
            gate.diagnose(&evidence);
        }
        true
    }
}
