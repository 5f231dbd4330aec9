//! The files of a tree that count, each with a digest of its content, and what was passed over.
//!
//! In a checkout these are the files that git tracks, and those that are new and not ignored. Elsewhere it is all but what
//! tools leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use super::content::{self, Content, hexadecimal, name_of};
use super::git::{self, Question};

/// The contents of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files that count, by their names, with the digest of the content or what stands for it.
    pub files: BTreeMap<String, String>,
    /// The files that do not count, by their names, with the reason.
    pub passed_over: BTreeMap<String, String>,
    /// True when git tracks the tree's code: then its commit says something of it.
    pub tracked: bool,
}

/// The folders and files that tools keep beside code, at any depth.
const NO_CODE: [&str; 10] = [
    ".git",
    ".hg",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".venv",
    "__pycache__",
    "node_modules",
];
/// The folders that a k1s in use writes at its root, where git does not say what it ignores.
const IN_USE: [&str; 8] = ["artifacts", "build", "dist", "runs", "state", "target", "tmp", "venv"];
/// The folder of k1s's code.
const CODE: &str = "src/ae";
/// The largest number of files that are read behind links which lead out of the tree.
const BEHIND_LINKS: usize = 20_000;
/// The largest depth at which checkouts may lie in one another.
const DEEPEST: usize = 16;
/// The largest number of names that are given of what git ignores.
const IGNORED: usize = 200;

impl Listing {
    /// Reads a tree, without the folders that are named, such as that of the run.
    pub fn of(root: &Path, without: &[&Path]) -> Self {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let root = real(root);
        let without = without.iter().map(|path| real(path)).filter(|path| !root.starts_with(path)).collect();
        let mut reader = Reader {
            root: root.clone(),
            without,
            seen: BTreeSet::new(),
            marked: BTreeMap::new(),
            behind_links: 0,
            listing: Self::default(),
        };
        reader.tree(&root, Path::new(""), 0);
        reader.listing
    }

    /// Is true when a file of this name counts in a checkout alone: in a copy of the tree it would be passed over.
    pub(crate) fn counts_by_git_alone(name: &str) -> bool {
        Path::new(name).components().next().is_some_and(|top| IN_USE.iter().any(|used| top.as_os_str() == *used))
    }

    /// One digest of all names and contents.
    pub fn digest(&self) -> String {
        let mut all = Sha256::new();
        for (name, content) in &self.files {
            for part in [name, content] {
                all.update((part.len() as u64).to_le_bytes());
                all.update(part);
            }
        }
        hexadecimal(all)
    }

    /// Reads the files of these names again, and returns what they hold now. A name that is no UTF-8 is left out.
    pub(crate) fn again<'a>(root: &Path, names: impl Iterator<Item = &'a String>) -> BTreeMap<String, String> {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let plain = names.filter(|name| !name.contains("\\x"));
        plain.map(|name| (name.clone(), held(&root, &root.join(name)))).collect()
    }
}

struct Reader {
    root: PathBuf,
    without: Vec<PathBuf>,
    /// The real folders that were read, so that links in a circle end.
    seen: BTreeSet<PathBuf>,
    /// Folders that say of themselves that they are no source.
    marked: BTreeMap<PathBuf, bool>,
    behind_links: usize,
    listing: Listing,
}

impl Reader {
    /// A folder and all that counts in it.
    fn tree(&mut self, folder: &Path, name: &Path, depth: usize) {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        if depth > DEEPEST || !self.seen.insert(real) {
            return;
        }
        let Some(entries) = self.tracked(folder, name) else { return self.walk(folder, name, depth) };
        for (inside, new) in entries {
            let (path, name) = (folder.join(&inside), name.join(&inside));
            if is_kept_by_a_tool(&inside) || self.is_left_out(&path) || (new && self.is_marked(folder, &path)) {
                continue;
            }
            self.file(&path, &name, depth);
        }
    }

