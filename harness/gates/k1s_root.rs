//! The k1s root as a gate finds it: the one that the run names, and still as it was read when the run began.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::session::Session;
use crate::checks::{Check, observed};
use crate::evidence::layout::INPUTS;
use crate::failure::{Failure, Mismatch};
use crate::tree::{self, Identity, Listing};

const NAME: &str = "k1s-root";
/// How many differences are kept.
const KEPT: usize = 20;

/// The k1s root as it was found.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    /// The folder that `WorkerBee` is given.
    path: PathBuf,
    /// The tree that the run's verdicts name.
    named: Option<Identity>,
    /// The parts of a k1s root that this one does not have.
    lacks: Vec<String>,
    /// The number of files that were read again.
    compared: usize,
    /// Those that are not as the run has written them down.
    changed: Vec<Changed>,
    /// Byte code that Python runs without comparing it with its source.
    #[serde(default)]
    unchecked: Vec<PathBuf>,
}

/// A file that is another now.
#[derive(Debug, Serialize, Deserialize)]
struct Changed {
    file: String,
    named: String,
    found: String,
}

/// Reads the k1s root again, in the namespaces from which its containers are given it.
pub(super) fn observe(session: &mut Session<'_>) -> Result<(), Failure> {
    let found = find(session);
    session.observe(NAME, found)
}

fn find(session: &Session<'_>) -> Result<Found, Failure> {
    let spec = session.spec;
    let file = spec.settings.run_dir.join(INPUTS);
    let unreadable = |error: String| {
        Failure::new(format!("what the run has written down of the k1s root cannot be read: {error}"))
            .expected("the files of the k1s root with their digests")
            .seen(error)
            .evidence(&file)
            .remedy("see that RUN_DIR can be written to; then run again")
    };
    let bytes = std::fs::read(&file).map_err(|error| unreadable(error.to_string()))?;
    let mut inputs: BTreeMap<String, Vec<(String, String)>> =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    let mut named: BTreeMap<String, String> = inputs.remove(tree::FILES).unwrap_or_default().into_iter().collect();
    for (name, _) in inputs.remove(tree::PASSED_OVER).unwrap_or_default() {
        named.remove(&name);
    }
    let now = Listing::again(&spec.k1s_root, named.keys());
    let changed = |(file, found): (&String, &String)| {
        let named = named.get(file).filter(|named| *named != found)?;
        Some(Changed { file: file.clone(), named: named.clone(), found: found.clone() })
    };
    Ok(Found {
        path: spec.k1s_root.clone(),
        named: spec.k1s.clone(),
        lacks: tree::lacks(&spec.k1s_root).into_iter().map(str::to_owned).collect(),
        compared: now.len(),
        changed: now.iter().filter_map(changed).take(KEPT).collect(),
        unchecked: tree::unchecked_byte_code(&spec.k1s_root).into_iter().take(KEPT).collect(),
    })
}

pub(super) fn check() -> Check {
    observed(
        NAME,
        NAME,
        "the k1s root that the run names, with src/ae, pyproject.toml and requirements.txt, unchanged since the run began",
        "export K1S_ROOT=<the k1s checkout that is to be validated>, and leave it as it is while gates run",
        |found: &Found| {
            let Some(named) = &found.named else { return Err("the run names no k1s root".into()) };
            if named.path != found.path {
                let (named, path) = (named.path.display(), found.path.display());
                return Err(format!("the run names {named}, and WorkerBee is given {path}").into());
            }
            if let Some(lack) = found.lacks.first() {
                return Err(Mismatch::new(format!("no k1s root: it has no {lack}"), &found.lacks));
            }
            if let Some(first) = found.unchecked.first() {
                let what = format!("{} runs whatever its source says: remove it", first.display());
                return Err(Mismatch::new(what, &found.unchecked));
            }
            if named.digest.is_empty() || found.compared == 0 {
                return Err("nothing of it was read".into());
            }
            match found.changed.first() {
                None => Ok(()),
                Some(first) => {
                    let more = found.changed.len() - 1;
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    Err(Mismatch::new(format!("{}{more} changed since the run began", first.file), &found.changed))
                }
            }
        },
    )
}
