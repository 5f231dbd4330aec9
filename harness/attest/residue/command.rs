//! Reading what only root may read.

use std::process::{Command, Stdio};

use rustix::process::geteuid;

use crate::failure::Failure;

/// What a program printed.
pub(super) struct Printed {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) success: bool,
}

/// Runs a program that only reads, through sudo where this process is not root.
pub(super) fn as_root(program: &str, arguments: &[&str]) -> Result<Printed, Failure> {
    if geteuid().is_root() {
        return plain(program, arguments);
    }
    let line: Vec<&str> =
        ["-n", "--", "env", "LC_ALL=C", program].into_iter().chain(arguments.iter().copied()).collect();
    let printed = plain("sudo", &line)?;
    if !printed.success && printed.stderr.starts_with("sudo:") {
        return Err(unreadable(program, &printed.stderr));
    }
    Ok(printed)
}

/// Runs a program that only reads.
pub(super) fn plain(program: &str, arguments: &[&str]) -> Result<Printed, Failure> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        // A user's PATH often leaves out where these programs are.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| unreadable(program, &error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Printed { stdout: text(&output.stdout), stderr: text(&output.stderr), success: output.status.success() })
}

/// The look could not be taken.
pub(super) fn unreadable(what: &str, error: &str) -> Failure {
    Failure::new(format!("residue cannot be observed: {what} failed"))
        .expected(format!("to read with {what}, as root or by `sudo -n`"))
        .seen(if error.trim().is_empty() { "no word of why" } else { error.trim() })
        .remedy("run the gates as root, or let `sudo -n` work for you, and see that the program is there")
}
