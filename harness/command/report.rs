//! `k1s-gates report`: the page of a run, written anew.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::evidence::{Redactor, Store};
use k1s_profile_gates::report::{self, RunReport};

#[derive(Args)]
#[command(after_help = "Example: k1s-gates report /tmp/workerbee-k1s-profile-validation-20261123T021354Z")]
pub(crate) struct Report {
    /// The run's folder.
    run_dir: PathBuf,
    /// Print what the page is made of instead: the run's verdict and every check's.
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let run_dir = std::path::absolute(&self.run_dir)?;
        let run = RunReport::load(&run_dir)?;
        if self.json {
            super::print::json(&serde_json::json!({ "verdict": run.summary.verdict(), "run": run.summary }))?;
        } else {
            let written = report::write(&Store::open(&run_dir, Redactor::default())?, &run_dir)?;
            super::print::text(&format!("{}\n", written.display()));
        }
        Ok(ExitCode::SUCCESS)
    }
}
