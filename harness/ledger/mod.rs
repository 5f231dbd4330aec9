//! The ledger: what a gate is about to create is written down before, and struck out when it is gone.
//!
//! A lane leaves nothing that outlives it but empty cgroup folders. On the user's own host a project may be left; a
//! detached reaper, the next run or `k1s-gates sweep --execute` remove it. Only what an entry names is ever removed,
//! after a look whether it still is what was written down.

mod calls;
mod cgroups;
mod kept;
mod owner;
mod project;

pub(crate) use cgroups::mounts as cgroup_mounts;
pub use kept::{Kept, enter, is_kept, release};
pub(crate) use kept::{give_sign_of_lane, keep};
pub use owner::Owner;
pub(crate) use project::{lock, remove_folder};

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::trust;
use project::Project;

/// The ledger of this process.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    /// Held for as long as this process lives.
    _sign: Option<fs::File>,
}

/// An entry of the ledger: what one gate may leave.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    owner: Owner,
    written: SystemTime,
    /// The project's name.
    project: String,
    /// Names of cgroup folders: those of the containerd namespaces, and of a lane its own.
    cgroups: Vec<String>,
    /// The project on the user's own host, when it is not made in a lane.
    on_host: Option<Project>,
    /// Set when the user asked to keep it.
    kept: Option<Kept>,
}

impl Entry {
    fn is_kept(&self, path: &Path) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.holds(path))
    }
}

/// The leftovers of a run that is no more.
#[derive(Debug, Serialize)]
pub struct Remains {
    /// The project's name.
    pub project: String,
    /// The process that made it; none when the entry cannot be read.
    pub owner: Option<Owner>,
    /// Seconds since it was written down.
    pub age: u64,
    /// The things that are there, in words.
    pub left: Vec<String>,
    /// Set when its user asked to keep it: then it is no remains, and no sweep removes it.
    pub kept: Option<Kept>,
    #[serde(skip)]
    entry: PathBuf,
}

/// The things that a gate is about to create.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// The projects; the first gives the entry its name.
    pub(crate) projects: &'a [String],
    /// `WorkerBee`'s state root, of which the names of namespaces are made.
    pub(crate) state_root: &'a Path,
    /// The access to the project when it is not made in a lane.
    pub(crate) on_host: Option<OnHost<'a>>,
}

/// A project of the user's own `WorkerBee`.
#[derive(Debug)]
pub(crate) struct OnHost<'a> {
    /// The command line to call it by.
    pub(crate) cli: &'a crate::workerbee::cli::Cli,
    /// containerd's socket.
    pub(crate) address: &'a Path,
}

impl Ledger {
    pub(crate) fn open() -> std::io::Result<Self> {
        let folder = folder();
        // What it names is removed, and by what it names: it must be nobody else's.
        drop(trust::make(&folder)?);
        let sign = Owner::this_process().give_sign(&folder);
        Ok(Self { folder, _sign: sign })
    }

    /// Returns the file of the entry of a project of this process.
    pub(crate) fn entry(&self, project: &str) -> PathBuf {
        self.folder.join(format!("{}-{project}.json", Owner::this_process().pid))
    }

    /// Writes an entry, durably: a machine that loses power remembers it too.
    pub(crate) fn write(&self, plan: &Plan<'_>) -> std::io::Result<PathBuf> {
        let name = plan.projects.first().ok_or_else(|| std::io::Error::other("no project to write down"))?;
        let namespace = |project: &String| crate::workerbee::naming::namespace(plan.state_root, project);
        let mut cgroups: Vec<String> = plan.projects.iter().map(namespace).collect();
        if plan.on_host.is_none() {
            cgroups.push(crate::workerbee::naming::system_namespace(plan.state_root));
            cgroups.push(cgroups::of_lane(name));
        }
        let on_host = plan.on_host.as_ref();
        let on_host = on_host.map(|host| Project::new(host.cli, host.address)).transpose()?;
        let entry = Entry {
            owner: Owner::this_process(),
            written: SystemTime::now(),
            project: name.clone(),
            cgroups,
            on_host,
            kept: None,
        };
        let path = self.entry(name);
        write(&path, &entry)?;
        Ok(path)
    }

