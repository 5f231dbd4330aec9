//! The command of the harness: one file per subcommand.

mod bundle;
mod junit;
mod lane;
mod stack;
mod sweep;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use k1s_profile_gates::run;

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
    Stack(stack::Stack),
    /// Run a command in a lane: a containerd of its own, WorkerBee's settings in its environment, images in place.
    Lane(lane::Lane),
    /// Show what killed runs have left, and with --execute remove it: only what their ledger names.
    Sweep(sweep::Sweep),
    /// Say whether a run's folder is as the run left it, and who has signed for it.
    Verify(verify::Verify),
    /// Write JUnit from a run's evidence, also from that of a run that was killed.
    Junit(junit::Junit),
    /// Pack a run's folder into one file, to attach to an issue.
    Bundle(bundle::Bundle),
}

fn main() -> ExitCode {
    // The lanes of this command are played by this same executable.
    if let Some(code) = run::role(&std::env::args_os().collect::<Vec<_>>()) {
        return code;
    }
    let result: Result<ExitCode, Box<dyn std::error::Error>> = match Cli::parse().command {
        Command::Stack(stack) => stack.run().map_err(Into::into),
        Command::Lane(lane) => lane.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::Verify(verify) => Ok(verify.run()),
        Command::Junit(junit) => junit.run(),
        Command::Bundle(bundle) => bundle.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("k1s-gates: {error}");
        ExitCode::FAILURE
    })
}
