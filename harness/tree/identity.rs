//! The identity of a tree, in a form that a verdict can name.

use std::fmt;
use std::io::Read as _;
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

/// The most that is read of one of these files: k1s's own have some hundred bytes.
const SIZE: u64 = 1024 * 1024;

/// Lists what a folder lacks that a k1s root has.
pub fn lacks(root: &Path) -> Vec<&'static str> {
    let code = (!root.join("src/ae").is_dir()).then_some("folder src/ae");
    code.into_iter().chain(K1S_FILES.into_iter().filter(|file| !is_inside(root, file))).collect()
}

/// Is true of a file in the root itself. k1s's containers see nothing else of this machine, and where a link leads may be
/// for nobody but root to read.
fn is_inside(root: &Path, file: &str) -> bool {
    let (Ok(real), Ok(root)) = (root.join(file).canonicalize(), root.canonicalize()) else { return false };
    real.is_file() && real.starts_with(root)
}

/// Reads one of these files.
pub(crate) fn k1s_file(root: &Path, file: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(root.join(file))?;
    if file.metadata()?.len() > SIZE {
        return Err(std::io::Error::other(format!("it has more than {SIZE} bytes")));
    }
    file.take(SIZE).read_to_string(&mut text)?;
    Ok(text)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_file_that_is_elsewhere_is_none_of_a_roots_own() -> Outcome {
        let top = tempfile::tempdir()?;
        let root = top.path().join("k1s");
        std::fs::create_dir_all(root.join("src/ae"))?;
        std::fs::write(top.path().join("shadow"), "S3cret")?;
        std::fs::write(root.join("src/pyproject.toml"), "[project]\n")?;
        symlink("src/pyproject.toml", root.join("pyproject.toml"))?;
        for elsewhere in ["../shadow", "/dev/zero", "nowhere", "requirements.txt", "src"] {
            symlink(elsewhere, root.join("requirements.txt"))?;
            assert_eq!(lacks(&root), ["requirements.txt"], "{elsewhere}");
            std::fs::remove_file(root.join("requirements.txt"))?;
        }
        std::fs::write(root.join("requirements.txt"), "aiohttp\n")?;
        symlink(&root, top.path().join("link"))?;
        assert_eq!(lacks(&top.path().join("link")), Vec::<&str>::new());
        Ok(())
    }

    #[test]
    fn a_file_without_an_end_is_not_read() -> Outcome {
        let root = tempfile::tempdir()?;
        let file = std::fs::File::create(root.path().join("requirements.txt"))?;
        file.set_len(SIZE)?;
        assert_eq!(k1s_file(root.path(), "requirements.txt")?.len() as u64, SIZE);
        file.set_len(5 << 30)?;
        assert!(k1s_file(root.path(), "requirements.txt").is_err_and(|error| error.to_string().contains("more than")));
        Ok(())
    }
}
