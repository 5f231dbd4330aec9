//! `k1s-gates bundle`: a run's folder in one file.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use k1s_profile_gates::{results, run};

#[derive(Args)]
#[command(after_help = "\
Every file is looked through once more: one that holds what looks like a secret is named with its place, and nothing \
is packed. The same folder makes the same bytes.

With --with-k1s the k1s that was tested lies in the bundle too, beside the run's folder, as it is now where it was tested; it must be the
same still. A gate's reproduce.sh then needs nothing but the bundle and the harness. What looks like a secret in the k1s is
named, and packed: the tests would not be of the same k1s without it.

Exit status: 0 packed, 3 refused or not written.

Example: k1s-gates bundle /tmp/run -o run.tar.zst")]
pub(crate) struct Bundle {
    /// The run's folder, its `RUN_DIR`.
    run_dir: PathBuf,
    /// Where to write it; `<name of the folder>.tar.zst` here when not given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Pack the k1s that was tested too.
    #[arg(long)]
    with_k1s: bool,
    /// Print what was packed as JSON.
    #[arg(long)]
    json: bool,
}

impl Bundle {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        run::wait_until_sealed(&self.run_dir);
        let bundled = results::bundle(&self.run_dir, self.output.as_deref(), self.with_k1s)?;
        for (file, kind, place) in &bundled.suspects {
            let _ =
                writeln!(io::stderr(), "{} looks like a secret ({kind:?}) at {place}, and is packed", file.display());
        }
        let text = if self.json {
            serde_json::to_string_pretty(&bundled)?
        } else {
            format!("{}: {} files, {} bytes", bundled.file.display(), bundled.files, bundled.size)
        };
        // A closed pipe is nothing to tell anybody about.
        let _ = writeln!(io::stdout(), "{text}");
        Ok(ExitCode::SUCCESS)
    }
}
