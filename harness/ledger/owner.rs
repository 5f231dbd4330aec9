//! The owner of an entry: a process, by its number and its start, as a number alone is reused.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A process of the harness's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Owner {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    start: u64,
}

impl Owner {
    /// This process.
    pub(crate) fn this_process() -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Self { pid, start: start_time(pid).unwrap_or_default() }
    }

    /// Is true when it still runs, as far as its number tells: in this PID namespace.
    fn is_alive(self) -> bool {
        start_time(self.pid) == Some(self.start)
    }

    /// Is true when the process that wrote entries into that ledger still runs, in whatever PID namespace: two
    /// containers may share a ledger, and then know nothing of each other's processes. A process holds its sign of life
    /// locked while it lives.
    pub(super) fn is_alive_in(self, ledger: &Path) -> bool {
        is_held(&self.sign(ledger)).unwrap_or_else(|| self.is_alive())
    }

    /// Makes the sign of life of this process. Where there are no locks, its number has to do.
    pub(super) fn give_sign(self, ledger: &Path) -> Option<File> {
        hold(&self.sign(ledger))
    }

    /// Removes it, when nothing of this process is in the ledger any more.
    pub(super) fn take_sign_back(self, ledger: &Path) {
        let _ = std::fs::remove_file(self.sign(ledger));
    }

    fn sign(self, ledger: &Path) -> PathBuf {
        ledger.join(format!("{}-{}.{SIGN}", self.pid, self.start))
    }
}

/// Is true when a living process holds the sign of life; none where nobody can tell: no such file, or no locks.
pub(super) fn is_held(sign: &Path) -> Option<bool> {
    match flock(&File::open(sign).ok()?, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Some(false),
        Err(Errno::WOULDBLOCK) => Some(true),
        Err(_) => None,
    }
}

/// Makes a sign of life, held until it is closed; none on a file system without locks.
pub(super) fn hold(file: &Path) -> Option<File> {
    loop {
        let sign = File::create(file).ok()?;
        if flock(&sign, FlockOperation::LockExclusive).is_err() {
            let _ = std::fs::remove_file(file);
            return None;
        }
        // A sweep may just have taken it for a dead one's.
        let is_there = |about: std::fs::Metadata| sign.metadata().is_ok_and(|own| own.ino() == about.ino());
        if std::fs::metadata(file).is_ok_and(is_there) {
            return Some(sign);
        }
    }
}

/// The extension of signs of life.
const SIGN: &str = "owner";

/// Removes the signs of processes that are no more.
pub(super) fn forget_signs(ledger: &Path) {
    for entry in std::fs::read_dir(ledger).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != SIGN) {
            continue;
        }
        if File::open(&path).is_ok_and(|sign| flock(&sign, FlockOperation::NonBlockingLockShared).is_ok()) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Field 22 of /proc/<pid>/stat. A process that has ended and is only not yet waited for is no owner any more.
pub(super) fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[test]
    fn an_owner_lives_while_its_sign_is_held_whatever_its_number_says() {
        let ledger = tempfile::tempdir().unwrap();
        // A process of another PID namespace: here nobody has that number.
        let other = Owner { pid: i32::MAX, start: 7 };
        assert!(!other.is_alive_in(ledger.path()));
        let sign = other.give_sign(ledger.path()).unwrap();
        assert!(other.is_alive_in(ledger.path()));
        forget_signs(ledger.path());
        assert!(other.is_alive_in(ledger.path()), "what is held is not forgotten");
        drop(sign);
        assert!(!other.is_alive_in(ledger.path()));
        forget_signs(ledger.path());
        assert_eq!(std::fs::read_dir(ledger.path()).unwrap().count(), 0);
        let own = Owner::this_process();
        assert!(own.is_alive_in(ledger.path()), "without a sign its number tells");
    }
}
