//! The stage that each gate of a run reached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{GateKey, Transport};

/// The stage that a gate reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
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
    /// The prefix of the names of its trials, such as `startup::k1s-ha-min`.
    pub gate: String,
    /// The transport by which `WorkerBee` is asked.
    pub transport: Transport,
    /// The iteration of a stress run, from 1.
    pub iteration: u32,
    /// 1, or more when a trial of it was retried.
    pub attempt: u32,
    /// The stage that it reached.
    pub state: Stage,
    /// The part of the run that ran it, from 1: an earlier one than the last when it was kept.
    pub part: usize,
}

impl GateState {
    /// Returns its key; none when there is no gate of that name.
    pub fn key(&self) -> Option<GateKey> {
        let gate = self.gate.strip_suffix("::mcp").unwrap_or(&self.gate).parse().ok()?;
        Some(GateKey { gate, transport: self.transport, iteration: self.iteration, attempt: self.attempt })
    }

    /// Of a gate whose trials' names start so.
    pub(crate) fn new(gate: String, key: GateKey, state: Stage, part: usize) -> Self {
        let GateKey { transport, iteration, attempt, .. } = key;
        Self { gate, transport, iteration, attempt, state, part }
    }
}
