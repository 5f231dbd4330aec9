//! The k1s under test, to be packed beside the evidence of its run: with it a gate can be run again from the bundle alone.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::tested;
use crate::evidence::layout::MANIFEST;
use crate::evidence::{Kind, Place, Redactor, folder};
use crate::tree::{FILES, Identity, Listing, Origin};

/// The name of its folder in a bundle, beside that of the run: within, it would be evidence that no manifest lists.
pub(super) fn folder_of(run: &str) -> String {
    format!("{run}-k1s")
}

/// The reason why the k1s of a run cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum K1sError {
    /// The run does not say what it tested.
    #[error("the run does not say which k1s it tested: {0}")]
    Unknown(String),
    /// The run tested the released k1s.
    #[error("the run tested the released k1s, which comes with the stack: leave --with-k1s out")]
    Released,
    /// The tree is not the one that was tested any more.
    #[error(
        "{} is not the k1s that was tested any more: {file} differs; check out what was tested (sha256:{digest})",
        path.display()
    )]
    Changed {
        /// The k1s root.
        path: PathBuf,
        /// The first file that differs.
        file: String,
        /// The digest of the k1s that was tested.
        digest: String,
    },
    /// A copy of this file would not count as it does where it is.
    #[error("{file} of {} {why}: a copy of the k1s would have another digest; name the k1s by its commit", path.display())]
    NotToBeCopied {
        /// The k1s root.
        path: PathBuf,
        /// The file.
        file: String,
        /// The reason.
        why: &'static str,
    },
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// The k1s of a run, found to be as it was tested.
pub(super) struct Tree {
    root: PathBuf,
    names: Vec<String>,
}

/// One file of it.
pub(super) enum Entry {
    File { bytes: Vec<u8>, mode: u32 },
    Link { to: PathBuf },
}

impl Tree {
    /// Finds the k1s that a run tested, where it was, and compares it with what was tested.
    pub(super) fn of(run_dir: &Path) -> Result<Self, K1sError> {
        let unknown = |error: &dyn ToString| K1sError::Unknown(error.to_string());
        let bytes = folder::read(run_dir, Path::new(MANIFEST)).map_err(|error| unknown(&error))?;
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| unknown(&error))?;
        let tested: Identity = manifest.k1s_root.ok_or_else(|| unknown(&"its manifest names none"))?;
        if tested.origin == Origin::Released {
            return Err(K1sError::Released);
        }
        let inputs = tested::inputs(run_dir).map_err(|error| unknown(&error))?;
        let was: BTreeMap<String, String> = inputs.get(FILES).into_iter().flatten().cloned().collect();
        let root = tested.path;
        let is = Listing::again(&root, was.keys());
        if let Some((file, _)) = was.iter().find(|(name, digest)| is.get(*name) != Some(digest)) {
            return Err(K1sError::Changed { path: root, file: file.clone(), digest: tested.digest });
        }
        let cannot = |(name, content): (&String, &String)| {
            let why = if Listing::counts_by_git_alone(name) {
                "counts because git tracks it"
            } else if content.starts_with("link to /") || content.contains(": ") {
                "leads out of the k1s"
            } else {
                return None;
            };
            Some(K1sError::NotToBeCopied { path: root.clone(), file: name.clone(), why })
        };
        match was.iter().find_map(cannot) {
            Some(error) => Err(error),
            None => Ok(Self { root, names: was.into_keys().collect() }),
        }
    }

    /// The names of its files.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads one of them.
    pub(super) fn entry(&self, name: &str) -> Result<Entry, K1sError> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.root.join(name);
        let read = || {
            let about = path.symlink_metadata()?;
            if about.is_symlink() {
                return Ok(Entry::Link { to: path.read_link()? });
            }
            // Executable or not is all that a tree says of its files' modes.
            let mode = if about.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            Ok(Entry::File { bytes: std::fs::read(&path)?, mode })
        };
        read().map_err(|source| K1sError::Io { path: path.clone(), source })
    }
}

/// The places of a file that look like a secret, for who hands it on to decide. The file itself must stay as it is.
pub(super) fn suspects(redactor: &Redactor, path: &Path, bytes: &[u8]) -> Vec<(PathBuf, Kind, Place)> {
    redactor.scan(bytes).into_iter().map(|(kind, place)| (path.to_owned(), kind, place)).collect()
}
