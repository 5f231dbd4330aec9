//! The run's summary: what is known of each gate, as people and programs read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::part::Part;
use super::protocol::GateKey;
use super::settings::{Mode, Settings};
use super::spec::gate_folder;
use crate::checks::Check;
use crate::evidence::{Evidence, Progress, Reading, Store};
use crate::failure::Failure;
use crate::gates;
use crate::ledger::how_to_look;
use crate::plan::{Gate, Transport, Transports};
use crate::results;

/// What `run.json` says.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Summary {
    /// The version of the harness.
    pub harness: String,
    /// The run's folder, when it was written.
    pub run_dir: PathBuf,
    /// When the run began.
    pub started: Timestamp,
    /// When it ended; none while it runs, and of one that was killed.
    pub ended: Option<Timestamp>,
    /// What the projects' names start with.
    pub project_base: String,
    /// Whose containerd and `WorkerBee`.
    pub mode: Mode,
    /// By which ways `WorkerBee` is asked.
    pub transports: Transports,
    /// How many gates may run side by side.
    pub lanes: usize,
    /// Versions of what the gates ran on.
    pub versions: BTreeMap<String, String>,
    /// The machine, and where the parts are.
    pub environment: BTreeMap<String, String>,
    /// From each start of it to its end: several when it was resumed.
    pub parts: Vec<Part>,
    /// The gates that were asked for, by name; a retry is called `<gate> (attempt <n>)`, another
    /// iteration `<gate> (iteration <n>)`.
    pub gates: BTreeMap<String, GateSummary>,
}

/// What is known of one gate.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GateSummary {
    /// Which gate.
    pub gate: Gate,
    /// By which way `WorkerBee` is asked.
    pub transport: Transport,
    /// The iteration of a stress run, from 1.
    pub iteration: u32,
    /// nextest's attempt, from 1.
    pub attempt: u32,
    /// The part of the run that ran it, from 1; an earlier one than the last when it was kept.
    pub part: usize,
    /// Its folder in the run's.
    pub folder: PathBuf,
    /// Its own project.
    pub project: String,
    /// How often it was run: once, unless something is wrong.
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
    /// Why it could not be run.
    pub failure: Option<Failure>,
    /// Why a gate that passed is not to be trusted blindly: a conflict on its first run, or what was noticed in it.
    pub flaky: Option<String>,
    /// Whether its project stays, as its user asked for.
    pub project_kept: bool,
    /// What became of it in earlier parts of the run, when it is run anew.
    pub again: Option<String>,
}

/// One check of a gate.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Verdict {
    /// Its name within the gate.
    pub check: String,
    /// What it wants to see; empty when only its failure says so.
    pub expected: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The parts of the evidence that it has read.
    pub read: Vec<Reading>,
}

/// What came of a check.
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

/// Where a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Others go first.
    Waiting,
    /// At work.
    Running,
    /// The run ended before the gate did.
    CutShort,
    /// Ended, with at least one check and none red.
    Passed,
    /// Ended otherwise.
    Failed,
}

/// A run that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} holds no run that can be read: {why}\n  remedy: name the RUN_DIR of a run of this version of the harness", run_dir.display())]
pub struct NoRun {
    run_dir: PathBuf,
    why: String,
}

