//! `k1s-gates junit`: JUnit from a run's evidence.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::{results, run};

#[derive(Args)]
#[command(after_help = "\
One test case per check. Of a run that was killed, gates that had not ended are errors, gates that had not begun are \
skipped. Shapes (`snapshot`) are compared by their trials alone and are skipped here.

Exit status: 0 written, whatever the verdicts; 3 not written.

Example: k1s-gates junit /tmp/run -o junit.xml")]
pub(crate) struct Junit {
    /// The run's folder, its `RUN_DIR`.
    run_dir: PathBuf,
    /// Where to write it; standard output when not given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Junit {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        run::wait_until_sealed(&self.run_dir);
        let xml = results::junit(&self.run_dir)?;
        match &self.output {
            Some(file) => std::fs::write(file, xml).map_err(|error| format!("{}: {error}", file.display()))?,
            // A closed pipe is nothing to tell anybody about.
            None => drop(io::stdout().write_all(xml.as_bytes())),
        }
        Ok(ExitCode::SUCCESS)
    }
}
