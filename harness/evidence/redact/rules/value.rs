//! Values: where one ends, and which of them say that there is no secret.

use std::sync::LazyLock;

use memchr::{memchr, memchr2};
use regex::bytes::Regex;

use super::compiled;

/// The number of bytes that a value in quotation marks may reach over line breaks: a mark may be an apostrophe.
const LINES: usize = 8192;

/// Finds the end of a line, before its line break.
pub(super) fn line_end(text: &[u8], from: usize) -> usize {
    let end = memchr(b'\n', &text[from..]).map_or(text.len(), |line| from + line);
    if end > from && text[end - 1] == b'\r' { end - 1 } else { end }
}

/// The value behind a quotation mark, or behind three of them.
pub(super) fn quoted(text: &[u8], start: usize, quote: u8) -> (usize, usize) {
    if !text[start..].starts_with(&[quote, quote]) || start + 2 == text.len() {
        return (start, quoted_end(text, start, quote));
    }
    let start = start + 2;
    let close = memchr::memmem::find(&text[start..], &[quote; 3]);
    (start, close.map_or_else(|| line_end(text, start), |at| start + at))
}

/// Finds the end of a value that a quotation mark has opened before `start`: a shell may go on behind one (`'a'\''b'`),
/// and somebody may have written down a value as it is.
fn quoted_end(text: &[u8], start: usize, quote: u8) -> usize {
    let line = line_end(text, start);
    let reach =
        if text[start..line].iter().all(u8::is_ascii_whitespace) { line } else { (line + LINES).min(text.len()) };
    let mut at = start;
    while let Some(mark) = memchr2(quote, b'\\', &text[at..reach]).map(|mark| at + mark) {
        at = mark + 1;
        if text[mark] == b'\\' {
            at = (mark + 2).min(reach);
            continue;
        }
        if mark > line || closes(text, at, quote) {
            return mark;
        }
    }
    line
}

/// Is true when a quotation mark before `at` closes the value, by what follows.
fn closes(text: &[u8], at: usize, quote: u8) -> bool {
    match (text.get(at), text.get(at + 1)) {
        (None, _) => true,
        // `''`, `'\''` and `'"'"'`: a value with a mark of its kind in it.
        (Some(next), _) if *next == quote => false,
        (Some(b'"' | b'\'' | b'`' | b'\\'), after) => after.is_none_or(|after| *after != quote && ends(*after)),
        (Some(next), _) => ends(*next),
    }
}

fn ends(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b",;)]}>:<&|.=!?/#\\\"'`".contains(&byte) || byte < b' '
}

/// Finds the end of a value without quotation marks.
pub(super) fn bare_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = text.get(at).copied() {
        let next = text.get(at + 1).copied().unwrap_or(b' ');
        let over = match byte {
            0..=b' ' => true,
            b',' | b'&' | b';' => ends(next) || names_another(&text[at + 1..]),
            b'"' | b'\'' | b'`' | b')' | b']' | b'}' | b'>' => ends(next),
            b'<' => next == b'/',
            _ => false,
        };
        if over {
            break;
        }
        at += 1;
    }
    at
}

/// Is true when the next part of a list has a name of its own: then the value has ended.
fn names_another(text: &[u8]) -> bool {
    let name = text.iter().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || b"_-. ".contains(byte)).count();
    name > 0 && text.get(name).is_some_and(|byte| b"=:".contains(byte))
}

/// A value that is none, a reference to one, or masked already.
static NO_VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(concat!(
        r"(?i-u)^\s*(?:null|nil|none|true|false|yes|no|undefined|unset|n/a|~|-+|\.+|(?u:…|•{3,})|string|str|bytes|",
        // Masked.
        r"[*x]{3,}|\*\*\*secret:[0-9a-f]{8}\*\*\*|<?\[?(?:redacted|masked|hidden|removed|omitted|filtered)\]?>?|",
        // References and places to fill in.
        r"\$[A-Z_][A-Z0-9_]*|\$\{[A-Z_][A-Z0-9_]*(?::?[-?])?\}?|\$\{\{.*\}\}|\$\([^)]*\)?|\{\{.*\}\}|\{[a-z_.]*\}|<[a-z_ .-]*>?|\[[a-z_ ]*\]|",
        // Where a program has it from, and a type.
        r#"(?:os\.environ|environ|process\.env|env|config|settings|request\.[a-z]+|\$_[a-z]+)\[["'][a-z0-9_. -]*["']\]|"#,
        r#"(?:option|optional|vec|list|box|arc)[<\[][a-z<>\[\], ]*[>\]]|"#,
        r"%[-+0-9.]*[a-z]|%\([a-z_]+\)s|@[a-z_]+@|",
        // What Rust and Python print of what is not to be printed.
        r"secret\(\*+\)|secretstr\('\*+'\)",
        r")?\s*$",
    ))
});

/// Text that stands in a secret's place already.
static MASKED: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r"(?-u)^\s*\*\*\*(?:secret:[0-9a-f]{8}\*\*\*)?\s*$"));

/// Is true when a value is a placeholder, and nothing else.
pub(super) fn is_masked(value: &[u8]) -> bool {
    value.len() <= 128 && MASKED.as_ref().is_some_and(|pattern| pattern.is_match(value))
}

/// A placeholder, or the beginning of one where a line was cut.
static REPLACED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(concat!(
        r"(?-u)^\s*\*\*\*(?:secret:[0-9a-f]{8}\*\*\*|",
        r"(?:s|se|sec|secr|secre|secret(?::[0-9a-f]{0,8}\*{0,3})?)?(?u:…))",
    ))
});

