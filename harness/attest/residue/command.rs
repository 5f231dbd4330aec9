//! Reading what only root may read.

use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::geteuid;

use crate::failure::Failure;
use crate::process::within;

/// How long a program that only reads may take.
const LIMIT: Duration = Duration::from_mins(1);

/// The output and the exit status of a program.
pub(super) struct Printed {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) status: ExitStatus,
}

/// Runs a program that only reads, through sudo where this process is not root.
pub(super) fn as_root(program: &str, arguments: &[&str]) -> Result<Printed, Failure> {
    if geteuid().is_root() {
        return plain(program, arguments);
    }
    let line = ["-n", "--", "env", "LC_ALL=C", "sh", "-c", BEGIN, program];
    let line: Vec<&str> = line.into_iter().chain(arguments.iter().copied()).collect();
    began(program, plain("sudo", &line)?)
}

/// Says first that the program begins: what sudo warns of, about names of hosts and the like, is not the program's word.
const BEGIN: &str = "echo began && exec \"$0\" \"$@\"";

/// Returns what the program printed; an error when sudo did not come to start it.
fn began(program: &str, printed: Printed) -> Result<Printed, Failure> {
    match printed.stdout.strip_prefix("began\n") {
        Some(stdout) => Ok(Printed { stdout: stdout.to_owned(), ..printed }),
        None => Err(unreadable(program, &printed.stderr)),
    }
}

impl Printed {
    pub(super) fn success(&self) -> bool {
        self.status.success()
    }
}

/// Runs a program that only reads.
pub(super) fn plain(program: &str, arguments: &[&str]) -> Result<Printed, Failure> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LC_ALL", "C")
        // A user's PATH often leaves out where these programs are.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null());
    let output = within(&mut command, LIMIT).map_err(|error| unreadable(program, &error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Printed { stdout: text(&output.stdout), stderr: text(&output.stderr), status: output.status })
}

/// The look could not be taken.
pub(super) fn unreadable(what: &str, error: &str) -> Failure {
    Failure::new(format!("residue cannot be observed: {what} failed"))
        .expected(format!("to read with {what}, as root or by `sudo -n`"))
        .seen(if error.trim().is_empty() { "no word of why" } else { error.trim() })
        .remedy("run the gates as root, or let `sudo -n` work for you, and see that the program is there")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    fn by_sudo(sudo: &str, program: &str) -> Result<Printed, Failure> {
        let script = format!("{sudo}; shift; {BEGIN}");
        began(program, plain("sh", &["-c", &script.replace("$0", "sh"), "sudo", "-n", "-c", program]).unwrap())
    }

    #[test]
    fn what_sudo_warns_of_is_no_word_of_the_program() {
        let warned = by_sudo("echo 'sudo: unable to resolve host x' >&2", "echo found; exit 1").unwrap();
        assert_eq!((warned.stdout.as_str(), warned.status.code()), ("found\n", Some(1)));
        let refused = by_sudo("echo 'sudo: a password is required' >&2; exit 1", "echo found").err().unwrap();
        assert!(refused.seen.contains("password"), "{refused}");
    }
}
