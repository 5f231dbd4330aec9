//! The parts of every page: its head, its style, its script, its foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::excerpt::visible;
use crate::summary::State;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A whole page.
pub(crate) fn page(title: &str, body: &Markup) -> String {
    let written = jiff::Timestamp::now().strftime("%-d %B %Y, %H:%M:%S UTC");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing is fetched, whatever stands in the evidence.
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                (body)
                footer {
                    p { "Written " (written) " by k1s-profile-gates " (env!("CARGO_PKG_VERSION")) "." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// A verdict as a sign and a word: never by its colour alone.
pub(super) fn sign(state: State) -> Markup {
    let (class, glyph, word) = match state {
        State::Passed => ("pass", "✓", "passed"),
        State::Failed => ("fail", "✗", "failed"),
        State::CutShort => ("cut", "■", "cut short"),
        State::Running => ("run", "▶", "running"),
        State::Waiting => ("wait", "…", "waiting"),
    };
    html! { span.sign.(class) { span.glyph aria-hidden="true" { (glyph) } " " (word) } }
}

/// Seconds as people say them.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round();
        format!("{} min {:02} s", (whole / 60.0).floor(), whole % 60.0)
    }
}

/// `1 check`, `2 checks`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The first line of a text. First without secrets: a line of it may no longer tell what stands in it.
pub(super) fn first_line(text: &str) -> String {
    visible(text).lines().next().unwrap_or_default().to_owned()
}

/// Text of the harness's own, in which names stand between backticks.
pub(super) fn prose(text: &str) -> Markup {
    let text = visible(text);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! { @for (place, part) in parts.iter().enumerate() { @if place % 2 == 1 { code { (part) } } @else { (part) } } }
}
