//! The command of the harness.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use k1s_profile_gates::run;
use k1s_profile_gates::stack::{self, Options, StackError};

/// Validation gates for k1s profiles.
#[derive(Parser)]
#[command(name = "k1s-gates", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build and install what the gates need and is not here yet.
    Stack {
        /// Only say what would be done; exit with 1 when something is missing.
        #[arg(long)]
        check: bool,
        /// Print the folders to put before PATH, separated by colons.
        #[arg(long, conflicts_with = "check")]
        path: bool,
    },
    /// Run a command in a lane: a containerd of its own, WorkerBee's settings in its environment, images in place.
    #[command(after_help = "Example: k1s-gates lane --project demo -- sh -c '\"$WORKERBEE_BIN\" --help'")]
    Lane {
        /// A WorkerBee project that the command will use; may be given several times.
        #[arg(long = "project", value_name = "NAME")]
        projects: Vec<String>,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        line: Vec<String>,
    },
    /// Remove what runs that were killed have left: only what their ledger names.
    Sweep,
}

fn main() -> ExitCode {
    // The lanes of this command are played by this same executable.
    if let Some(code) = run::role(&std::env::args_os().collect::<Vec<_>>()) {
        return code;
    }
    let result: Result<ExitCode, Box<dyn std::error::Error>> = match Cli::parse().command {
        Command::Stack { check: true, .. } => check().map_err(Into::into),
        Command::Stack { path: true, .. } => path().map_err(Into::into),
        Command::Stack { .. } => ensure().map_err(Into::into),
        Command::Lane { projects, line } => lane(projects, line),
        Command::Sweep => Ok(sweep()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("k1s-gates: {error}");
        ExitCode::FAILURE
    })
}

fn lane(projects: Vec<String>, line: Vec<String>) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let stack = stack::ensure(&Options::from_env(), &mut |progress| eprintln!("stack: {progress}"))?;
    Ok(run::run_command(stack, projects, line)?)
}

fn sweep() -> ExitCode {
    let left = run::sweep();
    for project in &left {
        eprintln!("sweep: something of the project {project} is still in use: end its processes, then sweep again");
    }
    if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
