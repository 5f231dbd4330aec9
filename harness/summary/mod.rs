//! The run's summary: what is known of each gate, as people and programs read it.

mod changes;
mod gate;
mod part;
mod runbook;
mod state;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use gate::{GateSummary, Outcome, Verdict};
pub use part::Part;
pub use state::{GateState, Stage};

use crate::diagnosis::Fault;
use crate::evidence::{folder, layout};
use crate::lane::Mode;
use crate::plan::{Gate, GateKey, Shard, Transport, Transports};
use crate::tree::Identity;

/// The contents of `run.json`.
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
    /// The prefix of the projects' names.
    pub project_base: String,
    /// The mode: whose containerd and `WorkerBee` are used.
    pub mode: Mode,
    /// The transports by which `WorkerBee` is asked.
    pub transports: Transports,
    /// How many gates may run side by side.
    pub lanes: usize,
    /// Whether a gate that is flaky makes it fail.
    #[serde(default)]
    pub fails_flaky: bool,
    /// The k1s under test; none before the first gate.
    pub k1s_root: Option<Identity>,
    /// The share of the gates that this run has, when several machines share them.
    pub shard: Option<Shard>,
    /// The gates that the run's repository has chosen; none when it has chosen all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Vec<Gate>>,
    /// Versions of what the gates ran on.
    pub versions: BTreeMap<String, String>,
    /// The settings of the harness's in the lanes that change how `WorkerBee` and k1s behave, each with what it does.
    #[serde(default)]
    pub interventions: BTreeMap<String, String>,
    /// The machine, and where the parts are.
    pub environment: BTreeMap<String, String>,
    /// From each start of it to its end: several when it was resumed.
    pub parts: Vec<Part>,
    /// The gates that were asked for, by name; a retry is called `<gate> (attempt <n>)`, another
    /// iteration `<gate> (iteration <n>)`.
    pub gates: BTreeMap<String, GateSummary>,
}

/// The state of a gate.
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
        let bytes = folder::read(run_dir, Path::new(layout::SUMMARY))
            .map_err(|error| unreadable(format!("run.json: {error}")))?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(format!("run.json: {error}")))
    }

    /// The gates that are to be run, by this machine and those that share the run with it.
    pub fn chosen(&self) -> Vec<Gate> {
        self.chosen.clone().unwrap_or_else(|| Gate::ALL.to_vec())
    }

    /// The gates in the order of the runbook.
    pub fn in_order(&self) -> Vec<(&str, &GateSummary)> {
        let mut gates: Vec<_> = self.gates.iter().map(|(name, gate)| (name.as_str(), gate)).collect();
        gates.sort_by_key(|(_, gate)| gate.key);
        gates
    }

    /// Returns the state of a gate.
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
            |gate: &GateSummary| self.gates.values().any(|other| other.key.replaces(gate.key) && other.passed());
        self.in_order()
            .into_iter()
            .filter(|(_, gate)| !gate.passed() && passed_later(gate))
            .map(|(name, _)| name)
            .collect()
    }

    /// Lists each gate that makes it flaky: each gate that passed only when it was tried again, or in which something was noticed.
    pub fn flaky(&self) -> Vec<String> {
        let retried = self.retried().into_iter().map(|name| format!("{name}: red, and green when it was tried again"));
        let noticed = self.in_order().into_iter().filter(|(_, gate)| gate.passed());
        let noticed = noticed.filter_map(|(name, gate)| Some(format!("{name}: {}", gate.flaky.as_ref()?)));
        retried.chain(noticed).collect()
    }

    /// Is true when all red is due to the machine, the stack or the harness: nobody needs to examine k1s for it.
    pub fn is_of_the_environment(&self) -> bool {
        let retried = self.retried();
        let red = self
            .gates
            .iter()
            .filter(|(name, gate)| gate.ended.is_some() && !gate.passed() && !retried.contains(&name.as_str()));
        let faults: Vec<_> = red.map(|(_, gate)| gate.diagnosis.fault()).collect();
        !faults.is_empty() && faults.iter().all(|fault| fault.is_some_and(Fault::is_of_the_environment))
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
            (false, _) if self.fails_flaky && !self.flaky().is_empty() => State::Failed,
            (false, _) => State::Passed,
            (true, Some(_)) => State::CutShort,
            (true, None) => State::Waiting,
        }
    }

    fn name(&self, key: GateKey) -> String {
        key.label(&self.transports.name(key.gate, key.transport))
    }

    /// Its gates as the manifest names them.
    pub(crate) fn states(&self) -> BTreeMap<GateKey, GateState> {
        let state = |gate: &GateSummary| match (gate.ended, gate.began, &gate.failure) {
            (Some(_), _, None) => Stage::Ended,
            (Some(_), _, Some(_)) => Stage::Failed,
            (None, Some(_), _) => Stage::Running,
            (None, None, _) => Stage::Waiting,
        };
        let of_gate = |gate: &GateSummary| {
            let name = self.transports.name(gate.key.gate, gate.key.transport);
            (gate.key, GateState::new(name, gate.key, state(gate), gate.part))
        };
        self.gates.values().map(of_gate).collect()
    }

    /// The number of the part that is the last one.
    pub fn part(&self) -> usize {
        self.parts.len().max(1)
    }

    /// Is true when a gate's evidence is that of an earlier part.
    pub fn is_kept(&self, gate: &GateSummary) -> bool {
        gate.ended.is_some() && gate.part < self.part()
    }

    /// Returns the times in which it was not alive: from the last sign of a part to the start of the next one.
    pub fn pauses(&self) -> Vec<(Timestamp, Timestamp)> {
        let last_sign = |(at, part): (usize, &Part)| {
            let gates = self.gates.values().filter(|gate| gate.part == at + 1);
            let signs = gates.flat_map(|gate| [Some(gate.asked), gate.began, gate.ended]).flatten();
            let last = part.ended.into_iter().chain(signs).fold(part.started, Timestamp::max);
            self.parts.get(at + 1).map(|next| (last.min(next.started), next.started))
        };
        self.parts.iter().enumerate().filter_map(last_sign).collect()
    }

    /// Counts the runs of a gate over one transport, past and still to come, in all iterations, attempts and parts.
    pub(crate) fn runs_of(&self, gate: Gate, transport: Transport) -> u32 {
        let same = |known: &&GateSummary| (known.key.gate, known.key.transport) == (gate, transport);
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

    /// Returns the summary of a gate.
    pub(crate) fn gate(&self, key: GateKey) -> Option<&GateSummary> {
        self.gates.get(&self.name(key))
    }

    /// The project that a gate was promised when it was asked for.
    pub(crate) fn project(&self, key: GateKey) -> Option<String> {
        self.gates.get(&self.name(key)).map(|gate| gate.project.clone())
    }
}
