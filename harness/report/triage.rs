//! What went wrong, first: one entry for each cause, not for each check that it turned red.

use std::collections::BTreeSet;
use std::path::PathBuf;

use maud::{Markup, html};

use super::excerpt::{self, Room, visible};
use super::layout::{counted, prose};
use super::run::{GateReport, RunReport};
use crate::evidence::layout::{INDEX, triage_folder};
use crate::evidence::{Red, Triage, folder, kept_project_hint};
use crate::failure::Failure;
use crate::summary::State;

/// Failures of one gate that one cause explains.
struct Cause<'a> {
    gate: &'a GateReport,
    failure: &'a Failure,
    checks: Vec<&'a str>,
    /// Whether it is the first of its gate.
    leads: bool,
}

pub(super) fn render(run: &RunReport, room: &Room) -> Markup {
    if !run.has_trouble() {
        return html! {};
    }
    let causes: Vec<Cause<'_>> = run.gates.iter().flat_map(causes).collect();
    html! {
        section #trouble aria-labelledby="trouble-heading" {
            h2 #trouble-heading { "What went wrong" }
            ol.causes {
                @for cause in &causes { li { (entry(run, room, cause)) } }
                @for gate in run.gates.iter().filter(|gate| gate.state == State::CutShort) { li { (cut_short(run, gate)) } }
            }
            (flaky(run))
        }
    }
}

/// The causes of a gate's failures: red checks with the same advice on the same evidence have one.
fn causes(gate: &GateReport) -> Vec<Cause<'_>> {
    let mut causes: Vec<Cause<'_>> = Vec::new();
    if let Some(failure) = &gate.summary.failure {
        causes.push(Cause { gate, failure, checks: Vec::new(), leads: true });
    }
    for (check, failure) in gate.summary.failures() {
        let same = |cause: &&mut Cause<'_>| {
            (&cause.failure.remedy, &cause.failure.evidence) == (&failure.remedy, &failure.evidence)
        };
        if let Some(cause) = causes.iter_mut().find(same) {
            cause.checks.push(check);
        } else {
            let leads = causes.is_empty();
            causes.push(Cause { gate, failure, checks: vec![check], leads });
        }
    }
    causes
}

fn entry(run: &RunReport, room: &Room, cause: &Cause<'_>) -> Markup {
    let failure = cause.failure;
    html! {
        article {
            h3 { (headline(failure)) }
            p.where {
                a href={ "#" (cause.gate.anchor()) } { (cause.gate.name) }
                @if cause.checks.len() > 1 { " · " (counted(cause.checks.len(), "check")) " red: " }
                @else if !cause.checks.is_empty() { " · " }
                @for (place, check) in cause.checks.iter().enumerate() {
                    @if place > 0 { ", " }
                    a href={ "#" (super::checks::anchor(cause.gate, check)) } { code { (visible(check)) } }
                }
            }
            (told(failure))
            @if cause.leads && cause.gate.summary.project_kept {
                p.note { "Its project is kept: " (prose(&kept_project_hint(&cause.gate.summary.project))) "." }
            }
            @if let Some(file) = &failure.evidence { (excerpt::file(run, room, file)) }
            (looked_at(run, room, cause))
        }
    }
}

/// The parts of a failure.
pub(super) fn told(failure: &Failure) -> Markup {
    html! {
        dl.told {
            @for (label, text) in [("Expected", &failure.expected), ("Seen", &failure.seen), ("Do next", &failure.remedy)] {
                @if !text.is_empty() { div { dt { (label) } dd { (prose(text)) } } }
            }
        }
    }
}

fn headline(failure: &Failure) -> Markup {
    let mut letters = failure.what.lines().next().unwrap_or_default().chars();
    prose(&letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default())
}

/// What the gate looked at when it failed: what to read first, and all that there is with what was striking.
fn looked_at(run: &RunReport, room: &Room, cause: &Cause<'_>) -> Markup {
    let index = triage_folder(&cause.gate.summary.folder).join(INDEX);
    let read = folder::read(&run.dir, &index).ok().and_then(|bytes| serde_json::from_slice::<Triage>(&bytes).ok());
    let Some(triage) = read else { return html! {} };
    let of_cause =
        |red: &&Red| red.check.as_deref().map_or(cause.checks.is_empty(), |check| cause.checks.contains(&check));
    let first: BTreeSet<&PathBuf> = triage.red.iter().filter(of_cause).filter_map(|red| red.first.as_ref()).collect();
    html! {
        @for file in first { (excerpt::file(run, room, file)) }
        @if cause.leads { details.evidence {
            summary { "Captured " (visible(&triage.taken)) ": " (counted(triage.items.len(), "observation")) }
            ul {
                @for item in &triage.items {
                    li {
                        (visible(&item.shows))
                        @for file in &item.files { " " (excerpt::link(run, file)) }
                        @for found in &item.found { br; b { (visible(found)) } }
                        @if let Some(problem) = &item.problem { br; "Not taken, or not all: " (visible(problem)) }
                    }
                }
            }
        } }
    }
}

fn cut_short(run: &RunReport, gate: &GateReport) -> Markup {
    html! {
        article {
            h3 { "The run ended before " (gate.name) " did" }
            p.where {
                @match gate.doing() {
                    Some((since, doing)) => {
                        "It was at " b { (visible(doing)) } ", which it had begun "
                        (super::layout::seconds(run.at(since))) " after the start of the run."
                    }
                    None => "It was still waiting for its turn, or had just begun.",
                }
            }
        }
    }
}

fn flaky(run: &RunReport) -> Markup {
    let conflicts: Vec<_> = run.gates.iter().filter(|gate| gate.summary.flaky.is_some()).collect();
    let retried = run.summary.retried();
    if conflicts.is_empty() && retried.is_empty() {
        return html! {};
    }
    html! {
        h3 { "Flaky: passed, but not at once" }
        ul.flaky {
            @for gate in conflicts {
                li {
                    a href={ "#" (gate.anchor()) } { (gate.name) } ": "
                    (visible(gate.summary.flaky.as_deref().unwrap_or_default())) "."
                }
            }
            @for name in retried { li { (name) " failed, a later attempt passed." } }
        }
    }
}
