//! What one part of the harness hands to the next, as a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::evidence::layout::{self, gate_folder};
use crate::failure::Failure;
use crate::plan::GateKey;
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
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
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

    /// The folder of a gate's own files, in the run's folder.
    pub(crate) fn folder(&self) -> PathBuf {
        match self.work {
            Work::Gate(key) => gate_folder(key),
            Work::Command { .. } => Path::new(layout::GATES).join("command"),
        }
    }

    /// The root of the lane: on its private /run, so that the kernel removes it with the lane.
    pub(crate) fn lane_root(&self) -> PathBuf {
        Path::new("/run/k1s-gates").join(&self.project)
    }
}

/// Whether a project is one that a gate of this run has written down.
pub(crate) fn is_ours(run_dir: &Path, project: &str) -> bool {
    let folders = std::fs::read_dir(run_dir.join(layout::GATES)).into_iter().flatten().flatten();
    folders.filter_map(|folder| Spec::read(&folder.path().join(layout::SPEC)).ok()).any(|spec| spec.project == project)
}
