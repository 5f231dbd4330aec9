//! A text as it reads when a layer of escapes is taken off: rules need not know how deep in JSON a secret stands.

use std::borrow::Cow;

use memchr::memchr;

use super::Span;
use super::json::{Part, Parts};

/// The most layers of backslashes that are taken off: JSON within JSON within JSON, in a log.
const LAYERS: usize = 4;

/// A text without some of its escapes, and where each of its bytes stood.
#[derive(Debug)]
pub(in super::super) struct View {
    pub(in super::super) text: Vec<u8>,
    pieces: Vec<Piece>,
}

/// From a byte of the view on: where it stands in the text. The bytes of an escape stand all in the same place.
#[derive(Debug, Clone, Copy)]
struct Piece {
    view: usize,
    text: usize,
    /// The length of what stands there for them; none for bytes that stand as they are.
    escape: Option<usize>,
}

/// The separator of two strings.
const BARRIER: &[u8] = b"\n\x01\n";

/// One escape at the beginning of a text: how long it is, and what it stands for.
type Escape = fn(&[u8]) -> Option<(usize, Vec<u8>)>;

impl View {
    /// A text with the escapes taken off that begin with `mark`; nothing when there are none.
    fn new(text: &[u8], mark: u8, escape: Escape) -> Option<Self> {
        let mut view = Self { text: Vec::new(), pieces: Vec::new() };
        let (mut copied, mut at, mut found) = (0, 0, false);
        while let Some(next) = memchr(mark, &text[at..]).map(|next| at + next) {
            let Some((length, bytes)) = escape(&text[next..]) else {
                at = next + 1;
                continue;
            };
            if !found {
                view.text.reserve(text.len());
                found = true;
            }
            view.copy(text, copied, next);
            view.pieces.push(Piece { view: view.text.len(), text: next, escape: Some(length) });
            view.text.extend_from_slice(&bytes);
            at = next + length;
            copied = at;
        }
        if !found {
            return None;
        }
        view.copy(text, copied, text.len());
        Some(view)
    }

    /// Collects the strings of JSON, a paragraph each, and the places of those that are JSON themselves.
    pub(super) fn strings(text: &[u8]) -> (Self, Vec<(usize, usize)>) {
        let mut view = Self { text: Vec::with_capacity(text.len()), pieces: Vec::new() };
        let mut documents = Vec::new();
        for part in Parts::new(text) {
            let Part::Scalar(scalar) = part else { continue };
            if !scalar.quoted || scalar.start == scalar.end {
                continue;
            }
            let begin = view.text.len();
            view.string(text, scalar.start, scalar.end);
            if super::json::documents(&view.text[begin..]) > 0 {
                documents.push((begin, view.text.len()));
            }
            // Nothing that is open in one string goes on in the next, and nothing stands in the text for what is between.
            view.pieces.push(Piece { view: view.text.len(), text: scalar.end, escape: Some(0) });
            view.text.extend_from_slice(BARRIER);
        }
        (view, documents)
    }

    fn string(&mut self, text: &[u8], start: usize, end: usize) {
        let mut at = start;
        let mut copied = start;
        while let Some(next) = memchr(b'\\', &text[at..end]).map(|next| at + next) {
            let Some((length, bytes)) = backslash(&text[next..end]) else {
                at = next + 1;
                continue;
            };
            self.copy(text, copied, next);
            self.pieces.push(Piece { view: self.text.len(), text: next, escape: Some(length) });
            self.text.extend_from_slice(&bytes);
            at = next + length;
            copied = at;
        }
        self.copy(text, copied, end);
    }

    fn copy(&mut self, text: &[u8], from: usize, to: usize) {
        if from < to {
            self.pieces.push(Piece { view: self.text.len(), text: from, escape: None });
            self.text.extend_from_slice(&text[from..to]);
        }
    }

    /// Returns the place in the text of a part of the view.
    fn stands(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let piece = |at: usize| {
            let after = self.pieces.partition_point(|piece| piece.view <= at);
            after.checked_sub(1).map(|index| self.pieces[index])
        };
        let (first, last) = (piece(start)?, piece(end.checked_sub(1)?)?);
        let begin = first.text + if first.escape.is_some() { 0 } else { start - first.view };
        let end = last.text + last.escape.unwrap_or(end - last.view);
        Some((begin, end))
    }
}

