//! The choice of the k1s and of the `WorkerBee` that a run uses, where no variable names them.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{self, Source};

/// The k1s under test and the `WorkerBee` that tests it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trees {
    /// The k1s root.
    pub k1s: Choice,
    /// The `WorkerBee` executable.
    pub workerbee: Choice,
}

/// A path, and how it was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its place; none when the stack provides it.
    pub path: Option<PathBuf>,
    /// The way in which it was chosen.
    pub origin: Origin,
    /// The trees that were in reach and are not used, in words.
    pub unused: Vec<String>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{} ({})", path.display(), self.origin)?,
            None => write!(f, "{}", self.origin)?,
        }
        if !self.unused.is_empty() {
            write!(f, "; not {}", self.unused.join(", "))?;
        }
        Ok(())
    }
}

/// The way in which a tree was chosen: the first of these that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A variable of the environment names it.
    Variable(String),
    /// A configuration file names it.
    File(PathBuf),
    /// It is the checkout that the manifest of the test target lies in.
    TestTarget,
    /// It is the checkout that the working directory lies in.
    WorkingDirectory,
    /// It lies beside, as the runbook lays it out.
    Sibling,
    /// None of these is there: the stack's own.
    Released,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "named by {name}"),
            Self::File(file) => write!(f, "named by {}", file.display()),
            Self::TestTarget => f.write_str("the checkout that the test target belongs to"),
            Self::WorkingDirectory => f.write_str("the checkout that the working directory is in"),
            Self::Sibling => f.write_str("the sibling of this repository"),
            Self::Released => f.write_str("the released one: no checkout is in reach"),
        }
    }
}

/// The places in which trees are searched for.
pub struct Reach<'a> {
    /// A variable of the environment; an empty one counts as unset.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The folder of the test target's manifest.
    pub manifest: Option<PathBuf>,
    /// The working directory.
    pub working: PathBuf,
    /// The k1s root that a configuration file names, with that file.
    pub file: Option<(PathBuf, PathBuf)>,
}

/// The runbook's folder of k1s, beside that of whoever tests it.
const K1S: &str = "k1s";
/// The runbook's folder of `WorkerBee`.
const WORKERBEE: &str = "k1s-workerbee";
/// The executable of a `WorkerBee` checkout, in its environment.
const EXECUTABLE: &str = ".venv/bin/workerbee";

impl Trees {
    /// As the environment of this process says: cargo and nextest name the manifest of the test target in it.
    pub fn from_env() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let working = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let manifest = variable("CARGO_MANIFEST_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
        // A file that cannot be used is told by those who read all settings.
        let told = config::get().ok().and_then(|config| config.in_file("K1S_ROOT"));
        let file = told.and_then(|told| match told.source {
            Source::File(file, ..) => Some((file, PathBuf::from(told.text))),
            _ => None,
        });
        Self::in_reach(&Reach { variable: &variable, manifest, working, file })
    }

    /// The same of a given reach.
    pub fn in_reach(reach: &Reach<'_>) -> Self {
        let k1s = first(reach.k1s());
        let workerbee = first(reach.workerbee(k1s.path.as_deref()));
        Self { k1s, workerbee }
    }
}

/// The first candidate, with the others told.
fn first(candidates: Vec<(Origin, PathBuf)>) -> Choice {
    let mut candidates = candidates.into_iter();
    let Some((origin, path)) = candidates.next() else {
        return Choice { path: None, origin: Origin::Released, unused: Vec::new() };
    };
    let mut unused: Vec<String> = Vec::new();
    for (other, at) in candidates.filter(|(_, at)| !same(at, &path)) {
        let line = format!("{} ({other})", at.display());
        if !unused.contains(&line) {
            unused.push(line);
        }
    }
    Choice { path: Some(path), origin, unused }
}

fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

