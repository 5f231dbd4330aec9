//! A name and its value, in whatever language: `admin_token: x`, `TOKEN=x`, `"password" => "x"`, `--secret x`.

use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::name::{self, Name, Says};
use super::value::{bare_end, is_none, is_number, is_sentence, is_telling, line_end, looks_random, quoted};
use super::{Kind, Span, compiled};

/// The largest number of bytes that a name has before the word that makes it one of a secret.
const BEFORE: usize = 64;

/// The pattern of what stands between a name and its value.
static BETWEEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(concat!(
        r#"(?s-u)^(?<close>["'`]?[\])]?["'`]?)(?:"#,
        // A type, as Rust and Python have it: `token: Option<String> = "x"`.
        r#"[ \t]{0,8}:[ \t]{0,8}[&A-Za-z][A-Za-z0-9_:.<>\[\]&'| ]{0,60}?[ \t]{0,8}(?<typed>=)[ \t]{0,8}(?:[A-Za-z]{0,2}["'`])|"#,
        // A comparison in a program.
        r"[ \t]{1,8}(?<compared>[=!]==?)[ \t]{1,8}|",
        r"[ \t]{0,64}(?<assign>:=|=>|->|<-|(?:\|\||\?\?|\+)=|={1,3})\s{0,64}|",
        r"[ \t]{0,64}(?<colon>:)[ \t]{0,64}|",
        // XML: `<password>x</password>`.
        r#"(?<element>(?:[ \t][^<>\n]{0,128})?>)|"#,
        r#"(?<call>\()[ \t]{0,8}|"#,
        // Two arguments, in a list of them.
        r#"(?<argument>[ \t]{0,8},\s{0,64})|"#,
        // The next item of a list in YAML.
        r#"(?<item>[ \t]{0,8}\r?\n[ \t]{0,64}- ["']?)|"#,
        // A cell of a table.
        r"(?<cell>[ \t]{0,64}\|[ \t]{0,8})|",
        // Whose, or which one: `password for hub: x`, `token #1: x`.
        r#"(?<told>[ \t]{0,4}(?:#?[0-9]{1,3}|\([^()\n]{1,40}\)|\[[A-Za-z0-9_.'"-]{0,40}\]|(?:for|of)[ \t](?:(?:user|the)[ \t])?["'`]?[A-Za-z0-9_.@-]{1,40}["'`]?|provided|given|used)[ \t]{0,4}[:=][ \t]{0,8}["'`]?)|"#,
        r"(?<blank>[ \t]{1,64}(?:(?:is|was|set to|changed from|changed to|provided|used)[ \t:=]{1,8})?)",
        r")",
    ))
});

/// The pattern of what stands before a value in quotation marks: wrappers such as `Some(`, the beginning of a list, a
/// prefix.
static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?s-u)^(?:string\([0-9]+\)|\[\]|(?:&|new )?[A-Za-z_][A-Za-z0-9_:.]{0,40}(?:\(| ?\{\s{0,64}[a-z_]{1,20}:\s)|[\[(&@]|\s{1,64}){0,8}(?:[bBuUrRfF]{0,2})["'`]"#,
    )
});

/// YAML's values of several lines.
static BLOCK: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r"(?-u)^(?:![a-z!]{1,20}[ \t]{1,4})?[|>][-+0-9]{0,3}[ \t]*(?:#[^\n]*)?\r?(?:\n|$)"));

/// Wrappers of values without quotation marks.
static WRAPPER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(r"(?-u)^(?:[A-Za-z_][A-Za-z0-9_:.]{0,40}\(|&[A-Za-z0-9_-]{1,20} |[\[(&]|![a-z!]{1,20} |map\[){1,4}")
});

