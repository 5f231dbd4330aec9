//! `k1s-gates release`: the end of a project that was kept.

use std::error::Error;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::ledger;

#[derive(Args)]
#[command(after_help = "\
A lane is ended with all that is in it; on your own host the project is purged, after a look whether it still is what \
was written down.

Example: k1s-gates release demoh")]
pub(crate) struct Release {
    /// The projects, as `k1s-gates sweep` shows them.
    #[arg(required = true)]
    projects: Vec<String>,
}

impl Release {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut all = true;
        for project in &self.projects {
            match runtime.block_on(ledger::release(project)) {
                Ok(()) => println!("the project {project} is removed"),
                Err(failure) => {
                    eprintln!("{failure}");
                    all = false;
                }
            }
        }
        Ok(if all { ExitCode::SUCCESS } else { super::print::NOT_GOOD.into() })
    }
}
