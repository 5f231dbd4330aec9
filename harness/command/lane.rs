//! `k1s-gates lane`: a command in a lane of its own.

use std::error::Error;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::lane;
use k1s_profile_gates::stack::{self, Options};

#[derive(Args)]
#[command(after_help = "Example: k1s-gates lane --project demo -- sh -c '\"$WORKERBEE_BIN\" --help'")]
pub(crate) struct Lane {
    /// A WorkerBee project that the command will use; may be given several times.
    #[arg(long = "project", value_name = "NAME")]
    projects: Vec<String>,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    line: Vec<String>,
}

impl Lane {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let stack = stack::ensure(&Options::from_env(), &mut |progress| eprintln!("stack: {progress}"))?;
        stack.check_seals()?;
        Ok(lane::run_command(stack, self.projects, self.line)?)
    }
}
