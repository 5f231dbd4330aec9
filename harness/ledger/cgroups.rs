//! Cgroup folders: the one thing that outlives a lane. The kernel removes none, and lets only empty ones be removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::geteuid;

use crate::process::done_within;

/// How long root's `rmdir` may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Returns the mount points of cgroups: one, or one per controller in version 1.
pub(crate) fn mounts() -> Vec<PathBuf> {
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

/// The cgroup of a lane's own processes.
pub(super) fn of_lane(project: &str) -> String {
    format!("k1s-gates-{project}")
}

/// The folders that exist under these names.
pub(super) fn existing(names: &[String]) -> Vec<PathBuf> {
    // A name with a slash would be no name of a cgroup but a way out of where cgroups are.
    let names = names.iter().filter(|name| !name.contains('/') && !name.is_empty() && *name != "..");
    let mounts = mounts();
    names.flat_map(|name| mounts.iter().map(move |mount| mount.join(name))).filter(|folder| folder.is_dir()).collect()
}

/// Removes these folders with all that is in them. One that still holds a process stays, by the kernel's own rule.
pub(super) fn remove(roots: &[PathBuf]) {
    let mut folders = Vec::new();
    for root in roots {
        collect(root, &mut folders);
    }
    if geteuid().is_root() {
        for folder in folders {
            let _ = fs::remove_dir(folder);
        }
    } else if !folders.is_empty() {
        // Lanes are root's, and so are their cgroups.
        let mut command = Command::new("sudo");
        command.args(["-n", "rmdir", "--"]).args(folders);
        let _ = done_within(&mut command, LIMIT);
    }
}

/// The folders of a tree, the inner ones first.
fn collect(folder: &Path, folders: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), folders);
        }
    }
    folders.push(folder.to_owned());
}