    /// The files of a checkout as git knows them, each with whether it is new; none when git does not know its code.
    fn tracked(&mut self, folder: &Path, name: &Path) -> Option<Vec<(PathBuf, bool)>> {
        let arguments = ["ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard"];
        let said = git::ask(folder, Question::Harmless, &arguments)?;
        let entry = |line: &[u8]| -> Option<(PathBuf, bool)> {
            let (tag, path) = (line.first()?, line.get(2..)?);
            Some((PathBuf::from(OsStr::from_bytes(path)), *tag == b'?'))
        };
        let entries: BTreeMap<PathBuf, bool> = said.split(|byte| *byte == 0).filter_map(entry).collect();
        if name.as_os_str().is_empty() {
            let code = |(path, _): &(&PathBuf, &bool)| path.starts_with(CODE);
            // A folder that lies in somebody else's repository, which ignores it.
            entries.iter().find(code)?;
            self.listing.tracked = entries.iter().filter(code).any(|(_, new)| !new);
        } else if !folder.join(".git").exists() {
            return None;
        }
        self.note_ignored(folder, name);
        Some(entries.into_iter().collect())
    }

    fn note_ignored(&mut self, folder: &Path, name: &Path) {
        let arguments = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        let said = git::ask(folder, Question::Harmless, &arguments).unwrap_or_default();
        let ignored = said.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        for path in ignored.take(IGNORED) {
            let path = name.join(OsStr::from_bytes(path));
            self.listing.passed_over.insert(name_of(&path), "ignored by git".to_owned());
        }
    }

    fn walk(&mut self, folder: &Path, name: &Path, depth: usize) {
        let top = name.as_os_str().is_empty();
        let mut entries = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let at = error.path().unwrap_or(folder);
                    let inside = name.join(at.strip_prefix(folder).unwrap_or(at));
                    self.pass_over(&inside, &error.io_error().map_or_else(|| error.to_string(), ToString::to_string));
                    continue;
                }
            };
            let path = entry.path();
            let inside = path.strip_prefix(folder).unwrap_or(path).to_owned();
            let own = entry.file_name().to_str().unwrap_or_default();
            let in_use = top && entry.depth() == 1 && IN_USE.contains(&own);
            let is_folder = entry.file_type().is_dir();
            if is_kept_by_a_tool(Path::new(entry.file_name())) || in_use || self.is_left_out(path) {
                self.pass_over(&name.join(&inside), "kept by a tool or by k1s in use, no code");
                if is_folder {
                    entries.skip_current_dir();
                }
            } else if is_folder && self.is_marked(folder, &path.join("-")) {
                self.pass_over(&name.join(&inside), "says of itself that it is no source");
                entries.skip_current_dir();
            } else if !is_folder {
                self.file(path, &name.join(inside), depth);
            }
        }
    }

    fn is_left_out(&self, path: &Path) -> bool {
        self.without.iter().any(|folder| path.starts_with(folder))
    }

    /// Is true when a file lies in a cache (`CACHEDIR.TAG`) or in the folder of a run.
    fn is_marked(&mut self, folder: &Path, path: &Path) -> bool {
        let above = path.ancestors().skip(1).take_while(|at| *at != folder && at.starts_with(folder));
        let above: Vec<PathBuf> = above.map(Path::to_owned).collect();
        above.into_iter().any(|at| {
            *self.marked.entry(at).or_insert_with_key(|at| {
                let has = |name: &str| at.join(name).is_file();
                has("CACHEDIR.TAG") || (has("run.json") && has("manifest.json"))
            })
        })
    }

    fn pass_over(&mut self, name: &Path, why: &str) {
        self.listing.passed_over.insert(name_of(name), why.to_owned());
    }

    fn file(&mut self, path: &Path, name: &Path, depth: usize) {
        match std::fs::symlink_metadata(path) {
            Ok(about) if about.is_symlink() => self.link(path, name, depth),
            // A submodule, or a checkout in the checkout.
            Ok(about) if about.is_dir() => self.tree(path, name, depth + 1),
            // Git tracks it, and it was deleted. The tree is the same as a copy of it, in which nobody knows of that.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.pass_over(name, "deleted"),
            _ => self.content(path, name, ""),
        }
    }

    fn content(&mut self, path: &Path, name: &Path, before: &str) {
        let (counts, why) = match content::of(path) {
            Content::Digest(digest) => (Some(digest), None),
            Content::Unread { why, counts } => (counts, Some(why)),
        };
        if let Some(counts) = counts {
            self.listing.files.insert(name_of(name), format!("{before}{counts}"));
        }
        if let Some(why) = why {
            self.pass_over(name, &why);
        }
    }

    /// A link is where it leads to, and what is there: within the tree that counts, or not, where it lies.
    fn link(&mut self, path: &Path, name: &Path, depth: usize) {
        let leads_to = leads_to(path);
        self.listing.files.insert(name_of(name), leads_to.clone());
        let Ok(real) = path.canonicalize() else { return };
        if real.starts_with(&self.root) || self.is_left_out(&real) {
            return;
        }
        if is_the_kernels(&real) {
            return self.pass_over(name, "leads to files of the kernel's");
        }
        if self.behind_links >= BEHIND_LINKS || self.root.starts_with(&real) {
            return self.pass_over(name, "leads to a folder that holds the tree itself, or too many files");
        }
        if !real.is_dir() {
            self.behind_links += 1;
            return self.content(&real, name, &format!("{leads_to}: "));
        }
        if depth > DEEPEST || !self.seen.insert(real.clone()) {
            return;
        }
        let entries = WalkDir::new(&real).min_depth(1).same_file_system(true).sort_by_file_name().into_iter();
        let code = entries.filter_entry(|entry| !is_kept_by_a_tool(Path::new(entry.file_name())));
        for entry in code.flatten().filter(|entry| !entry.file_type().is_dir()) {
            self.behind_links += 1;
            if self.behind_links >= BEHIND_LINKS {
                return self.pass_over(name, "leads to more files than are read behind links");
            }
            let inside = entry.path().strip_prefix(&real).unwrap_or(entry.path()).to_owned();
            self.file(entry.path(), &name.join(inside), depth + 1);
        }
    }
}

