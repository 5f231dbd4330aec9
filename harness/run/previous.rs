//! The previous run in a run's folder: none, or one that is resumed.
//!
//! A gate is *finished* when it has left a record and the manifest lists it as ended: its verdict stands, whatever it is.
//! All else was cut short, and is run anew. What cannot be resumed is refused before anything is run or written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::inputs::{Change, Inputs};
use crate::evidence::layout::{self, GATES, INPUTS, INTERRUPTED, MANIFEST, RECORD, REDACTIONS, SUMMARY, UNFINISHED};
use crate::evidence::{Redactions, Store, folder};
use crate::failure::Failure;
use crate::plan::GateKey;
use crate::results::{self, GateResult, Manifest, Owners, Seal};
use crate::signing::PublicKey;
use crate::summary::{GateState, Stage, Summary};

/// How many differences are named.
const NAMED: usize = 10;

const ANOTHER: &str = "or begin a new run: unset RUN_DIR, or name a folder that is empty";

/// A run that can be resumed, as far as its folder tells.
#[derive(Debug)]
pub(super) struct PreviousRun {
    pub(super) summary: Summary,
    /// The gates that are kept.
    finished: Vec<GateResult>,
    /// The inputs of its gates; none when none had ended.
    inputs: Option<Inputs>,
}

impl PreviousRun {
    /// Looks into the folder; `key` is that of who will sign the whole.
    pub(super) fn read(run_dir: &Path, key: Option<&PublicKey>) -> Result<Option<Self>, Failure> {
        refuse_another(run_dir)?;
        if !names(run_dir).contains(SUMMARY) {
            return Ok(None);
        }
        let summary = load(run_dir)?;
        let file = run_dir.join(MANIFEST);
        if !file.exists() && summary.gates.is_empty() {
            return Ok(Some(Self { summary, finished: Vec::new(), inputs: None }));
        }
        let manifest = verify_manifest(run_dir, key)?;
        let ended = |gate: &&GateState| gate.state == Stage::Ended;
        let ended: BTreeSet<GateKey> = manifest.gates.iter().filter(ended).filter_map(GateState::key).collect();
        let is_finished = |gate: &GateResult| ended.contains(&gate.key);
        let finished: Vec<GateResult> = results::gates(run_dir).into_iter().filter(is_finished).collect();
        refuse_added(run_dir, &manifest, &finished)?;
        let inputs = Inputs::read(run_dir);
        let inputs = match inputs {
            Err(error) if !finished.is_empty() => return Err(unread(run_dir, INPUTS, &error.to_string())),
            inputs => inputs.ok(),
        };
        Ok(Some(Self { summary, finished, inputs }))
    }

    /// The gates that are kept, each with its record.
    pub(super) fn kept(&self) -> impl Iterator<Item = (GateKey, PathBuf)> + '_ {
        let last = self.finished.iter().filter(|gate| !gate.set_aside);
        last.map(|gate| (gate.key, gate.folder.join(RECORD)))
    }

    /// Two parts of a run must stand on the same: a verdict over both would be one over neither.
    pub(super) fn refuse_changes(&self, run_dir: &Path, now: &Inputs) -> Result<(), Failure> {
        let changes = self.inputs.as_ref().map(|before| before.changes(now)).unwrap_or_default();
        if changes.is_empty() {
            return Ok(());
        }
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let before = |change: &Change| format!("{}: {}", change.name, told(&change.before));
        let now = |change: &Change| format!("{}: {}", change.name, told(&change.now));
        let (first, number) = (&changes[0].name, changes.len());
        let more = if number > 1 { format!(" and {} more", number - 1) } else { String::new() };
        Err(Failure::new(format!("the run cannot be resumed: {first}{more} changed since it began"))
            .expected(list(changes.iter().map(before)))
            .seen(list(changes.iter().map(now)))
            .evidence(run_dir.join(INPUTS))
            .remedy(format!("put back what has changed, {ANOTHER}")))
    }

    /// Returns the redactions in the files that are kept.
    pub(super) fn redactions(&self, run_dir: &Path) -> Redactions {
        let read = folder::read(run_dir, Path::new(REDACTIONS)).ok();
        let mut known: Redactions = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let owners = Owners::of(&self.finished);
        known.files.retain(|file, _| owners.owner(file).is_some());
        known
    }

    /// Puts aside what gates that were cut short have left: no file of theirs may be taken for evidence.
    pub(super) fn set_aside(&self, store: &Store) -> std::io::Result<()> {
        let run_dir = store.root();
        let owners = Owners::of(&self.finished);
        let aside = Path::new(INTERRUPTED).join(self.summary.parts.len().to_string());
        for file in layout::files(run_dir) {
            let whole = layout::of_the_run(&file) || file.starts_with(INTERRUPTED);
            if whole || owners.owner(&file).is_some() {
                continue;
            }
            store.folder().rename(&file, &aside.join(&file))?;
        }
        let folders = walkdir::WalkDir::new(run_dir).min_depth(1).contents_first(true).into_iter().flatten();
        for folder in folders.filter(|entry| entry.file_type().is_dir()) {
            // One that is not empty stays, by the kernel's own rule.
            let _ = std::fs::remove_dir(folder.path());
        }
        Ok(())
    }
}