impl Reach<'_> {
    fn named(&self, variable: &str) -> Option<(Origin, PathBuf)> {
        let value = (self.variable)(variable)?;
        // An absolute path stays as it is.
        Some((Origin::Variable(variable.to_owned()), self.working.join(value)))
    }

    /// The k1s roots in reach, the one that counts first.
    fn k1s(&self) -> Vec<(Origin, PathBuf)> {
        // WorkerBee's own variable after the runbook's, which is given to it with each call.
        let named = ["K1S_ROOT", "WORKERBEE_K1S_ROOT"].into_iter().filter_map(|name| self.named(name));
        let above = |start: &Path| start.ancestors().find(|folder| is_k1s(folder)).map(Path::to_owned);
        let target = self.manifest.as_deref().and_then(above).map(|root| (Origin::TestTarget, root));
        let working = above(&self.working).map(|root| (Origin::WorkingDirectory, root));
        let beside = self.siblings(K1S).into_iter().filter(|folder| is_k1s(folder));
        let file = self.file.iter().map(|(file, root)| (Origin::File(file.clone()), root.clone()));
        named.chain(file).chain(target).chain(working).chain(beside.map(|root| (Origin::Sibling, root))).collect()
    }

    /// The executables of `WorkerBee` in reach.
    fn workerbee(&self, k1s: Option<&Path>) -> Vec<(Origin, PathBuf)> {
        let of = |(origin, root): (Origin, PathBuf)| (origin, root.join(EXECUTABLE));
        let named = self.named("WORKERBEE_BIN").into_iter().chain(self.named("WORKERBEE_ROOT").map(of));
        let beside = k1s.and_then(Path::parent).map(|parent| parent.join(WORKERBEE));
        let beside = beside.into_iter().filter(|folder| is_trusted(folder, &self.working));
        let beside = beside.chain(self.siblings(WORKERBEE)).map(|root| root.join(EXECUTABLE));
        named.chain(beside.filter(|program| program.is_file()).map(|program| (Origin::Sibling, program))).collect()
    }

    /// The folders of that name beside the manifest, beside the working directory, and beside the repositories that these
    /// are in.
    fn siblings(&self, name: &str) -> Vec<PathBuf> {
        let repository = |start: &Path| start.ancestors().find(|at| at.join(".git").exists()).map(Path::to_owned);
        let starts = self.manifest.iter().chain([&self.working]);
        let bases = starts.flat_map(|start| [Some(start.clone()), repository(start)]).flatten();
        let mut found: Vec<PathBuf> = Vec::new();
        for base in bases {
            let Some(sibling) = base.parent().map(|parent| parent.join(name)) else { continue };
            if sibling.is_dir() && is_trusted(&sibling, &base) && !found.contains(&sibling) {
                found.push(sibling);
            }
        }
        found
    }
}

/// A folder that nobody named may be anybody's, in /tmp say: only one of this user's, of root's, or of whoever owns what it
/// lies beside is taken.
fn is_trusted(folder: &Path, beside: &Path) -> bool {
    let owner = |path: &Path| std::fs::metadata(path).map(|about| about.uid()).ok();
    let Some(of_folder) = owner(folder) else { return false };
    of_folder == 0 || of_folder == rustix::process::geteuid().as_raw() || Some(of_folder) == owner(beside)
}

