//! The summary of one gate, and the verdicts of its checks.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::text::first_line;
use crate::checks::Check;
use crate::diagnosis::{self, Diagnosis, Fault, Red};
use crate::evidence::{Bill, Evidence, Progress, Reading, folder, layout};
use crate::failure::Failure;
use crate::plan::{GateKey, Transports};
use crate::suite::checks_of_run;

/// The summary of one gate.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GateSummary {
    /// The gate, and which run of it.
    #[serde(flatten)]
    pub key: GateKey,
    /// The part of the run that ran it, from 1; an earlier one than the last when it was kept.
    pub part: usize,
    /// Its folder in the run's.
    pub folder: PathBuf,
    /// Its own project.
    pub project: String,
    /// The number of its runs: one, unless something is wrong.
    pub runs: u32,
    /// When a trial first asked for it.
    pub asked: Timestamp,
    /// When its turn came.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How long it took.
    pub seconds: f64,
    /// Its checks, in the order of the runbook.
    pub checks: Vec<Verdict>,
    /// The reason why it could not be run.
    pub failure: Option<Failure>,
    /// The diagnosis: what broke it, why, whose fault that is, and which checks are red because of it.
    #[serde(default)]
    pub diagnosis: Diagnosis,
    /// The reason why a gate that passed is not to be trusted blindly: a conflict on its first run, or what was noticed
    /// in it.
    pub flaky: Option<String>,
    /// True when its project stays, as its user asked for.
    pub project_kept: bool,
    /// Its result in earlier parts of the run, when it is run anew.
    pub again: Option<String>,
    /// The processor time of its lane; none of a gate that had no lane or whose lane was killed.
    pub bill: Option<Bill>,
}

/// One check of a gate.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Verdict {
    /// Its name within the gate.
    pub check: String,
    /// The expected result, in words; empty when only its failure names it.
    pub expected: String,
    /// Its outcome.
    pub outcome: Outcome,
    /// Of a red one, whose fault it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The parts of the evidence that it has read.
    pub read: Vec<Reading>,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Not as expected.
    Failed(Failure),
    /// Only its trial can judge it, and has not, or was not asked for.
    Unjudged,
}

impl GateSummary {
    /// Ended, at least one check judged, none red.
    pub fn passed(&self) -> bool {
        let none_red = self.failure.is_none() && self.failures().next().is_none();
        self.ended.is_some() && none_red && self.count(&Outcome::Passed) > 0
    }

