//! Several shards of one run joined into one: evidence, verdict, manifest and statement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::manifest::{Manifest, Standing};
use super::memory::Memory;
use super::seal::seal;
use super::tested::{self, Inputs};
use super::verify::{VerifyError, verify};
use crate::evidence::layout::{INPUTS, MANIFEST, REDACTIONS, STACK_LOG, STATEMENT, SUMMARY, SUMMARY_TEXT, VIEWS};
use crate::evidence::{Redactions, Redactor, Store, StoreError, folder};
use crate::plan::Shard;
use crate::signing::Signer;
use crate::summary::{NoRun, Part, Summary};

/// The folder with each shard's own files of the run as a whole: its verdict, inputs, manifest and statement.
const SHARDS: &str = "shards";
/// Files of the run as a whole, which the merged run has anew.
const OF_A_SHARD: [&str; 7] = [SUMMARY, SUMMARY_TEXT, STACK_LOG, REDACTIONS, INPUTS, MANIFEST, STATEMENT];
/// Kinds of inputs that may differ between machines. Executables that were built apart differ in paths and times.
const OF_A_MACHINE: [(&str, Option<&str>); 2] = [("machine", None), ("harness", Some("test executable"))];

/// A merged run.
#[derive(Debug)]
pub struct Merged {
    /// Its summary.
    pub summary: Summary,
    /// Its folder, to which views can be added.
    pub store: Store,
}

