//! Secrets of many lines: private keys in PEM, whole or cut at either end, and Kubernetes' Secrets in YAML.

use std::sync::LazyLock;

use memchr::memrchr;
use regex::bytes::{Match, Regex};

use super::value::line_end;
use super::{Kind, Span, compiled};

static MARKERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled("(?i-u)-{4}[- ]?(?<word>BEGIN|END) [A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?|NKEY SEED)[- ]?-{4}")
});

/// A line of a key without its ends: base64, or one of the headers that a key may have.
static OF_A_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?-u)^[\s"',>|]*(?:[A-Za-z0-9+/]{4,}={0,2}|=[A-Za-z0-9+/]{4}|(?:Proc-Type|DEK-Info|Version|Comment): ?.{0,128}|)[\s"',\\]*$"#,
    )
});

/// Is true of a string that is likely to be a line of a key, and no word of a log.
pub(super) fn is_of_a_key(line: &[u8]) -> bool {
    let line = line.strip_suffix(br"\n").unwrap_or(line);
    let line = line.strip_suffix(br"\r").unwrap_or(line);
    line.len() >= 8 && !line.iter().all(u8::is_ascii_lowercase) && OF_A_KEY.as_ref().is_some_and(|of| of.is_match(line))
}

/// No key is longer: one whose end is further off was cut.
const LONGEST: usize = 16 * 1024;

/// Private keys: from their beginning to their end, and what is left of one that was cut.
pub(super) fn private_keys(text: &[u8]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut open: Option<usize> = None;
    let mut from = 0;
    for marker in MARKERS.iter().flat_map(|markers| markers.captures_iter(text)) {
        let (Some(whole), Some(word)) = (marker.get(0), marker.name("word")) else { continue };
        if let Some(start) = open.filter(|start| whole.start() - start > LONGEST) {
            spans.push(Span { start, end: start + LONGEST, kind: Kind::PrivateKey });
            from = start + LONGEST;
            open = None;
        }
        let begins = word.as_bytes().eq_ignore_ascii_case(b"begin");
        let start = match (open, begins) {
            (None, true) => {
                open = Some(whole.start());
                continue;
            }
            // One that was cut, and another one.
            (Some(start), true) => {
                spans.push(Span { start, end: whole.start(), kind: Kind::PrivateKey });
                open = Some(whole.start());
                continue;
            }
            (Some(start), false) => start,
            (None, false) => tail(text, from, whole.start()),
        };
        // The end of nothing is nothing.
        if start < whole.start() {
            spans.push(Span { start, end: whole.end(), kind: Kind::PrivateKey });
        }
        open = None;
        from = whole.end();
    }
    if let Some(start) = open {
        spans.push(Span { start, end: text.len().min(start + LONGEST), kind: Kind::PrivateKey });
    }
    spans
}

/// Finds the beginning of the last lines before `end` that can only be a key's.
fn tail(text: &[u8], from: usize, end: usize) -> usize {
    let mut start = memrchr(b'\n', &text[from..end]).map_or(from, |line| from + line + 1);
    if !OF_A_KEY.as_ref().is_some_and(|line| line.is_match(&text[start..end])) {
        return end;
    }
    while start > from {
        let before = start - 1;
        let line = memrchr(b'\n', &text[from..before]).map_or(from, |line| from + line + 1);
        if !OF_A_KEY.as_ref().is_some_and(|of| of.is_match(&text[line..before])) {
            break;
        }
        start = line;
    }
    start
}

static KIND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?m-u)^(?<indent>[ \t]*)(?<item>(?:- )*)["']?kind["']?:[ \t]*["']?Secret(?:List)?["']?[ \t]*(?:#[^\n]*)?\r?$"#,
    )
});
static DATA: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r#"(?-u)^[ \t]*(?:- )*["']?(?:data|stringData|binaryData)["']?:[ \t]*\r?$"#));
/// The same in a flow: `data: {a: b}`.
static FLOW: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(r#"(?-u)^[ \t]*(?:- )*["']?(?:data|stringData|binaryData)["']?:[ \t]*\{(?<values>[^\r\n]*?)\}?[ \t]*\r?$"#)
});
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(r#"(?-u)^[ \t]*["']?[A-Za-z0-9_.-]{1,253}["']?:(?:[ \t]+(?:[|>][-+0-9]{0,3}[ \t]*\r?$)?|\r?$)"#)
});

/// Indentations that are told apart: more of them are one, so that what is nested without an end takes no time without one.
const INDENTS: usize = 64;

/// All values of a Secret's data, whatever they are called.
pub(super) fn secrets(text: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    // By indentation: a list of Secrets says of itself that it is one, and so do its items.
    let mut done = [0; INDENTS];
    for found in KIND.iter().flat_map(|kind| kind.captures_iter(text)) {
        let own =
            found.name("indent").map_or(0, |indent| indent.len()) + found.name("item").map_or(0, |item| item.len());
        let done = &mut done[own.min(INDENTS - 1)];
        let Some(whole) = found.get(0).filter(|whole| whole.start() >= *done) else { continue };
        let start = begins(text, whole.start(), own, *done);
        *done = values(text, start, own, &mut spans);
    }
    spans
}

fn indent(line: &[u8]) -> usize {
    line.iter().take_while(|byte| b" \t".contains(byte)).count()
}

/// The first line of the document that has a line at `at`.
fn begins(text: &[u8], at: usize, own: usize, from: usize) -> usize {
    let mut start = at;
    while start > from {
        let before = start - 1;
        let line = memrchr(b'\n', &text[from..before]).map_or(from, |line| from + line + 1);
        let content = &text[line..before];
        let blank = content.iter().all(u8::is_ascii_whitespace);
        // An item of a list begins with its dash, which stands before the indentation of the rest.
        let begins = content.trim_ascii_start().starts_with(b"- ") && indent(content) + 2 == own;
        if !blank && (content.starts_with(b"---") || (indent(content) < own && !begins)) {
            break;
        }
        start = line;
        if begins {
            break;
        }
    }
    start
}

/// The values of the data in a document; returns where it ends.
fn values(text: &[u8], start: usize, own: usize, spans: &mut Vec<Span>) -> usize {
    let mut at = start;
    let mut within = false;
    while at < text.len() {
        let end = line_end(text, at);
        let line = &text[at..end];
        let blank = line.iter().all(u8::is_ascii_whitespace);
        if !blank && at > start && (line.starts_with(b"---") || indent(line) < own) {
            return at;
        }
        let depth = indent(line) + if line.trim_ascii_start().starts_with(b"- ") && indent(line) < own { 2 } else { 0 };
        if depth <= own && !blank {
            within = DATA.as_ref().is_some_and(|data| data.is_match(line));
            let flow = FLOW.as_ref().and_then(|flow| flow.captures(line)?.name("values"));
            let whole =
                |values: Match<'_>| Span { start: at + values.start(), end: at + values.end(), kind: Kind::Secret };
            spans.extend(flow.filter(|values| !values.is_empty()).map(whole));
        } else if within && !blank {
            let skip = NAMED.as_ref().and_then(|named| named.find(line)).map_or(indent(line), |named| named.end());
            let value = &line[skip..];
            let quote = usize::from(value.first().is_some_and(|byte| b"\"'".contains(byte)));
            if value.len() > 2 * quote {
                spans.push(Span { start: at + skip + quote, end: end - quote, kind: Kind::Secret });
            }
        }
        at = memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |line| end + line + 1);
    }
    text.len()
}
