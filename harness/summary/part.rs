//! A part of a run: from the start of a supervisor to its end. A run that was resumed has several.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::Owner;

/// A part of a run.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Part {
    /// When it began.
    pub started: Timestamp,
    /// When it ended; none while it goes on, and of one that was killed.
    pub ended: Option<Timestamp>,
    /// Its supervisor.
    pub supervisor: Owner,
    /// The command that started it.
    pub command: Vec<String>,
    /// The prefix of the names of its projects.
    pub project_base: String,
    /// The number of gates that it kept from earlier parts.
    pub kept: usize,
    /// The number of gates that it has begun.
    pub begun: usize,
}

impl Part {
    /// The part that this process is the supervisor of, for the run of another.
    pub(crate) fn of_this_process(owner: i32, project_base: &str) -> Self {
        let line = std::fs::read(format!("/proc/{owner}/cmdline")).unwrap_or_default();
        let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        Self {
            started: Timestamp::now(),
            ended: None,
            supervisor: Owner::this_process(),
            command: words.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
            project_base: project_base.to_owned(),
            kept: 0,
            begun: 0,
        }
    }
}
