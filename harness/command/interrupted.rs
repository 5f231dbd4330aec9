//! `k1s-gates interrupted`: which run `make resume` resumes.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::run;
use k1s_profile_gates::summary::{State, Summary};

#[derive(Args)]
#[command(after_help = "\
Prints the folder of the run, and on standard error what a resume of it keeps and runs anew. Nothing is executed. Whether \
all that the run stood on is still the same is looked at when it is resumed.

Exit status: 0 there is one, 1 there is none.

Example: RUN_DIR=$(k1s-gates interrupted) make gates")]
pub(crate) struct Interrupted {
    /// The run's folder; by default that of this user's newest run that was cut short.
    run_dir: Option<PathBuf>,
}

impl Interrupted {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let Some(run_dir) = self.run_dir.clone().or_else(run::newest_interrupted) else {
            eprintln!(
                "there is no run of this user that was cut short and whose folder is in the folder for temporary files"
            );
            eprintln!("  remedy: name its folder (RUN_DIR)");
            return Ok(super::print::NOT_GOOD.into());
        };
        let run_dir = std::path::absolute(&run_dir)?;
        let run = Summary::load(&run_dir)?;
        let named = |wanted: fn(State) -> bool| -> String {
            let gates = run.in_order().into_iter().filter(|(_, gate)| wanted(run.state(gate)));
            let names: Vec<&str> = gates.map(|(name, _)| name).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        eprintln!("kept: {}", named(|state| matches!(state, State::Passed | State::Failed)));
        eprintln!("run anew, when asked for: {}", named(|state| !matches!(state, State::Passed | State::Failed)));
        if let Some(part) = run.parts.last() {
            eprintln!("it was started as: {}", part.command.join(" "));
        }
        // A closed pipe is nothing to tell anybody about.
        let _ = writeln!(std::io::stdout(), "{}", run_dir.display());
        Ok(ExitCode::SUCCESS)
    }
}
