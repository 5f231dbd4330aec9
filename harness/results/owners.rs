//! Whose the files of a run are, found without asking each of its gates: a run of a day has thousands.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::folder::GateResult;
use crate::evidence::layout::triage_folder;
use crate::evidence::projects_of;

/// The gates of a run by their files.
pub(crate) struct Owners<'a> {
    gates: &'a [GateResult],
    /// Gates by their folders and those of their triages.
    folders: HashMap<PathBuf, usize>,
    /// Gates by the files that their calls left.
    files: HashMap<&'a Path, usize>,
    /// Gates by their projects, which the names of other files of theirs begin with.
    projects: HashMap<&'a str, usize>,
    /// The names of the trials that rest on a file.
    checks: HashMap<&'a Path, BTreeSet<String>>,
}

impl<'a> Owners<'a> {
    /// Builds the index of a run's gates. Of two gates that claim a file, the first has it.
    pub(crate) fn of(gates: &'a [GateResult]) -> Self {
        let (mut folders, mut files, mut projects) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut checks: HashMap<&Path, BTreeSet<String>> = HashMap::new();
        for (place, gate) in gates.iter().enumerate() {
            folders.entry(gate.folder.clone()).or_insert(place);
            folders.entry(triage_folder(&gate.folder)).or_insert(place);
            for verdict in &gate.verdicts {
                let trial = gate.key.name(&format!("{}::{}", gate.gate_name(), verdict.check));
                for reading in &verdict.read {
                    checks.entry(&reading.file).or_default().insert(trial.clone());
                }
            }
            let Some(record) = gate.evidence.as_ref().map(|evidence| &evidence.record) else { continue };
            projects.entry(record.project.as_str()).or_insert(place);
            for file in record.files_of_calls() {
                files.entry(file).or_insert(place);
            }
        }
        Self { gates, folders, files, projects, checks }
    }

    /// Returns the gate whose own a file of the run's folder is.
    pub(crate) fn owner(&self, file: &Path) -> Option<&'a GateResult> {
        let mut parts = file.components();
        let folder: PathBuf = parts.by_ref().take(2).collect();
        let inside = parts.next().and_then(|_| self.folders.get(&folder));
        let by_project = projects_of(file).filter_map(|project| self.projects.get(project)).min();
        let places = [inside, self.files.get(file), by_project];
        places.into_iter().flatten().min().map(|place| &self.gates[*place])
    }

    /// The names of the trials that rest on a file of the run's folder.
    pub(crate) fn checks_on(&self, file: &Path) -> BTreeSet<String> {
        self.checks.get(file).cloned().unwrap_or_default()
    }
}
