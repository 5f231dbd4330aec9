//! The report in Markdown, for a CI's page of a job: as much of it as that takes.

use std::fmt::Write as _;

use super::head::word;
use crate::diagnosis::Cause;
use crate::evidence::Redactor;
use crate::summary::{GateSummary, Outcome, State, Summary};

/// A cause, the gates that it broke, and how many checks are red because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What happened and why, in a line.
    pub headline: String,
    /// Whose fault it is, in a word.
    pub fault: String,
    /// The gates.
    pub gates: Vec<String>,
    /// The red checks of all of them.
    pub checks: usize,
}

/// What broke a run: the same cause in several gates once, what broke most first.
pub fn causes(summary: &Summary) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (name, gate) in summary.in_order() {
        for cause in causes_of(gate) {
            let headline = cause.headline();
            match groups.iter_mut().find(|group| group.headline == headline) {
                Some(group) => {
                    group.gates.push(name.to_owned());
                    group.checks += cause.checks.len();
                }
                None => groups.push(Group {
                    headline,
                    fault: cause.fault.to_string(),
                    gates: vec![name.to_owned()],
                    checks: cause.checks.len(),
                }),
            }
        }
    }
    groups.sort_by_key(|group| (std::cmp::Reverse(group.gates.len()), std::cmp::Reverse(group.checks)));
    groups
}

/// The causes of a gate, without secrets.
fn causes_of(gate: &GateSummary) -> Vec<Cause> {
    Redactor::default().value(&gate.diagnosis).map(|diagnosis| diagnosis.causes).unwrap_or_default()
}

/// The run in Markdown, in at most so many bytes: the verdict and all gates first, then what went wrong.
pub fn markdown(summary: &Summary, room: usize) -> String {
    let mut text = format!("## k1s profile gates: {}\n\n", word(summary.verdict()));
    if let Some(tree) = &summary.k1s_root {
        let _ = writeln!(text, "k1s under test: {}\n", code(&tree.to_string()));
    }
    text.push_str("| gate | | checks | seconds |\n|---|---|---|---|\n");
    for (name, gate) in summary.in_order() {
        let (passed, red) = (gate.count(&Outcome::Passed), gate.failures().count());
        let sign = if summary.state(gate) == State::Passed { "✓" } else { "✗" };
        let _ = writeln!(text, "| {name} | {sign} | {passed} of {} | {:.0} |", passed + red, gate.seconds);
    }
    let mut parts: Vec<String> = causes(summary).iter().map(of_group).collect();
    if !parts.is_empty() {
        parts.insert(0, "\n### What went wrong\n\n".into());
    }
    let red = |(name, gate): &(&str, &GateSummary)| of_gate(name, gate);
    parts.extend(summary.in_order().iter().filter(|(_, gate)| gate.failures().next().is_some()).map(red));
    fit(text, &parts, room)
}

fn of_group(group: &Group) -> String {
    let Group { headline, fault, gates, checks } = group;
    format!("- {} — fault of {fault}, {checks} red in {}\n", code(headline), gates.join(", "))
}

fn of_gate(name: &str, gate: &GateSummary) -> String {
    let mut text = format!("\n<details><summary>{name}</summary>\n\n");
    for (check, failure) in gate.failures() {
        let failure = Redactor::default().failure(failure);
        let _ = writeln!(text, "**{check}**\n\n{}\n", indented(&failure.to_string()));
    }
    text + "</details>\n"
}

/// A text that is shown as it is, whatever is in it.
fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

/// One line that is shown as it is.
fn code(line: &str) -> String {
    format!("`{}`", line.replace(['`', '\n'], "'").replace('|', "\\|"))
}

/// The text with as many of its parts as there is room for; what is left out is said.
fn fit(mut text: String, parts: &[String], room: usize) -> String {
    const LEFT_OUT: &str = "\nMore is in the report: there is no more room here.\n";
    for part in parts {
        if text.len() + part.len() + LEFT_OUT.len() > room {
            text.push_str(LEFT_OUT);
            break;
        }
        text.push_str(part);
    }
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_and_said() {
        let parts = vec!["a".repeat(100), "b".repeat(5000)];
        let text = fit("head\n".into(), &parts, 1000);
        assert!(text.len() <= 1000 && text.contains("aaa") && !text.contains('b') && text.ends_with("room here.\n"));
        assert_eq!(fit("ä".repeat(10), &[], 5).len(), 4);
    }

    #[test]
    fn what_is_quoted_ends_no_code() {
        assert_eq!(code("a `b`|\nc"), "`a 'b'\\|'c`");
    }
}