/// Every value in a text that has the name of a secret.
pub(super) fn find(text: &[u8]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut from = 0;
    for (start, end) in name::words(text) {
        // Within a value that is found already, or within the name that was read last.
        if start < from || is_placeholder(text, start) {
            continue;
        }
        let begin = text[..start].iter().rev().take(BEFORE).take_while(|byte| name::is_of_name(**byte)).count();
        let rest = text[end..].iter().take(BEFORE).take_while(|byte| name::is_of_name(**byte)).count();
        let whole = Place { text, start: start - begin, end: end + rest };
        from = whole.end;
        // A sentence ends with a full stop.
        let read = whole.end - text[start..whole.end].iter().rev().take_while(|byte| b".-".contains(byte)).count();
        let Some(name) = name::read(&text[whole.start..read]) else { continue };
        let found = Place { end: read, ..whole }.values(name);
        from = found.last().map_or(from, |span| span.end.max(from));
        spans.extend(found);
    }
    spans
}

/// Is true when a placeholder stands there: `***secret:1a2b3c4d***`.
fn is_placeholder(text: &[u8], start: usize) -> bool {
    text[..start].ends_with(b"***") && text[start..].starts_with(b"secret:")
}

/// A name in a text.
#[derive(Clone, Copy)]
struct Place<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
}

