//! `k1s-gates completions`: what a shell needs to complete a line.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

#[derive(Args)]
#[command(after_help = "Example: k1s-gates completions bash > ~/.local/share/bash-completion/completions/k1s-gates")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run<C: CommandFactory>(&self) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut C::command(), "k1s-gates", &mut script);
        let _ = std::io::stdout().write_all(&script);
        ExitCode::SUCCESS
    }
}
