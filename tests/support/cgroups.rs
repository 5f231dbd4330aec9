//! Cgroups of a test's own making: the kernel removes none, and lets only empty ones be removed.

use std::path::PathBuf;
use std::time::Duration;

use walkdir::{DirEntry, WalkDir};

/// Removes the cgroups of a containerd namespace whose processes are ending.
pub(crate) fn remove(namespace: &str) {
    for _ in 0..40 {
        let cgroups = WalkDir::new("/sys/fs/cgroup").max_depth(2).into_iter().flatten();
        let own: Vec<PathBuf> =
            cgroups.filter(|entry| entry.file_name() == namespace).map(DirEntry::into_path).collect();
        if own.is_empty() {
            return;
        }
        for folder in own.iter().flat_map(|own| WalkDir::new(own).contents_first(true)).flatten() {
            // What is no folder goes with the one that it is in.
            let _ = std::fs::remove_dir(folder.path());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
