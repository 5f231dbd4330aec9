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
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use known::Known;
use rules::{Replaced, json, view};

/// The placeholder of a secret when there is no key. `WorkerBee` masks with the same three stars.
const MASK: &str = "***";

/// Replaces secrets in bytes of any kind: JSON, logs, command lines. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    key: Option<RedactionKey>,
    known: Arc<Mutex<Known>>,
}

/// One replacement: what kind of secret, where, and what stands there now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Redaction {
    /// The kind of the secret.
    pub kind: Kind,
    /// The place where it stood.
    pub place: Place,
    /// The placeholder that stands there now: the same for the same secret, in all files of a run.
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

    /// Lists the secrets that were learned from files.
    pub fn learned(&self) -> Vec<Learned> {
        let mut known = self.known();
        known.refresh();
        known.learned(|value| self.placeholder(value))
    }

    /// The bytes without secrets.
    pub fn redact(&self, bytes: &[u8]) -> Vec<u8> {
        self.redacted(bytes).0
    }

    /// A text without secrets: a part of something that is written in a format of its own, such as XML. What is redacted
    /// as a whole may lose its form.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.redact(text.as_bytes())).into_owned()
    }

    /// A failure without secrets, part by part: none of them can swallow the next.
    #[must_use]
    pub fn failure(&self, failure: &Failure) -> Failure {
        Failure {
            what: self.text(&failure.what),
            expected: self.text(&failure.expected),
            seen: self.text(&failure.seen),
            evidence: failure.evidence.clone(),
            remedy: self.text(&failure.remedy),
            kind: failure.kind,
        }
    }

    /// A value without secrets, each of its texts by itself; nothing when it is none any more.
    pub(crate) fn value<T: Serialize + DeserializeOwned>(&self, value: &T) -> Option<T> {
        let json = serde_json::to_vec(value).ok()?;
        serde_json::from_slice(&self.redact(&json)).ok()
    }

    /// The bytes without secrets, and what was replaced, at its place in them.
    pub fn redacted(&self, bytes: &[u8]) -> (Vec<u8>, Vec<Redaction>) {
        let documents = json::documents(bytes);
        let replaced = self.find(bytes, documents > 0);
        let mut clean = Vec::with_capacity(bytes.len());
        let mut written = Vec::with_capacity(replaced.len());
        let mut from = 0;
        for Replaced { span, number } in replaced {
            clean.extend_from_slice(&bytes[from..span.start]);
            let placeholder = self.placeholder(&bytes[span.start..span.end]);
            let mark: &[u8] = if number { b"\"" } else { b"" };
            clean.extend_from_slice(mark);
            written.push((span.kind, clean.len(), placeholder.clone()));
            clean.extend_from_slice(placeholder.as_bytes());
            clean.extend_from_slice(mark);
            from = span.end;
        }
        clean.extend_from_slice(&bytes[from..]);
        let places = place::all(&clean, written.iter().map(|(_, at, _)| *at), documents == 1);
        let one = |((kind, _, placeholder), place)| Redaction { kind, place, placeholder };
        let replaced = written.into_iter().zip(places).map(one).collect();
        (clean, replaced)
    }

    /// Finds what would be replaced, with its kind and place.
    pub fn scan(&self, bytes: &[u8]) -> Vec<(Kind, Place)> {
        let documents = json::documents(bytes);
        let found = self.find(bytes, documents > 0);
        let places = place::all(bytes, found.iter().map(|one| one.span.start), documents == 1);
        found.iter().map(|one| one.span.kind).zip(places).collect()
    }

    /// Finds the places of values that are known to be secret.
    pub fn scan_known(&self, bytes: &[u8]) -> Vec<Place> {
        let documents = json::documents(bytes);
        let spans = view::readings(bytes, &mut |text| self.known().find(text));
        let found = rules::unite(bytes, spans, documents > 0);
        place::all(bytes, found.iter().map(|one| one.span.start), documents == 1).collect()
    }

    /// Parts of a text that are to be replaced, in their order, none of which meets another.
    fn find(&self, text: &[u8], json: bool) -> Vec<Replaced> {
        self.known().refresh();
        let spans = rules::find(text, &mut |text| self.known().find(text));
        rules::unite(text, spans, json)
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
mod fuzz;
#[cfg(test)]
mod tests;
