//! Python's exceptions: tracebacks, alone, chained or in groups, and those of its own syntax, which have no traceback.

use std::sync::LazyLock;

use regex::Regex;

use super::Reason;

/// The folder of k1s's own code in its containers: the frame there says more than the one in a library that it called.
const OWN: &str = "/workspace/";

struct Patterns {
    /// `  File "x.py", line 3, in f`.
    frame: Regex,
    /// `ValueError: no`, `ae.errors.Refused`.
    exception: Regex,
    /// The text before each line of an exception group.
    margin: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    Some(Patterns {
        frame: Regex::new(r#"^\s*File "([^"]+)", line (\d+)"#).ok()?,
        exception: Regex::new(r"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?:: .*|:)?$").ok()?,
        margin: Regex::new(r"^ *(?:\+-[+-]*(?: ?-+ ?\d+ ?-+)?|\+|\|) ?").ok()?,
    })
});

/// The way in which an exception came out of another one.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    While,
    Because,
    Of,
}

struct Exception {
    text: String,
    frames: Vec<(String, String)>,
    from: usize,
    at: usize,
    link: Option<Link>,
}

impl Exception {
    fn place(&self) -> Option<String> {
        let own = self.frames.iter().rev().find(|(file, _)| file.starts_with(OWN));
        let real = || self.frames.iter().rev().find(|(file, _)| !file.starts_with('<'));
        own.or_else(real).map(|(file, line)| format!("{file}:{line}"))
    }

    fn whole(&self) -> String {
        self.place().map_or_else(|| self.text.clone(), |place| format!("{} ({place})", self.text))
    }
}

/// The exceptions in a log; of a chain, the last one with what it came from.
pub(super) fn exceptions(lines: &[String]) -> Vec<Reason> {
    let Some(patterns) = &*PATTERNS else { return Vec::new() };
    let mut reasons: Vec<Reason> = Vec::new();
    let mut last: Option<Exception> = None;
    for exception in parse(lines, patterns) {
        let mut from = exception.from;
        let (text, place) = match (&last, exception.link) {
            (Some(first), Some(link @ (Link::While | Link::Because))) => {
                from = reasons.pop().map_or(from, |reason| reason.from);
                let words = if link == Link::While { "while handling" } else { "because of" };
                (format!("{}, {words} {}", exception.whole(), first.whole()), None)
            }
            (Some(group), Some(Link::Of)) => {
                from = reasons.pop().map_or(from, |reason| reason.from);
                (format!("{}: {}", group.whole(), exception.whole()), None)
            }
            _ => (exception.text.clone(), exception.place()),
        };
        reasons.push(Reason { text, place, from, at: exception.at, is_fatal: true });
        last = Some(exception);
    }
    reasons
}

fn parse(lines: &[String], patterns: &Patterns) -> Vec<Exception> {
    let mut found: Vec<Exception> = Vec::new();
    let mut frames: Vec<(String, String)> = Vec::new();
    let (mut how, mut is_open, mut ignored, mut after_group, mut from) = (None, false, false, false, 0);
    for (at, raw) in lines.iter().enumerate() {
        let in_margin = raw.trim_start().starts_with(['|', '+']);
        let bare = if in_margin { patterns.margin.replace(raw, "").into_owned() } else { raw.clone() };
        let line = bare.as_str();
        let beginning = line.trim_start();
        if beginning.starts_with("Exception ignored in") {
            ignored = true;
        } else if beginning.starts_with("During handling of the above exception") {
            how = Some(Link::While);
        } else if beginning.starts_with("The above exception was the direct cause") {
            how = Some(Link::Because);
        } else if beginning.ends_with("Traceback (most recent call last):") {
            if in_margin && after_group && !beginning.starts_with("Exception Group") {
                how = Some(Link::Of);
            }
            frames.clear();
            (is_open, from) = (true, at);
        } else if let Some(frame) = patterns.frame.captures(line) {
            if !is_open {
                // Of its own syntax Python says no more than this.
                from = at;
            }
            frames.push((frame[1].to_owned(), frame[2].to_owned()));
            is_open = true;
        } else if is_open && !frames.is_empty() && patterns.exception.is_match(line) {
            let opens = in_margin && line.contains("sub-exception");
            if !std::mem::take(&mut ignored) {
                let came = how.take().filter(|_| !found.is_empty());
                found.push(Exception {
                    text: line.trim_end_matches(':').to_owned(),
                    frames: frames.clone(),
                    from,
                    at,
                    link: came,
                });
            }
            (how, is_open, after_group) = (None, false, opens);
            frames.clear();
        } else if is_open && !line.is_empty() && !line.starts_with(' ') {
            // Not what a traceback goes on with.
            is_open = false;
            frames.clear();
        } else if let Some(what) = line.strip_prefix("Fatal Python error: ") {
            found.push(crash(lines, at, what, patterns));
        } else if !line.is_empty() && !is_open && !beginning.is_empty() && !in_margin {
            how = None;
        }
    }
    found
}

/// A crash of the interpreter: its frames come after it, the innermost first.
fn crash(lines: &[String], at: usize, what: &str, patterns: &Patterns) -> Exception {
    let end = lines.len().min(at + 60);
    let mut frames: Vec<(String, String)> = Vec::new();
    let mut last = at;
    for (place, line) in lines[at..end].iter().enumerate() {
        if let Some(frame) = patterns.frame.captures(line) {
            frames.insert(0, (frame[1].to_owned(), frame[2].to_owned()));
            last = at + place;
        }
    }
    let text = format!("Fatal Python error: {what}");
    Exception { text, frames, from: at, at: last, link: None }
}
