//! A container's log as people read it: nerdctl's lines of JSON decoded, without what moves a terminal's cursor.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use crate::evidence::folder;

/// The most of a log that is read: its end.
const END: u64 = 4 * 1024 * 1024;
/// The most of a line that is kept.
const LINE: usize = 400;

/// A log of the evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// Its file, in the run's folder.
    pub(super) file: PathBuf,
    /// Its lines, from the first that was kept to the last.
    pub(super) lines: Vec<String>,
    /// The number of lines of the file.
    pub(super) entries: usize,
    /// True when nothing before these lines was left out.
    pub(super) is_whole: bool,
}

impl Log {
    /// Reads a log; none when it is not there.
    pub(super) fn read(run_dir: &Path, file: &Path) -> Option<Self> {
        let mut log = folder::open(run_dir, &run_dir.join(file)).ok()?;
        let length = log.metadata().ok()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
        let mut bytes = Vec::new();
        log.take(END).read_to_end(&mut bytes).ok()?;
        let entries = memchr::memchr_iter(b'\n', &bytes).count();
        // Triage keeps no more of a log than that either.
        Some(Self { file: file.to_owned(), lines: decode(&bytes), entries, is_whole: length < END })
    }

    /// Its last lines.
    pub(super) fn end(&self, lines: usize) -> Vec<String> {
        self.lines[self.lines.len().saturating_sub(lines)..].to_vec()
    }
}

/// A line as containerd's json-file logger writes it.
#[derive(Deserialize)]
struct Entry {
    log: String,
    stream: String,
}

/// The lines of a log, of either form. What is longer than a line of the logger's goes over several entries.
pub(super) fn decode(bytes: &[u8]) -> Vec<String> {
    let mut text = String::new();
    for (place, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) if matches!(entry.stream.as_str(), "stdout" | "stderr") => text.push_str(&entry.log),
            // The rest of an entry whose beginning was not kept.
            _ if place == 0 && line.ends_with(b"\"}") && line.windows(10).any(|part| part == b"\"stream\":\"") => {}
            _ => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&String::from_utf8_lossy(line));
                text.push('\n');
            }
        }
    }
    let mut lines: Vec<String> = text.lines().map(plain).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Sequences that a terminal takes for commands.
static ESCAPES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -~])").ok());

/// A line in which nothing hides: without escape sequences, with signs for control characters and for those that turn the
/// direction of writing, and not without end.
pub(super) fn plain(line: &str) -> String {
    let beginning: String = line.trim_end().chars().take(4 * LINE).collect();
    let text = match &*ESCAPES {
        Some(escapes) => escapes.replace_all(&beginning, "").into_owned(),
        None => beginning,
    };
    let sign = |c: char| match c {
        '\t' => ' ',
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other => other,
    };
    let text: String = text.chars().map(sign).collect();
    if text.chars().count() > LINE { text.chars().take(LINE - 1).chain(['…']).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::entries(
        "{\"log\":\"one\\n\",\"stream\":\"stderr\",\"time\":\"x\"}\n{\"log\":\"  two\\n\",\"stream\":\"stdout\",\"time\":\"x\"}\n",
        &["one", "  two"]
    )]
    #[case::a_long_line_in_parts(
        "{\"log\":\"one \",\"stream\":\"stderr\",\"time\":\"x\"}\n{\"log\":\"line\\n\",\"stream\":\"stderr\",\"time\":\"x\"}\n",
        &["one line"]
    )]
    #[case::the_beginning_is_not_kept(
        "of a line\\n\",\"stream\":\"stderr\",\"time\":\"x\"}\n{\"log\":\"two\\n\",\"stream\":\"stderr\",\"time\":\"x\"}",
        &["two"]
    )]
    #[case::no_json("plain\ntext", &["plain", "text"])]
    #[case::json_of_the_program("{\"level\":\"fatal\",\"msg\":\"no\"}", &["{\"level\":\"fatal\",\"msg\":\"no\"}"])]
    #[case::cut_off("{\"log\":\"one\\n\",\"stream\":\"stderr\"}\n{\"log\":\"tw", &["one", "{\"log\":\"tw"])]
    #[case::escapes("\x1b[31mred\x1b[0m\x1b]0;title\x07 \x1b[2Jtext", &["red text"])]
    #[case::hidden("a\u{202e}b\x08c\td", &["a\u{fffd}b\u{fffd}c d"])]
    #[case::nothing("", &[])]
    fn lines_are_text(#[case] bytes: &str, #[case] lines: &[&str]) {
        assert_eq!(decode(bytes.as_bytes()), lines);
    }

    #[test]
    fn bytes_that_are_no_text_are_lines_all_the_same() {
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let lines = decode(&bytes);
        assert!(lines.iter().all(|line| line.chars().all(|c| !c.is_control())), "{lines:?}");
    }

    #[test]
    fn a_line_has_an_end() {
        let line = decode(&vec![b'x'; 1_000_000]);
        assert_eq!(line.iter().map(|line| line.chars().count()).collect::<Vec<_>>(), [LINE]);
    }

    #[test]
    #[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
    fn of_a_hundred_megabytes_the_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("controller-0.log");
        let line = format!("{{\"log\":\"{}\\n\",\"stream\":\"stderr\",\"time\":\"x\"}}\n", "x".repeat(940));
        std::fs::write(&file, line.repeat(100_000) + "{\"log\":\"the last\\n\",\"stream\":\"stderr\"}\n").unwrap();
        let log = Log::read(folder.path(), Path::new("controller-0.log")).unwrap();
        assert!(log.lines.len() < 5000);
        assert_eq!(log.end(1), ["the last"]);
    }
}
