//! The ledger: what a gate is about to create is written down before, and struck out when it is gone.
//!
//! A lane leaves nothing that outlives it but empty cgroup folders: the kernel removes no folder. Only folders that a
//! ledger names exactly are removed, and only empty ones can be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::settings::Mode;
use super::spec::{Spec, Work};
use crate::workerbee::naming;

/// The ledger of one supervisor.
#[derive(Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
}

/// What one gate may leave.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The supervisor that wrote it, and when that process started: a number alone is reused.
    owner: i32,
    owner_start: u64,
    project: String,
    /// Names of cgroup folders, which are those of the containerd namespaces.
    cgroups: Vec<String>,
}

impl Ledger {
    pub(super) fn open() -> std::io::Result<Self> {
        let folder = folder();
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    pub(super) fn write(&self, spec: &Spec) -> std::io::Result<PathBuf> {
        let state_root = match &spec.settings.mode {
            Mode::Embedded => spec.lane_root().join("state"),
            Mode::External(external) => external.state_root.clone(),
        };
        let projects = match &spec.work {
            Work::Gate(_) => std::slice::from_ref(&spec.project),
            Work::Command { projects, .. } => projects,
        };
        let mut cgroups: Vec<String> = projects.iter().map(|project| naming::namespace(&state_root, project)).collect();
        if matches!(spec.settings.mode, Mode::Embedded) {
            cgroups.push(naming::system_namespace(&state_root));
        }
        let owner = rustix::process::getpid().as_raw_nonzero().get();
        let entry =
            Entry { owner, owner_start: start_time(owner).unwrap_or_default(), project: spec.project.clone(), cgroups };
        let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(&self.folder)?;
        serde_json::to_writer_pretty(&mut file, &entry)?;
        file.as_file().sync_all()?;
        let path = self.folder.join(format!("{owner}-{}.json", spec.project));
        file.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }

    /// Settles all that this supervisor wrote down, when it ends before its gates did.
    pub(super) async fn close(&self) {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        // A killed lane's processes take a moment to leave their cgroups.
        for _ in 0..40 {
            let left: Vec<PathBuf> = entries(&self.folder)
                .into_iter()
                .filter(|(_, entry)| entry.owner == own)
                .map(|(path, _)| path)
                .collect();
            for entry in &left {
                settle(entry);
            }
            if left.is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// Settles what supervisors that are no more have left. Returns the projects whose remains could not be removed.
pub fn sweep() -> Vec<String> {
    super::key::sweep();
    let mut left = Vec::new();
    for (path, entry) in entries(&folder()) {
        if start_time(entry.owner) != Some(entry.owner_start) {
            settle(&path);
            if path.exists() {
                left.push(entry.project);
            }
        }
    }
    left
}

/// Removes what an entry names, and the entry when nothing of it is left.
pub(super) fn settle(path: &Path) {
    let Some(entry) = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Entry>(&bytes).ok()) else {
        return;
    };
    // A name with a slash would be no name of a cgroup but a way out of where cgroups are.
    let names = entry.cgroups.iter().filter(|name| !name.contains('/'));
    let mounts = cgroup_mounts();
    let roots: Vec<PathBuf> = names.flat_map(|name| mounts.iter().map(move |mount| mount.join(name))).collect();
    let mut folders = Vec::new();
    for root in &roots {
        collect(root, &mut folders);
    }
    remove_empty(&folders);
    if roots.iter().all(|root| !root.exists()) {
        let _ = fs::remove_file(path);
    }
}

/// The folders of a tree, the inner ones first.
fn collect(folder: &Path, folders: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), folders);
        }
    }
    if folder.is_dir() {
        folders.push(folder.to_owned());
    }
}

/// Removes cgroups; one that still holds a process stays, by the kernel's own rule.
fn remove_empty(folders: &[PathBuf]) {
    if geteuid().is_root() {
        for folder in folders {
            let _ = fs::remove_dir(folder);
        }
    } else if !folders.is_empty() {
        // Lanes are root's, and so are their cgroups.
        let mut command = Command::new("sudo");
        command
            .args(["-n", "rmdir", "--"])
            .args(folders)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let _ = command.status();
    }
}

/// Where cgroups are mounted: one place, or one per controller in version 1.
pub(super) fn cgroup_mounts() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let target = words.next()?;
            words.next()?.starts_with("cgroup").then(|| PathBuf::from(target))
        })
        .collect()
}

fn entries(folder: &Path) -> Vec<(PathBuf, Entry)> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter_map(|path| Some((path.clone(), serde_json::from_slice(&fs::read(&path).ok()?).ok()?))).collect()
}

/// Field 22 of /proc/<pid>/stat: when the process started, in clock ticks since boot.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn folder() -> PathBuf {
    let base = dirs::state_dir().or_else(dirs::cache_dir).unwrap_or_else(std::env::temp_dir);
    base.join("k1s-profile-gates/ledger")
}
