//! The failures of a run, first on the page: one entry for each cause, not for each check that it turned red.

use std::collections::BTreeSet;
use std::path::PathBuf;

use maud::{Markup, html};

use super::excerpt::{self, Room, visible};
use super::layout::{counted, first_line, prose};
use super::run::{GateReport, RunReport};
use crate::diagnosis;
use crate::evidence::layout::{INDEX, triage_folder};
use crate::evidence::{Red, Triage, folder, kept_project_hint};
use crate::failure::Failure;
use crate::summary::State;

/// Failures of one gate that one cause explains.
struct Cause<'a> {
    gate: &'a GateReport,
    failure: &'a Failure,
    checks: Vec<&'a str>,
    /// True when it is the first of its gate.
    leads: bool,
    /// The diagnosis of it.
    told: Option<&'a diagnosis::Cause>,
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
    let diagnosed = diagnosed(gate);
    if !diagnosed.is_empty() {
        return diagnosed;
    }
    let mut causes: Vec<Cause<'_>> = Vec::new();
    if let Some(failure) = &gate.summary.failure {
        causes.push(Cause { gate, failure, checks: Vec::new(), leads: true, told: None });
    }
    for (check, failure) in gate.summary.failures() {
        let same = |cause: &&mut Cause<'_>| {
            (&cause.failure.remedy, &cause.failure.evidence) == (&failure.remedy, &failure.evidence)
        };
        if let Some(cause) = causes.iter_mut().find(same) {
            cause.checks.push(check);
        } else {
            let leads = causes.is_empty();
            causes.push(Cause { gate, failure, checks: vec![check], leads, told: None });
        }
    }
    causes
}

/// The causes as the gate's diagnosis has them, each with the failure of the check that says most of it.
fn diagnosed(gate: &GateReport) -> Vec<Cause<'_>> {
    let stopped = gate.summary.failure.as_ref().or(gate.record.as_ref().and_then(|record| record.failure.as_ref()));
    let cause = |(place, told): (usize, &'_ diagnosis::Cause)| -> Option<Cause<'_>> {
        let told = gate.summary.diagnosis.causes.get(place).filter(|known| *known == told)?;
        let of = |check: &String| gate.summary.failures().find(|(name, _)| name == check);
        let named: Vec<(&str, &Failure)> = told.checks.iter().filter_map(of).collect();
        let failure = named.first().map(|(_, failure)| *failure).or(stopped)?;
        let checks = named.iter().map(|(check, _)| *check).collect();
        Some(Cause { gate, failure, checks, leads: place == 0, told: Some(told) })
    };
    gate.summary.diagnosis.causes.iter().enumerate().filter_map(cause).collect()
}

/// Renders a diagnosis: what broke, why and whose fault it is; then the end of the component's log, and what follows,
/// folded.
fn diagnosis_of(run: &RunReport, gate: &GateReport, told: &diagnosis::Cause) -> Markup {
    html! {
        p.cause { (visible(&told.second_line(&gate.summary.diagnosis.read))) "." }
        @if !told.excerpt.is_empty() {
            pre.log tabindex="0" { (visible(&told.excerpt.join("\n"))) }
            @if let Some(component) = &told.component {
                p.note {
                    "The last lines of " (visible(component)) "'s log. All of it: "
                    @for file in told.evidence.iter().filter(|file| file.extension().is_some_and(|end| end == "log")) {
                        (excerpt::link(run, file)) " "
                    }
                }
            }
        }
    }
}

fn entry(run: &RunReport, room: &Room, cause: &Cause<'_>) -> Markup {
    let failure = cause.failure;
    html! {
        article {
            h3 { @match cause.told { Some(told) => (prose(&told.headline())), None => (headline(failure)) } }
            @if let Some(told) = cause.told { (diagnosis_of(run, cause.gate, told)) }
            p.where {
                a href={ "#" (cause.gate.anchor()) } { (cause.gate.name) }
                @if cause.checks.len() > 1 { " · " (counted(cause.checks.len(), "check")) " red: " }
                @else if !cause.checks.is_empty() { " · " }
                @let open = if cause.told.is_some() { 1 } else { cause.checks.len() };
                (links(cause, ..open.min(cause.checks.len())))
            }
            @if cause.told.is_some() && cause.checks.len() > 1 {
                details { summary { (counted(cause.checks.len() - 1, "check")) " red that follow from it" } p { (links(cause, 1..)) } }
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

/// Links to some of a cause's checks.
fn links(cause: &Cause<'_>, which: impl std::slice::SliceIndex<[usize], Output = [usize]>) -> Markup {
    let places: Vec<usize> = (0..cause.checks.len()).collect();
    html! {
        @for (place, at) in places[which].iter().enumerate() {
            @let check = cause.checks[*at];
            @if place > 0 { ", " }
            a href={ "#" (super::checks::anchor(cause.gate, check)) } { code { (visible(check)) } }
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
    let line = first_line(&failure.what);
    let mut letters = line.chars();
    prose(&letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default())
}

/// Renders the triage of a failed gate: what to read first, and all captures with what was striking in them.
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
