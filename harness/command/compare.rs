//! `k1s-gates compare`: two runs side by side.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::compare::{Comparison, Noise};

use super::print;

#[derive(Args)]
#[command(after_help = "\
Ends with 1 when a verdict or a shape differs. A time that moved is told and does not count: two runs are no statistics.

Examples:
  k1s-gates compare runs/workerbee-0.1.7 runs/workerbee-0.1.8
  k1s-gates compare --html A B > drift.html")]
pub(crate) struct Compare {
    /// The folder of the earlier run (its `RUN_DIR`).
    first: PathBuf,
    /// The folder of the later run.
    second: PathBuf,
    /// Print JSON.
    #[arg(long, conflicts_with = "html")]
    json: bool,
    /// Print a page.
    #[arg(long)]
    html: bool,
    /// A time has moved when it differs by more than this part of the longer one …
    #[arg(long, value_name = "PERCENT", default_value_t = Noise::default().percent)]
    noise_percent: f64,
    /// … and by more than this.
    #[arg(long, value_name = "SECONDS", default_value_t = Noise::default().seconds)]
    noise_seconds: f64,
}

impl Compare {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let noise = Noise { percent: self.noise_percent, seconds: self.noise_seconds };
        let comparison = Comparison::of(&self.first, &self.second, noise)?;
        match (self.json, self.html) {
            (true, _) => print::json(&comparison)?,
            (_, true) => print::text(&comparison.page()),
            _ => print::text(&comparison.text()),
        }
        Ok(if comparison.differs() { print::NOT_GOOD.into() } else { ExitCode::SUCCESS })
    }
}
