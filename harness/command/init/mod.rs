//! `k1s-gates init`: the gates as a test target of a k1s checkout, or of another repository; and undone.

mod edit;
mod error;
mod merge;
mod record;
mod target;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::print;
use edit::Edit;
use error::InitError;
use record::Record;
use target::{Dependency, Target};

#[derive(Args)]
#[command(after_help = "\
Writes what is not there yet and shows it: a test target, the lines of Cargo.toml, nextest's profiles, k1s-gates.toml and a \
workflow. What is there already stays as it is; where it is in the way, init says so and writes nothing. \
.config/k1s-gates-init.json remembers what was written: --remove takes away that and nothing else.

Exit status: 0 done, or nothing to do; 1 with --remove, something was changed since and is left; 3 could not be done.

Examples:
  k1s-gates init --dry-run
  k1s-gates init --git https://example.org/k1s-profile-gates ~/k1s
  k1s-gates init --remove")]
pub(crate) struct Init {
    /// The k1s checkout, or the folder of another package.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Show what would be written or removed, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove what an earlier call has written.
    #[arg(long)]
    remove: bool,
    /// The git repository that cargo takes the harness from. [default: the folder that this command was built from]
    #[arg(long, value_name = "URL", conflicts_with = "remove")]
    git: Option<String>,
    /// The folder that cargo takes the harness from.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["git", "remove"])]
    path: Option<PathBuf>,
}

impl Init {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let folder = self.folder.canonicalize().map_err(InitError::file(&self.folder))?;
        if self.remove { self.take_away(&folder) } else { self.write(&folder) }
    }

    fn write(&self, folder: &Path) -> Result<ExitCode, Box<dyn Error>> {
        let target = Target::of(folder)?;
        let mut record = Record::read(&target.root)?.unwrap_or_default();
        let dependency = Dependency::new(self.git.as_deref(), self.path.as_deref(), &target.root)?;
        // All of it is worked out before anything is written.
        let edits = target.edits(&dependency, &mut record)?;
        for edit in &edits {
            print::text(&edit.shown(&target.root));
        }
        if edits.iter().all(Edit::is_nothing) {
            print::text("Nothing to do: all of it is there.\n");
            return Ok(ExitCode::SUCCESS);
        }
        if self.dry_run {
            print::text("Nothing was written: this was a dry run.\n");
            return Ok(ExitCode::SUCCESS);
        }
        // First of all what is about to be written: were the rest cut off, --remove still knows of it.
        record.write(&target.root)?;
        for edit in &edits {
            edit.carry_out()?;
        }
        print::text(&target.next());
        Ok(ExitCode::SUCCESS)
    }

    fn take_away(&self, folder: &Path) -> Result<ExitCode, Box<dyn Error>> {
        let root = record::root_of(folder).ok_or_else(|| InitError::NothingWritten(folder.to_owned()))?;
        let record = Record::read(&root)?.ok_or_else(|| InitError::NothingWritten(folder.to_owned()))?;
        let (edits, left) = record.undone(&root)?;
        for edit in &edits {
            print::text(&edit.shown(&root));
        }
        for line in &left {
            print::text(&format!("left      {line}\n"));
        }
        if self.dry_run {
            print::text("Nothing was removed: this was a dry run.\n");
        } else {
            for edit in &edits {
                edit.carry_out()?;
            }
        }
        Ok(if left.is_empty() { ExitCode::SUCCESS } else { print::NOT_GOOD.into() })
    }
}
