//! Captures of a failure under the names that the runbook gives them, beside the triage that they are taken from.

use std::path::Path;

use crate::evidence::Store;
use crate::evidence::layout::{CAPTURES, triage_folder};

/// The triage's files and what the runbook calls them after the project's name.
const OF_THE_PROJECT: [(&str, &str); 1] = [("profile-status.json", "profile-status-failed.json")];

/// Copies what a gate's triage has taken. A file of an earlier gate's stays: the first failure is the one that counts.
pub(super) fn take(store: &Store, gate_folder: &Path, project: &str) {
    let triage = store.root().join(triage_folder(gate_folder));
    let whole = CAPTURES.map(|(taken, named)| (taken, named.to_owned()));
    let own = OF_THE_PROJECT.map(|(taken, named)| (taken, format!("{project}-{named}")));
    for (taken, named) in whole.into_iter().chain(own) {
        if store.root().join(&named).exists() {
            continue;
        }
        // Of a gate that passed there is none; what cannot be copied is in the triage all the same.
        if let Ok(bytes) = std::fs::read(triage.join(taken)) {
            let _ = store.write(Path::new(&named), &bytes);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;
    use crate::evidence::Redactor;

    #[test]
    fn a_triage_is_found_under_the_names_of_the_runbook() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Redactor::default()).unwrap();
        let (first, second) = (Path::new("gates/startup-k1s-ha-min"), Path::new("gates/preflight"));
        take(&store, first, "demo");
        assert!(!folder.path().join("mcp-status-failed.json").exists());
        for (gate, text) in [(first, "first"), (second, "second")] {
            for file in ["mcp-status.json", "profile-status.json"] {
                store.write(&triage_folder(gate).join(file), text.as_bytes()).unwrap();
            }
        }
        take(&store, first, "demo");
        take(&store, second, "other");
        let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert_eq!(read("mcp-status-failed.json"), "first");
        assert_eq!(read("demo-profile-status-failed.json"), "first");
        assert_eq!(read("other-profile-status-failed.json"), "second");
    }
}
