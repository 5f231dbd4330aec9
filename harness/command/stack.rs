//! `k1s-gates stack`: what the gates need.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use k1s_profile_gates::stack::{self, Options, StackError};

#[derive(Args)]
pub(crate) struct Stack {
    /// Only say what would be done; exit with 1 when something is missing.
    #[arg(long)]
    check: bool,
    /// Print the folders to put before PATH, separated by colons.
    #[arg(long, conflicts_with = "check")]
    path: bool,
}

impl Stack {
    pub(crate) fn run(&self) -> Result<ExitCode, StackError> {
        match (self.check, self.path) {
            (true, _) => check(),
            (_, true) => path(),
            _ => ensure(),
        }
    }
}

fn options() -> Options {
    Options { nextest: true, ..Options::from_env() }
}

fn ensure() -> Result<ExitCode, StackError> {
    let clock = Instant::now();
    let stack = stack::ensure(&options(), &mut |progress| eprintln!("stack: {progress}"))?;
    let versions: Vec<_> = stack.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    eprintln!("stack: complete after {:.1} s ({})", clock.elapsed().as_secs_f64(), versions.join(", "));
    Ok(ExitCode::SUCCESS)
}

fn check() -> Result<ExitCode, StackError> {
    let missing = stack::missing(&options())?;
    for todo in &missing {
        eprintln!("stack: missing: {}: {}", todo.step, todo.what);
    }
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn path() -> Result<ExitCode, StackError> {
    let Some(stack) = stack::find(&options()) else {
        // Says what is wrong with the options, if that is why.
        stack::missing(&options())?;
        eprintln!("k1s-gates: the stack is not complete; prepare it with: k1s-gates stack");
        return Ok(ExitCode::FAILURE);
    };
    // A closed pipe is nothing to tell anybody about.
    let _ = writeln!(io::stdout(), "{}", stack.path_prefix().display());
    Ok(ExitCode::SUCCESS)
}
