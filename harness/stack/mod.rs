//! The embedded stack: everything that a gate needs and that the user did not bring.
//!
//! Each part is built once, in a cache folder of its own that is keyed by its recipe and inputs. What the user has
//! already (tools on PATH, `WORKERBEE_BIN`, `K1S_ROOT`, `WORKERBEE_NERDCTL_BIN`) is used as it is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

mod cache;
mod contents;
mod digest;
mod environment;
mod error;
mod image;
mod lock;
mod machine;
mod parts;
mod pip;
mod plan;
mod privilege;
mod registry;
mod requirement;
mod schedule;
mod seals;
mod step;
mod tool;
mod version;

pub use error::StackError;
pub use image::{Image, Role};
pub use registry::Registry;
pub use requirement::Unmet;

use crate::tree::Trees;
use plan::Plan;

/// The options with which a caller asks for the stack.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that everything is kept in.
    pub cache: PathBuf,
    /// A k1s checkout to use instead of the released one.
    pub k1s_root: Option<PathBuf>,
    /// A `WorkerBee` to use instead of the pinned one.
    pub workerbee_bin: Option<PathBuf>,
    /// True when cargo-nextest is wanted, too.
    pub nextest: bool,
    /// True when AMPEL is wanted, too: the policy engine before which the statement of a run is shown.
    pub ampel: bool,
    /// True when nerdctl is wanted as it is published (`K1S_GATES_PLAIN=1`).
    pub plain: bool,
    /// The registry to fetch the images from; none when the stack builds its own.
    pub registry: Option<Registry>,
}

impl Options {
    /// Reads `K1S_GATES_CACHE`, `K1S_GATES_IMAGES` and `K1S_GATES_PLAIN`, and takes the k1s root and the `WorkerBee` that are
    /// in reach; an empty variable counts as unset.
    pub fn from_env() -> Self {
        let cache = || dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("k1s-profile-gates");
        let trees = Trees::from_env();
        Self {
            cache: variable("K1S_GATES_CACHE").unwrap_or_else(cache),
            k1s_root: trees.k1s.path,
            workerbee_bin: trees.workerbee.path,
            nextest: false,
            ampel: false,
            plain: std::env::var_os("K1S_GATES_PLAIN").is_some_and(|value| value == "1"),
            registry: Registry::from_env(),
        }
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The paths of the stack's parts.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Stack {
    /// The `WorkerBee` command.
    pub workerbee: PathBuf,
    /// The k1s root: `src/ae`, `pyproject.toml`, `requirements.txt`.
    pub k1s_root: PathBuf,
    /// The nerdctl command, for `WORKERBEE_NERDCTL_BIN`.
    pub nerdctl: PathBuf,
    /// Folder with the image archives (`<role>.tar`) and podman's storage (`storage`).
    pub images: PathBuf,
    /// The images, with what is in each.
    pub image_list: Vec<Image>,
    /// Folders to put before PATH.
    pub path: Vec<PathBuf>,
    /// Versions of `WorkerBee`, containerd, runc, nerdctl, sops and k1s, and of what is in the images.
    pub versions: BTreeMap<String, String>,
    /// Digests of what it has built, as it was then.
    pub seals: BTreeMap<PathBuf, String>,
}

impl Stack {
    /// The image for a role.
    pub fn image(&self, role: Role) -> Option<&Image> {
        self.image_list.iter().find(|image| image.role == role)
    }

    /// Is true when a tool is one that the stack has built, and not the user's.
    pub fn has_built(&self, tool: &str) -> bool {
        self.seals.keys().any(|path| path.ends_with(Path::new("bin").join(tool)))
    }

    /// Is true when images of it come from a registry, and bear the names that `WorkerBee` uses by itself.
    pub fn has_fetched_images(&self) -> bool {
        self.image_list.iter().any(|image| image.instead_of.is_none())
    }