    /// Settles all that this process wrote down, when it ends before its gates did.
    pub(crate) async fn close(&self) {
        let mut own: Vec<PathBuf> = entries(&self.folder)
            .into_iter()
            .filter(|(_, entry)| entry.as_ref().is_some_and(|entry| entry.owner == Owner::this_process()))
            .map(|(path, _)| path)
            .collect();
        // A killed lane's processes take a moment to leave their cgroups. A project's removal has limits of its own.
        for _ in 0..40 {
            let mut busy = Vec::new();
            for path in own {
                let on_host = read(&path).is_some_and(|entry| entry.on_host.is_some());
                if settle(&path).await.is_err() && !on_host {
                    busy.push(path);
                }
            }
            if busy.is_empty() {
                return;
            }
            own = busy;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Ledger {
    /// An entry that stays needs the sign of its owner; without one there is nothing to tell.
    fn drop(&mut self) {
        let own = |entry: &Entry| entry.owner == Owner::this_process();
        if !entries(&self.folder).iter().any(|(_, entry)| entry.as_ref().is_some_and(own)) {
            Owner::this_process().take_sign_back(&self.folder);
        }
    }
}

/// Marks the project that an entry names on the user's own host as this harness's, before anything else of it is made.
pub(crate) fn claim(path: &Path) -> Result<(), Failure> {
    let entry = read(path).ok_or_else(|| unreadable(path))?;
    entry.on_host.as_ref().map_or(Ok(()), Project::claim)
}

/// The variable that calls of `WorkerBee` bear for the project that an entry names on the user's own host: by it they are
/// found when they outlive their gate.
pub(crate) fn mark_of_calls(path: &Path) -> Option<(String, String)> {
    Some((calls::VARIABLE.to_owned(), read(path)?.on_host?.mark().to_owned()))
}

/// The cgroups of a lane that an entry names: its own, and those of its containers.
pub(crate) fn cgroups_of_lane(path: &Path) -> Option<(String, Vec<String>)> {
    let entry = read(path)?;
    let own = cgroups::of_lane(&entry.project);
    let (_, others) = entry.cgroups.into_iter().partition::<Vec<_>, _>(|name| *name == own);
    Some((own, others))
}

/// Removes what an entry names, and the entry when nothing of it is left.
pub(crate) async fn settle(path: &Path) -> Result<(), Failure> {
    let Some(entry) = read(path) else {
        return if path.exists() { Err(unreadable(path)) } else { Ok(()) };
    };
    if entry.is_kept(path) {
        return Ok(());
    }
    if let Some(project) = &entry.on_host {
        project.remove(path).await?;
    }
    let cgroups = not_in_use(path, entry.cgroups);
    cgroups::remove(&cgroups::existing(&cgroups));
    let left = cgroups::existing(&cgroups);
    if left.is_empty() {
        let _ = fs::remove_dir_all(project::purges_of(path));
        let _ = fs::remove_file(kept::sign_of_lane(path));
        let _ = fs::remove_file(path);
        return Ok(());
    }
    Err(Failure::new(format!("something of the project {} is still in use", entry.project))
        .expected("empty cgroup folders, which can be removed")
        .seen(words(&left).join(", "))
        .remedy("end the processes in them (cgroup.procs), then `k1s-gates sweep --execute`"))
}

/// Two runs may have been given the same names for projects in lanes of their own, and then have the same cgroup folders:
/// the last of them removes those.
fn not_in_use(path: &Path, mut cgroups: Vec<String>) -> Vec<String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    for (at, other) in entries(folder).into_iter().filter(|(other, _)| other != path) {
        if let Some(other) = other.filter(|other| other.owner.is_alive_in(folder) || other.is_kept(&at)) {
            cgroups.retain(|name| !other.cgroups.contains(name));
        }
    }
    cgroups
}

/// Lists the leftovers of runs that are no more, and the projects that their users asked to keep.
pub async fn remains() -> Vec<Remains> {
    let mut remains = Vec::new();
    for (path, entry) in entries(&folder()) {
        let Some(entry) = entry else {
            let left = vec![format!("unknown: {} cannot be read", path.display())];
            remains.push(Remains { project: "?".into(), owner: None, age: 0, left, kept: None, entry: path });
            continue;
        };
        let kept = entry.kept.filter(|kept| kept.holds(&path));
        if kept.is_none() && entry.owner.is_alive_in(&folder()) {
            continue;
        }
        let mut left = words(&cgroups::existing(&entry.cgroups));
        if let Some(project) = &entry.on_host {
            // One that cannot be asked about may be there.
            left.extend(project.left().await.unwrap_or_else(|failure| vec![failure.what]));
        }
        let age = entry.written.elapsed().unwrap_or_default().as_secs();
        remains.push(Remains { project: entry.project, owner: Some(entry.owner), age, left, kept, entry: path });
    }
    remains
}

/// Settles what runs that are no more have left. Returns what could not be removed, and why.
pub(crate) async fn sweep() -> Vec<(Remains, Failure)> {
    let mut kept = Vec::new();
    owner::forget_signs(&folder());
    for one in remains().await.into_iter().filter(|one| one.kept.is_none()) {
        if let Err(failure) = settle(&one.entry).await {
            kept.push((one, failure));
        }
    }
    kept
}

fn words(folders: &[PathBuf]) -> Vec<String> {
    folders.iter().map(|folder| format!("the cgroup {}", folder.display())).collect()
}

/// An entry that cannot be read is none that may be forgotten.
fn unreadable(path: &Path) -> Failure {
    Failure::new("an entry of the ledger cannot be read")
        .expected("what a run was about to create, as JSON")
        .seen(path.display().to_string())
        .remedy("read which leftovers it names, remove those and then the file")
}

fn entries(folder: &Path) -> Vec<(PathBuf, Option<Entry>)> {
    if trust::examine(folder).is_err() {
        // Whatever somebody else has written there is no word of the harness's.
        return Vec::new();
    }
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    named.map(|path| (path.clone(), read(&path))).collect()
}

/// Writes an entry, durably.
fn write(path: &Path, entry: &Entry) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(folder)?;
    serde_json::to_writer_pretty(&mut file, entry)?;
    file.as_file().sync_all()?;
    // A lane is root's; its entry belongs to whom the ledger belongs to.
    belongs_to(file.as_file(), folder)?;
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

/// Gives a file of the ledger to whom the ledger belongs to.
fn belongs_to(file: &fs::File, ledger: &Path) -> std::io::Result<()> {
    let (owner, own) = (fs::metadata(ledger)?, file.metadata()?);
    if (owner.uid(), owner.gid()) == (own.uid(), own.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}

fn read(path: &Path) -> Option<Entry> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Returns the folder of the ledger.
pub(crate) fn folder() -> PathBuf {
    let base = dirs::state_dir().or_else(dirs::cache_dir).unwrap_or_else(std::env::temp_dir);
    base.join("k1s-profile-gates/ledger")
}
