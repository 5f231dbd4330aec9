//! The manifest: every file of a run, with its digest, its gate, and the checks that rest on it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use super::envelope::Signer;
use super::folder::{GateResult, GateState, State, gates_with};
use super::statement::{STATEMENT, Statement};
use crate::evidence::{REDACTIONS, Store, StoreError};
use crate::run::INPUTS;

/// The file's name in the run's folder.
pub const MANIFEST: &str = "manifest.json";
/// What manifests of this form call themselves.
pub(super) const FORMAT: &str = "k1s-profile-gates/manifest/v1";
/// Files that are made from the others and can be made again: no evidence, and not covered.
pub(super) const VIEWS: [&str; 2] = ["report.html", "junit.xml"];
/// Files of the run as a whole, which are written anew before each manifest.
pub(super) const OF_THE_RUN: [&str; 4] = ["run.json", "summary.txt", "stack.log", REDACTIONS];

/// Whether a file is of the run as a whole, and not of one of its gates.
pub(crate) fn of_the_run(file: &Path) -> bool {
    OF_THE_RUN.iter().chain([&INPUTS]).any(|name| Path::new(name) == file)
}

/// `manifest.json` of a run.
///
/// While gates run it lists the files of those that have ended, and of the run itself; when the run is over, every file
/// but itself, the statement, and views (`report.html`, `junit.xml`), which are made from the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// `k1s-profile-gates/manifest/v1`.
    pub format: String,
    /// When it was written, RFC 3339.
    pub written: String,
    /// Whether the run is over: nothing is written after this.
    pub over: bool,
    /// When the run was resumed, RFC 3339, each time.
    pub resumed: Vec<String>,
    /// The gates that were asked for, and how far each came.
    pub gates: Vec<GateState>,
    /// The files, sorted by path.
    pub files: Vec<Entry>,
}

/// How a run stands when it is sealed.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The gates that were asked for, and how far each came.
    pub gates: Vec<GateState>,
    /// When the run was resumed, each time.
    pub resumed: Vec<String>,
    /// Whether it is over.
    pub over: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its path in the run's folder, with slashes.
    pub path: String,
    /// The SHA-256 of its content, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// The gate that left it; none for a file of the run as a whole.
    pub gate: Option<String>,
    /// The checks, by the names of their trials, whose verdict rests on it.
    pub checks: BTreeSet<String>,
}

impl Manifest {
    /// Reads a manifest.
    pub fn read(file: &Path) -> std::io::Result<Self> {
        serde_json::from_slice(&std::fs::read(file)?).map_err(Into::into)
    }

    /// What a run's folder holds now.
    pub(super) fn of(run_dir: &Path, standing: &Standing) -> (Self, Vec<GateResult>) {
        let gates = gates_with(run_dir, &standing.gates);
        let files = files(run_dir).into_iter();
        let manifest = Self {
            format: FORMAT.to_owned(),
            written: jiff::Timestamp::now().to_string(),
            over: standing.over,
            resumed: standing.resumed.clone(),
            files: files.filter_map(|path| entry(run_dir, &path, &gates, standing.over)).collect(),
            gates: standing.gates.clone(),
        };
        (manifest, gates)
    }
}

/// The regular files of a run's folder that a manifest may list, sorted.
pub(crate) fn files(run_dir: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(run_dir).min_depth(1).sort_by_file_name().into_iter().flatten();
    let files = entries.filter(|entry| entry.file_type().is_file());
    let mut files: Vec<PathBuf> =
        files.filter_map(|entry| Some(entry.path().strip_prefix(run_dir).ok()?.to_owned())).collect();
    files.retain(|file| ![MANIFEST, STATEMENT].iter().chain(&VIEWS).any(|name| Path::new(name) == file));
    files.sort();
    files
}

/// The digest and the size of a file.
pub(super) fn digest(file: &Path) -> std::io::Result<(String, u64)> {
    let bytes = std::fs::read(file)?;
    Ok((digest_of(&bytes), bytes.len() as u64))
}

fn digest_of(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}

fn entry(run_dir: &Path, path: &Path, gates: &[GateResult], over: bool) -> Option<Entry> {
    let owner = gates.iter().find(|gate| gate.owns(path));
    let settled = match owner {
        Some(gate) => !matches!(gate.state, State::Waiting | State::Running),
        None => of_the_run(path),
    };
    if !settled && !over {
        return None;
    }
    // One that is gone by now belonged to nobody.
    let (sha256, size) = digest(&run_dir.join(path)).ok()?;
    let checks = gates.iter().flat_map(|gate| gate.checks_on(path)).collect();
    Some(Entry {
        path: path.to_string_lossy().into_owned(),
        sha256,
        size,
        gate: owner.map(GateResult::gate_name),
        checks,
    })
}

/// Writes the manifest, and the statement over it and all that it lists.
pub fn seal(store: &Store, standing: &Standing, signer: Option<&Signer>) -> Result<(), StoreError> {
    let (manifest, gates) = Manifest::of(store.root(), standing);
    let (listed, over_it) = (Path::new(MANIFEST), Path::new(STATEMENT));
    let bytes = store.clean_json(listed, &manifest)?;
    let statement = Statement::over(&manifest, &digest_of(&bytes), &gates);
    let envelope = store.clean_json(over_it, &statement.enveloped(signer))?;
    store.put_together(&[(listed, &bytes), (over_it, &envelope)])
}
