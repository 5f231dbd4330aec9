//! The places of things in a file: for people and machines that search for them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::json::{Part, Parts};

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In a file that is one JSON document: the member, as a JSON pointer (RFC 6901).
    Pointer(String),
    /// In any other file: the line, from 1.
    Line(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(pointer) => f.write_str(if pointer.is_empty() { "the document itself" } else { pointer }),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// Finds the places of the bytes at `offsets`, which are in their order. `json`: whether the text is one JSON document.
pub(super) fn all(
    text: &[u8],
    offsets: impl Iterator<Item = usize>,
    json: bool,
) -> Box<dyn Iterator<Item = Place> + '_> {
    let offsets: Vec<usize> = offsets.collect();
    if json {
        return Box::new(pointers(text, &offsets).into_iter().map(Place::Pointer));
    }
    let mut lines = 1;
    let mut counted = 0;
    Box::new(offsets.into_iter().map(move |offset| {
        lines += memchr::memchr_iter(b'\n', &text[counted..offset]).count();
        counted = offset;
        Place::Line(lines)
    }))
}

/// An object or an array that is being read: the pointer to it, and to which of its members one has come.
struct Within {
    pointer: String,
    /// The member's name, as it is written; none in an array.
    name: Option<(usize, usize)>,
    index: usize,
    array: bool,
}

impl Within {
    fn member(&self, text: &[u8]) -> String {
        let name = match self.name {
            _ if self.array => self.index.to_string(),
            Some((start, end)) => {
                let raw = String::from_utf8_lossy(&text[start..end]);
                let name = serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_else(|_| raw.into_owned());
                name.replace('~', "~0").replace('/', "~1")
            }
            None => return self.pointer.clone(),
        };
        format!("{}/{name}", self.pointer)
    }
}

fn pointers(text: &[u8], offsets: &[usize]) -> Vec<String> {
    let mut pointers = Vec::with_capacity(offsets.len());
    let mut open: Vec<Within> = Vec::new();
    let mut offsets = offsets.iter().peekable();
    for part in Parts::new(text) {
        match part {
            // Pointers are made only where they are needed, but for what is around: deep nesting is rare.
            Part::Open(byte) => {
                let pointer = open.last().map(|within| within.member(text)).unwrap_or_default();
                open.push(Within { pointer, name: None, index: 0, array: byte == b'[' });
            }
            Part::Close(_) => drop(open.pop()),
            Part::Comma => {
                if let Some(within) = open.last_mut() {
                    within.index += 1;
                    within.name = None;
                }
            }
            Part::Scalar(scalar) => {
                while offsets.next_if(|offset| **offset < scalar.end.max(scalar.start + 1)).is_some() {
                    pointers.push(open.last().map(|within| within.member(text)).unwrap_or_default());
                }
                if let Some(within) = open.last_mut().filter(|_| scalar.names) {
                    within.name = Some((scalar.start, scalar.end));
                }
            }
        }
    }
    pointers.extend(offsets.map(|_| String::new()));
    pointers
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"a": {"b/c": ["x", "HERE"]}}"#, Place::Pointer("/a/b~1c/1".into()))]
    #[case(r#"  ["HERE"]"#, Place::Pointer("/0".into()))]
    // Of two members of one name the right one is not told apart, but named.
    #[case(r#"{"a": 1, "a": "HERE"}"#, Place::Pointer("/a".into()))]
    #[case(r#""HERE""#, Place::Pointer(String::new()))]
    #[case(r#"{"HERE": 1}"#, Place::Pointer(String::new()))]
    #[case("one\ntwo HERE", Place::Line(2))]
    #[case("{\"a\": 1}\n{\"a\": \"HERE\"}\n", Place::Line(2))]
    fn a_place_is_named(#[case] text: &str, #[case] expected: Place) {
        let offset = text.find("HERE").unwrap_or_default();
        let json = super::super::rules::json::documents(text.as_bytes()) == 1;
        assert_eq!(all(text.as_bytes(), [offset].into_iter(), json).collect::<Vec<_>>(), [expected]);
    }
}
