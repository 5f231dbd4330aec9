//! One run of a gate among all others of a run.

use serde::{Deserialize, Serialize};

use super::{Gate, Transport};

/// A gate that is run once: a retry or a stress iteration is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GateKey {
    /// The gate.
    pub gate: Gate,
    /// The transport by which `WorkerBee` is asked.
    pub transport: Transport,
    /// The iteration of a stress run, from 1.
    pub iteration: u32,
    /// nextest's attempt in that iteration, from 1.
    pub attempt: u32,
}

pub(crate) const ITERATION: &str = "iteration";
pub(crate) const ATTEMPT: &str = "attempt";

impl GateKey {
    /// A gate that is run but once.
    pub const fn first(gate: Gate, transport: Transport) -> Self {
        Self { gate, transport, iteration: 1, attempt: 1 }
    }

    /// Is true when this is a later attempt at the same: then only the later one counts. An iteration is no attempt:
    /// each counts.
    pub fn replaces(self, other: Self) -> bool {
        Self { attempt: self.attempt, ..other } == self && self.attempt > other.attempt
    }

    /// A name of the gate, or of something of it, that no other iteration has.
    pub fn name(self, of: &str) -> String {
        if self.iteration > 1 { format!("{of} (iteration {})", self.iteration) } else { of.to_owned() }
    }

    /// As parts of the names of its files and folders: which iteration and which attempt, where it is not the first.
    pub(crate) fn times(self) -> impl Iterator<Item = String> {
        let numbers = [(ITERATION, self.iteration), (ATTEMPT, self.attempt)];
        numbers.into_iter().filter(|(_, number)| *number > 1).map(|(word, number)| format!("{word}-{number}"))
    }

    /// The same, which no other attempt has either.
    pub fn label(self, of: &str) -> String {
        match (self.iteration, self.attempt) {
            (_, 1) => self.name(of),
            (1, attempt) => format!("{of} (attempt {attempt})"),
            (iteration, attempt) => format!("{of} (iteration {iteration}, attempt {attempt})"),
        }
    }
}
