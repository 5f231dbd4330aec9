//! The triage of a failed gate, `triage/<gate>/` in the run's folder: what its index says.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The triage of a failed gate: what was captured, and where to begin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Triage {
    /// The name of the gate.
    pub(crate) gate: String,
    /// Its project.
    pub(crate) project: String,
    /// The moment at which it was captured, in words: whether all was still up.
    pub(crate) taken: String,
    /// The things that were red, each with the file to read first for it.
    pub(crate) red: Vec<Red>,
    /// The captures.
    pub(crate) items: Vec<Item>,
}

/// Something that went wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Red {
    /// The check; none when the gate could not go on.
    pub(crate) check: Option<String>,
    /// Its message, in one line.
    pub(crate) what: String,
    /// The file of the triage to read first, in the run's folder.
    pub(crate) first: Option<PathBuf>,
    /// The evidence of the verdict itself.
    pub(crate) evidence: Option<PathBuf>,
}

/// One look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    /// The description of what it shows.
    pub(crate) shows: String,
    /// The files that it left, in the run's folder.
    pub(crate) files: Vec<PathBuf>,
    /// The striking parts of these files.
    pub(crate) found: Vec<String>,
    /// The reason why it could not be taken, or is not complete.
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