/// A name as it is without its escapes.
pub(super) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    View::new(text, b'\\', backslash).map_or(Cow::Borrowed(text), |view| Cow::Owned(view.text))
}

/// Finds spans in a text, and in each form that it has without its escapes.
pub(in super::super) fn readings(text: &[u8], found: &mut dyn FnMut(&[u8]) -> Vec<Span>) -> Vec<Span> {
    let mut spans = found(text);
    let mut layers: Vec<View> = Vec::new();
    aside(text, &layers, found, &mut spans);
    for _ in 0..LAYERS {
        let outer = layers.last().map_or(text, |view| &view.text);
        let Some(view) = View::new(outer, b'\\', backslash) else { break };
        layers.push(view);
        let inner = layers.last().map_or(text, |view| &view.text);
        spans.extend(through(found(inner), &layers));
        aside(inner, &layers, found, &mut spans);
    }
    spans
}

/// Finds spans in the forms that a text has without the escapes of URLs and markup, and without colours.
fn aside(text: &[u8], layers: &[View], found: &mut dyn FnMut(&[u8]) -> Vec<Span>, spans: &mut Vec<Span>) {
    for (mark, escape) in [(b'%', percent as Escape), (b'&', entity), (b'\x1b', colour)] {
        // What is quoted twice, such as a URL in a URL.
        let mut outer: Vec<View> = Vec::new();
        for _ in 0..2 {
            let Some(view) = View::new(outer.last().map_or(text, |view| &view.text), mark, escape) else { break };
            outer.push(view);
            let inner = outer.last().map_or(text, |view| &view.text);
            let here = through(found(inner), &outer);
            spans.extend(through(here, layers));
        }
    }
}

/// Translates spans of the innermost view into their places in the text.
pub(super) fn through(spans: Vec<Span>, layers: &[View]) -> Vec<Span> {
    let out = |span: Span| {
        layers.iter().rev().try_fold(span, |span, view| {
            let (start, end) = view.stands(span.start, span.end)?;
            Some(Span { start, end, ..span })
        })
    };
    spans.into_iter().filter_map(out).collect()
}

/// A text without its line breaks and what indents its lines: for values that were wrapped.
pub(in super::super) fn unwrapped(text: &[u8], found: impl FnOnce(&[u8]) -> Vec<Span>) -> Vec<Span> {
    View::new(text, b'\n', line_break).map_or_else(Vec::new, |view| {
        let spans = found(&view.text);
        through(spans, std::slice::from_ref(&view))
    })
}

#[allow(clippy::unnecessary_wraps, reason = "one of several escapes")]
fn line_break(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let blank = text.iter().skip(1).take(80).take_while(|byte| b" \t\r>|".contains(byte)).count();
    Some((1 + blank, Vec::new()))
}

/// Lists the places of the escapes in a string of JSON, of which none is replaced in part. Where there is no escape that
/// JSON knows, a backslash and the byte behind it are one.
pub(super) fn escapes(text: &[u8], start: usize, end: usize) -> Vec<(usize, usize)> {
    let mut escapes = Vec::new();
    let mut at = start;
    while let Some(next) = memchr(b'\\', &text[at..end]).map(|next| at + next) {
        at = (next + backslash(&text[next..end]).map_or(2, |(length, _)| length)).min(end);
        escapes.push((next, at));
    }
    escapes
}

/// Reads an escape of JSON, Python, Rust or a shell: its length, and the bytes that it stands for.
fn backslash(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let one = |byte: u8| Some((2, vec![byte]));
    match *text.get(1)? {
        byte @ (b'"' | b'\'' | b'\\' | b'/' | b'`') => one(byte),
        b'n' => one(b'\n'),
        b'r' => one(b'\r'),
        b't' => one(b'\t'),
        b'x' => Some((4, vec![hexadecimal(text.get(2..4)?)?.try_into().ok()?])),
        b'u' if text.get(2) == Some(&b'{') => {
            let digits = text.iter().skip(3).take(8).position(|byte| *byte == b'}')?;
            Some((4 + digits, utf8(hexadecimal(&text[3..3 + digits])?)))
        }
        b'u' => {
            let first = hexadecimal(text.get(2..6)?)?;
            let pair = text.get(6..8) == Some(br"\u");
            let second = pair.then(|| hexadecimal(text.get(8..12)?)).flatten().filter(|low| low & 0xfc00 == 0xdc00);
            match second.filter(|_| first & 0xfc00 == 0xd800) {
                Some(low) => Some((12, utf8(0x1_0000 + ((first & 0x3ff) << 10) + (low & 0x3ff)))),
                None => Some((6, utf8(first))),
            }
        }
        _ => None,
    }
}