impl Summary {
    /// Reads the summary of a run.
    pub fn load(run_dir: &Path) -> Result<Self, NoRun> {
        let unreadable = |why: String| NoRun { run_dir: run_dir.to_owned(), why };
        let bytes =
            std::fs::read(run_dir.join("run.json")).map_err(|error| unreadable(format!("run.json: {error}")))?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(format!("run.json: {error}")))
    }

    /// The gates in the order of the runbook.
    pub fn in_order(&self) -> Vec<(&str, &GateSummary)> {
        let mut gates: Vec<_> = self.gates.iter().map(|(name, gate)| (name.as_str(), gate)).collect();
        gates.sort_by_key(|(_, gate)| gate.key());
        gates
    }

    /// Where a gate stands.
    pub fn state(&self, gate: &GateSummary) -> State {
        match (gate.ended, gate.began) {
            (Some(_), _) if gate.passed() => State::Passed,
            (Some(_), _) => State::Failed,
            (None, _) if self.ended.is_some() => State::CutShort,
            (None, Some(_)) => State::Running,
            (None, None) => State::Waiting,
        }
    }

    /// The earlier attempts of gates that passed when they were tried again.
    pub fn retried(&self) -> Vec<&str> {
        let passed_later =
            |gate: &GateSummary| self.gates.values().any(|other| other.key().replaces(gate.key()) && other.passed());
        self.in_order()
            .into_iter()
            .filter(|(_, gate)| !gate.passed() && passed_later(gate))
            .map(|(name, _)| name)
            .collect()
    }

    /// The verdict over the run: failed as soon as one gate is, passed only when all have ended. No gate is no pass.
    pub fn verdict(&self) -> State {
        let retried = self.retried();
        let count = self.gates.iter().filter(|(name, _)| !retried.contains(&name.as_str()));
        let states: Vec<State> = count.map(|(_, gate)| self.state(gate)).collect();
        for state in [State::Failed, State::CutShort, State::Running, State::Waiting] {
            if states.contains(&state) {
                return if state == State::Waiting { State::Running } else { state };
            }
        }
        match (states.is_empty(), self.ended) {
            (false, _) => State::Passed,
            (true, Some(_)) => State::CutShort,
            (true, None) => State::Waiting,
        }
    }

    pub(super) fn new(settings: &Settings, lanes: usize, part: Part) -> Self {
        Self {
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            run_dir: settings.run_dir.clone(),
            started: part.started,
            ended: None,
            project_base: settings.base.clone(),
            mode: settings.mode.clone(),
            transports: settings.transports,
            lanes,
            versions: BTreeMap::new(),
            environment: BTreeMap::new(),
            parts: vec![part],
            gates: BTreeMap::new(),
        }
    }

    fn name(&self, key: GateKey) -> String {
        key.label(&self.transports.name(key.gate, key.transport))
    }

    /// The same run in another part of it, which keeps these gates and runs the others anew.
    pub(super) fn resumed(self, settings: &Settings, lanes: usize, part: Part, kept: &BTreeSet<GateKey>) -> Self {
        let cut = self.parts.len();
        let run_dir = &settings.run_dir;
        let gates = self.gates.into_iter().map(|(name, gate)| {
            let key = gate.key();
            let gate = if kept.contains(&key) { gate.kept(run_dir) } else { gate.cut_short(run_dir, cut) };
            (name, gate)
        });
        let part = Part { kept: kept.len(), ..part };
        let parts = self.parts.into_iter().chain([part.clone()]).collect();
        Self {
            started: self.started,
            versions: self.versions,
            environment: self.environment,
            gates: gates.collect(),
            parts,
            ..Self::new(settings, lanes, part)
        }
    }

    /// Its gates as the manifest names them.
    pub(super) fn states(&self) -> BTreeMap<GateKey, results::GateState> {
        let state = |gate: &GateSummary| match (gate.ended, gate.began, &gate.failure) {
            (Some(_), _, None) => results::State::Ended,
            (Some(_), _, Some(_)) => results::State::Failed,
            (None, Some(_), _) => results::State::Running,
            (None, None, _) => results::State::Waiting,
        };
        let of_gate = |gate: &GateSummary| {
            let name = self.transports.name(gate.gate, gate.transport);
            (gate.key(), results::GateState::new(name, gate.key(), state(gate), gate.part))
        };
        self.gates.values().map(of_gate).collect()
    }

    /// Its last part ends.
    pub(super) fn over(&mut self) {
        self.ended = Some(Timestamp::now());
        if let Some(part) = self.parts.last_mut() {
            part.ended = self.ended;
        }
    }

    /// The number of the part that is the last one.
    pub fn part(&self) -> usize {
        self.parts.len().max(1)
    }

    /// Whether a gate's evidence is that of an earlier part.
    pub fn is_kept(&self, gate: &GateSummary) -> bool {
        gate.ended.is_some() && gate.part < self.part()
    }

    /// When it was not alive: from the last sign of a part to the start of the next one.
    pub fn pauses(&self) -> Vec<(Timestamp, Timestamp)> {
        let last_sign = |(at, part): (usize, &Part)| {
            let gates = self.gates.values().filter(|gate| gate.part == at + 1);
            let signs = gates.flat_map(|gate| [Some(gate.asked), gate.began, gate.ended]).flatten();
            let last = part.ended.into_iter().chain(signs).fold(part.started, Timestamp::max);
            self.parts.get(at + 1).map(|next| (last.min(next.started), next.started))
        };
        self.parts.iter().enumerate().filter_map(last_sign).collect()
    }

    /// How often a gate was run or is to be by one way, in all iterations, attempts and parts.
    pub(super) fn runs_of(&self, gate: Gate, transport: Transport) -> u32 {
        let same = |known: &&GateSummary| (known.gate, known.transport) == (gate, transport);
        self.gates.values().filter(same).map(|known| known.runs.max(1)).sum()
    }

    /// Each resume, in words.
    pub fn resumes(&self) -> Vec<String> {
        let of_part = |part: &Part| {
            let run = if part.begun == 0 { "nothing was run".to_owned() } else { format!("{} run", part.begun) };
            format!("{}: {} of {} gates kept, {run}", part.started, part.kept, self.gates.len())
        };
        self.parts.iter().skip(1).map(of_part).collect()
    }

    /// A gate that a trial asks for.
    pub(super) fn asked(&mut self, key: GateKey, project: String) {
        let part = self.part();
        let name = self.name(key);
        if let Some(again) = self.gates.get_mut(&name) {
            (again.project, again.asked, again.part) = (project, Timestamp::now(), part);
            return;
        }
        let gate = GateSummary {
            gate: key.gate,
            transport: key.transport,
            iteration: key.iteration,
            attempt: key.attempt,
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
            flaky: None,
            project_kept: false,
            again: None,
        };
        self.gates.insert(name, gate);
    }

    /// The project that a gate was promised when it was asked for.
    pub(super) fn project(&self, key: GateKey) -> Option<String> {
        self.gates.get(&self.name(key)).map(|gate| gate.project.clone())
    }

    pub(super) fn began(&mut self, key: GateKey) {
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
    pub(super) fn ended(&mut self, key: GateKey, after: Duration, result: Result<&Path, &Failure>) {
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
                gate.judged(&run_dir, &evidence);
            }
            Err(failure) => gate.failure = Some(failure),
        }
    }

    /// What a trial says of a check that only it can judge: one of the consumer's own, or a comparison with snapshots.
    pub(super) fn told(&mut self, key: GateKey, verdict: Verdict) -> bool {
        let (part, transports) = (self.part(), self.transports);
        let name = self.name(key);
        let Some(gate) = self.gates.get_mut(&name) else { return false };
        let kept = gate.part < part;
        match gate.checks.iter_mut().find(|known| known.check == verdict.check) {
            Some(known) if known.outcome == Outcome::Unjudged => *known = verdict,
            // On the evidence of an earlier part, with what is accepted now: no red check turns green unsaid.
            Some(known) if kept && is_of_its_trial(key, transports, &known.check) => {
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
        true
    }

    /// Written anew after every gate, so that a run that is killed has one too.
    pub(super) fn write(&self, store: &Store) {
        // What cannot be written here could not be written by the gates either, and they say so.
        let _ = store.write_json(Path::new("run.json"), self);
        let _ = store.write(Path::new("summary.txt"), self.text().as_bytes());
    }

    fn text(&self) -> String {
        let mut text = format!(
            "run_dir={}\nproject_base={}\nstarted={}\n",
            self.run_dir.display(),
            self.project_base,
            self.started
        );
        for resume in self.resumes() {
            let _ = writeln!(text, "resumed={resume}");
        }
        for (name, version) in &self.versions {
            let _ = writeln!(text, "{name}={version}");
        }
        for (name, gate) in self.in_order() {
            if gate.ended.is_none() {
                let state = if gate.began.is_some() { "running" } else { "waiting" };
                let _ = writeln!(text, "{name} project={} {state}", gate.project);
                continue;
            }
            let (passed, ok) = (gate.count(&Outcome::Passed), gate.passed());
            let _ = writeln!(
                text,
                "{name} project={} ok={ok} checks={passed}/{} seconds={:.1}{}",
                gate.project,
                passed + gate.failures().count(),
                gate.seconds,
                if self.is_kept(gate) { format!(" kept=part-{}", gate.part) } else { String::new() }
            );
            if let Some(again) = &gate.again {
                let _ = writeln!(text, "  run anew: {again}");
            }
            if let Some(flaky) = &gate.flaky {
                let _ = writeln!(text, "  flaky: {flaky}");
            }
            for (check, failure) in gate.failures() {
                let (what, seen) = (first_line(&failure.what), first_line(&failure.seen));
                let _ = writeln!(text, "  failed {check}: {what}; seen: {seen}");
            }
            if gate.project_kept {
                let _ = writeln!(text, "  project kept: {}", how_to_look(&gate.project));
            }
            if let Some(failure) = &gate.failure {
                let _ = writeln!(text, "  failed: {}", first_line(&failure.what));
            }
        }
        text
    }
}

impl GateSummary {
    /// Which gate it is, which iteration and attempt.
    pub fn key(&self) -> GateKey {
        let Self { gate, transport, iteration, attempt, .. } = *self;
        GateKey { gate, transport, iteration, attempt }
    }

    /// Ended, at least one check judged, none red.
    pub fn passed(&self) -> bool {
        let none_red = self.failure.is_none() && self.failures().next().is_none();
        self.ended.is_some() && none_red && self.count(&Outcome::Passed) > 0
    }

    /// The red checks.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.checks.iter().filter_map(|verdict| match &verdict.outcome {
            Outcome::Failed(failure) => Some((verdict.check.as_str(), failure)),
            _ => None,
        })
    }

    /// How many checks came out so.
    pub fn count(&self, outcome: &Outcome) -> usize {
        self.checks.iter().filter(|verdict| verdict.outcome == *outcome).count()
    }

    /// As its evidence says. What only a trial can judge stays as a trial has said.
    fn kept(mut self, run_dir: &Path) -> Self {
        let said = std::mem::take(&mut self.checks);
        let runs = self.runs;
        let record = run_dir.join(&self.folder).join("record.json");
        match Evidence::load(run_dir, &record) {
            Ok(evidence) => self.judged(run_dir, &evidence),
            Err(failure) => self.failure = Some(failure),
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
        self
    }

    /// Waits to be run anew.
    fn cut_short(self, run_dir: &Path, part: usize) -> Self {
        let folder = run_dir.join(&self.folder);
        let progress = std::fs::read(folder.join("progress.json")).ok();
        let progress: Option<Progress> = progress.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // What a supervisor that is killed knew last it may not have written down.
        let unsaid = self.began.is_none() && folder.join("spec.json").exists();
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
            flaky: flaky.or(self.flaky),
            again: (!again.is_empty()).then(|| again.join("; ")),
            ..self
        }
    }

    fn judged(&mut self, run_dir: &Path, evidence: &Evidence) {
        let record = &evidence.record;
        self.project.clone_from(&record.project);
        self.project_kept = record.project_kept;
        if let Some(kept) = &record.rerun_of {
            self.runs += 1;
            let conflict =
                Evidence::load(run_dir, &kept.join("record.json")).ok().and_then(|first| first.record.conflict);
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
        self.checks = gates::checks_of_run(record.gate, record.transport, record.transports)
            .iter()
            .map(|check| Verdict::of(check, evidence))
            .collect();
    }
}

impl Verdict {
    /// A snapshot is compared by its trial alone: only that knows whose snapshots are meant. Two ways to ask are too: it
    /// waits for both.
    fn of(check: &Check, evidence: &Evidence) -> Self {
        if check.is_of_its_trial() {
            return Self::new(check, Outcome::Unjudged, Vec::new());
        }
        evidence.readings();
        let outcome = check.judge(evidence).map_or_else(Outcome::Failed, |()| Outcome::Passed);
        Self::new(check, outcome, evidence.readings())
    }

    pub(crate) fn new(check: &Check, outcome: Outcome, read: Vec<Reading>) -> Self {
        Self { check: check.name.clone(), expected: check.expected.clone(), outcome, read }
    }
}

/// Whether only its trial can judge a check: a comparison, or one of the consumer's own.
fn is_of_its_trial(key: GateKey, transports: Transports, check: &str) -> bool {
    let known = gates::checks_of_run(key.gate, key.transport, transports).into_iter().find(|known| known.name == check);
    known.is_none_or(|known| known.is_of_its_trial())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
