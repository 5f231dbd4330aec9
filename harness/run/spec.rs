//! What one part of the harness hands to the next, as a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ground::Ground;
use super::protocol::{ATTEMPT, GateKey, ITERATION};
use super::settings::{Mode, Settings};
use crate::failure::Failure;
use crate::ledger::{Ledger, OnHost, Plan};
use crate::plan::{Gate, Transport};
use crate::stack::Stack;

/// What a lane or a gate's process has to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// The gate, or a command of the user's.
    pub work: Work,
    /// The part of the run that it belongs to, from 1.
    pub part: usize,
    /// The gate's own project.
    pub project: String,
    /// The run's settings.
    pub settings: Settings,
    /// The `workerbee` executable.
    pub workerbee: PathBuf,
    /// The k1s root.
    pub k1s_root: PathBuf,
    /// The folder of the gate's run that ended in a conflict, when this is the rerun.
    pub rerun_of: Option<PathBuf>,
    /// Where the ledger says what is about to be created.
    pub entry: PathBuf,
    /// The embedded stack, in a lane.
    pub stack: Option<Stack>,
    /// Versions of what the gate runs on.
    pub versions: BTreeMap<String, String>,
}

/// What is done on the prepared ground.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// A gate of the plan.
    Gate(GateKey),
    /// A command, in a lane whose projects have their images.
    Command {
        /// The command line.
        line: Vec<String>,
        /// The projects that it will use.
        projects: Vec<String>,
    },
}

impl Spec {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let unreadable = |error: String| {
            Failure::new("the specification of a gate cannot be read")
                .expected("a file of the harness's own")
                .seen(error)
                .evidence(file)
                .remedy("run again; somebody else has changed it")
        };
        let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))
    }

    /// Writes into the ledger what is about to be created.
    pub(super) fn write_down(&mut self, ledger: &Ledger) -> Result<PathBuf, Failure> {
        let unwritten = |error: std::io::Error| {
            Failure::new(format!("what is about to be created cannot be written down: {error}"))
                .expected("a ledger in the state folder")
                .seen(error.to_string())
                .remedy("see that the state folder can be written to (XDG_STATE_HOME)")
        };
        let projects = match &self.work {
            Work::Gate(_) => std::slice::from_ref(&self.project),
            Work::Command { projects, .. } if projects.is_empty() => std::slice::from_ref(&self.project),
            Work::Command { projects, .. } => projects,
        };
        let written = match &self.settings.mode {
            Mode::Embedded => {
                let state_root = self.lane_root().join("state");
                ledger.write(&Plan { projects, state_root: &state_root, on_host: None })
            }
            Mode::External(external) => {
                let ground = Ground::on_host(external);
                let cli = ground.cli(self);
                let on_host = Some(OnHost { cli: &cli, address: &ground.address });
                ledger.write(&Plan { projects, state_root: &ground.state_root, on_host })
            }
        };
        self.entry = written.map_err(unwritten)?;
        Ok(self.entry.clone())
    }

    /// The folder of a gate's own files, in the run's folder.
    pub(crate) fn folder(&self) -> PathBuf {
        match self.work {
            Work::Gate(key) => gate_folder(key),
            Work::Command { .. } => PathBuf::from("gates/command"),
        }
    }

    /// The root of the lane: on its private /run, so that the kernel removes it with the lane.
    pub(super) fn lane_root(&self) -> PathBuf {
        Path::new("/run/k1s-gates").join(&self.project)
    }
}

/// Where a gate keeps its record and its log.
pub(crate) fn gate_folder(key: GateKey) -> PathBuf {
    let way = (key.transport == Transport::Mcp).then(|| MCP.to_owned());
    let name: Vec<String> = [key.gate.slug()].into_iter().chain(way).chain(key.times()).collect();
    Path::new("gates").join(name.join("."))
}

/// What is added to the name of a gate's folder when it asks through MCP.
const MCP: &str = "mcp";

/// What is added to the name of a gate's folder that was set aside after a conflict.
pub(super) const SET_ASIDE: &str = "conflict";

/// Whose folder it is, and whether it was set aside: of names that [`gate_folder`] makes.
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

/// Whether a project is one that a gate of this run has written down.
pub(crate) fn is_ours(run_dir: &Path, project: &str) -> bool {
    let folders = std::fs::read_dir(run_dir.join("gates")).into_iter().flatten().flatten();
    folders.filter_map(|folder| Spec::read(&folder.path().join("spec.json")).ok()).any(|spec| spec.project == project)
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
}
