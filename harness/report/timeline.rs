//! The timeline: what ran side by side, and what each gate did when.

use maud::{Markup, html};

use super::excerpt::visible;
use super::layout::{seconds, sign};
use super::run::{GateReport, RunReport};
use crate::summary::State;

/// One bar of a gate.
struct Bar {
    name: String,
    from: f64,
    seconds: f64,
}

pub(super) fn render(run: &RunReport) -> Markup {
    let whole = run.seconds().max(1.0);
    let step = step(whole);
    let mut ticks = vec![0.0];
    while ticks.last().is_some_and(|last| last + step < whole) {
        ticks.push(ticks.last().unwrap_or(&0.0) + step);
    }
    html! {
        section #timeline aria-labelledby="timeline-heading" {
            h2 #timeline-heading { "Timeline" }
            p.note { "Gates side by side, " (run.summary.lanes) " at most. Seconds after the start of the run"
                @if run.summary.parts.len() > 1 { ", without those between its parts" } "." }
            div.chart aria-hidden="true" {
                div.axis { @for tick in &ticks { span style=(place(*tick, 0.0, whole)) { (tick) } } }
                @for gate in in_time(run) {
                    div.row {
                        span.name { (gate.name) }
                        span.track {
                            @for tick in &ticks { i.line style=(place(*tick, 0.0, whole)) {} }
                            @if let Some(began) = gate.summary.began {
                                @let until = gate.summary.ended.map_or(whole, |ended| run.at(ended));
                                i.whole style=(place(run.at(began), until - run.at(began), whole)) {}
                            }
                            @for bar in bars(run, gate, whole) {
                                i.bar.(kind(&bar.name)) style=(place(bar.from, bar.seconds, whole))
                                    title={ (visible(&bar.name)) ", " (seconds(bar.seconds)) } {}
                            }
                        }
                        span.length { @if gate.summary.ended.is_some() { (seconds(gate.summary.seconds)) } @else { (sign(gate.state)) } }
                    }
                }
                ul.legend {
                    @for (kind, name) in KINDS { li { i.bar.(kind) {} " " (name) } }
                }
            }
            details {
                summary { "The same in figures" }
                (figures(run))
            }
        }
    }
}

const KINDS: [(&str, &str); 5] = [
    ("waiting", "waiting for a turn"),
    ("daemon", "environment and daemon"),
    ("validate", "validation"),
    ("observation", "observations and teardown"),
    ("end", "stop and purge"),
];

fn kind(name: &str) -> &'static str {
    match name {
        name if name.starts_with("wait") => "waiting",
        "environment" => "daemon",
        name if name.starts_with("mcp-") => "daemon",
        "validate" => "validate",
        "profile-stop" | "profile-purge" | "cleanup" => "end",
        _ => "observation",
    }
}

fn in_time(run: &RunReport) -> Vec<&GateReport> {
    let mut gates: Vec<&GateReport> = run.gates.iter().collect();
    gates.sort_by_key(|gate| (gate.summary.began.is_none(), gate.summary.began, gate.summary.asked));
    gates
}

fn bars(run: &RunReport, gate: &GateReport, whole: f64) -> Vec<Bar> {
    let asked = run.at(gate.summary.asked);
    let until = gate.summary.began.map_or(whole, |began| run.at(began));
    let mut bars = vec![Bar { name: "waiting for its turn".into(), from: asked, seconds: (until - asked).max(0.0) }];
    bars.extend(gate.phases().into_iter().map(|(at, phase)| Bar {
        name: phase.name.clone(),
        from: run.at(at),
        seconds: phase.seconds,
    }));
    if let Some((since, doing)) = gate.doing() {
        let from = run.at(since);
        bars.push(Bar { name: format!("{doing} (not ended)"), from, seconds: (whole - from).max(0.0) });
    }
    bars
}

/// A place on the track, in hundredths of it.
fn place(from: f64, length: f64, whole: f64) -> String {
    let hundredth = |seconds: f64| (seconds / whole * 100.0).clamp(0.0, 100.0);
    format!("left:{:.3}%;width:{:.3}%", hundredth(from), hundredth(length))
}

/// Round seconds between two ticks, so that there are four to eight of them.
fn step(whole: f64) -> f64 {
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];
    // Of a run whose clock was set there may be years.
    steps.into_iter().find(|step| whole / step <= 7.0).unwrap_or_else(|| 3600.0 * (whole / 3600.0 / 7.0).ceil())
}

fn figures(run: &RunReport) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Phases of the gates" {
            table {
                caption.sr { "What each gate did, when, and for how long" }
                thead { tr { th scope="col" { "Gate" } th scope="col" { "Phase" } th.number scope="col" { "From" } th.number scope="col" { "Took" } } }
                @for gate in in_time(run) {
                    tbody {
                        @let bars = bars(run, gate, run.seconds());
                        @for (place, bar) in bars.iter().enumerate() {
                            tr {
                                @if place == 0 { th scope="rowgroup" rowspan=(bars.len()) { (gate.name) @if gate.state != State::Passed { br; (sign(gate.state)) } } }
                                td { (visible(&bar.name)) }
                                td.number { (seconds(bar.from)) }
                                td.number { (seconds(bar.seconds)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(1.0)]
    #[case(170.0)]
    #[case(7200.0)]
    #[case(86_400.0)]
    #[case(27.0 * 365.25 * 86_400.0)]
    fn there_are_eight_ticks_at_most(#[case] whole: f64) {
        assert!(whole / step(whole) <= 7.0, "{}", step(whole));
    }
}
