//! The message of a red check: what was expected and seen, where the evidence is, what to do next.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What kind of failure it is, as far as that says more than the name of its check: whose fault it is, and what it follows
/// from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What a check has seen is not as expected.
    #[default]
    Finding,
    /// The evidence of a check is still to come.
    NotYet,
    /// It follows from a failure that another check tells of.
    Follows,
    /// What was asked did not answer: why, what was asked says.
    Silence,
    /// containerd does not answer, or is not followed any more.
    Containerd,
    /// `WorkerBee`'s MCP daemon is not ready.
    Daemon,
    /// `WorkerBee` answers or does what it must not.
    WorkerBee,
    /// The machine lacks something, or a setting of the run does not fit.
    Host,
    /// What the harness provides in a lane lacks something, or the user's own host.
    Environment,
    /// What cannot be: the harness is wrong.
    Harness,
    /// The evidence has not what the check reads: another version of the harness has left it.
    Missing,
}

impl Kind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_finding(&self) -> bool {
        *self == Self::Finding
    }
}

/// The reason why a check is red, or why a gate could not be run at all.
///
/// Its `Display` starts with `Error: `, the line that nextest takes as JUnit's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, schemars::JsonSchema)]
pub struct Failure {
    /// One line: what went wrong.
    pub what: String,
    /// The result that the check expects.
    pub expected: String,
    /// The result that it found.
    pub seen: String,
    /// The file that shows it.
    pub evidence: Option<PathBuf>,
    /// The advice on what to do next.
    pub remedy: String,
    /// What kind of failure it is.
    #[serde(default, skip_serializing_if = "Kind::is_finding")]
    pub kind: Kind,
}

/// The longest cause, in bytes: what a foreign text is quoted of in it may be of any length.
const WHAT: usize = 1_000;
/// The longest of the other parts, in bytes. The evidence has all of it.
const PART: usize = 4_000;

/// Is true of a sign that nobody sees or that has a line read backwards, and of what no XML may hold.
pub(crate) fn misleads(sign: char) -> bool {
    matches!(sign,
        '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

/// A text that a terminal can show: no signs that move a cursor, and of a long text the beginning. It is made so when it
/// is shown: the redaction reads texts as they came.
fn readable(text: &str, limit: usize) -> Cow<'_, str> {
    let moves = |sign: char| sign.is_control() && !matches!(sign, '\n' | '\t') || misleads(sign);
    if text.len() <= limit && !text.contains(moves) {
        return text.into();
    }
    let end = text.floor_char_boundary(limit.min(text.len()));
    let mut shown = text[..end].replace(moves, "\u{fffd}");
    if end < text.len() {
        let _ = write!(shown, " … (of {} bytes)", text.len());
    }
    shown.into()
}

impl Failure {
    /// A failure with its one-line cause; the rest is added with the other methods.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            expected: String::new(),
            seen: String::new(),
            evidence: None,
            remedy: String::new(),
            kind: Kind::default(),
        }
    }

    /// Says what kind of failure it is.
    #[must_use]
    pub fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Calls it one of the harness's own, which nobody else can do anything about.
    #[must_use]
    pub fn to_be_reported(self) -> Self {
        self.of(Kind::Harness).remedy("report this")
    }

    /// Adds what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Adds what was seen.
    #[must_use]
    pub fn seen(mut self, seen: impl Into<String>) -> Self {
        self.seen = seen.into();
        self
    }

    /// Adds the evidence file.
    #[must_use]
    pub fn evidence(mut self, file: impl AsRef<Path>) -> Self {
        self.evidence = Some(file.as_ref().to_owned());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error: {}", readable(first_line(&self.what), WHAT))?;
        let evidence = self.evidence.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
        for (label, text) in
            [("expected", &self.expected), ("seen", &self.seen), ("evidence", &evidence), ("remedy", &self.remedy)]
        {
            if !text.is_empty() {
                write!(
                    f,
                    "\n  {:<9} {}",
                    format!("{label}:"),
                    readable(text.trim_end(), PART).replace('\n', "\n            ")
                )?;
            }
        }
        Ok(())
    }
}

/// The difference between an observation and what a check expects: in one line, and the part that shows it.
#[derive(Debug)]
pub struct Mismatch {
    /// The difference.
    pub what: String,
    /// The part of the observation that shows it; none when all of it does.
    pub seen: Option<Value>,
    /// What to do next, when that is another thing than the check advises.
    pub remedy: Option<&'static str>,
    /// What kind of failure it is.
    pub kind: Kind,
}

impl Mismatch {
    /// Creates a mismatch with the part of the observation that shows it.
    pub fn new(what: impl Into<String>, seen: &impl Serialize) -> Self {
        Self { what: what.into(), seen: serde_json::to_value(seen).ok(), remedy: None, kind: Kind::default() }
    }

    /// Says what kind of failure it is.
    #[must_use]
    pub fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = Some(remedy);
        self
    }
}

/// Something that all of the observation shows.
impl<T: Into<String>> From<T> for Mismatch {
    fn from(what: T) -> Self {
        Self { what: what.into(), seen: None, remedy: None, kind: Kind::default() }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_of_any_length_and_any_signs_can_be_read() {
        let failure = Failure::new(format!("not \u{1b}[2J{}", "é".repeat(1_000))).seen("x".repeat(5_000));
        let text = failure.to_string();
        let (first, seen) = text.split_once('\n').unwrap();
        assert!(first.starts_with("Error: not \u{fffd}[2Jé") && first.ends_with("é … (of 2008 bytes)"), "{first}");
        assert_eq!(seen, format!("  seen:     {} … (of 5000 bytes)", "x".repeat(4_000)));
        assert_eq!(
            Failure::new("one").seen("two\n\tlines").to_string(),
            "Error: one\n  seen:     two\n            \tlines"
        );
        assert_eq!(
            Failure::new("a\u{202e}b\u{200b}c\u{ffff}d").to_string(),
            "Error: a\u{fffd}b\u{fffd}c\u{fffd}d",
            "nextest puts it into XML"
        );
    }
}
