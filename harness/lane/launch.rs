//! How a lane and a gate's process are started: as all parts of the harness, from this same executable.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use crate::failure::Failure;

/// The first argument of a lane's first process.
pub(crate) const LANE: &str = "__lane";
/// The first argument of a gate's process.
pub(crate) const GATE: &str = "__gate";

/// The command that plays `role` in a lane of its own: namespaces that the kernel ends with their first process.
pub(crate) fn in_lane() -> Result<tokio::process::Command, Failure> {
    let unshare = ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"];
    let mut words: Vec<&str> = Vec::new();
    if !geteuid().is_root() {
        require_sudo()?;
        words.extend(["sudo", "-n"]);
    }
    words.extend(unshare);
    let mut command = tokio::process::Command::new(words[0]);
    command.args(&words[1..]).arg(executable()?).arg(LANE);
    Ok(command)
}

/// The command that plays the gate on the host as it is.
pub(crate) fn on_host() -> Result<tokio::process::Command, Failure> {
    let mut command = tokio::process::Command::new(executable()?);
    command.arg(GATE);
    Ok(command)
}

pub(crate) fn executable() -> Result<PathBuf, Failure> {
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
