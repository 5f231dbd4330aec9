//! The start of a lane and of a gate's process: as of all parts of the harness, from this same executable.

use std::fs::File;
use std::io::Seek as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::geteuid;

use crate::failure::Failure;
use crate::process::{done_within, within};

/// The first argument of a lane's first process.
pub(crate) const LANE: &str = "__lane";
/// The first argument of a gate's process.
pub(crate) const GATE: &str = "__gate";

/// The first argument of a process that tries out whether a lane could be made ready.
pub(crate) const PROBE: &str = "__probe";

/// How long it may take to try out a lane.
const TRIAL: Duration = Duration::from_secs(30);

/// Namespaces that the kernel ends with their first process.
const UNSHARE: [&str; 9] =
    ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"];

/// The command that starts a lane.
pub(crate) fn in_lane() -> Result<tokio::process::Command, Failure> {
    let mut words: Vec<&str> = Vec::new();
    if !geteuid().is_root() {
        require_sudo()?;
        words.extend(["sudo", "-n"]);
    }
    words.extend(UNSHARE);
    let mut command = tokio::process::Command::new(words[0]);
    command.args(&words[1..]).arg(executable()?).arg(LANE);
    Ok(command)
}

/// Checks that a lane which needs these folders of the machine could be made ready on it: tried out, as a run's
/// supervisor would.
pub(crate) fn can_hold(folders: &[PathBuf]) -> Result<(), Failure> {
    let untried = |seen: String| {
        Failure::new("a lane could not be tried out")
            .expected(UNSHARE.join(" "))
            .seen(seen)
            .remedy("install util-linux (unshare, setsid), and run where namespaces can be made: in a container with CAP_SYS_ADMIN (docker run --privileged …)")
    };
    let mut words: Vec<&str> = if needs_its_terminal() { Vec::new() } else { vec!["setsid", "--wait"] };
    if !geteuid().is_root() {
        words.extend(["sudo", "-n"]);
    }
    words.extend(UNSHARE);
    // In memory: a folder for temporary files that cannot be written to is told by itself.
    let told = memfd_create("folders", MemfdFlags::CLOEXEC).map(File::from);
    let mut told = told.map_err(|error| untried(error.to_string()))?;
    serde_json::to_writer(&mut told, folders).map_err(|error| untried(error.to_string()))?;
    told.rewind().map_err(|error| untried(error.to_string()))?;
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(executable()?).arg(PROBE).stdin(told);
    let output = within(&mut command, TRIAL).map_err(|error| untried(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    if let Ok(failure) = serde_json::from_slice::<Failure>(&output.stdout) {
        return Err(failure);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let failure = untried(if said.is_empty() { output.status.to_string() } else { said.clone() });
    let sudo = said.contains("password is required") || said.contains("a terminal is required");
    Err(if sudo { failure.remedy(SUDO) } else { failure })
}

/// Is true when sudo starts a lane on the terminal of this process alone: `sudo -v` was given there, and counts nowhere
/// else. A run that needs it ends with the terminal; all others outlive theirs.
pub(crate) fn needs_its_terminal() -> bool {
    let allowed = |words: &[&str]| done_within(Command::new(words[0]).args(&words[1..]), TRIAL).is_ok();
    !geteuid().is_root() && !allowed(&["setsid", "--wait", "sudo", "-n", "true"]) && allowed(&["sudo", "-n", "true"])
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

const SUDO: &str = "sudo -v # on the terminal that the run is then started on; to need no password at all: \
    echo \"$USER ALL=(ALL) NOPASSWD: ALL\" | sudo tee /etc/sudoers.d/k1s-gates";

fn require_sudo() -> Result<(), Failure> {
    let asked = within(Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()), TRIAL);
    let seen = match asked {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::new("a lane needs root, and there is neither root nor a sudo that asks for no password")
        .expected("user id 0, or `sudo -n true` that succeeds")
        .seen(format!("user id {}; sudo: {seen}", geteuid().as_raw()))
        .remedy(format!("run as root, or let sudo know your password: {SUDO}")))
}
