//! What went wrong, first: one entry for each cause, not for each check that it turned red.

use std::path::Path;

use maud::{Markup, html};

use super::excerpt::{self, Room, visible};
use super::layout::{counted, prose};
use super::run::{GateReport, RunReport};
use crate::failure::Failure;
use crate::run::State;

/// Failures of one gate that one cause explains.
struct Cause<'a> {
    gate: &'a GateReport,
    failure: &'a Failure,
    checks: Vec<&'a str>,
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
        causes.push(Cause { gate, failure, checks: Vec::new() });
    }
    for (check, failure) in gate.summary.failures() {
        let same = |cause: &&mut Cause<'_>| {
            (&cause.failure.remedy, &cause.failure.evidence) == (&failure.remedy, &failure.evidence)
        };
        match causes.iter_mut().find(same) {
            Some(cause) => cause.checks.push(check),
            None => causes.push(Cause { gate, failure, checks: vec![check] }),
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
            @if let Some(file) = &failure.evidence { (excerpt::file(run, room, file)) }
            (logs(run, room, cause.gate))
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

/// The container logs that a gate keeps of a profile that was not as it should be.
fn logs(run: &RunReport, room: &Room, gate: &GateReport) -> Markup {
    let folder = gate.summary.folder.join("logs");
    let mut logs: Vec<_> = std::fs::read_dir(run.dir.join(&folder)).into_iter().flatten().flatten().collect();
    logs.sort_by_key(std::fs::DirEntry::file_name);
    html! { @for log in logs { (excerpt::file(run, room, &folder.join(Path::new(&log.file_name())))) } }
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
                    (visible(gate.summary.flaky.as_deref().unwrap_or_default()))
                    @if let Some(conflict) = gate.conflict.as_ref().and_then(|record| record.conflict.as_ref()) {
                        ". Cause: " b { (conflict.cause) } ", the lease was held by "
                        (visible(conflict.leader.as_deref().unwrap_or("nobody known"))) "."
                    }
                }
            }
            @for name in retried { li { (name) " failed, a later attempt passed." } }
        }
    }
}
