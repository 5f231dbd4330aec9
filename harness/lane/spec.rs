//! The task that one part of the harness hands to the next, on its standard input: a file could be replaced before root
//! reads it.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::evidence::layout::{self, gate_folder};
use crate::evidence::{RedactionKey, folder};
use crate::failure::Failure;
use crate::plan::GateKey;
use crate::stack::Stack;
use crate::tree::Identity;

/// The most that a specification may take.
const SIZE: u64 = 1024 * 1024;

/// The task of a lane or of a gate's process.
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
    /// The identity of the k1s root, as the run's verdicts name it; none for a command of the user's.
    pub k1s: Option<Identity>,
    /// The folder of the gate's run that ended in a conflict, when this is the rerun.
    pub rerun_of: Option<PathBuf>,
    /// The ledger's entry of what is about to be created.
    pub entry: PathBuf,
    /// The embedded stack, in a lane.
    pub stack: Option<Stack>,
    /// Versions of what the gate runs on.
    pub versions: BTreeMap<String, String>,
}

/// The work that is done in the prepared environment.
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
    /// Reads what [`Self::hand_over`] has written: the run's redaction key, and the specification.
    pub(crate) fn take_over(input: &mut impl BufRead) -> Result<(RedactionKey, Self), Failure> {
        let unreadable = |what: &str, error: std::io::Error| {
            Failure::new(format!("the gate was not told {what}"))
                .expected("a line with a key and a line of JSON on standard input")
                .seen(error.to_string())
                .remedy("gates are started by their run's supervisor alone: run the trials")
        };
        let key = RedactionKey::read_line(input).map_err(|error| unreadable("with which key to redact", error))?;
        let mut line = Vec::new();
        let read = input.by_ref().take(SIZE).read_until(b'\n', &mut line);
        let spec = read.and_then(|_| serde_json::from_slice(&line).map_err(Into::into));
        Ok((key, spec.map_err(|error| unreadable("what to do", error))?))
    }

    /// The lines for the standard input of a lane or a gate's process.
    pub(crate) fn hand_over(&self, key: &RedactionKey) -> std::io::Result<Vec<u8>> {
        let mut lines = key.line().into_bytes();
        serde_json::to_writer(&mut lines, self)?;
        lines.push(b'\n');
        Ok(lines)
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

/// Is true when a project is one that a gate of this run has written down.
pub(crate) fn is_ours(run_dir: &Path, project: &str) -> bool {
    let folders = std::fs::read_dir(run_dir.join(layout::GATES)).into_iter().flatten().flatten();
    let spec = |entry: std::fs::DirEntry| -> Option<Spec> {
        serde_json::from_slice(&folder::read(run_dir, &entry.path().join(layout::SPEC)).ok()?).ok()
    };
    folders.filter_map(spec).any(|spec| spec.project == project)
}
