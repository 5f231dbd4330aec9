//! Values that are known to be secret, whatever stands around them.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::place::{self, Place};
use super::rules::{self, Kind, Span, json, view};

/// A shorter value would blot out innocent text.
const SHORTEST: usize = 8;

/// The most that is read of a file of secrets: `WorkerBee`'s own have some kB.
const SOURCE_LIMIT: u64 = 4 * 1024 * 1024;

/// Known values, and files that tell more of them.
#[derive(Default)]
pub(super) struct Known {
    values: BTreeSet<Vec<u8>>,
    patterns: Option<Patterns>,
    sources: Vec<Source>,
}

/// The patterns that are searched for.
struct Patterns {
    /// Values as they are, and in base64: with how much of what is around a form of base64 belongs to it.
    exact: AhoCorasick,
    edges: Vec<Option<(usize, usize)>>,
    /// Values in hexadecimal digits, small or large.
    digits: AhoCorasick,
}

/// A file that holds secrets in clear, such as `WorkerBee`'s record of a profile.
struct Source {
    name: String,
    path: PathBuf,
    found: Vec<(Kind, Place, Vec<u8>)>,
}

/// The secrets that were learned from a file: their places in it, and their placeholders in the evidence.
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
    /// Its kind.
    pub kind: Kind,
    /// Its place in that file.
    pub place: Place,
    /// Its placeholder.
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
        if secret.len() >= SHORTEST && self.values.insert(secret.to_vec()) {
            self.patterns = None;
        }
    }

    /// Returns the patterns: made anew after new values have come, and then once for all of them.
    fn patterns(&mut self) -> Option<&Patterns> {
        if self.patterns.is_none() && !self.values.is_empty() {
            self.patterns = Patterns::new(&self.values);
        }
        self.patterns.as_ref()
    }

    pub(super) fn source(&mut self, name: &str, path: &Path) {
        self.sources.push(Source { name: name.to_owned(), path: path.to_owned(), found: Vec::new() });
    }

    /// Looks at the sources again: they come to be while a gate runs, and go before it ends.
    pub(super) fn refresh(&mut self) {
        let mut new = Vec::new();
        for source in &mut self.sources {
            let Some(text) = read(&source.path) else { continue };
            let json = json::documents(&text) == 1;
            let spans = rules::find(&text, &mut |_| Vec::new());
            let found = rules::unite(&text, spans, json);
            let places = place::all(&text, found.iter().map(|one| one.span.start), json);
            for (one, place) in found.iter().zip(places) {
                let value = text[one.span.start..one.span.end].to_vec();
                if !source.found.iter().any(|(_, known, old)| *known == place && *old == value) {
                    source.found.push((one.span.kind, place, value.clone()));
                    new.push(value);
                }
            }
        }
        for value in new {
            self.add(&value);
            let plain = super::plain(&value);
            if plain != value {
                self.add(&plain);
            }
        }
    }

    pub(super) fn find(&mut self, text: &[u8]) -> Vec<Span> {
        let Some(patterns) = self.patterns() else { return Vec::new() };
        let mut spans = patterns.find(text);
        // A value that was wrapped, as base64 and keys are.
        spans.extend(view::unwrapped(text, |text| patterns.find(text)));
        spans
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

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(SOURCE_LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

impl Patterns {
    fn new(values: &BTreeSet<Vec<u8>>) -> Option<Self> {
        let longest = |ignore_case| {
            let mut builder = AhoCorasick::builder();
            builder.match_kind(MatchKind::LeftmostLongest).ascii_case_insensitive(ignore_case);
            builder
        };
        let forms = values.iter().flat_map(|value| {
            // As it is where lines are joined: see [`view::unwrapped`].
            let line: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'\n').collect();
            let joined = (line.len() < value.len() && line.len() >= SHORTEST).then_some((line, None));
            std::iter::once((value.clone(), None))
                .chain(joined)
                .chain(in_base64(value).map(|(form, edges)| (form, Some(edges))))
        });
        let (forms, edges): (Vec<_>, Vec<_>) = forms.unzip();
        let digits = values.iter().map(|value| base16ct::lower::encode_string(value));
        Some(Self { exact: longest(false).build(forms).ok()?, edges, digits: longest(true).build(digits).ok()? })
    }

    fn find(&self, text: &[u8]) -> Vec<Span> {
        let known = |start, end| Span { start, end, kind: Kind::Known };
        let exact = self.exact.find_iter(text).map(|found| {
            let (before, after) = self.edges[found.pattern().as_usize()].unwrap_or_default();
            let is_of = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
            let before = text[..found.start()].iter().rev().take(before).take_while(is_of).count();
            let rest = text[found.end()..].iter().take(after).take_while(is_of).count();
            let padding = text[found.end() + rest..].iter().take(if after > 0 { 2 } else { 0 });
            let padding = padding.take_while(|byte| **byte == b'=').count();
            known(found.start() - before, found.end() + rest + padding)
        });
        let digits = self.digits.find_iter(text).map(|found| known(found.start(), found.end()));
        exact.chain(digits).collect()
    }
}

/// A value in base64, as it may stand within the base64 of more: at each of three places, without what depends on what
/// is around it, which is returned as the number of characters before and after. In the alphabet of URLs too.
fn in_base64(value: &[u8]) -> impl Iterator<Item = (Vec<u8>, (usize, usize))> {
    (0..3).flat_map(move |shift| {
        let padded: Vec<u8> = std::iter::repeat_n(0, shift).chain(value.iter().copied()).collect();
        let text = STANDARD_NO_PAD.encode(&padded).into_bytes();
        let before = [0, 2, 3][shift];
        let after = usize::from(!padded.len().is_multiple_of(3));
        let core = text[before..text.len() - after].to_vec();
        let of_urls = core.iter().map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        });
        let of_urls: Vec<u8> = of_urls.collect();
        // At least the padding may follow.
        let edges = (usize::from(before > 0) * 2, 2);
        let both = if of_urls == core { vec![core] } else { vec![core, of_urls] };
        both.into_iter().map(move |form| (form, edges))
    })
}
