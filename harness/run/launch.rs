//! How the supervisor and the reaper are started: as all parts of the harness, from this same executable.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::key::RunKey;

pub(super) const SUPERVISOR: &str = "__supervisor";
pub(super) const REAPER: &str = "__reaper";

/// Starts the supervisor in a session of its own, with no handle of nextest's, so that neither waits for the other.
pub(super) fn supervisor(key: &RunKey, settings: &Path) -> std::io::Result<()> {
    let owner = key.owner.to_string();
    detached(&[SUPERVISOR.as_ref(), settings.as_ref(), key.socket().as_ref(), owner.as_ref()])
}

/// Starts the one that cleans up the user's own host should this process, the supervisor, be killed.
pub(super) fn reaper() -> std::io::Result<()> {
    let own = rustix::process::getpid().as_raw_nonzero().to_string();
    detached(&[REAPER.as_ref(), own.as_ref()])
}

fn detached(arguments: &[&OsStr]) -> std::io::Result<()> {
    let status = Command::new("setsid")
        .arg("--fork")
        .arg(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("setsid ended with {status}"))) }
}
