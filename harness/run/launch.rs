//! How one part of the harness starts another: always this same executable.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::key::RunKey;
use crate::failure::Failure;

pub(super) const SUPERVISOR: &str = "__supervisor";
pub(super) const LANE: &str = "__lane";
pub(super) const GATE: &str = "__gate";
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

/// The command that plays `role` in a lane of its own: namespaces that the kernel ends with their first process.
pub(super) fn in_lane(spec: &Path) -> Result<tokio::process::Command, Failure> {
    let unshare = ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"];
    let mut words: Vec<&str> = Vec::new();
    if !geteuid().is_root() {
        require_sudo()?;
        words.extend(["sudo", "-n"]);
    }
    words.extend(unshare);
    let mut command = tokio::process::Command::new(words[0]);
    command.args(&words[1..]).arg(executable()?).arg(LANE).arg(spec);
    Ok(command)
}

/// The command that plays the gate on the host as it is.
pub(super) fn on_host(spec: &Path) -> Result<tokio::process::Command, Failure> {
    let mut command = tokio::process::Command::new(executable()?);
    command.arg(GATE).arg(spec);
    Ok(command)
}

pub(super) fn executable() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Failure::new("the harness does not find its own executable")
            .expected("/proc/self/exe")
            .seen(error.to_string())
            .remedy("mount /proc")
    })
}

fn require_sudo() -> Result<(), Failure> {
    let asked = Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).output();
    let seen = match asked {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::new("a lane needs root, and there is neither root nor passwordless sudo")
        .expected("user id 0, or `sudo -n true` that succeeds")
        .seen(format!("user id {}; sudo: {seen}", geteuid().as_raw()))
        .remedy("run as root, or allow sudo without a password for the length of the run"))
}
