//! Where secrets stand: what opens one, and where it ends.

use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of secret was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A token, among them what stands behind `Bearer`.
    Token,
    /// A password, among them that of a URL.
    Password,
    /// A key by name, such as `api_key`.
    Key,
    /// What is called a secret and nothing more.
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

/// How the value that a rule opens ends.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// With the quotation mark that opened it: the groups `depth` (backslashes) and `quote`.
    Quoted,
    /// It is the group `value`.
    Matched(Option<Kind>),
}

struct Rule {
    pattern: Regex,
    ends: Ends,
}

/// Names of what is secret, at the end of a longer name or alone. `token_file` and `secretName` name no secrets.
const NAME: &str = r"(?<name>[a-z0-9_.-]*(?:token|password|passwd|passphrase|secret|(?:api|private|secret|access|signing|encryption)[_-]?key))";

/// The rules, in no order: what they find is united.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let quote = r#"(?<depth>\\*)(?<quote>")"#;
    let either = r#"(?<depth>\\*)(?<quote>["'])"#;
    let value = r#"(?<value>[^\s'",\\]+)"#;
    let rules = [
        // JSON members, also of JSON within JSON strings: `"admin_token": "x"`, `\"admin_token\": \"x\"`.
        (format!(r#"\\*"{NAME}\\*"\s*:\s*{quote}"#), Ends::Quoted),
        // Names without quotation marks, values with: `password: "x"`, `AE_TOKEN='x'`, `--token "x"`.
        (format!(r"\b{NAME}\s*[:=]\s*{either}"), Ends::Quoted),
        (format!(r"--{NAME}\s+{either}"), Ends::Quoted),
        // Two arguments in JSON: `"--token", "x"`.
        (format!(r#""--?{NAME}\\*"\s*,\s*{quote}"#), Ends::Quoted),
        // Kubernetes' environments: `"name": "AE_TOKEN", "value": "x"`, and the same in YAML.
        (format!(r#"name\\*"\s*:\s*\\*"{NAME}\\*"\s*,\s*\\*"value\\*"\s*:\s*{quote}"#), Ends::Quoted),
        (
            format!(r#"name:\s*\\*["']?{NAME}\\*["']?(?:\s|\\n)+value:\s*\\*["']?(?<value>[^\s"'\\]+)"#),
            Ends::Matched(None),
        ),
        // Command lines and environments: `--token=x`, `AE_API_ADMIN_TOKEN=x`, `--token x`.
        (format!("{NAME}={value}"), Ends::Matched(None)),
        (format!(r#"--{NAME}\s+(?<value>[^\s'",\\-][^\s'",\\]{{5,}})"#), Ends::Matched(None)),
        // YAML and headers, a line each: `admin_token: x`.
        (
            format!(r#"(?m:^|\\n)[ \t-]*{NAME}[ \t]*:[ \t]+(?<value>[^\s'"\\{{\[|>&*!#][^\r\n"\\]*)"#),
            Ends::Matched(None),
        ),
        (r"\bbearer\s+(?<value>[a-z0-9._~+/=-]{8,})".to_owned(), Ends::Matched(Some(Kind::Token))),
        (
            r#"authorization\\*["']?\s*[:=,]\s*\\*["']?(?:basic|digest|token)\s+(?<value>[^\s'",\\]+)"#.to_owned(),
            Ends::Matched(Some(Kind::Password)),
        ),
        // user:password@ in URLs, and a token in the user's place.
        (r#"[a-z]+://[^/\s:@"'\\]*:(?<value>[^@\s"'/\\]+)@"#.to_owned(), Ends::Matched(Some(Kind::Password))),
        (r#"[a-z]+://(?<value>[^/\s:@"'\\]{16,})@"#.to_owned(), Ends::Matched(Some(Kind::Token))),
        (r"\b(?<value>eyj[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}\.[a-z0-9_-]*)".to_owned(), Ends::Matched(Some(Kind::Token))),
        (r"(?<value>age-(?:secret-key|plugin)-[a-z0-9-]+)".to_owned(), Ends::Matched(Some(Kind::AgeIdentity))),
    ];
    rules
        .into_iter()
        .filter_map(|(pattern, ends)| Some(Rule { pattern: Regex::new(&format!("(?i-u){pattern}")).ok()?, ends }))
        .collect()
});

static PEM: LazyLock<Option<[Regex; 2]>> = LazyLock::new(|| {
    let marker = |word: &str| Regex::new(&format!("(?-u)-----{word} [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")).ok();
    Some([marker("BEGIN")?, marker("END")?])
});

/// Everything in a text that the rules know as secret. `json`: whether the text as a whole is JSON, so that no secret
/// reaches over the end of a string.
pub(super) fn find(text: &[u8], json: bool) -> Vec<Span> {
    let mut spans = private_keys(text, json);
    for rule in RULES.iter() {
        for found in rule.pattern.captures_iter(text) {
            spans.extend(span(text, rule.ends, &found, json));
        }
    }
    spans
}

fn span(text: &[u8], ends: Ends, found: &Captures<'_>, json: bool) -> Option<Span> {
    let kind = || found.name("name").map_or(Kind::Secret, |name| named(name.as_bytes()));
    match ends {
        Ends::Matched(known) => {
            let value = found.name("value")?;
            let said = ["null", "none", "true", "false", "~"].iter().any(|word| word.as_bytes() == value.as_bytes());
            (!said).then(|| Span { start: value.start(), end: value.end(), kind: known.unwrap_or_else(kind) })
        }
        Ends::Quoted => {
            let (depth, quote) = (found.name("depth")?.len(), found.name("quote")?);
            // In JSON a mark without a backslash is one of JSON's own: behind a bare name it ends a string.
            let bare = text.get(found.name("name")?.end()) != Some(&b'"');
            if json && bare && depth == 0 && quote.as_bytes() == b"\"" {
                return None;
            }
            let end = quoted_end(text, quote.end(), depth, quote.as_bytes(), json);
            Some(Span { start: quote.end(), end, kind: kind() })
        }
    }
}

fn named(name: &[u8]) -> Kind {
    let name = name.to_ascii_lowercase();
    match () {
        () if name.ends_with(b"token") => Kind::Token,
        () if name.ends_with(b"key") => Kind::Key,
        () if name.ends_with(b"secret") => Kind::Secret,
        () => Kind::Password,
    }
}

/// Where a quoted value ends that begins at `start`. JSON within `n` strings of JSON has `2^n - 1` backslashes before
/// its quotation marks, `depth` of them: a mark with more is part of the value, one with fewer ends what is around it.
fn quoted_end(text: &[u8], start: usize, depth: usize, quote: &[u8], json: bool) -> usize {
    let mut backslashes = 0;
    for (at, byte) in text.iter().copied().enumerate().skip(start) {
        if byte == b'\\' {
            backslashes += 1;
            continue;
        }
        let closes = quote == [byte] && (backslashes < depth || backslashes % (2 * (depth + 1)) == depth);
        let around = json && byte == b'"' && backslashes % 2 == 0;
        if closes || around {
            return at - backslashes.min(depth);
        }
        // A single quotation mark may be an apostrophe: it does not reach far.
        if quote == b"'" && at - start > APOSTROPHE {
            break;
        }
        backslashes = 0;
    }
    if quote != b"'" {
        return text.len();
    }
    text[start..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |line| start + line)
}

/// The longest value that single quotation marks may hold.
const APOSTROPHE: usize = 8192;

/// Private keys, also one that is cut off: up to the end of its text, or of its string in JSON.
fn private_keys(text: &[u8], json: bool) -> Vec<Span> {
    let Some([begin, end]) = PEM.as_ref() else { return Vec::new() };
    let mut spans = Vec::new();
    for opened in begin.find_iter(text) {
        let closed = end.find_at(text, opened.end()).map(|closed| closed.end());
        let limit = closed.unwrap_or(text.len());
        if !json {
            spans.push(Span { start: opened.start(), end: limit, kind: Kind::PrivateKey });
            continue;
        }
        // A key as a list of lines: one string after another, with nothing but commas between them.
        let mut start = opened.start();
        loop {
            let string = quoted_end(text, start, 0, b"\"", true).min(limit);
            spans.push(Span { start, end: string, kind: Kind::PrivateKey });
            let between = |byte: &&u8| b"\", \t\r\n".contains(byte);
            let gap: Vec<u8> = text[string..limit].iter().take_while(between).copied().collect();
            let next = string + gap.len();
            let apart = gap.iter().filter(|byte| **byte == b'"').take(3).count() != 2;
            if closed.is_none() || apart || next >= limit || names_a_member(text, next) {
                break;
            }
            start = next;
        }
    }
    spans
}

/// Whether the string of JSON that has this byte is followed by a colon.
fn names_a_member(text: &[u8], at: usize) -> bool {
    let end = quoted_end(text, at, 0, b"\"", true);
    text.iter().skip(end + 1).find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles() {
        assert_eq!(RULES.len(), 15);
        assert!(PEM.is_some());
    }
}