impl Place<'_> {
    fn values(self, name: Name) -> Vec<Span> {
        let Some(between) = BETWEEN.as_ref().and_then(|pattern| pattern.captures(&self.text[self.end..])) else {
            return Vec::new();
        };
        let at = self.end + between.get(0).map_or(0, |whole| whole.end());
        let spans = self.after(&between, at, name).unwrap_or_default();
        spans.into_iter().map(|(start, end)| Span { start, end, kind: name.kind }).collect()
    }

    fn after(self, between: &Captures<'_>, at: usize, name: Name) -> Option<Vec<(usize, usize)>> {
        let has = |group: &str| between.name(group).is_some();
        let option = self.is_option();
        let at = self.continued(at);
        if has("typed") {
            return Some(vec![quoted(self.text, at, self.text[at - 1])]);
        }
        if has("element") {
            let opened = self.start > 0 && self.text[self.start - 1] == b'<';
            let end = at + memchr::memchr(b'<', &self.text[at..])?;
            return (opened && self.text[end..].starts_with(b"</")).then(|| self.plain(at, end, name)).flatten();
        }
        if has("argument") {
            return (option && name.says == Says::Surely).then(|| self.quoted(at, name, true)).flatten();
        }
        if has("compared") {
            return self.quoted(at, name, false);
        }
        if has("item") {
            let wanted = option && name.says == Says::Surely && self.begins_line_with(b"- ");
            let line = line_end(self.text, at);
            let end = line - usize::from(self.text[at..line].ends_with(b"\"") || self.text[at..line].ends_with(b"'"));
            return wanted
                .then(|| self.plain(at, end, name))
                .flatten()
                .filter(|_| !is_another_option(&self.text[at..end]));
        }
        if has("call") {
            // A type of a program's: `Token(x)`.
            let of_a_type = self.text[self.start].is_ascii_uppercase();
            return self.quoted(at, name, false).or_else(|| of_a_type.then(|| self.word(at)).flatten());
        }
        if has("cell") || has("told") {
            return self.word(at);
        }
        if has("blank") {
            return match (option, name.kind) {
                (true, _) => self.argument(at, name),
                (_, Kind::Password) => self.setting(at, name).or_else(|| self.word(at)),
                _ => self.word(at),
            };
        }
        let colon = has("colon");
        // `secrets::known` is a path.
        if colon && self.text.get(at) == Some(&b':') && between.name("close").is_some_and(|close| close.is_empty()) {
            return None;
        }
        let begins_line = self.begins_line();
        // In `'--token='` the mark behind the sign closes what is around the name.
        let around = self.start.checked_sub(1).map(|before| self.text[before]).filter(|byte| b"\"'`".contains(byte));
        let closed = between.name("close").is_some_and(|close| !close.is_empty());
        if !closed && around.is_some() && self.text.get(at).copied() == around {
            return None;
        }
        if let Some(values) = self.quoted(at, name, false) {
            return Some(values);
        }
        if colon && begins_line {
            let block = BLOCK.as_ref().and_then(|block| block.find(&self.text[at..]));
            if let Some(block) = block {
                return Some(self.lines(at + block.end(), |_| true));
            }
            // Nothing, or a comment.
            if line_end(self.text, at) <= at || self.text[at..].starts_with(b"# ") {
                let next = (at + 2).min(self.text.len()).max(memchr::memchr(b'\n', &self.text[at..])? + at + 1);
                return Some(self.lines(next, |line| !names_what_is_open(line)));
            }
        }
        let from =
            at + WRAPPER.as_ref().and_then(|pattern| pattern.find(&self.text[at..])).map_or(0, |found| found.end());
        let line = line_end(self.text, from);
        if self.text.get(from).is_none_or(|byte| b"{[\n\r".contains(byte))
            || b"|>".contains(&self.text[from]) && line == from + 1
        {
            return None;
        }
        // What is handed to a function of a program's, by its name there.
        let called = self.text[at..from].ends_with(b"(");
        if called
            && self.text[from..bare_end(self.text, from).min(line)]
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || b"_.".contains(byte))
        {
            return None;
        }
        // `name: value` and `name = value` on lines of their own have all of the line.
        let spaced = at > self.end + 1 && self.text[at - 1] == b' ';
        if begins_line && from == at && (colon || spaced) {
            return self.line(from, line, name);
        }
        let end = bare_end(self.text, from).min(line);
        if colon && self.is_told(from, end, line) {
            return None;
        }
        self.plain(from, end, name)
    }

    /// All of a line, unless it is a sentence about a secret.
    fn line(self, from: usize, line: usize, name: Name) -> Option<Vec<(usize, usize)>> {
        let value = &self.text[from..line];
        let mark = |byte: &&u8| byte.is_ascii_whitespace() || b",;".contains(byte);
        let end = from + value.len() - value.iter().rev().take_while(mark).count();
        let counted = value.split(|byte| *byte == b'#').next().is_some_and(|number| is_number(number.trim_ascii()));
        if is_sentence(&self.text[from..end]) || counted && name.many {
            return None;
        }
        self.plain(from, end, name)
    }

    /// Is true when a value after a colon in the middle of a line is part of a sentence.
    fn is_told(self, from: usize, end: usize, line: usize) -> bool {
        let word = &self.text[from..end];
        let letters = !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphabetic() || b"'-.,".contains(byte));
        let next = self.text[end..line].split(|byte| *byte == b' ').find(|word| !word.is_empty());
        let goes_on =
            next.is_some_and(|word| word.iter().all(|byte| byte.is_ascii_alphabetic() || b".,;:".contains(byte)));
        is_telling(word) || letters && goes_on
    }

    /// A value, when it is one, and the name says enough for it.
    fn plain(self, from: usize, end: usize, name: Name) -> Option<Vec<(usize, usize)>> {
        let value = self.text.get(from..end).filter(|value| !value.is_empty())?;
        let counted = is_number(value) && (name.many || name.says == Says::Perhaps);
        let sure = match name.says {
            Says::Surely => !(name.many && value.iter().all(u8::is_ascii_digit)),
            // What is secret of it may have been replaced already.
            Says::Perhaps => {
                looks_random(value)
                    && !value.iter().any(u8::is_ascii_whitespace)
                    && memchr::memmem::find(value, b"***secret:").is_none()
            }
        };
        (sure && !counted && !is_none(value) && !self.is_elsewhere(value, name)).then(|| vec![(from, end)])
    }

    /// Is true when a value only refers to a secret: the path of a key's file, or the secret's name in a program.
    fn is_elsewhere(self, value: &[u8], name: Name) -> bool {
        let path = value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"~/");
        let folder = self.text[self.start..self.end].to_ascii_uppercase().ends_with(b"PWD");
        let of_a_program = value.iter().all(|byte| byte.is_ascii_alphabetic() || b"_.".contains(byte));
        path && (name.kind == Kind::Key || folder)
            && !looks_random(value.rsplit(|byte| *byte == b'/').next().unwrap_or_default())
            || FILE.as_ref().is_some_and(|file| file.is_match(value)) && !looks_random(value)
            || of_a_program && kind_of(value).is_some()
    }

    /// A value in quotation marks that is all of a line of settings: `password "x"`.
    fn setting(self, at: usize, name: Name) -> Option<Vec<(usize, usize)>> {
        let before = self.text[..self.start].iter().rev().take_while(|byte| **byte != b'\n').take(BEFORE);
        let alone = before.into_iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'{');
        let quote = self.text.get(at).filter(|byte| b"\"'".contains(byte))?;
        let (start, end) = quoted(self.text, at + 1, *quote);
        let rest = self.text.get(end + 1..line_end(self.text, end))?;
        (alone && rest.iter().all(|byte| b" \t;}".contains(byte))).then(|| self.plain(start, end, name)).flatten()
    }

    /// Finds where a value begins that a shell or a Makefile has on the next line.
    fn continued(self, at: usize) -> usize {
        let rest = &self.text[at..];
        let line = rest.strip_prefix(b"\\\n").or_else(|| rest.strip_prefix(b"\\\r\n"));
        line.map_or(at, |line| {
            let blank = line.iter().take(BEFORE).take_while(|byte| b" \t".contains(byte)).count();
            self.text.len() - line.len() + blank
        })
    }

    /// Values in quotation marks: one, or those of a list.
    fn quoted(self, at: usize, name: Name, argument: bool) -> Option<Vec<(usize, usize)>> {
        let opened = QUOTED.as_ref()?.find(&self.text[at..])?;
        // In Markdown, the end of what is around the name.
        let after = self.text.get(at + opened.end()).copied().unwrap_or(b' ');
        if opened.as_bytes().ends_with(b"`") && (after.is_ascii_whitespace() || b".,;:)`".contains(&after)) {
            return None;
        }
        let list = opened.as_bytes().contains(&b'[');
        let mut values = Vec::new();
        let mut open = at + opened.end();
        loop {
            let (start, end) = quoted(self.text, open, self.text[open - 1]);
            let value = &self.text[start..end];
            let kind_of_one = list && name.many && is_kind(name.kind, value);
            let counts = !is_none(value)
                && !is_sentence(value)
                && !is_variable(value)
                && !kind_of_one
                && (name.says == Says::Surely || looks_random(value));
            if counts && !(argument && is_another_option(value)) {
                values.push((start, end));
            }
            let more = list.then(|| QUOTED_NEXT.as_ref()?.find(self.text.get(end..)?)).flatten();
            match more {
                Some(next) => open = end + next.end(),
                None => return Some(values),
            }
        }
    }

    /// The value of an option: the next word, whatever it is.
    fn argument(self, at: usize, name: Name) -> Option<Vec<(usize, usize)>> {
        if let Some(values) = self.quoted(at, name, true) {
            return Some(values);
        }
        let end = bare_end(self.text, at);
        let value = self.text.get(at..end)?;
        if is_another_option(value) || is_telling(value) {
            return None;
        }
        self.plain(at, end, name)
    }

    /// A word behind a blank: of a table or a sentence. It is one when it looks like nothing else.
    fn word(self, at: usize) -> Option<Vec<(usize, usize)>> {
        let from = at + self.text[at..].iter().take(2).take_while(|byte| b"\"'`(<".contains(byte)).count();
        let end = bare_end(self.text, from);
        let word = self.text.get(from..end)?;
        // A name of something else, such as a project or a container, has words in it.
        let one = !word.iter().any(|byte| b"/:=".contains(byte))
            || word.contains(&b'=') && word.iter().rev().skip(2).all(|byte| *byte != b'=');
        (one && looks_random(word) && !is_none(word)).then(|| vec![(from, end)])
    }

    /// The lines of a block that are indented deeper than its name; of each what stands behind its own name.
    fn lines(self, from: usize, wanted: impl Fn(&[u8]) -> bool) -> Vec<(usize, usize)> {
        let line_start = memchr::memrchr(b'\n', &self.text[..self.start]).map_or(0, |line| line + 1);
        let indent = |line: &[u8]| line.iter().take_while(|byte| **byte == b' ' || **byte == b'\t').count();
        let own = indent(&self.text[line_start..self.end]);
        let mut values = Vec::new();
        let mut at = from;
        while at < self.text.len() {
            let end = line_end(self.text, at);
            let line = &self.text[at..end];
            let deep = indent(line);
            let item = line[deep..].starts_with(b"- ");
            if !line[deep..].is_empty() {
                if deep < own || (deep == own && !item) {
                    break;
                }
                let value = &line[deep..];
                let skip = YAML_NAME.as_ref().and_then(|name| name.find(value)).map_or(0, |name| name.end());
                if wanted(value) && !is_none(&value[skip..]) && !value[skip..].is_empty() {
                    values.push((at + deep + skip, end));
                }
            }
            at = memchr::memchr(b'\n', &self.text[end..]).map_or(self.text.len(), |line| end + line + 1);
        }
        values
    }

    /// Is true when nothing but indentation, a dash and a shell's `export` stands before the name on its line.
    fn begins_line(self) -> bool {
        let from = self.start.saturating_sub(BEFORE);
        let before = &self.text[from..self.start];
        let line = memchr::memrchr(b'\n', before).map_or(before, |line| &before[line + 1..]);
        let whole = from == 0 || line.len() < before.len();
        whole && LINE_START.as_ref().is_some_and(|pattern| pattern.is_match(line))
    }

    /// Is true when `item` is all that stands before the name on its line, but for indentation and a quotation mark.
    fn begins_line_with(self, item: &[u8]) -> bool {
        let from = self.start.saturating_sub(BEFORE);
        let line = self.text[from..self.start].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        line.trim_ascii_start().strip_prefix(item).is_some_and(|rest| rest.iter().all(|byte| b"\"'".contains(byte)))
    }

    /// Is true when the name is that of an option, `--token` or `-token`.
    fn is_option(self) -> bool {
        self.text.get(self.start) == Some(&b'-')
    }
}

