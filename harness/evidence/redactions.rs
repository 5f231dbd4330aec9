//! The list of redactions: `redactions.json` of a gate, and of the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::{GATES, REDACTIONS, moved};
use super::redact::Redaction;

/// The redactions, by file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redactions {
    /// Files in the run's folder, each with what was replaced in it. A file without a secret is not named.
    pub files: BTreeMap<PathBuf, Vec<Redaction>>,
}

impl Redactions {
    /// Notes what was replaced in a file that was written anew. Returns whether that changed anything.
    pub(super) fn note(&mut self, file: &Path, replaced: Vec<Redaction>) -> bool {
        if replaced.is_empty() {
            return self.files.remove(file).is_some();
        }
        self.files.insert(file.to_owned(), replaced.clone()) != Some(replaced)
    }

    /// Adds what the gates of a run wrote down. The files of a gate that was set aside lie where its folder is now.
    pub(crate) fn with_gates(mut self, run_dir: &Path) -> Self {
        for folder in std::fs::read_dir(run_dir.join(GATES)).into_iter().flatten().flatten() {
            let read = super::folder::read(run_dir, &folder.path().join(REDACTIONS)).ok();
            let Some(gate) = read.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok()) else { continue };
            let here = Path::new(GATES).join(folder.file_name());
            for (file, replaced) in gate.files {
                let moved = moved(&file, &here).unwrap_or(file);
                self.files.insert(moved, replaced);
            }
        }
        self
    }
}
