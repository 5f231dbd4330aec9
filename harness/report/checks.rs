//! Every check: what was expected, what was seen, and the evidence.

use maud::{Markup, html};

use super::excerpt::{self, Room, visible};
use super::layout::{counted, first_line, prose, seconds, sign};
use super::run::{GateReport, RunReport};
use super::triage::told;
use crate::evidence::{Observation, Record};
use crate::summary::{Outcome, State, Verdict};

pub(super) fn render(run: &RunReport, room: &Room) -> Markup {
    html! {
        section #checks aria-labelledby="checks-heading" {
            h2 #checks-heading { "Checks" }
            (filters(run))
            @for gate in &run.gates { (of_gate(run, room, gate)) }
        }
    }
}

/// The anchor of a check.
pub(super) fn anchor(gate: &GateReport, check: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("{}--{}", gate.anchor(), check.chars().map(plain).collect::<String>())
}

/// Shown by the script: without one everything is there anyway.
fn filters(run: &RunReport) -> Markup {
    html! {
        form #filters role="search" aria-label="Filter the checks" hidden {
            fieldset {
                legend.sr { "Verdict" }
                label { input type="radio" name="verdict" value="all" checked; span { "All" } }
                label { input type="radio" name="verdict" value="failed"; span { "Failed" } }
                label { input type="radio" name="verdict" value="passed"; span { "Passed" } }
            }
            label.field { span { "Gate" }
                select name="gate" {
                    option value="" { "every gate" }
                    @for gate in &run.gates { option value=(gate.anchor()) { (visible(&gate.name)) } }
                }
            }
            label.field { span { "Text" } input type="search" name="text" autocomplete="off" spellcheck="false"; }
            output aria-live="polite" {}
        }
    }
}

fn of_gate(run: &RunReport, room: &Room, gate: &GateReport) -> Markup {
    html! {
        section.gate id=(gate.anchor()) aria-labelledby={ (gate.anchor()) "-heading" } {
            h3 id={ (gate.anchor()) "-heading" } { (visible(&gate.name)) " " (sign(gate.state)) }
            p.where {
                "Project " code { (visible(&gate.summary.project)) }
                @if gate.summary.runs > 1 { " · run " (gate.summary.runs) " times" }
                @if gate.summary.ended.is_some() { " · " (seconds(gate.summary.seconds)) }
                @if gate.summary.flaky.is_some() { " · " span.tag { "flaky" } }
            }
            @if let Some(failure) = gate.summary.failure.as_ref().or(gate.record.as_ref().and_then(|record| record.failure.as_ref())) {
                p.stopped { "It did not get to its end: " (prose(&first_line(&failure.what))) }
            }
            @if matches!(gate.state, State::Running | State::Waiting) { p.note { "Its checks are judged when it has ended." } }
            @if !gate.summary.checks.is_empty() {
                ul.checks { @for verdict in &gate.summary.checks { (of_check(run, room, gate, verdict)) } }
            }
            @if let Some(record) = &gate.record { (files(run, room, record)) }
        }
    }
}

fn of_check(run: &RunReport, room: &Room, gate: &GateReport, verdict: &Verdict) -> Markup {
    let (class, glyph, word) = match &verdict.outcome {
        Outcome::Passed => ("pass", "✓", "passed"),
        Outcome::Failed(_) => ("fail", "✗", "failed"),
        Outcome::Unjudged => ("wait", "–", "not asked for"),
    };
    html! {
        li id=(anchor(gate, &verdict.check)) data-gate=(gate.anchor()) data-verdict=(word) {
            details.check.(class) {
                summary {
                    span.sign.(class) { span.glyph aria-hidden="true" { (glyph) } span.sr { (word) " " } }
                    code { (visible(&verdict.check)) }
                    span.brief {
                        @match &verdict.outcome {
                            Outcome::Failed(failure) => (prose(&first_line(&failure.what))),
                            Outcome::Passed => (prose(&verdict.expected)),
                            Outcome::Unjudged => "judged by its trial alone, which was not asked for",
                        }
                    }
                }
                @match &verdict.outcome {
                    Outcome::Failed(failure) => {
                        (told(failure))
                        @if let (true, Some(file)) = (verdict.read.is_empty(), &failure.evidence) { (excerpt::file(run, room, file)) }
                    }
                    Outcome::Passed => (as_expected(run, verdict)),
                    Outcome::Unjudged => p.note { "It compares the evidence with files that only its trial knows." },
                }
                @for reading in &verdict.read { (excerpt::part(run, room, reading)) }
            }
        }
    }
}

fn as_expected(run: &RunReport, verdict: &Verdict) -> Markup {
    html! {
        dl.told {
            @if !verdict.expected.is_empty() { div { dt { "Expected" } dd { (prose(&verdict.expected)) } } }
            @for reading in &verdict.read {
                @if let Some(seen) = excerpt::seen(run, reading) {
                    div { dt { "Seen" } dd.mono { (seen) } }
                }
            }
        }
    }
}

/// Renders the evidence that the gate has left: calls and observations, each with its file.
fn files(run: &RunReport, room: &Room, record: &Record) -> Markup {
    let number = record.calls.len() + record.observations.len();
    html! {
        details.files {
            summary { "All evidence of this gate: " (counted(number, "file")) }
            @if !record.calls.is_empty() {
                h4 { "What WorkerBee was asked" }
                @for (label, call) in &record.calls {
                    div.call {
                        p { b { (visible(label)) } span.figure { (call.status()) ", " (seconds(call.seconds)) } }
                        p.command { code { (visible(&call.command.join(" "))) } }
                        @if let Some(problem) = &call.problem { p.stopped { (visible(&problem.to_string())) } }
                        (excerpt::file(run, room, &call.file))
                        @if let Some(stderr) = &call.stderr { (excerpt::file(run, room, stderr)) }
                    }
                }
            }
            @if !record.observations.is_empty() {
                h4 { "What the harness saw for itself" }
                @for (name, observation) in &record.observations {
                    div.call {
                        p { b { (visible(name)) } }
                        @match observation {
                            Observation::Seen(file) => (excerpt::file(run, room, file)),
                            Observation::Failed(failure) => (told(failure)),
                        }
                    }
                }
            }
        }
    }
}