/// The text that stands for a file that is gone by the time that it is read again.
const NOT_THERE: &str = "not there";

fn leads_to(link: &Path) -> String {
    std::fs::read_link(link).map_or_else(|error| error.to_string(), |target| format!("link to {}", name_of(&target)))
}

/// Returns the text that stands for one file of a tree.
fn held(root: &Path, path: &Path) -> String {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => NOT_THERE.to_owned(),
        Ok(about) if about.is_symlink() => {
            let outside = path.canonicalize().ok().filter(|real| real.is_file() && !real.starts_with(root));
            let behind = outside.map(|real| format!(": {}", content::digest(&real))).unwrap_or_default();
            format!("{}{behind}", leads_to(path))
        }
        _ => content::digest(path),
    }
}

fn is_kept_by_a_tool(path: &Path) -> bool {
    path.components().any(|part| NO_CODE.iter().any(|name| part.as_os_str() == *name))
}

/// Is true when a path leads into a file system that the kernel makes up.
fn is_the_kernels(path: &Path) -> bool {
    ["/proc", "/sys", "/dev"].iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use rstest::rstest;

    use super::*;

    /// A k1s root; as a checkout, with a commit and with what is ignored in it.
    fn root(checkout: bool) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for (file, content) in [
            ("src/ae/cli.py", "one"),
            ("pyproject.toml", ""),
            ("requirements.txt", "a\n"),
            ("state/live.db", "1"),
            ("node_modules/a/index.js", "1"),
            (".gitignore", "/state/\n/artifacts/\n"),
        ] {
            write(at, file, content);
        }
        if checkout {
            git(at, &["init", "-q"]);
            git(at, &["add", "-A", ":!node_modules"]);
            git(at, &["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "first"]);
        }
        folder
    }

    fn write(root: &Path, file: &str, content: &str) {
        std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        std::fs::write(root.join(file), content).unwrap();
    }

    fn git(root: &Path, arguments: &[&str]) {
        assert!(Command::new("git").arg("-C").arg(root).args(arguments).status().unwrap().success(), "{arguments:?}");
    }

    fn fifo(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[rstest]
    #[case::checkout(true)]
    #[case::folder(false)]
    fn what_is_in_use_does_not_count(#[case] checkout: bool) {
        let folder = root(checkout);
        let at = folder.path();
        let run_dir = at.join("evidence/run-1");
        write(&run_dir, "run.json", "{}");
        let before = Listing::of(at, &[&run_dir]);
        assert!(before.files.contains_key("src/ae/cli.py") && before.tracked == checkout, "{before:?}");
        assert!(before.passed_over.keys().any(|name| name.starts_with("state")), "{before:?}");
        write(at, "state/live.db", "2");
        write(at, "artifacts/a", "2");
        write(at, "src/ae/__pycache__/cli.pyc", "2");
        write(&run_dir, "summary.txt", "2");
        write(at, "target/CACHEDIR.TAG", "");
        write(at, "target/debug/gates", "2");
        // An earlier run that nobody names.
        write(at, "evidence/run-0/run.json", "{}");
        write(at, "evidence/run-0/manifest.json", "{}");
        assert_eq!(Listing::of(at, &[&run_dir]).files, before.files);
        for (file, content) in [("src/ae/cli.py", "two"), ("src/ae/new.py", ""), ("docs/state/a", "")] {
            let before = Listing::of(at, &[]);
            write(at, file, content);
            let now = Listing::of(at, &[]);
            assert!(now.files != before.files && now.digest() != before.digest(), "{file}");
        }
        std::fs::remove_file(at.join("requirements.txt")).unwrap();
        let now = Listing::of(at, &[]);
        assert!(!now.files.contains_key("requirements.txt"));
        assert_eq!(now.passed_over.get("requirements.txt").map(String::as_str), checkout.then_some("deleted"));
    }

    #[rstest]
    #[case::checkout(true)]
    #[case::folder(false)]
    fn no_kind_of_file_hangs_it(#[case] checkout: bool) {
        let folder = root(checkout);
        let at = folder.path();
        let before = Listing::of(at, &[]);
        fifo(&at.join("src/ae/.dev.fifo"));
        let _listener = UnixListener::bind(at.join("src/ae/control.sock")).unwrap();
        for (target, link) in [
            ("/dev/zero", "zero"),
            ("/proc", "proc"),
            ("/proc/kmsg", "kmsg"),
            ("..", "src/up"),
            (".", "src/ae/here"),
            ("b", "a"),
            ("a", "b"),
            ("nowhere", "broken"),
            ("/", "all"),
        ] {
            symlink(target, at.join(link)).unwrap();
        }
        let raw = OsStr::from_bytes(b"src/ae/\xff\xfe.py");
        std::fs::write(at.join(raw), "raw").unwrap();
        let sparse = std::fs::File::create(at.join("src/sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        let now = Listing::of(at, &[]);
        let names: Vec<&str> =
            now.files.keys().filter(|name| !before.files.contains_key(*name)).map(String::as_str).collect();
        let expected = [
            "a",
            "all",
            "b",
            "broken",
            "kmsg",
            "proc",
            "src/ae/\\xff\\xfe.py",
            "src/ae/here",
            "src/sparse",
            "src/up",
            "zero",
        ];
        assert_eq!(names, expected);
        let whys = ["src/sparse", "zero", "proc", "kmsg", "all"].map(|name| now.passed_over.contains_key(name));
        assert_eq!(whys, [true; 5], "{:?}", now.passed_over);
        if !checkout {
            let kinds = ["src/ae/.dev.fifo", "src/ae/control.sock"].map(|name| now.passed_over[name].as_str());
            assert_eq!(kinds, ["a FIFO", "a socket"]);
        }
        assert_eq!(Listing::of(at, &[]), now);
    }

    #[test]
    fn a_fifo_in_place_of_a_tracked_file_is_passed_over() {
        let folder = root(true);
        let at = folder.path();
        std::fs::remove_file(at.join("src/ae/cli.py")).unwrap();
        fifo(&at.join("src/ae/cli.py"));
        let now = Listing::of(at, &[]);
        assert_eq!(now.passed_over.get("src/ae/cli.py").map(String::as_str), Some("a FIFO"));
        assert!(!now.files.contains_key("src/ae/cli.py"));
    }

    #[rstest]
    #[case::checkout(true)]
    #[case::folder(false)]
    fn what_a_link_leads_to_counts(#[case] checkout: bool) {
        let (folder, elsewhere) = (root(checkout), tempfile::tempdir().unwrap());
        let (at, behind) = (folder.path(), elsewhere.path());
        write(behind, "lib/deep/code.py", "one");
        write(behind, "file.py", "one");
        symlink(behind.join("lib"), at.join("src/ae/lib")).unwrap();
        symlink(behind.join("file.py"), at.join("src/ae/file.py")).unwrap();
        // A circle behind the link ends too.
        symlink(behind, behind.join("lib/back")).unwrap();
        let before = Listing::of(at, &[]);
        for (file, name) in [("lib/deep/code.py", "src/ae/lib/deep/code.py"), ("file.py", "src/ae/file.py")] {
            write(behind, file, "two");
            let now = Listing::of(at, &[]);
            assert_ne!(now.files.get(name), before.files.get(name), "{name}: {now:?}");
        }
        let now = Listing::of(at, &[]);
        assert_eq!(Listing::again(at, now.files.keys()), now.files);
    }

    #[test]
    fn a_folder_in_a_repository_that_ignores_it_is_read_all_the_same() {
        let outer = tempfile::tempdir().unwrap();
        git(outer.path(), &["init", "-q"]);
        write(outer.path(), ".gitignore", "*\n");
        let at = outer.path().join("cache/k1s");
        write(&at, "src/ae/cli.py", "one");
        let listing = Listing::of(&at, &[]);
        assert!(listing.files.contains_key("src/ae/cli.py") && !listing.tracked, "{listing:?}");
    }

    #[test]
    fn the_checkout_of_another_user_is_read_by_root() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = root(true);
        let at = folder.path();
        let expected = Listing::of(at, &[]);
        // What the checkout's own configuration names must not run as root.
        git(at, &["config", "core.fsmonitor", "touch ran"]);
        assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(at).status().unwrap().success());
        let listing = Listing::of(at, &[]);
        assert_eq!((&listing.files, listing.tracked), (&expected.files, true));
        assert!(!at.join("ran").exists());
    }

    #[test]
    fn submodules_and_worktrees_and_shallow_clones_are_checkouts() {
        let (folder, place) = (root(true), tempfile::tempdir().unwrap());
        let (at, clone) = (folder.path(), place.path().join("clone"));
        let url = format!("file://{}", at.display());
        git(place.path(), &["clone", "-q", "--depth", "1", &url, "clone"]);
        let tree = place.path().join("tree");
        git(at, &["worktree", "add", "-q", "--detach", &tree.display().to_string()]);
        let expected = Listing::of(at, &[]);
        for other in [&clone, &tree] {
            write(other, "node_modules/a/index.js", "1");
            let listing = Listing::of(other, &[]);
            assert_eq!((&listing.files, listing.tracked), (&expected.files, true));
        }
        git(at, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "vendor/part"]);
        write(at, "vendor/part/state/x", "ignored there too");
        let listing = Listing::of(at, &[]);
        assert!(listing.files.contains_key("vendor/part/src/ae/cli.py"), "{listing:?}");
        assert!(!listing.files.contains_key("vendor/part/state/x"), "{listing:?}");
    }
}
