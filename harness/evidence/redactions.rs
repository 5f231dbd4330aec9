//! What was redacted where: `redactions.json` of a gate, and of the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redact::Redaction;
use super::triage::triage_folder;

/// The file's name, in a gate's folder and in the run's.
pub(crate) const REDACTIONS: &str = "redactions.json";

/// What was redacted, by file.
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
        for folder in std::fs::read_dir(run_dir.join("gates")).into_iter().flatten().flatten() {
            let read = std::fs::read(folder.path().join(REDACTIONS)).ok();
            let Some(gate) = read.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok()) else { continue };
            let here = Path::new("gates").join(folder.file_name());
            for (file, replaced) in gate.files {
                let moved = moved(&file, &here).unwrap_or(file);
                self.files.insert(moved, replaced);
            }
        }
        self
    }
}

/// Where a file of a gate's folder is now, when it was written under another name of that folder.
pub(crate) fn moved(file: &Path, folder: &Path) -> Option<PathBuf> {
    let mut parts = file.components();
    let first: PathBuf = parts.by_ref().take(2).collect();
    let is_in = |parent: &str| first.starts_with(parent) && first.components().count() == 2;
    if is_in("triage") {
        return Some(triage_folder(folder).join(parts.as_path()));
    }
    is_in("gates").then(|| folder.join(parts.as_path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_gate_that_was_set_aside_is_where_its_folder_is() {
        let folder = Path::new("gates/workload-k1s-ha-min.conflict");
        let of = |file: &str| moved(Path::new(file), folder);
        assert_eq!(of("gates/workload-k1s-ha-min/seen/a.json"), Some(folder.join("seen/a.json")));
        let triage = Path::new("triage/workload-k1s-ha-min.conflict/mcp-status.json");
        assert_eq!(of("triage/workload-k1s-ha-min/mcp-status.json").as_deref(), Some(triage));
        assert_eq!(of("demo-profile-stop.json"), None);
    }
}
