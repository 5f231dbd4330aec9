//! The processor time of a lane's cgroups, as the kernel counts it.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use crate::ledger::cgroup_mounts;

/// The lane's own cgroup, where processor time is counted.
pub(super) struct Group {
    mount: PathBuf,
    name: String,
    /// The kernel's file that counts it.
    file: &'static str,
}

impl Group {
    /// Makes a cgroup of that name and moves this process into it: what it starts is in it too.
    pub(super) fn enter(name: &str) -> Result<Self> {
        // Version 1 has a hierarchy for it; where there is one, version 2 counts nothing of what containers use.
        let files = ["cpuacct.usage", "cgroup.controllers"];
        let place = |file: &str| cgroup_mounts().into_iter().find(|mount| mount.join(file).exists());
        let (mount, file) = match files.map(place) {
            [Some(mount), _] => (mount, "cpuacct.usage"),
            [None, Some(mount)] => (mount, "cpu.stat"),
            [None, None] => return Err(Error::other("no hierarchy counts processor time")),
        };
        let folder = mount.join(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("cgroup.procs"), "0")?;
        Ok(Self { mount, name: name.to_owned(), file })
    }

    /// Seconds of this cgroup and those of the containers.
    pub(super) fn seconds(&self, containers: &[String]) -> Result<f64> {
        let mut sum = usage(&self.mount.join(&self.name).join(self.file))?;
        for name in containers {
            let file = self.mount.join(name).join(self.file);
            // A gate that starts nothing has no containers.
            if file.exists() {
                sum += usage(&file)?;
            }
        }
        Ok(super::account::seconds(sum))
    }
}

/// Nanoseconds.
fn usage(file: &Path) -> Result<u64> {
    parse(&fs::read_to_string(file)?)
        .ok_or_else(|| Error::other(format!("{} does not tell processor time", file.display())))
}

/// Version 1 has nanoseconds alone, version 2 microseconds among others.
fn parse(text: &str) -> Option<u64> {
    match text.lines().find_map(|line| line.strip_prefix("usage_usec ")) {
        Some(microseconds) => microseconds.trim().parse::<u64>().ok()?.checked_mul(1000),
        None => text.trim().parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        assert_eq!(parse("1234567\n"), Some(1_234_567));
        assert_eq!(parse("usage_usec 12\nuser_usec 5\n"), Some(12_000));
        assert_eq!(parse("user_usec 5\n"), None);
    }
}
