//! The parts that every gate of a run needs: the embedded stack, or the user's own parts, checked before any gate
//! starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::machine;
use super::settings::{External, Mode, Settings};
use crate::evidence::Store;
use crate::evidence::layout::STACK_LOG;
use crate::failure::{Failure, Kind};
use crate::stack::{self, Stack, StackError};
use crate::tree::{self, Identity, Listing};

/// The parts that every gate of the run needs.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) stack: Option<Stack>,
    pub(crate) workerbee: PathBuf,
    pub(crate) k1s_root: PathBuf,
    /// The identity of the k1s root, read once for all that is said of it.
    pub(crate) k1s: Identity,
    pub(crate) listing: Arc<Listing>,
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Prepared {
    /// Finds the parts, or builds what is missing of the stack; what that prints is kept in `log`.
    pub(crate) async fn by(settings: &Settings, log: Option<&Store>) -> Result<Self, Failure> {
        let (settings, log) = (settings.clone(), log.cloned());
        let prepared = tokio::task::spawn_blocking(move || match &settings.mode {
            _ if !unfit(&settings).is_empty() => Err(no_k1s_root(&settings)),
            Mode::Embedded => embedded(&settings, log.as_ref()),
            Mode::External(external) => of_host(&settings, external),
        });
        prepared.await.unwrap_or_else(|error| {
            Err(Failure::new(format!("preparing the stack ended early: {error}"))
                .expected("a stack, or why there is none")
                .seen(error.to_string())
                .to_be_reported())
        })
    }
}

/// Lists what the chosen k1s root lacks.
fn unfit(settings: &Settings) -> Vec<&'static str> {
    settings.trees.k1s.path.as_deref().map(tree::lacks).unwrap_or_default()
}

/// No other tree is taken in its place: the verdict would be one over that.
fn no_k1s_root(settings: &Settings) -> Failure {
    let choice = &settings.trees.k1s;
    let path = choice.path.as_deref().unwrap_or(Path::new("")).display();
    let seen = if choice.path.as_deref().is_some_and(Path::is_dir) { "a folder" } else { "no folder" };
    Failure::new(format!("{path} is no k1s root: it has no {} ({})", unfit(settings).join(", no "), choice.origin))
        .expected("a folder with src/ae, pyproject.toml and requirements.txt")
        .seen(format!("{seen} without {}", unfit(settings).join(", ")))
        .remedy("export K1S_ROOT=<the k1s checkout that is to be validated>")
}

/// The k1s root, as verdicts name it. The run's own folder may lie in it.
fn read(settings: &Settings, root: &Path) -> Result<(Identity, Arc<Listing>), Failure> {
    let listing = Listing::of(root, &[&settings.run_dir]);
    let k1s = Identity::of(root, &settings.trees.k1s, &listing);
    let digest = format!("sha256:{}", k1s.digest);
    match settings.k1s_digest.as_ref().filter(|wanted| **wanted != digest) {
        None => Ok((k1s, Arc::new(listing))),
        Some(wanted) => Err(Failure::new("the k1s under test is another one than was asked for")
            .of(Kind::Host)
            .expected(format!("{wanted}, as K1S_GATES_K1S_DIGEST says"))
            .seen(format!("{digest} of {k1s}"))
            .remedy("set K1S_ROOT to a checkout of that k1s, with the same changes; or unset K1S_GATES_K1S_DIGEST")),
    }
}

/// The k1s that a run with these settings would validate, in one line; an error when there is none that it could.
pub fn k1s_under_test(settings: &Settings) -> Result<String, Failure> {
    if !unfit(settings).is_empty() {
        return Err(no_k1s_root(settings));
    }
    let choice = &settings.trees.k1s;
    let released = || stack::find(&stack::Options::from_env()).map(|stack| stack.k1s_root);
    let root = choice.path.clone().or_else(released);
    // Without a stack yet there is no released one to be read.
    root.map_or_else(|| Ok(choice.to_string()), |root| Ok(read(settings, &root)?.0.to_string()))
}

