//! Values that are known to be secret, whatever stands around them.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

use super::place::{self, Place};
use super::rules::{self, Kind, Span};

/// A shorter value would blot out innocent text.
const SHORTEST: usize = 8;

/// Known values, and files that tell more of them.
#[derive(Default)]
pub(super) struct Known {
    values: Vec<Vec<u8>>,
    pattern: Option<Regex>,
    sources: Vec<Source>,
}

/// A file that holds secrets in clear, such as `WorkerBee`'s record of a profile.
struct Source {
    name: String,
    path: PathBuf,
    found: Vec<(Kind, Place, Vec<u8>)>,
}

/// What was learned from a file: where its secrets stand, and what stands for them in the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// The file, as the harness names it.
    pub file: String,
    /// Its secrets.
    pub secrets: Vec<LearnedSecret>,
}

/// One secret of a file, without the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedSecret {
    /// What kind.
    pub kind: Kind,
    /// Where in that file.
    pub place: Place,
    /// What stands for it.
    pub placeholder: String,
}

/// Nothing that prints its parts may print secrets.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} known secrets", self.values.len())
    }
}

impl Known {
    pub(super) fn add(&mut self, secret: &[u8]) {
        if secret.len() < SHORTEST || self.values.iter().any(|known| known == secret) {
            return;
        }
        self.values.push(secret.to_vec());
        let forms = self.values.iter().flat_map(|value| forms(value));
        let alternatives: Vec<String> = forms.map(|form| escaped(&form)).collect();
        self.pattern = Regex::new(&format!("(?-u){}", alternatives.join("|"))).ok();
    }

    pub(super) fn source(&mut self, name: &str, path: &Path) {
        self.sources.push(Source { name: name.to_owned(), path: path.to_owned(), found: Vec::new() });
    }

    /// Looks at the sources again: they come to be while a gate runs, and go before it ends.
    pub(super) fn refresh(&mut self) {
        let mut new = Vec::new();
        for source in &mut self.sources {
            let Ok(text) = std::fs::read(&source.path) else { continue };
            let json = place::is_json(&text);
            let mut spans = rules::find(&text, json);
            spans.sort_unstable();
            for span in spans {
                let value = text[span.start..span.end].to_vec();
                let place = place::of(&text, span.start, json);
                if !source.found.iter().any(|(_, known, old)| *known == place && *old == value) {
                    source.found.push((span.kind, place, value.clone()));
                    new.push(value);
                }
            }
        }
        for value in new {
            self.add(&value);
        }
    }

    pub(super) fn find(&self, text: &[u8]) -> Vec<Span> {
        let found = self.pattern.iter().flat_map(|pattern| pattern.find_iter(text));
        found.map(|found| Span { start: found.start(), end: found.end(), kind: Kind::Known }).collect()
    }

    pub(super) fn learned(&self, placeholder: impl Fn(&[u8]) -> String) -> Vec<Learned> {
        let secret = |(kind, place, value): &(Kind, Place, Vec<u8>)| LearnedSecret {
            kind: *kind,
            place: place.clone(),
            placeholder: placeholder(value),
        };
        let learned =
            |source: &Source| Learned { file: source.name.clone(), secrets: source.found.iter().map(secret).collect() };
        self.sources.iter().map(learned).collect()
    }
}

/// A value as it may stand in text: itself, in JSON, in JSON within JSON, and in base64.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![value.to_vec(), base64::engine::general_purpose::STANDARD.encode(value).into_bytes()];
    let in_json = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let once = in_json(&String::from_utf8_lossy(value));
    forms.push(in_json(&once).into_bytes());
    forms.push(once.into_bytes());
    // Of two alternatives the first is taken: the longer one.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

/// A pattern that is these bytes and no others.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut pattern, byte| {
        let _ = write!(pattern, "\\x{byte:02x}");
        pattern
    })
}
