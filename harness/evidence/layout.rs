//! The names of a run's files and folders, all in one place: what a run leaves is found by these.

use std::path::{Path, PathBuf};

use super::folder;
use crate::plan::{ATTEMPT, Gate, GateKey, ITERATION, Transport};

/// The run's summary, for programs.
pub(crate) const SUMMARY: &str = "run.json";
/// The run's summary, for people.
pub(crate) const SUMMARY_TEXT: &str = "summary.txt";
/// The page that people read.
pub const REPORT: &str = "report.html";
/// The verdicts as JUnit.
const JUNIT: &str = "junit.xml";
/// The digests of all files.
pub const MANIFEST: &str = "manifest.json";
/// The statement over the manifest.
pub const STATEMENT: &str = "result.intoto.json";
/// The output of building the stack.
pub(crate) const STACK_LOG: &str = "stack.log";
/// The inputs of the run's verdicts besides its gates. Written once, before the first gate of the run counts as ended.
pub(crate) const INPUTS: &str = "inputs.json";
/// The list of redactions; of the run, and in the folder of each gate.
pub(crate) const REDACTIONS: &str = "redactions.json";

/// The folders of the gates.
pub(crate) const GATES: &str = "gates";
/// The triages of the gates that failed.
pub(crate) const TRIAGE: &str = "triage";
/// The folder for the files of gates that were cut short, by the part of the run that left them.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// The record of a gate, in its folder.
pub(crate) const RECORD: &str = "record.json";
/// The processor time of a gate's lane, in the gate's folder. Written by the lane when the gate's process has ended.
pub(crate) const BILL: &str = "bill.json";
/// The progress of a gate, in its folder until the record is there.
pub(crate) const PROGRESS: &str = "progress.json";
/// The task that a gate's process was given, in the gate's folder.
pub(crate) const SPEC: &str = "spec.json";
/// The script that runs a gate again as it was run, in the gate's folder.
pub(crate) const REPRODUCE: &str = "reproduce.sh";
/// The output of a gate's process, in the gate's folder.
pub(crate) const GATE_LOG: &str = "gate.log";
/// The output of an environment that could not be prepared, in the gate's folder.
pub(crate) const ENVIRONMENT_LOG: &str = "ground.log";
/// Written into a gate's folder by a lane that stays.
pub(crate) const KEPT: &str = "kept.json";
/// The observations of a gate, in its folder.
pub(crate) const OBSERVATIONS: &str = "seen";
/// The index of a triage in its folder, for programs; for people it ends in `.txt`.
pub(crate) const INDEX: &str = "index.json";

/// The prefix of the names of files that are being written.
pub(crate) const UNFINISHED: &str = ".part-";

/// Files that are made from the others and can be made again: no evidence, and not covered.
pub(crate) const VIEWS: [&str; 2] = [REPORT, JUNIT];
/// Files of the run as a whole, which are written anew before each manifest.
pub(crate) const OF_THE_RUN: [&str; 4] = [SUMMARY, SUMMARY_TEXT, STACK_LOG, REDACTIONS];

/// The files that a gate's triage captures, each with the runbook's name for it in the run's folder.
pub(crate) const CAPTURES: [(&str, &str); 4] = [
    ("mcp-status.json", "mcp-status-failed.json"),
    ("ingress-status.json", "ingress-status-failed.json"),
    ("containerd-privilege.json", "containerd-privilege-failed.json"),
    ("projects.json", "projects-failed.json"),
];

/// Is true when a file belongs to the run as a whole, and not to one of its gates.
pub(crate) fn of_the_run(file: &Path) -> bool {
    let captures = CAPTURES.iter().map(|(_, named)| named);
    OF_THE_RUN.iter().chain([&INPUTS]).chain(captures).any(|name| Path::new(name) == file)
}

/// The regular files of a run's folder that a manifest may list, sorted.
pub(crate) fn files(run_dir: &Path) -> Vec<PathBuf> {
    let mut files = folder::files(run_dir).unwrap_or_default();
    files.retain(|file| ![MANIFEST, STATEMENT].iter().chain(&VIEWS).any(|name| Path::new(name) == file));
    files
}

/// Returns the folder in which a gate keeps its record and its log.
pub(crate) fn gate_folder(key: GateKey) -> PathBuf {
    let way = (key.transport == Transport::Mcp).then(|| MCP.to_owned());
    let name: Vec<String> = [key.gate.slug()].into_iter().chain(way).chain(key.times()).collect();
    Path::new(GATES).join(name.join("."))
}

/// The suffix of a gate's folder when it asks through MCP.
const MCP: &str = "mcp";

/// The suffix of a gate's folder that was set aside after a conflict.
pub(crate) const SET_ASIDE: &str = "conflict";

/// Finds the gate that a folder belongs to, and whether it was set aside: for names that [`gate_folder`] makes.
pub(crate) fn gate_of_folder(name: &str) -> Option<(GateKey, bool)> {
    let (name, set_aside) = match name.strip_suffix(SET_ASIDE).and_then(|name| name.strip_suffix('.')) {
        Some(name) => (name, true),
        None => (name, false),
    };
    let mut parts = name.split('.');
    let slug = parts.next()?;
    let mut key = GateKey::first(Gate::ALL.into_iter().find(|gate| gate.slug() == slug)?, Transport::Cli);
    for part in parts {
        match part.rsplit_once('-') {
            None if part == MCP => key.transport = Transport::Mcp,
            Some((ITERATION, number)) => key.iteration = number.parse().ok()?,
            Some((ATTEMPT, number)) => key.attempt = number.parse().ok()?,
            _ => return None,
        }
    }
    Some((key, set_aside))
}

/// Returns the folder of a gate's triage, by the gate's own folder (`gates/<gate>`): a folder that is set aside takes
/// its triage with it.
pub(crate) fn triage_folder(gate_folder: &Path) -> PathBuf {
    Path::new(TRIAGE).join(gate_folder.file_name().unwrap_or_default())
}

/// Returns the present place of a file of a gate's folder that was written under another name of that folder.
pub(crate) fn moved(file: &Path, folder: &Path) -> Option<PathBuf> {
    let mut parts = file.components();
    let first: PathBuf = parts.by_ref().take(2).collect();
    let is_in = |parent: &str| first.starts_with(parent) && first.components().count() == 2;
    if is_in(TRIAGE) {
        return Some(triage_folder(folder).join(parts.as_path()));
    }
    is_in(GATES).then(|| folder.join(parts.as_path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_whose_it_is() {
        for gate in Gate::ALL {
            let numbers = [(1, 1), (1, 2), (12, 1), (2, 13)];
            for (transport, (iteration, attempt)) in
                [Transport::Cli, Transport::Mcp].into_iter().flat_map(|way| numbers.map(|numbers| (way, numbers)))
            {
                let key = GateKey { gate, transport, iteration, attempt };
                let folder = gate_folder(key);
                let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                assert_eq!(gate_of_folder(name), Some((key, false)));
                assert_eq!(gate_of_folder(&format!("{name}.{SET_ASIDE}")), Some((key, true)));
            }
        }
        assert_eq!(gate_of_folder("another"), None);
    }

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