/// Is true when a placeholder begins a value: it was replaced before, and what seems to follow is another text. So
/// redacting a text once more leaves it as it is.
pub(super) fn is_replaced(value: &[u8]) -> bool {
    REPLACED.as_ref().is_some_and(|pattern| pattern.is_match(&value[..value.len().min(128)]))
}

/// Is true when a value says that there is no secret, or where there is one.
pub(super) fn is_none(value: &[u8]) -> bool {
    value.len() <= 128 && NO_VALUE.as_ref().is_some_and(|pattern| pattern.is_match(value))
}

/// Words that tell about a secret and are none.
static TELLING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(concat!(
        r"(?i-u)^(?:not?|is|was|are|were|has|had|must|can|cannot|can't|could|should|will|would|may|might|does|did|do|",
        r"isn't|wasn't|doesn't|required|missing|invalid|expired|empty|unknown|found|set|unset|given|needed|wrong|bad|",
        r"valid|ok|okay|failed|fail|failure|error|denied|rejected|refused|accepted|unauthorized|forbidden|mismatch|",
        r"changed|created|deleted|removed|rotated|written|read|sent|stored|loaded|used|unused|ignored|skipped|",
        r"present|absent|available|unavailable|disabled|enabled|optional|default|too|for|of|from|to|in|on|at|by|with|",
        r"without|and|or|as|the|a|an|that|this|these|those|which|what|when|where|why|how|if|it|its|your|my|their|",
        r"please|see|use|using|got|expected|seen|same|other|another|more|less|than|only|all|any|each|every|some|",
        r"option|flag|argument|arguments|parameter|value|values|file|files|header|field|string|number|type|name|",
        r"bearer|basic|digest|negotiate|unexpected|malformed|revoked|incorrect|there|here|waiting|reading|checking|",
        r"looking|starting|started|stopped|done|finished|running|ready|we|you|they|he|she|i|sops|age|http|https)$",
    ))
});

fn is_plain(word: &[u8]) -> bool {
    let word = trimmed(word);
    word.is_empty() || word.iter().all(|byte| byte.is_ascii_alphabetic() || b"'-`\"".contains(byte))
}

fn trimmed(word: &[u8]) -> &[u8] {
    let from = word.iter().position(|byte| !b"([\"'`".contains(byte)).unwrap_or(word.len());
    let to = word.iter().rposition(|byte| !b".,;:!?)]\"'`".contains(byte)).map_or(from, |last| last + 1);
    &word[from..to.max(from)]
}

pub(super) fn is_telling(word: &[u8]) -> bool {
    TELLING.as_ref().is_some_and(|pattern| pattern.is_match(trimmed(word)))
}

/// Is true when a line is a sentence rather than a value: words alone, at least one of them typical of sentences.
pub(super) fn is_sentence(line: &[u8]) -> bool {
    let words = || line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    // What follows the beginning of a sentence may be anything, such as a path or a number of seconds.
    let first = words().next().unwrap_or_default();
    let told = words().take(12).any(is_telling);
    told && words().take(12).all(|word| is_plain(word) || is_number(word) || is_telling(first) && !looks_random(word))
}

/// A number, a duration, a share, a size: what is counted.
pub(super) fn is_number(word: &[u8]) -> bool {
    let word = trimmed(word);
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    digits > 0
        && digits < 6
        && word.len() <= digits + 3
        && word[digits..].iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'%')
}

/// Is true when a word looks like nothing that anybody would say: letters and digits through each other.
pub(super) fn looks_random(word: &[u8]) -> bool {
    let word = trimmed(word);
    if word.first().is_some_and(|byte| b"/.~<".contains(byte)) || memchr::memmem::find(word, b"://").is_some() {
        return false;
    }
    word.split(|byte| b"-_./:,@".contains(byte)).any(|part| {
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
        let letters = part.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        let tail = part.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let digest = part.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
        part.len() >= 8 && digits > 0 && letters > 0 && !digest && !(tail == digits && digits <= 4)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("x' b", b'\'', "x")]
    #[case("x'y' b", b'\'', "x'y")]
    #[case(r"x'\''y' b", b'\'', r"x'\''y")]
    #[case(r#"x'"'"'y' b"#, b'\'', r#"x'"'"'y"#)]
    #[case(r#"x'", "b""#, b'\'', "x")]
    #[case(r#"x\"y", b"#, b'"', r#"x\"y"#)]
    #[case("x\ny'\nb", b'\'', "x\ny")]
    #[case("x\nb", b'\'', "x")]
    #[case("\nb' c", b'\'', "")]
    #[case("' b", b'\'', "")]
    #[case("x", b'"', "x")]
    fn a_quoted_value_ends(#[case] text: &str, #[case] quote: u8, #[case] value: &str) {
        assert_eq!(&text[..quoted_end(text.as_bytes(), 0, quote)], value);
    }

    #[rstest]
    #[case("a b", "a")]
    #[case("ab\"c d", "ab\"c")]
    #[case("ab\", b", "ab")]
    #[case("a&b=c", "a")]
    #[case("a&b c", "a&b")]
    #[case("a,b", "a,b")]
    #[case("a,b=c", "a")]
    #[case("a, b", "a")]
    #[case("a)b)", "a)b")]
    #[case("a</b>", "a")]
    #[case("a;b", "a;b")]
    #[case("a; b", "a")]
    fn a_bare_value_ends(#[case] text: &str, #[case] value: &str) {
        assert_eq!(&text[..bare_end(text.as_bytes(), 0)], value);
    }

    #[rstest]
    #[case("not found", true)]
    #[case("is required", true)]
    #[case("must not be empty (exit 1)", true)]
    #[case("S3cret of words", false)]
    #[case("correct horse battery staple", false)]
    fn a_sentence_is_no_value(#[case] line: &str, #[case] sentence: bool) {
        assert_eq!(is_sentence(line.as_bytes()), sentence);
    }
}
