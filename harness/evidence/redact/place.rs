//! Where in a file something stands: for people and machines that look for it.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

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

/// Whether a text is one JSON document.
pub(super) fn is_json(text: &[u8]) -> bool {
    // A document that is a bare word or number holds no members.
    text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[\"".contains(byte))
        && serde_json::from_slice::<&RawValue>(text).is_ok()
}

/// Where the byte at `offset` stands.
pub(super) fn of(text: &[u8], offset: usize, json: bool) -> Place {
    if json && let Ok(text) = std::str::from_utf8(text) {
        return Place::Pointer(pointer(text, offset));
    }
    Place::Line(1 + text.iter().take(offset).filter(|byte| **byte == b'\n').count())
}

fn pointer(text: &str, offset: usize) -> String {
    let mut pointer = String::new();
    let mut part = text;
    while let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(part) {
        let start = |value: &str| value.as_ptr() as usize - text.as_ptr() as usize;
        let within = |value: &&RawValue| {
            let begin = start(value.get());
            (begin..begin + value.get().len()).contains(&offset)
        };
        let Some((name, value)) = members.into_iter().find(|(_, value)| within(value)) else { break };
        pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        part = value.get();
    }
    pointer
}

/// The members of an object or the items of an array, each as it is written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(item) = items.next_element()? {
            members.push((members.len().to_string(), item));
        }
        Ok(Members(members))
    }
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
        assert_eq!(of(text.as_bytes(), offset, is_json(text.as_bytes())), expected);
    }
}
