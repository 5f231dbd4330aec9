//! Root, or the way to it.

use std::process::{Command, Stdio};

/// How this process gets things done that need root.
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
        let sudo = Command::new("sudo")
            .args(["-n", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if sudo.is_ok_and(|status| status.success()) { Self::Sudo } else { Self::None }
    }
}