    /// The red checks.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.checks.iter().filter_map(|verdict| Some((verdict.check.as_str(), verdict.failure()?)))
    }

    /// Counts the checks that have this outcome.
    pub fn count(&self, outcome: &Outcome) -> usize {
        self.checks.iter().filter(|verdict| verdict.outcome == *outcome).count()
    }

    /// As its evidence says. What only a trial can judge stays as a trial has said.
    pub(super) fn kept(mut self, run_dir: &Path) -> Self {
        let said = std::mem::take(&mut self.checks);
        let runs = self.runs;
        let record = run_dir.join(&self.folder).join(layout::RECORD);
        let evidence = Evidence::load(run_dir, &record);
        match &evidence {
            Ok(evidence) => self.judged(run_dir, evidence),
            Err(failure) => self.failure = Some(failure.clone()),
        }
        self.runs = runs;
        let unjudged = |verdict: &&mut Verdict| verdict.outcome == Outcome::Unjudged;
        for verdict in self.checks.iter_mut().filter(unjudged) {
            if let Some(known) = said.iter().find(|known| known.check == verdict.check) {
                verdict.clone_from(known);
            }
        }
        let others: Vec<Verdict> =
            said.into_iter().filter(|known| !self.checks.iter().any(|one| one.check == known.check)).collect();
        self.checks.extend(others);
        if let Ok(evidence) = &evidence {
            self.diagnose(evidence);
        }
        self
    }

    /// Waits to be run anew.
    pub(super) fn cut_short(self, run_dir: &Path, part: usize) -> Self {
        let progress = folder::read(run_dir, &self.folder.join(layout::PROGRESS)).ok();
        let progress: Option<Progress> = progress.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // What a supervisor that is killed knew last it may not have written down.
        let unsaid = self.began.is_none() && run_dir.join(&self.folder).join(layout::SPEC).exists();
        let now = match (&self.failure, self.began.is_some() || unsaid) {
            (Some(failure), _) => Some(format!("left no record in part {part}: {}", first_line(&failure.what))),
            (None, true) => {
                let doing = progress.map_or_else(|| "its start".to_owned(), |progress| progress.doing);
                Some(format!("cut short in part {part} at {doing}"))
            }
            (None, false) => None,
        };
        let flaky = self.failure.as_ref().and(now.clone());
        let again: Vec<String> = self.again.into_iter().chain(now).collect();
        Self {
            runs: self.runs + u32::from(unsaid),
            began: None,
            ended: None,
            seconds: 0.0,
            checks: Vec::new(),
            failure: None,
            diagnosis: Diagnosis::default(),
            bill: None,
            flaky: flaky.or(self.flaky),
            again: (!again.is_empty()).then(|| again.join("; ")),
            ..self
        }
    }

    pub(super) fn judged(&mut self, run_dir: &Path, evidence: &Evidence) {
        let record = &evidence.record;
        self.project.clone_from(&record.project);
        self.project_kept = record.project_kept;
        let bill = folder::read(run_dir, &self.folder.join(layout::BILL)).ok();
        self.bill = bill.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(kept) = &record.rerun_of {
            self.runs += 1;
            let conflict =
                Evidence::load(run_dir, &kept.join(layout::RECORD)).ok().and_then(|first| first.record.conflict);
            let conflict = conflict.map_or_else(|| "a conflict".to_owned(), |conflict| conflict.to_string());
            self.flaky = Some(format!(
                "{conflict}; that was in the first project ({}), this is a rerun in a fresh one",
                kept.display()
            ));
        }
        if !record.noticed.is_empty() {
            let noticed = self.flaky.iter().chain(&record.noticed).map(String::as_str).collect::<Vec<_>>().join("; ");
            self.flaky = Some(noticed);
        }
        self.checks = Verdict::all(evidence);
        self.diagnose(evidence);
    }

    /// Derives the causes of what is red by now.
    pub(super) fn diagnose(&mut self, evidence: &Evidence) {
        let red = |(check, failure): (&str, &Failure)| Red { check: Some(check.to_owned()), failure: failure.clone() };
        let stopped = evidence.record.failure.clone().map(|failure| Red { check: None, failure });
        let red: Vec<Red> = stopped.into_iter().chain(self.failures().map(red)).collect();
        self.diagnosis = diagnosis::of(evidence, &red);
        for verdict in &mut self.checks {
            verdict.fault = self.diagnosis.cause_of(Some(&verdict.check)).map(|cause| cause.fault);
        }
    }
}

impl Verdict {
    /// Those of all checks of a gate in its run.
    pub(crate) fn all(evidence: &Evidence) -> Vec<Self> {
        let record = &evidence.record;
        let checks = checks_of_run(record.key.gate, record.key.transport, record.transports);
        checks.iter().map(|check| Self::of(check, evidence)).collect()
    }

    /// A snapshot is compared by its trial alone: only that knows whose snapshots are meant. Two ways to ask are too: it
    /// waits for both.
    fn of(check: &Check, evidence: &Evidence) -> Self {
        if check.judged_by_trial_only() {
            return Self::new(check, Outcome::Unjudged, Vec::new());
        }
        evidence.readings();
        let outcome = check.judge(evidence).map_or_else(Outcome::Failed, |()| Outcome::Passed);
        Self::new(check, outcome, evidence.readings())
    }

    /// Returns the reason why the check is red; none when it is not.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Passed | Outcome::Unjudged => None,
        }
    }

    pub(crate) fn new(check: &Check, outcome: Outcome, read: Vec<Reading>) -> Self {
        Self { check: check.name.clone(), expected: check.expected.clone(), outcome, fault: None, read }
    }
}

/// Is true when only its trial can judge a check: a comparison, or one of the consumer's own.
pub(super) fn judged_by_trial_only(key: GateKey, transports: Transports, check: &str) -> bool {
    let known = checks_of_run(key.gate, key.transport, transports).into_iter().find(|known| known.name == check);
    known.is_none_or(|known| known.judged_by_trial_only())
}
