//! The verification of a run's folder: whether it is as it was when its manifest was written, and who says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use walkdir::WalkDir;

use super::manifest::{FORMAT, Manifest, digest};
use super::statement::{PAYLOAD_TYPE, Resource, Statement};
use super::tested::subjects;
use crate::evidence::folder;
use crate::evidence::layout::{MANIFEST, OF_THE_RUN, STATEMENT, VIEWS};
use crate::signing::{Envelope, PublicKey};
use crate::summary::{GateState, Stage};

/// The result of verifying a run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Verification {
    /// The run's result by the statement: `PASSED`, `WARNED` or `FAILED`; not a verdict over the files.
    pub result: Option<String>,
    /// The signature of the statement.
    pub signature: Seal,
    /// The number of files that are as they were.
    pub unchanged: usize,
    /// Files that are not as they were, or no longer regular files.
    pub changed: BTreeSet<String>,
    /// Files that are gone.
    pub missing: BTreeSet<String>,
    /// Files that nobody has listed.
    pub added: BTreeSet<String>,
    /// Files of gates that had not ended when the run was cut short: nothing is known of them.
    pub uncovered: BTreeSet<String>,
    /// Files that are made from the others and are no evidence.
    pub views: BTreeSet<String>,
    /// Gates that had not ended.
    pub unfinished: BTreeSet<String>,
    /// The number of gates that were asked for.
    pub asked: usize,
    /// Gates that were chosen for the run and not asked for: the result says nothing of them.
    pub not_run: BTreeSet<String>,
    /// What was tested, by name and digest.
    pub tested: Vec<Resource>,
    /// The times at which the run was resumed.
    pub resumed: Vec<String>,
    /// Gates that were kept when it was resumed, with the part of the run that ran each.
    pub kept: BTreeMap<String, usize>,
    /// The defects of manifest and statement themselves.
    pub broken: Vec<String>,
}

/// The signature of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Seal {
    /// That of the given key.
    Good {
        /// The key.
        keyid: String,
    },
    /// There is one, and no key to check it with.
    Unchecked {
        /// The key that is said to have made it.
        keyid: String,
    },
    /// Not that of the given key.
    Bad {
        /// The key that is said to have made it.
        keyid: String,
    },
    /// There is none.
    Unsigned,
}

/// The reason why nothing can be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no manifest.
    #[error(
        "{} cannot be read: {source}; it is there as soon as a gate was asked for: name the run's folder (RUN_DIR)",
        file.display()
    )]
    NoManifest {
        /// The path at which it should be.
        file: PathBuf,
        /// The error of the system or of the parser.
        source: std::io::Error,
    },
    /// It is of another form.
    #[error("{} is of the form `{found}`; this version reads `{FORMAT}`", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// The form that it names.
        found: String,
    },
}

impl Verification {
    /// Is true when every file is as it was, and signed by the given key when one was given.
    pub fn is_sound(&self) -> bool {
        let none = [&self.changed, &self.missing, &self.added].into_iter().all(BTreeSet::is_empty);
        none && self.broken.is_empty() && !matches!(self.signature, Seal::Bad { .. })
    }

    /// Is true when the run came to its end, so that all of it is covered.
    pub fn is_complete(&self) -> bool {
        self.unfinished.is_empty() && self.uncovered.is_empty()
    }
}

/// Compares a run's folder with its manifest, the manifest with the statement, and the statement with a key.
pub fn verify(run_dir: &Path, key: Option<&PublicKey>) -> Result<Verification, VerifyError> {
    let file = run_dir.join(MANIFEST);
    let manifest = Manifest::read(run_dir).map_err(|source| VerifyError::NoManifest { file: file.clone(), source })?;
    if manifest.format != FORMAT {
        return Err(VerifyError::Format { file, found: manifest.format });
    }
    let unfinished = manifest.gates.iter().filter(|gate| matches!(gate.state, Stage::Waiting | Stage::Running));
    let kept = manifest.gates.iter().filter(|gate| gate.state == Stage::Ended && gate.part <= manifest.resumed.len());
    let named = |gate: &GateState| gate.key().map_or_else(|| gate.gate.clone(), |key| key.label(&gate.gate));
    let mut found = Verification {
        result: None,
        signature: Seal::Unsigned,
        unchanged: 0,
        changed: BTreeSet::new(),
        missing: BTreeSet::new(),
        added: BTreeSet::new(),
        uncovered: BTreeSet::new(),
        views: BTreeSet::new(),
        unfinished: unfinished.map(named).collect(),
        asked: manifest.gates.iter().map(|gate| &gate.gate).collect::<BTreeSet<_>>().len(),
        not_run: manifest.not_run.iter().cloned().collect(),
        tested: subjects(&manifest, "").into_iter().filter(|one| !one.digest.sha256.is_empty()).collect(),
        resumed: manifest.resumed.clone(),
        kept: kept.map(|gate| (named(gate), gate.part)).collect(),
        broken: Vec::new(),
    };
    compare_files(run_dir, &manifest, &mut found);
    match read_envelope(run_dir) {
        Ok((envelope, statement)) => {
            found.signature = seal(&envelope, key);
            found.result = Some(statement.predicate.result.clone());
            compare_statement(run_dir, &manifest, &statement, &mut found);
        }
        Err(why) => found.broken.push(format!("{STATEMENT}: {why}")),
    }
    if key.is_some() && found.signature == Seal::Unsigned {
        found.broken.push(format!("{STATEMENT} is not signed"));
    }
    Ok(found)
}

