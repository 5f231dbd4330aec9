//! The inputs of a run's verdicts besides its gates: two parts of one run must have the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::evidence::{Redactor, folder, layout};
use crate::lane::{Mode, Prepared, Settings, interventions};
use crate::plan::Gate;
use crate::signing::Signer;
use crate::stack::Stack;
use crate::tree::{FILES, PASSED_OVER, digest, hexadecimal};

/// Names with values or digests, by what they belong to, such as `k1s root`. Pairs and not members of an object: the
/// digest of a file `token.py` would be taken for a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inputs(BTreeMap<String, Vec<(String, String)>>);

/// An input that is not what it was; none where it is not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) before: Option<String>,
    pub(super) now: Option<String>,
}

/// In folders of code, what says nothing of what is run.
const NO_CODE: [&str; 6] = [".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"];
/// Down to `lib/python3.11/site-packages/<package>`: of a Python environment each package has one digest.
const PACKAGES: usize = 4;

impl Inputs {
    /// Reads all of them: seconds, for what is read is some hundred megabytes.
    pub(super) fn of(settings: &Settings, prepared: &Prepared) -> Self {
        let mut inputs = BTreeMap::from([
            ("harness".to_owned(), harness()),
            ("settings".into(), values(settings)),
            ("version".into(), prepared.versions.clone()),
            ("machine".into(), machine(&prepared.environment)),
            ("WorkerBee".into(), workerbee(&prepared.workerbee)),
            (FILES.into(), prepared.listing.files.clone()),
            (PASSED_OVER.into(), prepared.listing.passed_over.clone()),
        ]);
        let done = interventions(settings, prepared.stack.as_ref());
        inputs.insert("intervention".into(), done.into_iter().collect());
        match &prepared.stack {
            Some(stack) => drop(inputs.insert("images".into(), images(stack))),
            // A lane's WorkerBee sees nothing of the user's environment.
            None => drop(inputs.insert("environment".into(), environment())),
        }
        Self(inputs.into_iter().map(|(kind, values)| (kind, values.into_iter().collect())).collect())
    }

    pub(super) fn read(run_dir: &Path) -> std::io::Result<Self> {
        serde_json::from_slice(&folder::read(run_dir, Path::new(layout::INPUTS))?).map_err(Into::into)
    }

    /// The settings alone, which cost nothing to read.
    pub(super) fn of_settings(settings: &Settings) -> Self {
        Self(BTreeMap::from([("settings".to_owned(), values(settings).into_iter().collect())]))
    }

    /// Lists the inputs that have changed, of the kinds of which something is known now.
    pub(super) fn changes(&self, now: &Self) -> Vec<Change> {
        let named = |inputs: &Self| -> BTreeMap<String, String> {
            let named = |kind: &String, (name, value): &(String, String)| (format!("{kind}: {name}"), value.clone());
            let known = inputs.0.iter().filter(|(kind, _)| *kind != PASSED_OVER && now.0.contains_key(*kind));
            known.flat_map(|(kind, pairs)| pairs.iter().map(move |pair| named(kind, pair))).collect()
        };
        let (before, mut now) = (named(self), named(now));
        let mut changes: Vec<Change> = Vec::new();
        for (name, before) in before {
            let now = now.remove(&name);
            if now.as_ref() != Some(&before) {
                changes.push(Change { name, before: Some(before), now });
            }
        }
        changes.extend(now.into_iter().map(|(name, now)| Change { name, before: None, now: Some(now) }));
        changes
    }
}

fn harness() -> BTreeMap<String, String> {
    let executable = std::env::current_exe().map_or_else(|error| error.to_string(), |file| digest(&file));
    BTreeMap::from([("version".into(), env!("CARGO_PKG_VERSION").into()), ("test executable".into(), executable)])
}

