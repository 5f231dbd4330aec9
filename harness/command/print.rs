//! The output of all subcommands: colours for terminals alone, JSON for programs, exit statuses that mean something.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

/// The exit status when what was examined is not good.
pub(crate) const NOT_GOOD: u8 = 1;
/// Red, and for the machine, the stack or the harness alone: k1s and `WorkerBee` need no looking at.
pub(crate) const ENVIRONMENT: u8 = 5;
/// The exit status when the request could not be carried out. 2 is clap's, for wrong usage.
pub(crate) const UNABLE: u8 = 3;

pub(crate) const EXIT_CODES: &str = "\
Exit status:
  0  good: done, nothing is red, missing, different or left
  1  looked at, and not good: a check is red, a condition not met, two runs differ, something is left
  2  wrong usage; of `judge` also: the evidence cannot be judged
  3  could not be done: no such run, a setting that cannot be used, a stack that cannot be built
  4  `verify` alone: good as far as it goes, but the run was cut short
  5  `run`, `watch` and `diagnose` alone: red, for the machine, the stack or the harness alone
  `lane` and `enter` end with the status of their command, `run` otherwise with nextest's.

Colours only on terminals, and never with NO_COLOR set.";

/// The status of what is red.
pub(crate) fn not_good(of_the_environment: bool) -> ExitCode {
    if of_the_environment { ENVIRONMENT } else { NOT_GOOD }.into()
}

/// Prints text; its colours only where they are seen. A closed pipe is nothing to tell anybody about.
pub(crate) fn text(text: &str) {
    let _ = anstream::stdout().write_all(text.as_bytes());
}

/// Prints a value as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Box<dyn Error>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    let _ = std::io::stdout().write_all(&bytes);
    Ok(())
}