/// The reason why shards cannot be joined. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A folder without a run.
    #[error(transparent)]
    NoRun(#[from] NoRun),
    /// A folder without a manifest.
    #[error(transparent)]
    Unverifiable(#[from] VerifyError),
    /// Evidence that was changed after its run.
    #[error("{} is not as its run left it: {what}\n  remedy: fetch the shard's folder again, whole", folder.display())]
    Unsound {
        /// The shard's folder.
        folder: PathBuf,
        /// The files.
        what: String,
    },
    /// A run of all gates.
    #[error("{} is no shard: it was run without K1S_GATES_SHARD\n  remedy: give the folders of shards", .0.display())]
    NoShard(PathBuf),
    /// Shards that are not those of one run.
    #[error("{} is shard {found}, but {} is shard {first}\n  remedy: give the shards of one run", folder.display(), of.display())]
    OtherCount {
        /// A shard's folder.
        folder: PathBuf,
        /// Its shard.
        found: Shard,
        /// The first shard's folder.
        of: PathBuf,
        /// The first shard.
        first: Shard,
    },
    /// A shard that was given twice.
    #[error("shard {shard} is there twice: {} and {}\n  remedy: give one of them", folders[0].display(), folders[1].display())]
    Doubled {
        /// The shard.
        shard: Shard,
        /// Both folders.
        folders: [PathBuf; 2],
    },
    /// Shards that were not given.
    #[error("missing: shard {}\n  remedy: give their folders too, or run them: K1S_GATES_SHARD={}", list(.0), .0[0])]
    Missing(Vec<Shard>),
    /// Shards that tested different things.
    #[error("{} stands on other inputs than {}: {what}\n  remedy: run all shards on the same k1s, WorkerBee and settings", folder.display(), of.display())]
    OtherInputs {
        /// A shard's folder.
        folder: PathBuf,
        /// The first shard's folder.
        of: PathBuf,
        /// The inputs that differ.
        what: String,
    },
    /// Two shards with different evidence under one name.
    #[error("{} is in two shards, with different content\n  remedy: give each shard a project base of its own, or none", .0.display())]
    Collision(PathBuf),
    /// A folder that holds something.
    #[error("{} is not empty: nothing was written\n  remedy: name a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// A file that cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Evidence that cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(shards: &[Shard]) -> String {
    shards.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// One shard of a run.
struct OneShard {
    shard: Shard,
    folder: PathBuf,
    summary: Summary,
    manifest: Manifest,
    inputs: Inputs,
}

/// A shard's folder, and a file in it.
type Source = (PathBuf, PathBuf);

/// Joins the folders of all shards of a run into `into`, in whatever order they are given.
pub fn merge(folders: &[PathBuf], into: &Path, signer: Option<&Signer>) -> Result<Merged, MergeError> {
    let shards = read(folders)?;
    refuse_other_inputs(&shards)?;
    let files = files(&shards)?;
    if std::fs::read_dir(into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(MergeError::NotEmpty(into.to_owned()));
    }
    let store = Store::open(into, Redactor::default())?;
    for (file, (folder, path)) in &files {
        store.put_together(&[(file, &read_file(folder, path)?)])?;
    }
    let mut standing = Standing {
        over: shards.iter().all(|shard| shard.manifest.over),
        // All shards have the same inputs, the k1s among them.
        k1s_root: shards.iter().find_map(|shard| shard.manifest.k1s_root.clone()),
        ..Standing::default()
    };
    for shard in &shards {
        standing.gates.extend(shard.manifest.gates.iter().cloned());
        standing.resumed.extend(shard.manifest.resumed.iter().cloned());
        let redactions = folder::read(&shard.folder, Path::new(REDACTIONS)).ok();
        store.remember(redactions.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default());
    }
    standing.gates.sort_by_key(|gate| (gate.key(), gate.part));
    standing.resumed.sort();
    let summary = joined(&shards, into);
    summary.write(&store)?;
    let redactions: Redactions = store.redactions().with_gates(into);
    store.write_json(Path::new(REDACTIONS), &redactions)?;
    seal(&store, &standing, signer, &mut Memory::default())?;
    Ok(Merged { summary, store })
}

/// Reads and verifies all shards: each of one run, once. Sorted.
fn read(folders: &[PathBuf]) -> Result<Vec<OneShard>, MergeError> {
    let mut shards: Vec<OneShard> = Vec::new();
    // With more machines than gates some have none, and leave no run.
    let is_empty = |folder: &&PathBuf| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    for folder in folders.iter().filter(|folder| !is_empty(folder)) {
        let summary = Summary::load(folder)?;
        let shard = summary.shard.ok_or_else(|| MergeError::NoShard(folder.clone()))?;
        let found = verify(folder, None)?;
        if !found.is_sound() {
            let files = found.changed.iter().chain(&found.missing).chain(&found.added).chain(&found.broken);
            let what = files.take(5).cloned().collect::<Vec<_>>().join(", ");
            return Err(MergeError::Unsound { folder: folder.clone(), what });
        }
        if let Some(known) = shards.iter().find(|known| known.shard == shard) {
            return Err(MergeError::Doubled { shard, folders: [known.folder.clone(), folder.clone()] });
        }
        if let Some(first) = shards.first().filter(|first| first.shard.count != shard.count) {
            let (of, first) = (first.folder.clone(), first.shard);
            return Err(MergeError::OtherCount { folder: folder.clone(), found: shard, of, first });
        }
        let file = folder.join(MANIFEST);
        let manifest = Manifest::read(folder).map_err(|source| MergeError::File { file, source })?;
        let file = folder.join(INPUTS);
        let inputs = tested::inputs(folder);
        // A shard without gates has no inputs.
        let inputs = if summary.gates.is_empty() {
            inputs.unwrap_or_default()
        } else {
            inputs.map_err(|source| MergeError::File { file, source })?
        };
        shards.push(OneShard { shard, folder: folder.clone(), summary, manifest, inputs });
    }
    shards.sort_by_key(|one| one.shard);
    let Some(first) = shards.first() else {
        return Err(MergeError::NoShard(folders.first().cloned().unwrap_or_default()));
    };
    let (count, chosen) = (first.shard.count, first.summary.chosen());
    let wanted = (1..=count).map(|index| Shard { index, count });
    let missing: Vec<Shard> = wanted
        .filter(|shard| !shard.of(&chosen).is_empty() && !shards.iter().any(|known| known.shard == *shard))
        .collect();
    if missing.is_empty() { Ok(shards) } else { Err(MergeError::Missing(missing)) }
}

fn refuse_other_inputs(shards: &[OneShard]) -> Result<(), MergeError> {
    let named = |inputs: &Inputs| -> BTreeSet<(String, String)> {
        let pairs = inputs.iter().flat_map(|(kind, pairs)| pairs.iter().map(move |pair| (kind, pair)));
        let of_a_machine = |kind: &str, name: &str| {
            OF_A_MACHINE.iter().any(|(known, only)| *known == kind && only.is_none_or(|only| only == name))
        };
        pairs
            .filter(|(kind, (name, _))| !of_a_machine(kind, name))
            .map(|(kind, (name, value))| (format!("{kind}: {name}"), value.clone()))
            .collect()
    };
    let mut with_gates = shards.iter().filter(|shard| !shard.summary.gates.is_empty());
    let Some(first) = with_gates.next() else { return Ok(()) };
    let (of, known) = (&first.folder, named(&first.inputs));
    for shard in with_gates {
        let inputs = named(&shard.inputs);
        let differ: BTreeSet<&str> = known.symmetric_difference(&inputs).map(|(name, _)| name.as_str()).collect();
        let (a, b) = (&first.summary, &shard.summary);
        let mut what: Vec<&str> = differ.into_iter().take(5).collect();
        if (&a.harness, a.transports) != (&b.harness, b.transports) {
            what.push("version or transports of the harness");
        }
        if !what.is_empty() {
            let (folder, of, what) = (shard.folder.clone(), of.clone(), what.join(", "));
            return Err(MergeError::OtherInputs { folder, of, what });
        }
    }
    Ok(())
}

/// Every file of the merged run, with the one that it is a copy of. Views are made anew.
fn files(shards: &[OneShard]) -> Result<BTreeMap<PathBuf, Source>, MergeError> {
    let mut files: BTreeMap<PathBuf, Source> = BTreeMap::new();
    for shard in shards {
        let listed = shard.manifest.files.iter().map(|entry| entry.path.as_str());
        for path in listed.chain([MANIFEST, STATEMENT]).filter(|path| !VIEWS.contains(path)) {
            let to = if OF_A_SHARD.contains(&path) {
                Path::new(SHARDS).join(shard.shard.index.to_string()).join(path)
            } else {
                PathBuf::from(path)
            };
            let from = (shard.folder.clone(), PathBuf::from(path));
            if let Some((folder, known)) = files.get(&to)
                && read_file(folder, known)? != read_file(&from.0, &from.1)?
            {
                return Err(MergeError::Collision(to));
            }
            files.insert(to, from);
        }
    }
    Ok(files)
}

fn read_file(folder: &Path, file: &Path) -> Result<Vec<u8>, MergeError> {
    folder::read(folder, file).map_err(|source| MergeError::File { file: folder.join(file), source })
}

/// One summary of all: it began with the first shard and ended with the last.
fn joined(shards: &[OneShard], into: &Path) -> Summary {
    let summaries = || shards.iter().map(|shard| &shard.summary);
    let mut joined = shards[0].summary.clone();
    into.clone_into(&mut joined.run_dir);
    joined.shard = None;
    joined.started = summaries().map(|one| one.started).min().unwrap_or(joined.started);
    let ends: Option<Vec<Timestamp>> = summaries().map(|one| one.ended).collect();
    joined.ended = ends.and_then(|ends| ends.into_iter().max());
    joined.lanes = summaries().map(|one| one.lanes).sum();
    joined.k1s_root = summaries().find_map(|one| one.k1s_root.clone());
    let bases: BTreeSet<&str> = summaries().map(|one| one.project_base.as_str()).collect();
    joined.project_base = bases.into_iter().collect::<Vec<_>>().join(" ");
    let parts = || summaries().flat_map(|one| &one.parts);
    joined.parts = vec![Part {
        started: joined.started,
        ended: joined.ended,
        kept: parts().map(|part| part.kept).sum(),
        begun: parts().map(|part| part.begun).sum(),
        ..joined.parts[0].clone()
    }];
    joined.gates.clear();
    for one in summaries() {
        joined.versions.extend(one.versions.clone());
        joined.interventions.extend(one.interventions.clone());
        // A part is one of its shard's own, and the merged run has one.
        let gates = one.gates.iter().map(|(name, gate)| {
            let mut gate = gate.clone();
            gate.part = 1;
            (name.clone(), gate)
        });
        joined.gates.extend(gates);
        for (name, value) in &one.environment {
            let known = joined.environment.entry(name.clone()).or_insert_with(|| value.clone());
            if !known.split(", ").any(|known| known == value) {
                *known = format!("{known}, {value}");
            }
        }
    }
    joined
}