fn percent(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    Some((3, vec![hexadecimal(text.get(1..3)?)?.try_into().ok()?]))
}

fn entity(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let end = text.iter().take(10).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(text.get(1..end)?).ok()?;
    let code = match name {
        "quot" => 0x22,
        "apos" => 0x27,
        "amp" => 0x26,
        "lt" => 0x3c,
        "gt" => 0x3e,
        _ => match name.strip_prefix('#')?.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => name[1..].parse().ok()?,
        },
    };
    Some((end + 1, utf8(code)))
}

/// Reads an escape that turns colours on or off on a terminal: its length, and no bytes.
fn colour(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let digits = text.get(2..)?.iter().take(16).position(|byte| !byte.is_ascii_digit() && *byte != b';')?;
    (text[1] == b'[').then(|| (3 + digits, Vec::new()))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

fn utf8(code: u32) -> Vec<u8> {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::Kind;
    use super::*;

    /// All that the text reads as, and where `S3cret` stands by each of the readings.
    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let mut texts = Vec::new();
        let spans = readings(text.as_bytes(), &mut |view| {
            texts.push(String::from_utf8_lossy(view).into_owned());
            let at = memchr::memmem::find(view, b"S3cret");
            at.map(|start| Span { start, end: start + 6, kind: Kind::Secret }).into_iter().collect()
        });
        (texts, spans.into_iter().map(|span| text[span.start..span.end].to_owned()).collect())
    }

    #[rstest]
    #[case("S3cret", &["S3cret"], &["S3cret"])]
    #[case(r#"\"S3cret\""#, &[r#"\"S3cret\""#, r#""S3cret""#], &["S3cret", "S3cret"])]
    #[case(r"\u00533cret!", &[r"\u00533cret!", "S3cret!"], &[r"\u00533cret"])]
    #[case(r"\ud83d\ude00S\x33cret", &[r"\ud83d\ude00S\x33cret", "\u{1f600}S3cret"], &[r"S\x33cret"])]
    #[case(r"\\u00533cret", &[r"\\u00533cret", r"\u00533cret", "S3cret"], &[r"\\u00533cret"])]
    #[case("a%3DS3cre%74", &["a%3DS3cre%74", "a=S3cret"], &["S3cre%74"])]
    #[case("%2553%33cret", &["%2553%33cret", "%533cret", "S3cret"], &["%2553%33cret"])]
    #[case("&#x53;3cret&quot;", &["&#x53;3cret&quot;", "S3cret\""], &["&#x53;3cret"])]
    #[case(r"100 % of & C:\dir \", &[r"100 % of & C:\dir \"], &[])]
    fn escapes_are_taken_off_and_places_kept(#[case] text: &str, #[case] texts: &[&str], #[case] places: &[&str]) {
        let (read, stands) = read(text);
        assert_eq!((read.as_slice(), stands.as_slice()), (&texts.map_to_owned()[..], &places.map_to_owned()[..]));
    }

    trait MapToOwned {
        fn map_to_owned(&self) -> Vec<String>;
    }

    impl MapToOwned for &[&str] {
        fn map_to_owned(&self) -> Vec<String> {
            self.iter().map(ToString::to_string).collect()
        }
    }

    #[test]
    fn a_wrapped_value_reads_as_one() {
        let text = b"a S3\r\n   cret b";
        let found = |view: &[u8]| {
            let at = memchr::memmem::find(view, b"cret").unwrap_or_default();
            vec![Span { start: at - 3, end: at + 4, kind: Kind::Secret }]
        };
        let spans = unwrapped(text, found);
        assert_eq!(&text[spans[0].start..spans[0].end], b"S3\r\n   cret");
    }
}