static FILE: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r"(?-u)^[A-Za-z0-9_./-]+\.(?:pem|key|pub|crt|json|txt|ya?ml|toml|env)$"));
static QUOTED_NEXT: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r#"(?-u)^["'`]\s{0,64},\s{0,64}[bBuUrRfF]{0,2}["'`]"#));
static YAML_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(r#"(?-u)^(?:- ){0,4}(?:["']?[A-Za-z0-9_./-]{1,100}["']?:(?:[ \t]{1,20}|$))?(?:[|>][-+0-9]{0,3}$)?"#)
});
static LINE_START: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(r#"(?i-u)^[ \t]*(?:- )*(?:export |set |setenv |declare -x |env |const |let |var |local |- )*["':$]?$"#)
});
static OPTION: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(r"(?-u)^--?[a-z][a-z-]*(?:=.*)?$"));
static OPEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(
        r#"(?i-u)^(?:- )*["']?(?:[a-z]*name|namespace|kind|type|title|description|path|file|items?|key|keys|optional|mode|defaultmode|audience|id|uid|labels?|annotations?|created[a-z]*|expir[a-z]*|[a-z]*count)["']?:"#,
    )
});

/// Is true of the name of an environment's variable: where a program has its value from.
fn is_variable(value: &[u8]) -> bool {
    value.len() > 4 && value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_') && kind_of(value).is_some()
}

fn is_another_option(value: &[u8]) -> bool {
    OPTION.as_ref().is_some_and(|pattern| pattern.is_match(value))
}

/// Is true when an item of a list of tokens only names one of them, such as `admin`.
pub(super) fn is_kind(kind: Kind, item: &[u8]) -> bool {
    kind != Kind::Password && item.iter().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(byte))
}

/// Is true when a line below the name of a secret says something about it that is not secret.
fn names_what_is_open(line: &[u8]) -> bool {
    OPEN.as_ref().is_some_and(|pattern| pattern.is_match(line))
}

/// The kind by a name that stands elsewhere.
pub(super) fn kind_of(name: &[u8]) -> Option<Kind> {
    name::read(name).filter(|name| name.says == Says::Surely).map(|name| name.kind)
}
