//! A comparison on a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Comparison, Part};

pub(super) const HEAD: Style = Style::new().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();

/// With colours: who prints it to something that is no terminal strips them.
pub(super) fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    for (letter, side) in ["A", "B"].into_iter().zip(&comparison.runs) {
        let started = side.started.strftime("%F %H:%M UTC");
        line(format!("{letter}  {started}  WorkerBee {}  {}", side.workerbee, side.run_dir.display()));
    }
    if !comparison.parts.is_empty() {
        line(format!("\n{HEAD}Other parts{HEAD:#}"));
        comparison.parts.iter().map(part).for_each(&mut line);
    }
    if !comparison.alone.is_empty() {
        line(format!("\n{HEAD}Gates of one run only{HEAD:#}"));
        for gate in &comparison.alone {
            line(format!("  {}: only in {}", gate.gate, if gate.there[0] { "A" } else { "B" }));
        }
    }
    if !comparison.verdicts.is_empty() {
        line(format!("\n{HEAD}Checks with another verdict{HEAD:#}"));
        for turned in &comparison.verdicts {
            let [first, second] = turned.verdicts;
            let style = if second == "passed" { GOOD } else { BAD };
            line(format!("  {}: {first} -> {style}{second}{style:#}", turned.check));
            if let Some(why) = &turned.why {
                line(format!("      {}", why.lines().next().unwrap_or_default()));
            }
        }
    }
    if !comparison.timings.is_empty() {
        line(format!("\n{HEAD}Times beyond noise{HEAD:#} ({})", noise(comparison)));
        for moved in &comparison.timings {
            let [first, second] = moved.seconds;
            let what = moved.phase.as_deref().unwrap_or("in all");
            line(format!("  {} {what}: {first:.1} s -> {second:.1} s", moved.gate));
        }
    }
    if !comparison.shapes.is_empty() {
        line(format!("\n{HEAD}Evidence of another shape{HEAD:#}"));
        for drift in &comparison.shapes {
            line(format!("  {} {}", drift.gate, drift.of));
            for change in &drift.changes {
                let [first, second] = change.shapes.each_ref().map(|shape| brief(shape.as_ref()));
                line(format!(
                    "      {}: {first} -> {second}",
                    if change.pointer.is_empty() { "all" } else { &change.pointer }
                ));
            }
        }
    }
    if !comparison.differs() {
        line(format!("\n{GOOD}No check changed its verdict, no evidence its shape.{GOOD:#}"));
    }
    text
}

/// A version or a setting that differs, as a line.
pub(super) fn part(part: &Part) -> String {
    let [first, second] = part.values.each_ref().map(|value| value.as_deref().unwrap_or("none"));
    format!("  {}: {first} -> {second}", part.name)
}

/// Describes the difference of times that counts as noise.
pub(super) fn noise(comparison: &Comparison) -> String {
    let noise = comparison.noise;
    format!("more than {} % of the longer time and more than {} s", noise.percent, noise.seconds)
}

pub(super) fn brief(shape: Option<&serde_json::Value>) -> String {
    shape.map_or_else(|| "nothing".to_owned(), crate::evidence::outline)
}