fn compare_files(run_dir: &Path, manifest: &Manifest, found: &mut Verification) {
    let mut listed: BTreeMap<&str, &str> =
        manifest.files.iter().map(|entry| (entry.path.as_str(), entry.sha256.as_str())).collect();
    for entry in WalkDir::new(run_dir).min_depth(1).into_iter().flatten() {
        let path = entry.path().strip_prefix(run_dir).unwrap_or(entry.path()).to_string_lossy().into_owned();
        if entry.file_type().is_dir() || path == MANIFEST || path == STATEMENT {
            continue;
        }
        if VIEWS.contains(&path.as_str()) {
            found.views.insert(path);
            continue;
        }
        let same = |sha256: &str| {
            entry.file_type().is_file() && digest(run_dir, entry.path()).is_ok_and(|now| now.0 == sha256)
        };
        match listed.remove(path.as_str()) {
            Some(sha256) if same(sha256) => found.unchanged += 1,
            // Written anew with each step of the run, each time before the manifest.
            Some(_) if !manifest.over && OF_THE_RUN.contains(&path.as_str()) => drop(found.uncovered.insert(path)),
            Some(_) => drop(found.changed.insert(path)),
            // Whose file it is cannot be told: a gate that was cut off left no record.
            None if !manifest.over => drop(found.uncovered.insert(path)),
            None => drop(found.added.insert(path)),
        }
    }
    found.missing = listed.into_keys().map(str::to_owned).collect();
}

pub(super) fn read_envelope(run_dir: &Path) -> Result<(Envelope, Statement), String> {
    let bytes = folder::read(run_dir, Path::new(STATEMENT)).map_err(|error| error.to_string())?;
    let envelope: Envelope = serde_json::from_slice(&bytes).map_err(|error| format!("no DSSE envelope: {error}"))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(format!("its payload is {}, not {PAYLOAD_TYPE}", envelope.payload_type));
    }
    let payload = envelope.bytes().ok_or("its payload is no base64")?;
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|error| format!("its payload is no statement: {error}"))?;
    if statement.is_known() { Ok((envelope, statement)) } else { Err("it is no in-toto test result".to_owned()) }
}

fn seal(envelope: &Envelope, key: Option<&PublicKey>) -> Seal {
    let Some(first) = envelope.signatures.first() else { return Seal::Unsigned };
    match key {
        Some(key) if envelope.is_signed_by(key) => Seal::Good { keyid: key.id() },
        Some(_) => Seal::Bad { keyid: first.keyid.clone() },
        None => Seal::Unchecked { keyid: first.keyid.clone() },
    }
}

/// The manifest is only as good as the statement over it.
fn compare_statement(run_dir: &Path, manifest: &Manifest, statement: &Statement, found: &mut Verification) {
    let own = digest(run_dir, Path::new(MANIFEST)).map(|(sha256, _)| sha256).unwrap_or_default();
    let mut evidence = statement.predicate.configuration.iter().filter(|one| one.name == MANIFEST);
    if evidence.next().is_none_or(|said| said.digest.sha256 != own) {
        found.changed.insert(MANIFEST.to_owned());
    }
    if statement.subject != subjects(manifest, &own) || statement.predicate.not_run != manifest.not_run {
        found.broken.push(format!("{STATEMENT} and {MANIFEST} do not name the same things as tested"));
    }
}
