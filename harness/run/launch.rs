//! The start of the supervisor and of the reaper: as of all parts of the harness, from this same executable.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::key::RunKey;
use crate::lane;
use crate::process::done_within;

pub(super) const SUPERVISOR: &str = "__supervisor";
pub(super) const REAPER: &str = "__reaper";

/// How long `setsid` may take to let go of what it starts.
const FORK: Duration = Duration::from_secs(30);

/// Starts the supervisor in a session of its own, or where sudo needs the terminal, in a process group of its own; with
/// no handle of nextest's, so that neither waits for the other.
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
    let executable = std::env::current_exe()?;
    if !lane::needs_its_terminal() {
        return done_within(Command::new("setsid").arg("--fork").arg(executable).args(arguments), FORK);
    }
    // A group of its own, which neither Ctrl-C nor nextest's end of a trial reaches.
    let mut command = Command::new(executable);
    command.args(arguments).process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}
