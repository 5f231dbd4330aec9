//! The verdict, before all else: what came of the run, and of each gate.

use maud::{Markup, html};

use super::excerpt::visible;
use super::layout::{counted, seconds, sign};
use super::run::RunReport;
use crate::attest::versions::{TOLD_BY_ITSELF, told_by_itself};
use crate::summary::{Outcome, State, Summary};

pub(super) fn render(run: &RunReport) -> Markup {
    let verdict = run.summary.verdict();
    let started = run.summary.started.strftime("%-d %B %Y, %H:%M UTC");
    html! {
        header.masthead.(class(verdict)) {
            p.eyebrow { "k1s profile gates · " time datetime=(run.summary.started.to_string()) { (started) } }
            h1 { (sign_large(verdict)) (word(verdict)) }
            p.lead { (lead(run)) }
            @if let Some(tree) = &run.summary.k1s_root { p.note { "k1s under test: " (visible(&tree.to_string())) } }
            (ran_on(&run.summary))
            @if run.summary.is_of_the_environment() {
                p.lead { b { "Nothing of this is k1s's: " } "what is red is so for the machine, the stack or the harness alone." }
            }
            @for resume in run.summary.resumes() { p.note { "Resumed at " (resume) "." } }
            (sureness(run))
            nav aria-label="Sections of this report" {
                @if run.has_trouble() { a href="#trouble" { "What went wrong" } }
                a href="#timeline" { "Timeline" }
                a href="#checks" { "Checks" }
                @if run.gates.iter().any(|gate| gate.summary.key.gate.profile().is_some()) { a href="#profiles" { "Profiles" } }
                a href="#environment" { "Environment" }
            }
        }
        (gates(run))
    }
}

/// Renders the versions of what the gates ran on, as the programs themselves told them where they were asked, and the
/// names of the interventions. Each is looked through for secrets by itself.
fn ran_on(summary: &Summary) -> Markup {
    let (versions, done) = (&summary.versions, &summary.interventions);
    let told = versions.iter().filter(|(name, _)| !versions.contains_key(&told_by_itself(name)));
    let comma = |place: usize| if place == 0 { "" } else { ", " };
    html! {
        @if !versions.is_empty() {
            p.note {
                "Ran on "
                @for (place, (name, version)) in told.enumerate() {
                    (comma(place)) (visible(name.trim_end_matches(TOLD_BY_ITSELF))) " " (visible(version))
                }
                "."
            }
        }
        @if !done.is_empty() {
            p.note {
                "The harness intervened in: "
                @for (place, name) in done.keys().enumerate() { (comma(place)) (visible(name)) }
                " (" a href="#environment" { "how" } ")."
            }
        }
    }
}

/// Returns the word for the state of a run as a whole.
pub fn word(state: State) -> &'static str {
    match state {
        State::Passed => "Passed",
        State::Failed => "Failed",
        State::CutShort => "Cut short",
        State::Running => "Still running",
        State::Waiting => "Nothing run yet",
    }
}

fn class(state: State) -> &'static str {
    match state {
        State::Passed => "is-pass",
        State::Failed => "is-fail",
        _ => "is-open",
    }
}

fn sign_large(state: State) -> Markup {
    let glyph = match state {
        State::Passed => "✓",
        State::Failed => "✗",
        State::CutShort => "■",
        State::Running | State::Waiting => "▶",
    };
    html! { span.seal aria-hidden="true" { (glyph) } }
}

impl RunReport {
    /// Counts the checks that passed, failed, and were not judged.
    fn checks(&self) -> (usize, usize, usize) {
        let of = |outcome: &Outcome| self.gates.iter().map(|gate| gate.summary.count(outcome)).sum::<usize>();
        let failed = self.gates.iter().map(|gate| gate.summary.failures().count()).sum();
        (of(&Outcome::Passed), failed, of(&Outcome::Unjudged))
    }

    pub(super) fn has_trouble(&self) -> bool {
        self.gates.iter().any(|gate| {
            let unjudged = gate.state == State::CutShort || gate.summary.failure.is_some();
            unjudged || gate.summary.flaky.is_some() || gate.summary.failures().next().is_some()
        })
    }
}

/// The run in a sentence.
fn lead(run: &RunReport) -> Markup {
    let (passed, failed, unjudged) = run.checks();
    let flaky = run.gates.iter().filter(|gate| gate.summary.flaky.is_some()).count() + run.summary.retried().len();
    let open = run.gates.iter().filter(|gate| gate.summary.ended.is_none()).count();
    html! {
        @if failed > 0 { b { (failed) " of " (counted(passed + failed, "check")) " failed" } }
        @else { b { (passed) " of " (counted(passed, "check")) " passed" } }
        " in " (counted(run.gates.len(), "gate")) ", after " (seconds(run.seconds())) "."
        @if open > 0 { " " (counted(open, "gate")) " had not ended when this was written." }
        @if flaky > 0 { " " b { (counted(flaky, "gate")) " flaky." } }
        @if unjudged > 0 {
            " " (counted(unjudged, "check")) " of these gates " @if unjudged == 1 { "was" } @else { "were" }
            " not asked for."
        }
    }
}

/// Renders what the green checks rest on: `WorkerBee`'s word, or the harness's own observations.
fn sureness(run: &RunReport) -> Markup {
    let (mut own, mut answers) = (0, 0);
    for gate in &run.gates {
        let looks = gate.summary.folder.join("seen");
        let passed = gate.summary.checks.iter().filter(|verdict| verdict.outcome == Outcome::Passed);
        for verdict in passed.filter(|verdict| !verdict.read.is_empty()) {
            let seen = verdict.read.iter().any(|reading| reading.file.starts_with(&looks));
            *(if seen { &mut own } else { &mut answers }) += 1;
        }
    }
    html! {
        @if own + answers > 0 {
            p.note {
                "Of those that passed, " (own) " stand on what the harness saw for itself, "
                (answers) " on what WorkerBee answered."
            }
        }
    }
}

/// Every gate in a line.
fn gates(run: &RunReport) -> Markup {
    html! {
        section.gates aria-labelledby="gates-heading" {
            h2 #gates-heading .quiet { "Gates" }
            @if run.gates.is_empty() { p { "No gate was asked for yet." } }
            ul {
                @for gate in &run.gates {
                    @let failed = gate.summary.failures().count();
                    @let judged = gate.summary.count(&Outcome::Passed) + failed;
                    li {
                        a href={ "#" (gate.anchor()) } { (visible(&gate.name)) }
                        (sign(gate.state))
                        span.figure {
                            @if gate.summary.ended.is_none() {}
                            @else if gate.summary.failure.is_some() { "not run" }
                            @else if failed > 0 { (failed) " of " (judged) " red" }
                            @else { (judged) " checks" }
                        }
                        span.figure {
                            @if gate.summary.ended.is_some() { (seconds(gate.summary.seconds)) }
                            @else if let Some((_, doing)) = gate.doing() { (visible(doing)) }
                        }
                        @if gate.summary.flaky.is_some() { span.tag { "flaky" } }
                        @if gate.kept { span.tag { "kept from part " (gate.summary.part) } }
                        @if let Some(again) = &gate.summary.again { span.tag title=(visible(again)) { "run anew" } }
                    }
                }
            }
        }
    }
}
