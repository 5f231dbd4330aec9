//! Root, or the way to it.

use std::process::Command;
use std::time::Duration;

use crate::process::done_within;

/// How long sudo may take to say whether it needs a password: it may ask a directory service.
const SUDO: Duration = Duration::from_secs(30);

/// The way in which this process gets things done that need root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privilege {
    /// It is root.
    Root,
    /// `sudo -n` works.
    Sudo,
    /// Not at all.
    None,
}

impl Privilege {
    /// Finds out; asks nobody for a password.
    pub(super) fn detect() -> Self {
        if rustix::process::geteuid().is_root() {
            return Self::Root;
        }
        let sudo = done_within(Command::new("sudo").args(["-n", "true"]), SUDO);
        if sudo.is_ok() { Self::Sudo } else { Self::None }
    }
}
