//! Secrets never reach a file: what looks like one, or is known to be one, is replaced before anything is written.
//!
//! The same secret has the same placeholder in all files of a run, so that one can still see that two are the same.

mod key;
mod known;
mod place;
mod rules;

pub use key::RedactionKey;
pub use known::{Learned, LearnedSecret};
pub use place::Place;
pub use rules::Kind;

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::bytes::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use known::Known;
use rules::Span;

/// What stands in a secret's place without a key. `WorkerBee` masks with the same three stars.
const MASK: &str = "***";

/// Text that stands in a secret's place already.
static MASKED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?-u)^\s*\*\*\*(?:secret:[0-9a-f]{8}\*\*\*)?\s*$").ok());

/// Replaces secrets in bytes of any kind: JSON, logs, command lines. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    key: Option<RedactionKey>,
    known: Arc<Mutex<Known>>,
}

/// One replacement: what kind of secret, where, and what stands there now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Redaction {
    /// What kind of secret it was.
    pub kind: Kind,
    /// Where it stood.
    pub place: Place,
    /// What stands there: the same for the same secret, in all files of a run.
    pub placeholder: String,
}

impl Redactor {
    /// A redactor whose placeholders tell secrets apart. One without a key masks them all alike.
    pub fn keyed(key: RedactionKey) -> Self {
        Self { key: Some(key), ..Self::default() }
    }

    /// Adds a value that is known to be secret, whatever stands around it.
    pub fn add(&self, secret: &str) {
        self.known().add(secret.as_bytes());
    }

    /// Names a file that holds secrets in clear. It is looked at before anything is written, as long as it is there.
    pub fn source(&self, name: &str, path: &Path) {
        self.known().source(name, path);
    }

    /// What the files told.
    pub fn learned(&self) -> Vec<Learned> {
        let mut known = self.known();
        known.refresh();
        known.learned(|value| self.placeholder(value))
    }

    /// The bytes without secrets.
    pub fn redact(&self, bytes: &[u8]) -> Vec<u8> {
        self.redacted(bytes).0
    }

    /// The bytes without secrets, and what was replaced, at its place in them.
    pub fn redacted(&self, bytes: &[u8]) -> (Vec<u8>, Vec<Redaction>) {
        let spans = self.spans(bytes);
        let mut clean = Vec::with_capacity(bytes.len());
        let mut replaced = Vec::with_capacity(spans.len());
        let mut from = 0;
        for span in spans {
            clean.extend_from_slice(&bytes[from..span.start]);
            let placeholder = self.placeholder(&bytes[span.start..span.end]);
            replaced.push((span.kind, clean.len(), placeholder.clone()));
            clean.extend_from_slice(placeholder.as_bytes());
            from = span.end;
        }
        clean.extend_from_slice(&bytes[from..]);
        let json = !replaced.is_empty() && place::is_json(&clean);
        let at = |(kind, offset, placeholder)| Redaction { kind, place: place::of(&clean, offset, json), placeholder };
        let replaced = replaced.into_iter().map(at).collect();
        (clean, replaced)
    }

    /// What would be replaced, and where it stands.
    pub fn scan(&self, bytes: &[u8]) -> Vec<(Kind, Place)> {
        let spans = self.spans(bytes);
        let json = !spans.is_empty() && place::is_json(bytes);
        spans.into_iter().map(|span| (span.kind, place::of(bytes, span.start, json))).collect()
    }

    /// Where values that are known to be secret stand.
    pub fn scan_known(&self, bytes: &[u8]) -> Vec<Place> {
        let spans = self.known().find(bytes);
        let json = !spans.is_empty() && place::is_json(bytes);
        spans.into_iter().map(|span| place::of(bytes, span.start, json)).collect()
    }

    /// Parts of a text that are to be replaced, in their order, none of which meets another.
    fn spans(&self, text: &[u8]) -> Vec<Span> {
        let mut known = self.known();
        known.refresh();
        let mut spans = known.find(text);
        drop(known);
        spans.extend(rules::find(text, place::is_json(text)));
        let masked = |span: &Span| MASKED.as_ref().is_some_and(|mask| mask.is_match(&text[span.start..span.end]));
        spans.retain(|span| span.start < span.end && !masked(span));
        spans.sort_unstable_by_key(|span| (span.start, std::cmp::Reverse(span.end), span.kind));
        let mut united: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match united.last_mut() {
                Some(last) if span.start < last.end => last.end = last.end.max(span.end),
                _ => united.push(span),
            }
        }
        united
    }

    fn placeholder(&self, secret: &[u8]) -> String {
        match &self.key {
            Some(key) => format!("***secret:{}***", key.digits(&plain(secret))),
            None => MASK.to_owned(),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // What is known stays known, whoever panicked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A secret as it is without what surrounds it: the same whether it stood in a log, in JSON, or in JSON within JSON.
fn plain(secret: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(secret).into_owned();
    for _ in 0..4 {
        match serde_json::from_str::<String>(&format!("\"{text}\"")) {
            Ok(unescaped) if unescaped != text => text = unescaped,
            _ => break,
        }
    }
    text.trim().as_bytes().to_vec()
}

#[cfg(test)]
mod tests;
