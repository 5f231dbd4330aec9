//! The identity of a tree, in a form that a verdict can name.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{Choice, Origin};
use super::git::{self, Question};
use super::listing::Listing;

/// The k1s under test: where it is, how it was chosen, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Its folder.
    pub path: PathBuf,
    /// The way in which it was chosen.
    pub origin: Origin,
    /// The commit that is checked out; none when git does not track it.
    pub commit: Option<String>,
    /// True when files differ from that commit; none when that is not known.
    pub dirty: Option<bool>,
    /// The SHA-256 over the names and contents of all files that count.
    pub digest: String,
    /// The number of these files.
    pub files: usize,
    /// Other k1s roots that were in reach.
    pub unused: Vec<String>,
}

/// The files that a k1s root has besides its folder `src/ae`.
pub const K1S_FILES: [&str; 2] = ["pyproject.toml", "requirements.txt"];

/// Lists what a folder lacks that a k1s root has.
pub fn lacks(root: &Path) -> Vec<&'static str> {
    let code = (!root.join("src/ae").is_dir()).then_some("folder src/ae");
    code.into_iter().chain(K1S_FILES.into_iter().filter(|file| !root.join(file).is_file())).collect()
}

impl Identity {
    /// Names a tree by what was read of it.
    pub fn of(root: &Path, choice: &Choice, listing: &Listing) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        let ask = |question, arguments: &[&str]| git::ask(root, question, arguments).map(text);
        let commit = if listing.tracked { ask(Question::Harmless, &["rev-parse", "--verify", "HEAD"]) } else { None };
        let changes = || ask(Question::MayRunFilters, &["status", "--porcelain", "--", "."]);
        Self {
            path: root.to_owned(),
            origin: choice.origin.clone(),
            dirty: commit.as_ref().and_then(|_| Some(!changes()?.is_empty())),
            commit,
            digest: listing.digest(),
            files: listing.files.len(),
            unused: choice.unused.clone(),
        }
    }

    /// Each thing that is known of it, by its name.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let facts = [("path", Some(self.path.display().to_string())), ("origin", Some(self.origin.to_string()))];
        let git = [("commit", self.commit.clone()), ("dirty", self.dirty.map(|dirty| dirty.to_string()))];
        let content = [("digest", Some(format!("sha256:{}", self.digest))), ("files", Some(self.files.to_string()))];
        let unused = [("not used", (!self.unused.is_empty()).then(|| self.unused.join(", ")))];
        let all = facts.into_iter().chain(git).chain(content).chain(unused);
        all.filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// The commit in words.
    pub fn version(&self) -> String {
        match (&self.commit, self.dirty) {
            (None, _) => "no commit".to_owned(),
            (Some(commit), Some(false)) => format!("commit {commit}"),
            (Some(commit), Some(true)) => format!("commit {commit} with changes"),
            (Some(commit), None) => format!("commit {commit}, perhaps with changes"),
        }
    }
}

/// In one line.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, origin, digest, files, unused, .. } = self;
        let short = digest.get(..12).unwrap_or(digest);
        write!(f, "{} ({origin}), {}, sha256:{short} over {files} files", path.display(), self.version())?;
        if !unused.is_empty() {
            write!(f, "; not {}", unused.join(", "))?;
        }
        Ok(())
    }
}
