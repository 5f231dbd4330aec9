//! `k1s-gates stack`: what the gates need.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use k1s_profile_gates::lane::{self, Settings};
use k1s_profile_gates::stack::{self, Options};

use super::print;

#[derive(Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Stack {
    /// Only say what would be done; exit with 1 when something is missing.
    #[arg(long)]
    check: bool,
    /// Print the folders to put before PATH, separated by colons.
    #[arg(long, conflicts_with_all = ["check", "json"])]
    path: bool,
    /// Remove what the stack has made in its cache folder, and nothing else.
    #[arg(long, conflicts_with_all = ["check", "path", "json"])]
    clean: bool,
    /// Build AMPEL too, a policy engine to which the result of a run can be shown; no gate needs it.
    #[arg(long, conflicts_with = "clean")]
    ampel: bool,
    /// Print JSON: where everything is, or with --check what is missing.
    #[arg(long)]
    json: bool,
}

impl Stack {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        if self.clean {
            return clean();
        }
        let options = Options { ampel: self.ampel, ..options() };
        match (self.check, self.path) {
            (true, _) => check(&options, self.json),
            (_, true) => path(&options),
            _ => ensure(&options, self.json),
        }
    }
}

fn options() -> Options {
    Options { nextest: true, ..Options::from_env() }
}

fn ensure(options: &Options, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    // Before anything is built, which may take minutes.
    eprintln!("k1s under test: {}", lane::k1s_under_test(&Settings::from_env()?)?);
    let clock = Instant::now();
    let stack = stack::ensure(options, &mut |progress| eprintln!("stack: {progress}"))?;
    stack.check_seals()?;
    let versions: Vec<_> = stack.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    eprintln!("stack: complete after {:.1} s ({})", clock.elapsed().as_secs_f64(), versions.join(", "));
    if json {
        print::json(&stack)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn clean() -> Result<ExitCode, Box<dyn Error>> {
    let options = options();
    let others = stack::clean(&options, &mut |progress| eprintln!("stack: {progress}"))?;
    eprintln!("stack: nothing of the stack is in {} any more", options.cache.display());
    for other in others {
        eprintln!("stack: not the stack's, and left as it is: {}", other.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn check(options: &Options, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let missing = stack::missing(options)?;
    if json {
        print::json(&missing)?;
    }
    for todo in &missing {
        eprintln!("stack: missing: {}: {}", todo.step, todo.what);
    }
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn path(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let Some(stack) = stack::find(options) else {
        // Says what is wrong with the options, if that is why.
        stack::missing(options)?;
        eprintln!("k1s-gates: the stack is not complete; prepare it with: k1s-gates stack");
        return Ok(ExitCode::FAILURE);
    };
    stack.check_tools()?;
    // A closed pipe is nothing to tell anybody about.
    let _ = writeln!(io::stdout(), "{}", stack.path_prefix().display());
    Ok(ExitCode::SUCCESS)
}
