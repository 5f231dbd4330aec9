//! The command of the harness: one file per subcommand.

mod bundle;
mod compare;
mod completions;
mod diagnose;
#[cfg(test)]
mod docs;
mod doctor;
mod enter;
mod hosts;
mod init;
mod interrupted;
mod judge;
mod junit;
mod lane;
mod matrix;
mod merge;
mod plan;
mod print;
mod recorded;
mod release;
mod report;
mod run;
mod stack;
mod sweep;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use k1s_profile_gates::run::role;

/// Validation gates for k1s profiles.
///
/// `run` runs the gates under `cargo nextest`; the others go with it.
#[derive(Parser)]
#[command(name = "k1s-gates", version, after_help = print::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set the gates up in a k1s checkout, or in another repository; or undo that.
    Init(init::Init),
    /// Run the gates in this repository, with progress and a verdict at the end.
    Run(run::Run),
    /// Build and install what the gates need and is not here yet.
    Stack(stack::Stack),
    /// Say what a run needs of this machine and what is missing, each with its remedy.
    Doctor(doctor::Doctor),
    /// Say what a run would do: gates, checks, projects, limits. Nothing is executed.
    Plan(plan::Plan),
    /// Follow a run from another terminal, until it ends.
    Watch(watch::Watch),
    /// Print the folder of the newest run that was cut short: `make resume` resumes it.
    Interrupted(interrupted::Interrupted),
    /// Say what broke each gate of a run, why, and whose fault it is.
    Diagnose(diagnose::Diagnose),
    /// Write the page of a run anew.
    Report(report::Report),
    /// Say what differs between two runs.
    Compare(compare::Compare),
    /// Run the gates on several versions of `WorkerBee` and k1s roots, and say which checks differ.
    Matrix(matrix::MatrixArgs),
    /// Join the shards of a run, which several machines shared, into one run.
    Merge(merge::Merge),
    /// Run a command in a lane: a containerd of its own, WorkerBee's settings in its environment, images in place.
    Lane(lane::Lane),
    /// Show what killed runs have left, and with --execute remove it: only what their ledger names.
    Sweep(sweep::Sweep),
    /// Run a command where a project lives that was kept because its gate failed.
    Enter(enter::Enter),
    /// Remove projects that were kept because their gates failed.
    Release(release::Release),
    /// Print the completions of a shell.
    Completions(completions::Completions),
    /// Say whether a run's folder is as the run left it, and who has signed for it.
    Verify(verify::Verify),
    /// Apply today's checks to the evidence of a run, and say which verdicts would be others now.
    Judge(judge::Judge),
    /// Write JUnit from a run's evidence, also from that of a run that was killed.
    Junit(junit::Junit),
    /// Pack a run's folder into one file, to attach to an issue.
    Bundle(bundle::Bundle),
}

fn main() -> ExitCode {
    // The lanes of this command are played by this same executable.
    if let Some(code) = role(&std::env::args_os().collect::<Vec<_>>()) {
        return code;
    }
    let result: Result<ExitCode, Box<dyn std::error::Error>> = match Cli::parse().command {
        Command::Init(init) => init.run(),
        Command::Run(run) => run.run(),
        Command::Stack(stack) => stack.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Plan(plan) => plan.run(),
        Command::Watch(watch) => watch.run(),
        Command::Interrupted(interrupted) => interrupted.run(),
        Command::Diagnose(diagnose) => diagnose.run(),
        Command::Report(report) => report.run(),
        Command::Compare(compare) => compare.run(),
        Command::Matrix(matrix) => matrix.run(),
        Command::Merge(merge) => merge.run(),
        Command::Lane(lane) => lane.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::Enter(enter) => enter.run(),
        Command::Release(release) => release.run(),
        Command::Completions(completions) => Ok(completions.run::<Cli>()),
        Command::Verify(verify) => verify.run(),
        Command::Judge(judge) => judge.run(),
        Command::Junit(junit) => junit.run(),
        Command::Bundle(bundle) => bundle.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("k1s-gates: {error}");
        print::UNABLE.into()
    })
}
