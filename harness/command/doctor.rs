//! `k1s-gates doctor`: what a run needs of this machine.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;
use k1s_profile_gates::doctor::{Condition, examine};
use k1s_profile_gates::stack::Options;

use super::print;

#[derive(Args)]
#[command(
    after_help = "Needs no root and changes nothing. Example: k1s-gates doctor --json | jq '.[] | select(.ok | not)'"
)]
pub(crate) struct Doctor {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let conditions = examine(&Options { nextest: true, ..Options::from_env() });
        if self.json {
            print::json(&conditions)?;
        } else {
            print::text(&text(&conditions));
        }
        let good = conditions.iter().all(|condition| condition.ok);
        Ok(if good { ExitCode::SUCCESS } else { print::NOT_GOOD.into() })
    }
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

fn text(conditions: &[Condition]) -> String {
    let width = conditions.iter().map(|condition| condition.name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for Condition { name, ok, seen, remedy } in conditions {
        let (style, sign) = if *ok { (GOOD, "ok     ") } else { (BAD, "missing") };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{style}{sign}{style:#}  {name:width$}  {}", seen.replace('\n', " "));
        if !remedy.is_empty() {
            let _ = writeln!(text, "         {:width$}  remedy: {remedy}", "");
        }
    }
    text
}
