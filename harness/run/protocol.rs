//! What trials and supervisor say to each other: one JSON document a line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::summary::Verdict;
use crate::failure::Failure;
use crate::plan::{Gate, Transport};

/// A gate that is run once: a retry or a stress iteration is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GateKey {
    /// Which gate.
    pub gate: Gate,
    /// By which way `WorkerBee` is asked.
    pub transport: Transport,
    /// nextest's attempt, from 1; iterations of a stress run count on.
    pub attempt: u32,
}

/// What a trial has to say.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// The gate whose evidence it needs.
    Gate(GateKey),
    /// What it came to, for the run's summary.
    Verdict(GateKey, Box<Verdict>),
}

/// The supervisor's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// The gate was run; its record is in this file.
    Record {
        /// The run's folder.
        run_dir: PathBuf,
        /// The record.
        file: PathBuf,
    },
    /// The gate could not be run.
    Failed(Failure),
    /// The verdict is noted.
    Noted,
}
