//! JSON stays JSON: a part that is replaced lies within one string, or is a whole number.

use std::cell::LazyCell;

use memchr::memchr2;

use super::block::is_of_a_key;
use super::{Kind, Replaced, Span, view};

/// A string or another scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Scalar {
    pub(in super::super) start: usize,
    pub(in super::super) end: usize,
    pub(in super::super) quoted: bool,
    /// The name of a member.
    pub(in super::super) names: bool,
}

/// A part of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Part {
    Open(u8),
    Close(u8),
    Comma,
    Scalar(Scalar),
}

/// The parts of a text that is JSON, one document or several. Ends where it is none.
pub(in super::super) struct Parts<'a> {
    text: &'a [u8],
    at: usize,
    /// True when all of it could be read.
    pub(in super::super) whole: bool,
}

impl<'a> Parts<'a> {
    pub(in super::super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, whole: false }
    }

    fn skip_blank(&mut self) {
        while self.text.get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
    }

    fn string(&mut self, start: usize) -> Option<Scalar> {
        let mut at = start;
        loop {
            let mark = at + memchr2(b'"', b'\\', &self.text[at..])?;
            if self.text[mark] == b'"' {
                self.at = mark + 1;
                self.skip_blank();
                let names = self.text.get(self.at) == Some(&b':');
                if names {
                    self.at += 1;
                }
                return Some(Scalar { start, end: mark, quoted: true, names });
            }
            at = mark + 2;
            if at > self.text.len() {
                return None;
            }
        }
    }
}

impl Iterator for Parts<'_> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        self.skip_blank();
        let Some(byte) = self.text.get(self.at).copied() else {
            self.whole = true;
            return None;
        };
        match byte {
            b'{' | b'[' | b'}' | b']' | b',' => {
                self.at += 1;
                Some(match byte {
                    b'{' | b'[' => Part::Open(byte),
                    b',' => Part::Comma,
                    _ => Part::Close(byte),
                })
            }
            b'"' => self.string(self.at + 1).map(Part::Scalar),
            _ => {
                let start = self.at;
                let more =
                    self.text[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
                self.at += more.count();
                let word = &self.text[start..self.at];
                let known = word.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
                    || [&b"true"[..], b"false", b"null"].contains(&word);
                known.then_some(Part::Scalar(Scalar { start, end: self.at, quoted: false, names: false }))
            }
        }
    }
}

/// Counts the documents that a text is made of when all of it is JSON; 0 when there is anything else in it.
pub(in super::super) fn documents(text: &[u8]) -> usize {
    let begins = text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[\"".contains(byte));
    if !begins {
        return 0;
    }
    let mut parts = Parts::new(text);
    let mut open: Vec<u8> = Vec::new();
    let (mut documents, mut scalars) = (0, 0);
    for part in parts.by_ref() {
        match part {
            Part::Open(byte) => open.push(byte + 2),
            Part::Close(byte) if open.pop() != Some(byte) => return 0,
            // A line of a document is none.
            Part::Comma if open.is_empty() => return 0,
            Part::Scalar(scalar) if scalar.names && open.is_empty() => return 0,
            Part::Scalar(_) => scalars += usize::from(open.is_empty()),
            _ => {}
        }
        documents += usize::from(open.is_empty());
    }
    // Several strings are the words of a command line.
    if parts.whole && open.is_empty() && (scalars == 0 || documents == 1) { documents } else { 0 }
}

/// Fits what is to be replaced into the strings and numbers of JSON: both in their order.
pub(super) fn fit(text: &[u8], spans: Vec<Span>) -> Vec<Replaced> {
    let mut fit = Vec::with_capacity(spans.len());
    let mut spans = spans.into_iter().peekable();
    // What goes on in the next string: a key as a list of lines.
    let mut rest: Option<Span> = None;
    // A container's log is a document for each line: a key goes on in the next ones.
    let log = documents(text) > 1;
    for part in Parts::new(text) {
        let Part::Scalar(scalar) = part else { continue };
        let escapes = LazyCell::new(|| view::escapes(text, scalar.start, scalar.end));
        let within = |span: Span| {
            let (start, end) = whole_escapes(&escapes, span.start.max(scalar.start), span.end.min(scalar.end));
            Replaced { span: Span { start, end, kind: span.kind }, number: false }
        };
        // A key goes on in strings of a list, and in nothing else.
        let ends = rest.is_some_and(|span| span.end <= scalar.start);
        if ends || !log && (scalar.names || !scalar.quoted) {
            rest = None;
        }
        let of_the_key = |span: &Span| {
            !log || span.end <= scalar.end
                || scalar.quoted && !scalar.names && is_of_a_key(&text[scalar.start..scalar.end])
        };
        fit.extend(rest.filter(of_the_key).map(within));
        while let Some(span) = spans.next_if(|span| span.start < scalar.end) {
            let goes_on = span.kind == Kind::PrivateKey && span.end > scalar.end && !scalar.names;
            let began_before = span.start < scalar.start;
            if began_before && (span.kind != Kind::PrivateKey || scalar.names || span.end <= scalar.start) {
                // It began in no string, and is none.
                continue;
            }
            if scalar.quoted {
                fit.push(within(span));
            } else if span.start == scalar.start {
                fit.push(Replaced { span: Span { end: scalar.end, ..span }, number: true });
            }
            rest = if goes_on { Some(span) } else { rest };
        }
    }
    fit
}

/// Widens a part of a string to the whole of each escape that it has a part of.
fn whole_escapes(escapes: &[(usize, usize)], start: usize, end: usize) -> (usize, usize) {
    let around = |at: usize| {
        let before = escapes.partition_point(|(begin, _)| *begin < at).checked_sub(1)?;
        Some(escapes[before]).filter(|(_, over)| at < *over)
    };
    (around(start).map_or(start, |(begin, _)| begin), around(end).map_or(end, |(_, over)| over))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_first_part(3, 5, r"\nb***c")]
    #[case::the_second_half(1, 2, r"***b\u0041c")]
    #[case::in_the_middle_of_two(1, 6, "***c")]
    fn no_half_of_an_escape_is_left(#[case] start: usize, #[case] end: usize, #[case] expected: &str) {
        let json = br#"["\nb\u0041c"]"#;
        let span = Span { start: start + 2, end: end + 2, kind: Kind::Secret };
        let one = fit(json, vec![span])[0].span;
        let clean = [&json[2..one.start], b"***", &json[one.end..json.len() - 2]].concat();
        assert_eq!(String::from_utf8_lossy(&clean), expected);
    }

    #[rstest]
    #[case(r#"{"a": 1}"#, 1)]
    #[case("{\"a\": [1, -2.5e3, true, null]}\n[\"b\"]\n", 2)]
    #[case(r#"["a\"b", "\\"]"#, 1)]
    #[case(r#"{"a": 1"#, 0)]
    #[case(r#"{"a": 1]"#, 0)]
    #[case(r#"{"a": x}"#, 0)]
    #[case(r#"["a\"]"#, 0)]
    #[case(r#""a": "b""#, 0)]
    #[case(r#""a" "b""#, 0)]
    #[case(r#""a""#, 1)]
    #[case("1", 0)]
    #[case("", 0)]
    fn documents_are_counted(#[case] text: &str, #[case] expected: usize) {
        assert_eq!(documents(text.as_bytes()), expected);
    }
}