/// Refuses a folder that holds something else than a run.
pub(crate) fn refuse_another(run_dir: &Path) -> Result<(), Failure> {
    let names = names(run_dir);
    let is_new = names.iter().all(|name| name == GATES && is_empty(&run_dir.join(name)));
    if is_new || names.contains(SUMMARY) { Ok(()) } else { Err(no_run(run_dir, &names)) }
}

/// Returns the failure that names the run by which the folder is in use.
pub(super) fn in_use(run_dir: &Path) -> Failure {
    let part = Summary::load(run_dir).ok().and_then(|mut summary| summary.parts.pop());
    let owner = part.map_or_else(
        || "a supervisor that has not yet written its name down".to_owned(),
        |part| {
            let (pid, started, command) = (part.supervisor.pid, part.started, part.command.join(" "));
            format!("the run of `{command}`, since {started}, whose supervisor is process {pid}")
        },
    );
    Failure::new(format!("RUN_DIR {} is in use by another run", run_dir.display()))
        .expected("a folder that no living run holds")
        .seen(owner)
        .remedy(format!("wait for its end (`k1s-gates watch {}`), {ANOTHER}", run_dir.display()))
}

/// The names in the folder, without what a run that was killed had only begun to write.
fn names(run_dir: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(run_dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with(UNFINISHED)).collect()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn no_run(run_dir: &Path, names: &BTreeSet<String>) -> Failure {
    Failure::new(format!("RUN_DIR {} holds something else than a run", run_dir.display()))
        .expected("an empty folder, or one with the run.json of a run that is to be resumed")
        .seen(list(names.iter().cloned()))
        .remedy("set RUN_DIR to another folder, or leave it unset")
}

/// The run's summary, when this version of the harness has written it.
fn load(run_dir: &Path) -> Result<Summary, Failure> {
    let read = folder::read(run_dir, Path::new(SUMMARY));
    let told: serde_json::Value = read.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let version = told["harness"].as_str().unwrap_or("an unknown version");
    let refused = |seen: String| {
        Failure::new(format!("the run in {} is not one of this harness", run_dir.display()))
            .expected(format!("a run of version {}", env!("CARGO_PKG_VERSION")))
            .seen(seen)
            .evidence(run_dir.join(SUMMARY))
            .remedy(format!("resume it with the harness that began it, {ANOTHER}"))
    };
    if version != env!("CARGO_PKG_VERSION") {
        return Err(refused(version.to_owned()));
    }
    Summary::load(run_dir).map_err(|error| refused(error.to_string()))
}

/// The manifest, when every file is as it says.
fn verify_manifest(run_dir: &Path, key: Option<&PublicKey>) -> Result<Manifest, Failure> {
    let unreadable = |error: String| unread(run_dir, MANIFEST, &error);
    let found = results::verify(run_dir, key).map_err(|error| unreadable(error.to_string()))?;
    if !found.is_sound() {
        let named = |what: &str, files: &BTreeSet<String>| -> Vec<String> {
            files.iter().map(|file| format!("{what}: {file}")).collect()
        };
        let mut wrong = named("changed", &found.changed);
        wrong.extend(named("missing", &found.missing));
        wrong.extend(named("added", &found.added));
        wrong.extend(found.broken.clone());
        if let Seal::Bad { keyid } = &found.signature {
            wrong.push(format!("signed by the key {keyid}, and not by yours"));
        }
        return Err(evidence_modified(run_dir, wrong));
    }
    Manifest::read(run_dir).map_err(|error| unreadable(error.to_string()))
}

/// While gates run, the manifest lists those that have ended: what it does not list was added to one of them later.
fn refuse_added(run_dir: &Path, manifest: &Manifest, finished: &[GateResult]) -> Result<(), Failure> {
    let listed: BTreeSet<&Path> = manifest.files.iter().map(|entry| Path::new(&entry.path)).collect();
    let owners = Owners::of(finished);
    let added = layout::files(run_dir).into_iter().filter(|file| {
        let of_a_gate = !layout::of_the_run(file) && !file.starts_with(INTERRUPTED);
        of_a_gate && !listed.contains(file.as_path()) && owners.owner(file).is_some()
    });
    let added: Vec<String> = added.map(|file| format!("added: {}", file.display())).collect();
    if added.is_empty() { Ok(()) } else { Err(evidence_modified(run_dir, added)) }
}

fn evidence_modified(run_dir: &Path, wrong: Vec<String>) -> Failure {
    let first = wrong.first().cloned().unwrap_or_default();
    Failure::new(format!("the run cannot be resumed: its evidence was modified ({first})"))
        .expected("the files that manifest.json lists, unchanged, and no others in gates that have ended")
        .seen(list(wrong.into_iter()))
        .evidence(run_dir.join(MANIFEST))
        .remedy(format!("put the files back, {ANOTHER}"))
}

fn unread(run_dir: &Path, file: &str, error: &str) -> Failure {
    Failure::new(format!("the run cannot be resumed: its {file} cannot be read"))
        .expected("the file as the run left it")
        .seen(error)
        .evidence(run_dir.join(file))
        .remedy(format!("put it back, {ANOTHER}"))
}

fn list(mut entries: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = entries.by_ref().take(NAMED).collect();
    let more = entries.count();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}
