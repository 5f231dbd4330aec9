//! The manifest: every file of a run, with its digest, its gate, and the checks that rest on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::folder::{GateResult, gates_with};
use super::memory::Memory;
use super::owners::Owners;
use super::tested;
use crate::evidence::folder;
use crate::evidence::layout::{MANIFEST, files, of_the_run};
use crate::summary::{GateState, Stage, Summary};
use crate::tree::Identity;

/// The name of manifests of this form.
pub(super) const FORMAT: &str = "k1s-profile-gates/manifest/v2";
/// `manifest.json` of a run.
///
/// While gates run it lists the files of those that have ended, and of the run itself; when the run is over, every file
/// but itself, the statement, and views (`report.html`, `junit.xml`), which are made from the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// `k1s-profile-gates/manifest/v2`.
    pub format: String,
    /// When it was written, RFC 3339.
    pub written: String,
    /// True when the run is over: nothing is written after this.
    pub over: bool,
    /// The times at which the run was resumed, RFC 3339.
    pub resumed: Vec<String>,
    /// The k1s under test; none when no gate could begin.
    pub k1s_root: Option<Identity>,
    /// What was tested besides the k1s, each with its SHA-256: `WorkerBee`'s distributions, by the digests of their records,
    /// and the images of the stack, by those of their configurations.
    pub artifacts: BTreeMap<String, String>,
    /// The gates that were asked for, and how far each came.
    pub gates: Vec<GateState>,
    /// The gates that were chosen for the run and not asked for.
    pub not_run: Vec<String>,
    /// True when a gate that is flaky makes the run fail (`K1S_GATES_FLAKY=fail`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fails_flaky: bool,
    /// The files, sorted by path.
    pub files: Vec<Entry>,
}

/// The state of a run when it is sealed.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The gates that were asked for, and how far each came.
    pub gates: Vec<GateState>,
    /// The k1s under test, as soon as it is known.
    pub k1s_root: Option<Identity>,
    /// The times at which the run was resumed.
    pub resumed: Vec<String>,
    /// True when it is over.
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
    /// Reads the manifest of a run's folder.
    pub fn read(run_dir: &Path) -> std::io::Result<Self> {
        serde_json::from_slice(&folder::read(run_dir, Path::new(MANIFEST))?).map_err(Into::into)
    }

    /// Builds the manifest of what a run's folder holds now, and returns the gates with it.
    pub(super) fn of(run_dir: &Path, standing: &Standing, memory: &mut Memory) -> (Self, Vec<GateResult>) {
        let summary = Summary::load(run_dir).ok();
        let gates = gates_with(run_dir, &standing.gates, summary.as_ref(), memory);
        let owners = Owners::of(&gates);
        let files = files(run_dir).into_iter();
        let manifest = Self {
            format: FORMAT.to_owned(),
            written: jiff::Timestamp::now().to_string(),
            over: standing.over,
            resumed: standing.resumed.clone(),
            k1s_root: standing.k1s_root.clone(),
            artifacts: tested::artifacts(run_dir),
            fails_flaky: summary.as_ref().is_some_and(|summary| summary.fails_flaky),
            not_run: summary.map(|summary| tested::not_run(&summary, &standing.gates)).unwrap_or_default(),
            files: files.filter_map(|path| entry(run_dir, &path, &owners, standing.over, memory)).collect(),
            gates: standing.gates.clone(),
        };
        (manifest, gates)
    }
}

/// The digest and the size of a file of the run's folder.
pub(super) fn digest(run_dir: &Path, file: &Path) -> std::io::Result<(String, u64)> {
    let bytes = folder::read(run_dir, file)?;
    Ok((digest_of(&bytes), bytes.len() as u64))
}

pub(super) fn digest_of(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}

fn entry(run_dir: &Path, path: &Path, owners: &Owners<'_>, over: bool, memory: &mut Memory) -> Option<Entry> {
    let owner = owners.owner(path);
    let settled = match owner {
        Some(gate) => !matches!(gate.state, Stage::Waiting | Stage::Running),
        None => of_the_run(path),
    };
    if !settled && !over {
        return None;
    }
    // One that is gone by now belonged to nobody.
    let (sha256, size) = memory.digest(run_dir, path).ok()?;
    Some(Entry {
        path: path.to_string_lossy().into_owned(),
        sha256,
        size,
        gate: owner.map(GateResult::gate_name),
        checks: owners.checks_on(path),
    })
}

/// The gates of a run, as its manifest and its folders tell.
pub fn gates(run_dir: &Path) -> Vec<GateResult> {
    let states = Manifest::read(run_dir).map(|manifest| manifest.gates).unwrap_or_default();
    gates_with(run_dir, &states, Summary::load(run_dir).ok().as_ref(), &mut Memory::default())
}
