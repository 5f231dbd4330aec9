//! The messages between trials and supervisor: one JSON document a line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::plan::GateKey;
use crate::summary::Verdict;

/// The longest line that either side reads, in bytes: verdicts hold excerpts of logs.
pub(super) const LINE: u64 = 16 * 1024 * 1024;

/// A message of a trial.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// The gate whose evidence it needs.
    Gate(GateKey),
    /// Its verdict, for the run's summary.
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