/// Is true when a folder is a k1s checkout, as `WorkerBee` recognizes one.
fn is_k1s(folder: &Path) -> bool {
    folder.join("src/ae").is_dir() && folder.join("pyproject.toml").is_file()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Makes folders; a name that ends in `!` becomes a k1s root, one that ends in `.git` is a repository.
    fn laid_out(names: &[&str]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for name in names {
            let folder = place.path().join(name.trim_end_matches('!'));
            std::fs::create_dir_all(&folder).unwrap();
            if name.ends_with('!') {
                std::fs::create_dir_all(folder.join("src/ae")).unwrap();
                std::fs::write(folder.join("pyproject.toml"), "").unwrap();
            }
        }
        place
    }

    fn choice(place: &Path, set: &[(&str, &str)], manifest: Option<&str>, working: &str) -> Choice {
        let variable = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let manifest = manifest.map(|at| place.join(at));
        let file = place.join("file.toml").is_file().then(|| (place.join("file.toml"), place.join("named")));
        Trees::in_reach(&Reach { variable: &variable, manifest, working: place.join(working), file }).k1s
    }

    #[rstest]
    #[case::of_the_target(&["a!", "a/tests/gates", "b!"], &[], Some("a/tests/gates"), "b", Some("a"), Origin::TestTarget)]
    #[case::nested(&["a!", "a/vendor/k1s!", "a/vendor/k1s/t"], &[], Some("a/vendor/k1s/t"), "a", Some("a/vendor/k1s"), Origin::TestTarget)]
    #[case::of_the_working_directory(&["w", "a!", "a/src/ae/x"], &[], Some("w"), "a/src/ae/x", Some("a"), Origin::WorkingDirectory)]
    #[case::beside_the_manifest(&["h", "k1s!"], &[], Some("h"), "h", Some("k1s"), Origin::Sibling)]
    #[case::beside_the_repository(&["h/.git", "h/examples/c", "k1s!"], &[], Some("h/examples/c"), "h/examples/c", Some("k1s"), Origin::Sibling)]
    #[case::a_submodule(&["mono/.git", "mono/k1s!", "mono/gates"], &[], Some("mono/gates"), "mono/gates", Some("mono/k1s"), Origin::Sibling)]
    #[case::a_sibling_that_is_none(&["h", "k1s"], &[], Some("h"), "h", None, Origin::Released)]
    #[case::nothing(&["h"], &[], None, "h", None, Origin::Released)]
    #[case::named(&["h", "k1s!", "other!"], &[("K1S_ROOT", "../other")], Some("h"), "h", Some("h/../other"), Origin::Variable("K1S_ROOT".into()))]
    #[case::named_and_none(&["h", "k1s!"], &[("K1S_ROOT", "none")], Some("h"), "h", Some("h/none"), Origin::Variable("K1S_ROOT".into()))]
    #[case::named_as_workerbee_knows_it(&["h", "o!"], &[("WORKERBEE_K1S_ROOT", "../o")], Some("h"), "h", Some("h/../o"), Origin::Variable("WORKERBEE_K1S_ROOT".into()))]
    fn the_nearest_tree_is_under_test(
        #[case] names: &[&str],
        #[case] set: &[(&str, &str)],
        #[case] manifest: Option<&str>,
        #[case] working: &str,
        #[case] path: Option<&str>,
        #[case] origin: Origin,
    ) {
        let place = laid_out(names);
        let found = choice(place.path(), set, manifest, working);
        assert_eq!((found.path, found.origin), (path.map(|path| place.path().join(path)), origin));
    }

    #[test]
    fn a_file_names_a_tree_before_those_in_reach_and_after_a_variable() {
        let place = laid_out(&["k1s!", "named!", "k1s/t"]);
        let file = place.path().join("file.toml");
        std::fs::write(&file, "").unwrap();
        let found = choice(place.path(), &[], Some("k1s/t"), "k1s");
        assert_eq!((found.path, found.origin), (Some(place.path().join("named")), Origin::File(file)));
        let found = choice(place.path(), &[("K1S_ROOT", "../k1s")], Some("k1s/t"), "k1s");
        assert_eq!(found.origin, Origin::Variable("K1S_ROOT".into()));
    }

    #[test]
    fn other_trees_in_reach_are_told() {
        let place = laid_out(&["a!", "a/t", "b!", "k1s!"]);
        let found = choice(place.path(), &[("K1S_ROOT", "../a")], Some("a/t"), "b");
        assert_eq!(found.path, Some(place.path().join("b/../a")));
        assert_eq!(found.unused.len(), 2, "{found:?}");
        assert!(found.unused[0].contains("/b (") && found.unused[1].contains("/k1s ("), "{found:?}");
    }

    #[test]
    fn a_workerbee_beside_is_its_environments() {
        let place = laid_out(&["h", "k1s!", "k1s-workerbee/.venv/bin"]);
        let none = |_: &str| None;
        let reach = Reach { variable: &none, manifest: None, working: place.path().join("h"), file: None };
        assert_eq!(Trees::in_reach(&reach).workerbee.origin, Origin::Released, "without a program");
        let program = place.path().join("k1s-workerbee").join(EXECUTABLE);
        std::fs::write(&program, "").unwrap();
        let found = Trees::in_reach(&reach).workerbee;
        assert_eq!((found.path, found.origin), (Some(program), Origin::Sibling));
    }
}
