//! The triage of a failed gate, `triage/<gate>/` in the run's folder: what its index says.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What was looked at when a gate failed, and where to begin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Triage {
    /// Which gate.
    pub(crate) gate: String,
    /// Its project.
    pub(crate) project: String,
    /// Whether all was still up when it was looked at.
    pub(crate) taken: String,
    /// What was red, and which file to read first for it.
    pub(crate) red: Vec<Red>,
    /// What was looked at.
    pub(crate) items: Vec<Item>,
}

/// Something that went wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Red {
    /// The check; none when the gate could not go on.
    pub(crate) check: Option<String>,
    /// What it says, in a line.
    pub(crate) what: String,
    /// The file of the triage to read first, in the run's folder.
    pub(crate) first: Option<PathBuf>,
    /// What the verdict itself stands on.
    pub(crate) evidence: Option<PathBuf>,
}

/// One look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    /// What it was to show.
    pub(crate) shows: String,
    /// The files that it left, in the run's folder.
    pub(crate) files: Vec<PathBuf>,
    /// What is striking in them.
    pub(crate) found: Vec<String>,
    /// Why it could not be taken, or is not all.
    pub(crate) problem: Option<String>,
}

impl Display for Triage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (project {}) failed. Captured {}.\n\nRed:", self.gate, self.project, self.taken)?;
        for red in &self.red {
            writeln!(f, "  {}: {}", red.check.as_deref().unwrap_or("the gate"), red.what)?;
            for (word, file) in [("read first", &red.first), ("evidence", &red.evidence)] {
                if let Some(file) = file {
                    writeln!(f, "    {word}: {}", file.display())?;
                }
            }
        }
        writeln!(f, "\nCaptured:")?;
        for item in &self.items {
            writeln!(f, "  {}", item.shows)?;
            for file in &item.files {
                writeln!(f, "    {}", file.display())?;
            }
            for found in &item.found {
                writeln!(f, "    ! {found}")?;
            }
            if let Some(problem) = &item.problem {
                writeln!(f, "    not taken, or not all: {problem}")?;
            }
        }
        Ok(())
    }
}
