//! What a run has tested, by name and digest, and which of the gates that were chosen it says nothing of.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::manifest::Manifest;
use super::statement::{Digest, Resource};
use crate::evidence::folder;
use crate::evidence::layout::{INPUTS, MANIFEST};
use crate::plan::GateKey;
use crate::summary::{GateState, Summary};
use crate::tree::Identity;

/// `inputs.json`: names with values, by what they belong to.
pub(super) type Inputs = BTreeMap<String, Vec<(String, String)>>;

/// Reads the inputs of a run.
pub(super) fn inputs(run_dir: &Path) -> io::Result<Inputs> {
    serde_json::from_slice(&folder::read(run_dir, Path::new(INPUTS))?).map_err(Into::into)
}

/// Of `WorkerBee`'s environment, the distributions that are tested: the others are what it stands on.
const DISTRIBUTIONS: &str = "k1s_workerbee";
/// How pip names the folder with a distribution's record, which has the digest of each of its files.
const INSTALLED: &str = ".dist-info";

/// The artifacts that a run's inputs name, besides the k1s: `WorkerBee`'s distributions, each by the digest of its
/// record, and the images of the stack, each by that of its configuration. None before the first gate has begun.
pub(super) fn artifacts(run_dir: &Path) -> BTreeMap<String, String> {
    let inputs = inputs(run_dir).unwrap_or_default();
    let of = |what: &str| inputs.get(what).into_iter().flatten();
    let distributions = of("WorkerBee").filter_map(|(file, digest)| {
        let name = Path::new(file).file_name()?.to_str()?;
        let name = name.strip_suffix(INSTALLED).filter(|name| name.starts_with(DISTRIBUTIONS));
        // A program outside of any environment is all that is known of it.
        let name = name.or((file == "program").then_some("workerbee"))?;
        Some((name.to_owned(), digest.clone()))
    });
    let images = of("images").filter_map(|(name, id)| Some((name.clone(), id.strip_prefix("sha256:")?.to_owned())));
    distributions.chain(images).filter(|(_, digest)| is_sha256(digest)).collect()
}

fn is_sha256(digest: &str) -> bool {
    digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The gates that were chosen for the run and that no trial asked for.
pub(super) fn not_run(summary: &Summary, gates: &[GateState]) -> Vec<String> {
    let asked = gates.iter().filter_map(GateState::key).map(|key| GateKey::first(key.gate, key.transport));
    let asked: BTreeSet<GateKey> = asked.collect();
    let chosen = summary.chosen().into_iter();
    let planned = chosen.flat_map(|gate| summary.transports.each().iter().map(move |way| GateKey::first(gate, *way)));
    let left = planned.filter(|key| !asked.contains(key));
    left.map(|key| summary.transports.name(key.gate, key.transport)).collect()
}

/// The subjects of the statement over a run: the k1s, and the artifacts. Of a run of which none is known, its manifest.
pub(super) fn subjects(manifest: &Manifest, sha256: &str) -> Vec<Resource> {
    let artifacts = manifest.artifacts.iter().map(|(name, sha256)| resource(name, sha256));
    let known: Vec<Resource> = manifest.k1s_root.iter().map(k1s).chain(artifacts).collect();
    if known.is_empty() { vec![resource(MANIFEST, sha256)] } else { known }
}

pub(super) fn resource(name: &str, sha256: &str) -> Resource {
    let digest = Digest { sha256: sha256.to_owned(), git_commit: None };
    Resource { name: name.to_owned(), digest, annotations: BTreeMap::new() }
}

/// The k1s under test.
fn k1s(tree: &Identity) -> Resource {
    let dirty = tree.dirty.map(|dirty| ("dirty".to_owned(), dirty.to_string()));
    let told = [("path", tree.path.display().to_string()), ("origin", tree.origin.to_string())];
    Resource {
        name: "k1s-root".to_owned(),
        digest: Digest { sha256: tree.digest.clone(), git_commit: tree.commit.clone() },
        annotations: told.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(dirty).collect(),
    }
}
