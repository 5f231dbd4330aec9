//! `k1s-gates enter`: the way to a project that was kept.

use std::error::Error;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::ledger;

#[derive(Args)]
#[command(after_help = "\
WorkerBee, nerdctl and ctr are on PATH and find the project's containerd and namespace; a lane is entered by nsenter, \
as root. Ends with the status of the command.

Examples:
  k1s-gates enter demoh
  k1s-gates enter demoh -- nerdctl ps --all")]
pub(crate) struct Enter {
    /// The project, as `k1s-gates sweep` shows it.
    project: String,
    /// The command and its arguments; by default a shell.
    #[arg(last = true)]
    line: Vec<String>,
}

impl Enter {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let line = if self.line.is_empty() { vec!["bash".to_owned()] } else { self.line };
        let status = ledger::enter(&self.project, &line)?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
    }
}