    /// The folders to put before PATH, separated by colons.
    pub fn path_prefix(&self) -> OsString {
        let mut prefix = OsString::new();
        for folder in &self.path {
            if !prefix.is_empty() {
                prefix.push(":");
            }
            prefix.push(folder);
        }
        prefix
    }
}

/// An event while the stack is prepared.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// Another process is preparing the stack in the same cache.
    Waiting {
        /// The lock that it holds.
        lock: PathBuf,
    },
    /// A step starts.
    Started {
        /// Its name.
        step: String,
        /// The description of what it brings.
        what: String,
    },
    /// A step has ended well.
    Done {
        /// Its name.
        step: String,
        /// How long it took.
        seconds: f64,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { lock } => {
                write!(f, "waiting for another run that is preparing the stack (it holds {})", lock.display())
            }
            Self::Started { step, what } => write!(f, "{step}: {what} ..."),
            Self::Done { step, seconds } => write!(f, "{step}: done in {seconds:.1} s"),
        }
    }
}

/// A step that is still to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Todo {
    /// Its name.
    pub step: String,
    /// The description of what it would bring.
    pub what: String,
    /// True when it is there, but an earlier version has built it and kept no digest to compare it with.
    pub anew: bool,
}

impl fmt::Display for Todo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.step)?;
        if self.anew { f.write_str(" (the one in the cache has no digest)") } else { Ok(()) }
    }
}

/// Builds and installs what is missing. When nothing is, this only looks at markers.
pub fn ensure(options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Stack, StackError> {
    if let Some(stack) = find(options) {
        return Ok(stack);
    }
    Plan::new(options)?.carry_out(progress)
}

/// Checks that a `WorkerBee` of the user's own can be run.
pub fn check_workerbee(program: &Path) -> Result<(), StackError> {
    refuse(requirement::program("WORKERBEE_BIN", program).into_iter().collect())
}

/// The versions of the user's own parts, as they tell them; each is given that long.
pub fn users_versions(workerbee: &Path, k1s_root: &Path, limit: std::time::Duration) -> BTreeMap<String, String> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain(tool::SYSTEM_FOLDERS.map(PathBuf::from))
        .collect();
    let mut tools: Vec<_> = ["containerd", "runc", "sops"].map(|name| (name, tool::find(name, &folders))).to_vec();
    tools.push(("nerdctl", variable("WORKERBEE_NERDCTL_BIN").or_else(|| tool::find("nerdctl", &folders))));
    tools.push(("WorkerBee", Some(workerbee.to_owned())));
    let told = tools
        .into_iter()
        .filter_map(|(name, tool)| Some((name.to_owned(), tool::ask_within(&tool?, &["--version"], limit)?)));
    told.chain(plan::project_version(k1s_root).map(|version| ("k1s".to_owned(), version))).collect()
}

/// Lists what is asked of this machine before anything can be built, and is not there: all of it, each with its remedy.
pub fn unmet(options: &Options) -> Vec<Unmet> {
    let examined = Plan::new(options).and_then(|mut plan| {
        plan.learn();
        plan.examine()
    });
    match examined {
        Err(StackError::Unmet(unmet)) => unmet,
        _ => Vec::new(),
    }
}

/// Refuses the parts that are there and that others than the user and root may change. Executes nothing.
pub fn check_owners(options: &Options) -> Result<(), StackError> {
    Plan::new(options)?.check_owners()
}

/// The tools that Debian packages would bring, each with its package.
pub fn missing_tools(options: &Options) -> Vec<(String, &'static str)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    requirement::missing_tools(&tool::folders(&path, &options.cache))
}

fn refuse(unmet: Vec<Unmet>) -> Result<(), StackError> {
    if unmet.is_empty() { Ok(()) } else { Err(StackError::Unmet(unmet)) }
}

/// The stack when it is complete already; no work, no processes.
pub fn find(options: &Options) -> Option<Stack> {
    Plan::new(options).ok()?.stack()
}

/// Lists what [`ensure`] would do, in its order; nothing is changed. Refuses a cache that others can change. Tools that no run has examined yet are asked for
/// their version.
pub fn missing(options: &Options) -> Result<Vec<Todo>, StackError> {
    cache::Cache::new(&options.cache).examine()?;
    let mut plan = Plan::new(options)?;
    plan.learn();
    Ok(plan.missing())
}

/// Removes all that the stack has made in its cache, and nothing else. Returns what stays in the folder.
pub fn clean(options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Vec<PathBuf>, StackError> {
    cache::Cache::new(&options.cache).clean(privilege::Privilege::detect(), &mut |lock| {
        progress(Progress::Waiting { lock: lock.to_path_buf() });
    })
}

/// The version in what a program prints when it is asked for it.
pub(crate) fn version_in(text: &str) -> Option<String> {
    version::in_text(text)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