fn embedded(settings: &Settings, log: Option<&Store>) -> Result<Prepared, Failure> {
    let options = stack::Options {
        k1s_root: settings.trees.k1s.path.clone(),
        workerbee_bin: settings.trees.workerbee.path.clone(),
        nextest: false,
        plain: settings.plain,
        ..stack::Options::from_env()
    };
    let mut lines = String::new();
    let stack = match stack::find(&options) {
        Some(stack) => stack,
        None => stack::ensure(&options, &mut |progress| {
            let _ = writeln!(lines, "{progress}");
            // The log is a help to who waits, not evidence.
            let _ = log.map(|store| store.write(Path::new(STACK_LOG), lines.as_bytes()));
        })
        .map_err(|error| {
            let what = error.to_string();
            let first = what.lines().next().unwrap_or_default();
            let failure = match &error {
                StackError::Requirements { fault, log, .. } => Failure::new(first)
                    .of(if *fault == "host" { Kind::Host } else { Kind::Finding })
                    .expected("packages that the package index has for the images' Python")
                    .seen(&what)
                    .evidence(log)
                    .remedy("correct requirements.txt of the k1s root, or see that pip reaches its package index"),
                _ => Failure::new(format!("the stack is not complete: {first}"))
                    .expected("WorkerBee, containerd and all that the gates need")
                    .seen(&what)
                    .remedy("run `make stack`, which shows what is missing and installs it"),
            };
            match log {
                Some(store) => failure.evidence(store.root().join(STACK_LOG)),
                None => failure,
            }
        })?,
    };
    // Before a lane executes any of it, as root.
    stack.check_seals().map_err(|error| {
        let what = error.to_string();
        if let StackError::OfOthers { seen, remedy } = &error {
            return Failure::new(format!("somebody else can change the stack, which lanes execute as root: {seen}"))
                .of(Kind::Host)
                .expected("a cache that nobody but you and root can change")
                .seen(seen)
                .remedy(remedy);
        }
        Failure::new(format!("the stack is not what was built: {}", what.lines().next().unwrap_or_default()))
            .expected("the programs and images that the stack has built, by their digests")
            .seen(what)
            .remedy("see who has changed them; then build them anew: make clean-cache stack")
    })?;
    let (k1s, listing) = read(settings, &stack.k1s_root)?;
    Ok(Prepared {
        workerbee: stack.workerbee.clone(),
        k1s_root: stack.k1s_root.clone(),
        k1s,
        listing,
        versions: stack.versions.clone(),
        environment: machine::of(&stack.workerbee),
        stack: Some(stack),
    })
}

fn of_host(settings: &Settings, external: &External) -> Result<Prepared, Failure> {
    let named = |path: &Option<PathBuf>, name: &str| {
        path.clone().ok_or_else(|| {
            Failure::new(format!("{name} is not set, and no checkout is in reach"))
                .expected(format!("{name} beside WORKERBEE_CONTAINERD_STATE_ROOT, which selects your own WorkerBee"))
                .seen("no value")
                .remedy(format!("export {name}=…, or unset WORKERBEE_CONTAINERD_STATE_ROOT to use the embedded stack"))
        })
    };
    let workerbee = named(&settings.trees.workerbee.path, "WORKERBEE_BIN")?;
    let k1s_root = named(&settings.trees.k1s.path, "K1S_ROOT")?;
    stack::check_workerbee(&workerbee).map_err(|error| {
        let what = match &error {
            StackError::Unmet(unmet) => unmet.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            other => other.to_string(),
        };
        Failure::new(what)
            .expected("your own WorkerBee and k1s, beside WORKERBEE_CONTAINERD_STATE_ROOT")
            .seen(format!("WORKERBEE_BIN={}, K1S_ROOT={}", workerbee.display(), k1s_root.display()))
            .remedy("correct the variable, or unset WORKERBEE_CONTAINERD_STATE_ROOT to use the embedded stack")
    })?;
    if !external.state_root.is_dir() {
        return Err(Failure::new(format!(
            "WORKERBEE_CONTAINERD_STATE_ROOT {} is no folder",
            external.state_root.display()
        ))
        .expected("WorkerBee's state root")
        .seen("nothing, or a file, of that name")
        .remedy("make the folder, or name the one that your WorkerBee uses"));
    }
    let versions = stack::users_versions(&workerbee, &k1s_root, Duration::from_secs(settings.limits.query));
    let environment = machine::of(&workerbee);
    let (k1s, listing) = read(settings, &k1s_root)?;
    Ok(Prepared { stack: None, workerbee, k1s_root, k1s, listing, versions, environment })
}