/// The settings on which a verdict may depend. How many lanes there are is none of them.
fn values(settings: &Settings) -> BTreeMap<String, String> {
    let limits = settings.limits;
    let seconds = [
        ("query", limits.query),
        ("restart", limits.restart),
        ("startup", limits.startup),
        ("workload", limits.workload),
        ("stop", limits.stop),
    ];
    let mut told: BTreeMap<String, String> =
        seconds.into_iter().map(|(name, limit)| (format!("limit of {name}"), format!("{limit} s"))).collect();
    let mode = match &settings.mode {
        Mode::Embedded => "embedded".to_owned(),
        Mode::External(external) => {
            let (state_root, address) = (external.state_root.display(), external.address.display());
            format!("external, state root {state_root}, containerd at {address}")
        }
    };
    told.insert("mode".into(), mode);
    let ways: Vec<String> = settings.transports.each().iter().map(ToString::to_string).collect();
    told.insert("transport".into(), ways.join(" and "));
    if settings.chosen != Gate::ALL {
        told.insert("gates".into(), settings.chosen.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    let key = settings.signing_key_file.as_deref().and_then(|file| Signer::read(file).ok());
    told.insert("signed by".into(), key.map_or_else(|| "none".to_owned(), |key| key.public().id()));
    told
}

/// The machine itself. Where the parts are on it says nothing of what they are.
fn machine(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let of_the_machine = |name: &&String| ["kernel", "machine", "system"].contains(&name.as_str());
    let names: Vec<&String> = environment.keys().filter(of_the_machine).collect();
    names.into_iter().map(|name| (name.clone(), environment[name].clone())).collect()
}

/// The program, and all of the Python environment that it lies in, with what is installed there only by reference.
fn workerbee(program: &Path) -> BTreeMap<String, String> {
    let program = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let environment = program.ancestors().nth(2).filter(|folder| folder.join("pyvenv.cfg").is_file());
    let Some(environment) = environment else { return BTreeMap::from([("program".into(), digest(&program))]) };
    let mut found = tree(environment, PACKAGES);
    for checkout in checkouts(environment) {
        let files = tree(&checkout, usize::MAX).into_iter();
        found.extend(files.map(|(file, digest)| (format!("{}/{file}", checkout.display()), digest)));
    }
    found
}

/// The folders of packages that are installed as editable: pip writes down where they are.
fn checkouts(environment: &Path) -> Vec<PathBuf> {
    let files = WalkDir::new(environment.join("lib")).max_depth(4).into_iter().flatten();
    let files = files.filter(|entry| entry.file_name() == "direct_url.json");
    let checkout = |entry: walkdir::DirEntry| -> Option<PathBuf> {
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok()?;
        let path = told["url"].as_str()?.strip_prefix("file://")?;
        told["dir_info"]["editable"].as_bool()?.then(|| PathBuf::from(path))
    };
    files.filter_map(checkout).collect()
}

/// The images of the stack by the digests of their configurations, and its archives and programs as they were sealed.
fn images(stack: &Stack) -> BTreeMap<String, String> {
    let named = stack.image_list.iter().map(|image| (image.name.clone(), image.id.clone()));
    let sealed = stack.seals.iter().filter_map(|(path, digest)| {
        let inside = path.strip_prefix(&stack.images).ok()?;
        Some((inside.display().to_string(), digest.clone()))
    });
    named.chain(sealed).collect()
}

/// Returns the variables that the user's own `WorkerBee` reads, without secrets.
fn environment() -> BTreeMap<String, String> {
    let own = |name: &str| name.starts_with("WORKERBEE_") && !name.starts_with("WORKERBEE_CONTAINERD_");
    let variables = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    let bare = |name: &str, value: &str| {
        let line = Redactor::default().redact(format!("{name}={value}").as_bytes());
        String::from_utf8_lossy(&line).into_owned()
    };
    // Where it is says nothing of what it is.
    let named = variables.filter(|(name, _)| {
        own(name) && !["WORKERBEE_BIN", "WORKERBEE_ROOT", "WORKERBEE_K1S_ROOT"].contains(&name.as_str())
    });
    named.map(|(name, value)| (name.clone(), bare(&name, &value))).collect()
}

/// The files of a folder by their digests; what lies deeper than `depth` has one together.
fn tree(root: &Path, depth: usize) -> BTreeMap<String, String> {
    let entries = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter();
    let code = entries.filter_entry(|entry| !NO_CODE.iter().any(|name| entry.file_name() == *name)).flatten();
    let mut together: BTreeMap<String, Sha256> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for entry in code.filter(|entry| !entry.file_type().is_dir()) {
        let inside = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let name = |parts: usize| inside.components().take(parts).collect::<PathBuf>().display().to_string();
        if entry.depth() <= depth {
            found.insert(name(usize::MAX), digest(entry.path()));
        } else {
            let all = together.entry(name(depth)).or_default();
            all.update(name(usize::MAX));
            all.update(digest(entry.path()));
        }
    }
    found.extend(together.into_iter().map(|(name, all)| (name, hexadecimal(all))));
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, content: &str) {
        std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        std::fs::write(root.join(file), content).unwrap();
    }

    #[test]
    fn content_counts_and_byte_code_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "src/ae/cli.py", "one");
        write(root, "requirements.txt", "a\n");
        let now =
            |root: &Path| Inputs(BTreeMap::from([("k1s root".into(), tree(root, usize::MAX).into_iter().collect())]));
        let before = now(root);
        write(root, "src/ae/__pycache__/cli.pyc", "byte code");
        write(root, ".git/HEAD", "another commit");
        assert_eq!(before.changes(&now(root)), []);
        write(root, "src/ae/cli.py", "two");
        write(root, "src/ae/more.py", "");
        std::fs::remove_file(root.join("requirements.txt")).unwrap();
        let changes = before.changes(&now(root));
        let names: Vec<_> =
            changes.iter().map(|one| (one.name.as_str(), one.before.is_some(), one.now.is_some())).collect();
        let expected = [
            ("k1s root: requirements.txt", true, false),
            ("k1s root: src/ae/cli.py", true, true),
            ("k1s root: src/ae/more.py", false, true),
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn no_input_is_taken_for_a_secret() {
        let digest = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9".to_owned();
        let names = ["src/ae/token", "src/ae/password.py", "keys/api_key", "signed by"];
        let pairs = names.map(|name| (name.to_owned(), digest.clone())).to_vec();
        let json = serde_json::to_vec_pretty(&Inputs(BTreeMap::from([("k1s root".into(), pairs)]))).unwrap();
        assert_eq!(Redactor::default().scan(&json), []);
    }

    #[test]
    fn a_workerbee_is_its_environment_and_what_that_refers_to() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(folder.path(), "venv/pyvenv.cfg", "");
        write(folder.path(), "venv/bin/workerbee", "#!");
        let package = "venv/lib/python3.11/site-packages/workerbee";
        write(folder.path(), &format!("{package}/profiles/a.py"), "one");
        write(folder.path(), "checkout/src/b.py", "one");
        let url = format!("{{\"url\": \"file://{}\", \"dir_info\": {{\"editable\": true}}}}", at("checkout").display());
        write(folder.path(), &format!("{package}-0.1.7.dist-info/direct_url.json"), &url);
        std::os::unix::fs::symlink(at("venv/bin/workerbee"), at("workerbee")).unwrap();
        let look = || workerbee(&at("workerbee"));
        let before = look();
        assert!(before.contains_key("lib/python3.11/site-packages/workerbee"), "{before:?}");
        write(folder.path(), &format!("{package}/profiles/a.py"), "two");
        assert_ne!(look(), before);
        write(folder.path(), &format!("{package}/profiles/a.py"), "one");
        assert_eq!(look(), before);
        write(folder.path(), "checkout/src/b.py", "two");
        assert_ne!(look(), before);
    }
}
