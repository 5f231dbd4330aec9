//! Secrets by what they look like and by what stands around them.
//!
//! Each layer of rules knows one thing, and sees a text in all its readings ([`view`]): as it is, and without the escapes
//! of JSON, of URLs, of markup. So no rule knows of backslashes, and one for `password: "x"` covers JSON within JSON.
//! Every scan is linear: what looks ahead or back has a bound, and goes on behind what it has found.

mod assignment;
mod block;
pub(super) mod json;
mod member;
mod name;
mod pattern;
mod token;
mod value;
pub(super) mod view;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use view::View;

/// A pattern of the tables. One that is none finds nothing, which a test must not take for nothing to find.
fn compiled(pattern: &str) -> Option<regex::bytes::Regex> {
    let compiled = regex::bytes::Regex::new(pattern);
    debug_assert!(compiled.is_ok(), "{compiled:?}");
    compiled.ok()
}

/// The kind of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A token, among them what stands behind `Bearer`.
    Token,
    /// A password, among them that of a URL.
    Password,
    /// A key by name, such as `api_key`.
    Key,
    /// A value that is called a secret and nothing more.
    Secret,
    /// An age identity.
    AgeIdentity,
    /// A private key in PEM.
    PrivateKey,
    /// A value that the gate knew to be secret, wherever it stood.
    Known,
}

/// A part of a text that is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

/// A part of a text that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) span: Span,
    /// It is a number of JSON's: what is written there instead needs quotation marks.
    pub(super) number: bool,
}

/// The most documents of JSON within each other's strings.
const NESTED: usize = 4;

/// Everything in a text that the rules, or `known`, know as secret, whatever layers of escapes are around it.
pub(super) fn find(text: &[u8], known: &mut dyn FnMut(&[u8]) -> Vec<Span>) -> Vec<Span> {
    nested(text, known, NESTED)
}

fn nested(text: &[u8], known: &mut dyn FnMut(&[u8]) -> Vec<Span>, depth: usize) -> Vec<Span> {
    if depth == 0 || json::documents(text) == 0 {
        let mut spans = view::readings(text, &mut |text| {
            let mut spans = known(text);
            spans.extend(in_text(text));
            spans
        });
        for (start, end) in lines_of_json(text, depth) {
            let place = |span: Span| Span { start: start + span.start, end: start + span.end, ..span };
            spans.extend(nested(&text[start..end], known, depth - 1).into_iter().map(place));
        }
        return spans;
    }
    // What members say of each other, and what goes over several strings.
    let mut spans = known(text);
    spans.extend(member::find(text));
    spans.extend(block::private_keys(text));
    spans.extend(before_escapes(text, pattern::find(text)));
    // What each string says.
    let (view, documents) = View::strings(text);
    let mut within = view::readings(&view.text, &mut |text| {
        let mut spans = known(text);
        spans.extend(in_text(text));
        spans
    });
    for (start, end) in documents {
        let inner = nested(&view.text[start..end], known, depth - 1);
        let place = |span: Span| Span { start: start + span.start, end: start + span.end, ..span };
        // What a string of a document is, and not what it looks like in the string around it.
        within.extend(inner.into_iter().map(place));
    }
    spans.extend(view::through(within, std::slice::from_ref(&view)));
    spans
}

/// Documents of JSON that a line of a log ends in, each.
fn lines_of_json(text: &[u8], depth: usize) -> Vec<(usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while depth > 0 && at < text.len() {
        let end = value::line_end(text, at);
        let open = memchr::memchr2(b'{', b'[', &text[at..end]).map(|open| at + open);
        found.extend(open.filter(|open| json::documents(&text[*open..end]) > 0).map(|open| (open, end)));
        at = memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |line| end + line + 1);
    }
    found
}

fn in_text(text: &[u8]) -> Vec<Span> {
    let mut spans = block::private_keys(text);
    spans.extend(block::secrets(text));
    spans.extend(before_escapes(text, pattern::find(text)));
    spans.extend(member::find(text));
    spans.extend(before_escapes(text, assignment::find(text)));
    spans
}

/// A backslash before the mark that ends a value is the mark's, and not the value's.
fn before_escapes(text: &[u8], spans: Vec<Span>) -> impl Iterator<Item = Span> {
    spans.into_iter().map(|span| {
        let backslashes = text[span.start..span.end].iter().rev().take_while(|byte| **byte == b'\\').count();
        let marked = text.get(span.end).is_some_and(|next| b"\"'".contains(next)) && backslashes % 2 == 1;
        Span { end: span.end - if marked { backslashes } else { 0 }, ..span }
    })
}

/// Unites spans into replacements: in their order, none of which meets another, and in JSON so that it stays JSON.
pub(super) fn unite(text: &[u8], mut spans: Vec<Span>, json: bool) -> Vec<Replaced> {
    let order = |span: &Span| (span.start, std::cmp::Reverse(span.end), span.kind);
    for span in &mut spans {
        debug_assert!(span.end <= text.len(), "{span:?} of {} bytes", text.len());
        span.end = span.end.min(text.len());
    }
    spans.retain(|span| span.start < span.end);
    spans.sort_unstable_by_key(order);
    let mut replaced = if json {
        json::fit(text, spans)
    } else {
        spans.into_iter().map(|span| Replaced { span, number: false }).collect()
    };
    let masked = |span: Span| {
        let value = &text[span.start..span.end];
        value::is_masked(value) || value::is_replaced(value) || text[..span.start].ends_with(b"***secret:")
    };
    replaced.retain(|one| one.span.start < one.span.end && !masked(one.span));
    replaced.sort_by_key(|one| order(&one.span));
    let mut united: Vec<Replaced> = Vec::with_capacity(replaced.len());
    for one in replaced {
        match united.last_mut() {
            Some(last) if one.span.start < last.span.end => last.span.end = last.span.end.max(one.span.end),
            _ => united.push(one),
        }
    }
    united
}
