//! Secrets by what they are members of: an environment's entry, a Kubernetes Secret, an object that has a secret's name.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memchr3;
use regex::bytes::Regex;

use super::assignment::is_kind;
use super::name::{self, Name, Says};
use super::token::{Token, Tokens};
use super::value::{is_none, is_number, is_sentence, looks_random};
use super::view::unescaped;
use super::{Kind, Span, compiled};

/// The state of the reader between two brackets.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each says something else about what is in it")]
struct Frame {
    bracket: u8,
    /// All that is in it is secret.
    secret: Option<Kind>,
    /// It is a list of several such.
    many: bool,
    /// Kubernetes' data, which are secret when their object is a Secret.
    data: bool,
    /// The registries of a docker configuration.
    registries: bool,
    /// The last word or string: a name, when what follows says so.
    last: Option<(usize, usize)>,
    /// The name of the value that comes next.
    name: Option<(usize, usize)>,
    /// The item before was an option that takes a secret.
    option: Option<Kind>,
    is_secret: bool,
    /// Kubernetes' data in it.
    held: Vec<Span>,
    /// An entry with a name and a value.
    named: Option<Kind>,
    values: Vec<(usize, usize)>,
    /// A key as a set of members (JWK).
    is_key: bool,
    parts: Vec<(usize, usize)>,
    /// Items in quotation marks that have no names, of which two may be a name and its value.
    items: Vec<(usize, usize)>,
    /// Two items are a user and a password: `auth=('hub', 'x')`.
    is_login: bool,
    /// A member names a user: what is called `pass` beside it is a password.
    has_user: bool,
}

/// Headers of HTTP that are secret.
const HEADERS: [&[u8]; 4] = [b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"];

/// Names of values that say something about a secret, and are none.
static OPEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(concat!(
        r"(?i-u)^(?:.*name|namespace|kind|type|title|description|\$ref|format|path|file|files|pointer|place|line|",
        r"placeholder|ref|key|keys|optional|mode|defaultmode|audience|id|uid|labels?|created.*|expir.*|expected|seen|ok|",
        r"status|state|reason|message|evidence|remedy|check|.*at|.*count|required|enum|const|shows|method|header)$",
    ))
});

/// Names of what takes a user and a password.
static LOGIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r"(?i-u)^(?:[a-z_.]*_)?(?:(?:http)?(?:basic|digest|proxy)?_?auth|cred(?:ential)?s)$"));

/// The name in front of a bracket, which has a sign behind it or is that of a call.
static BEFORE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compiled(r#"(?-u)(?<name>[A-Za-z_][A-Za-z0-9_.-]{0,63})(?:["']?[ \t]{0,8}(?<sign>[:=]|:=|=>)[ \t]{0,8}&?| ?)$"#)
});

/// The bytes that are looked at in front of a bracket.
const NEAR: usize = 96;

fn is_open(name: &[u8]) -> bool {
    name.len() <= 64 && OPEN.as_ref().is_some_and(|open| open.is_match(name))
}

/// Everything in a text that is secret by the members beside it or around it.
pub(super) fn find(text: &[u8]) -> Vec<Span> {
    let Some(first) = memchr3(b'{', b'[', b'(', text) else { return Vec::new() };
    let mut walk = Walk { text, frames: vec![Frame::before(text, first)], spans: Vec::new() };
    let mut tokens = Tokens::new(text, first);
    let mut token = tokens.next();
    while let Some(now) = token {
        let next = tokens.next();
        match now {
            Token::Open(bracket) => walk.open(bracket),
            Token::Close => walk.close(),
            Token::Comma => walk.comma(),
            Token::Names => walk.names(),
            Token::Text { start, end } => walk.value(start, end, true, next == Some(Token::Names)),
            Token::Word { start, end } => walk.value(start, end, false, next == Some(Token::Names)),
        }
        token = next;
        // Out of all brackets: what follows is none of ours up to the next one.
        if walk.frames.len() == 1 && !matches!(token, Some(Token::Open(_))) {
            let Some(skip) = memchr3(b'{', b'[', b'(', &text[tokens.at..]) else { break };
            tokens.at += skip;
            walk.frames[0] = Frame::before(text, tokens.at);
            token = tokens.next();
        }
    }
    // What was cut off is closed.
    while walk.frames.len() > 1 {
        walk.close();
    }
    walk.spans
}

struct Walk<'a> {
    text: &'a [u8],
    frames: Vec<Frame>,
    spans: Vec<Span>,
}

impl Walk<'_> {
    /// A name.
    fn of(&self, (start, end): (usize, usize)) -> Cow<'_, [u8]> {
        unescaped(&self.text[start..end])
    }

    fn open(&mut self, bracket: u8) {
        let Some(frame) = self.frames.last_mut() else { return };
        // `Token { … }` is a value that has a name, like `{ … }`.
        let called = frame.last.take();
        let around = (frame.secret, frame.data, frame.registries, frame.name);
        let (mut secret, mut data, mut registries, name) = around;
        let mut many = false;
        let login = |name: Option<(usize, usize)>| {
            name.is_some_and(|name| LOGIN.as_ref().is_some_and(|login| login.is_match(&self.of(name))))
        };
        let is_login = bracket != b'{' && (login(name) || bracket == b'(' && login(called));
        // `Token { … }` and `Password("x")` are types that have the name.
        let of_a_type = called.filter(|(start, _)| bracket != b'[' && self.text[*start].is_ascii_uppercase());
        let of_a_type = of_a_type.and_then(|name| name::read(&self.of(name)).filter(|name| name.says == Says::Surely));
        secret = secret.or(of_a_type.map(|name| name.kind));
        if let Some(name) = name.map(|name| self.of(name)) {
            let name = &*name;
            let read = name::read(name).filter(|name| name.says == Says::Surely);
            many = read.is_some_and(|name| name.many);
            secret = if is_open(name) { None } else { secret.or(read.map(|name| name.kind)) };
            // Each value of a header that has several.
            if bracket == b'[' && HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header)) {
                secret = Some(Kind::Password);
            }
            data |= [&b"data"[..], b"stringData", b"binaryData"].contains(&name);
            registries |= name == b"auths" || name.eq_ignore_ascii_case(b"credHelpers");
        }
        self.frames.push(Frame { bracket, secret, many, data, registries, is_login, ..Frame::default() });
    }

    fn close(&mut self) {
        if self.frames.len() < 2 {
            return;
        }
        let Some(frame) = self.frames.pop() else { return };
        if let Some(kind) = frame.named {
            self.spans.extend(frame.values.iter().map(|(start, end)| Span { start: *start, end: *end, kind }));
        }
        if frame.is_key {
            let part = |(start, end): &(usize, usize)| Span { start: *start, end: *end, kind: Kind::PrivateKey };
            self.spans.extend(frame.parts.iter().map(part));
        }
        if let [name, (start, end)] = frame.items[..]
            && let Some(kind) = self.pair(name, &self.text[start..end], frame.bracket)
        {
            self.spans.push(Span { start, end, kind });
        }
        if frame.is_login
            && let [_, (start, end)] = frame.items[..]
        {
            self.spans.push(Span { start, end, kind: Kind::Password });
        }
        if frame.is_secret {
            self.spans.extend(frame.held);
        } else if let Some(around) = self.frames.last_mut() {
            // A list of Secrets says so once, for all of them.
            around.held.extend(frame.held);
        }
        if let Some(around) = self.frames.last_mut() {
            around.name = None;
            around.last = None;
            around.option = None;
        }
    }

    /// The kind of the second of two items, when the first is its name: `("TOKEN", "x")`.
    fn pair(&self, name: (usize, usize), value: &[u8], bracket: u8) -> Option<Kind> {
        let name = &*self.of(name);
        // Files and their digests.
        let digest = bracket == b'[' && value.len() >= 32 && value.iter().all(u8::is_ascii_hexdigit);
        if digest || name.contains(&b'/') {
            return None;
        }
        let header = HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header));
        let read = name::read(name).filter(|name| name.says == Says::Surely).map(|name| name.kind);
        // A list of two may be one of names.
        let value =
            bracket == b'(' || header || name::read(value).is_none() && !value.iter().all(u8::is_ascii_lowercase);
        (value && !name.starts_with(b"-")).then_some(read.or(header.then_some(Kind::Password))).flatten()
    }

    fn comma(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.name = None;
            frame.last = None;
        }
    }

    fn names(&mut self) {
        if let Some(frame) = self.frames.last_mut()
            && let Some(last) = frame.last.take()
        {
            frame.name = Some(last);
        }
    }

    fn value(&mut self, start: usize, end: usize, quoted: bool, names: bool) {
        let text = self.text;
        let Some(frame) = self.frames.last_mut() else { return };
        if names {
            frame.last = Some((start, end));
            frame.name = None;
            return;
        }
        // What follows in brackets is the value: `Some("x")`.
        if !quoted && text.get(end).is_some_and(|next| b"({".contains(next)) {
            frame.last = Some((start, end));
            return;
        }
        let name = frame.name.map(|(start, end)| unescaped(&text[start..end]));
        let name = name.as_deref();
        let value = &text[start..end];
        let option = if quoted { frame.option.take() } else { None };
        if frame.name.is_none() {
            // `Token "x"`, and items of a list.
            frame.last = Some((start, end));
            if quoted {
                frame.option = is_option(value);
            }
            if (quoted || frame.is_login) && frame.items.len() < 3 {
                frame.items.push((start, end));
            }
        }
        if let Some(name) = name {
            frame.note(name, value, (start, end));
        }
        if is_none(value) || (quoted && is_sentence(value)) {
            return;
        }
        let kind = frame.kind(name, value, quoted).or(option.filter(|_| !value.starts_with(b"--")));
        if let Some(kind) = kind {
            self.spans.push(Span { start, end, kind });
        } else if frame.data {
            frame.held.push(Span { start, end, kind: Kind::Secret });
        }
        if !quoted && let Some(frame) = self.frames.last_mut() {
            // Of several words the first is the value: `a: 1 b: 2` has no commas.
            frame.name = None;
        }
    }
}

impl Frame {
    /// The frame of a bracket that is in no other: with the name in front of it.
    fn before(text: &[u8], bracket: usize) -> Self {
        let from = bracket.saturating_sub(NEAR);
        let found = BEFORE.as_ref().and_then(|before| before.captures(&text[from..bracket]));
        let Some((signed, name)) = found.and_then(|found| Some((found.name("sign").is_some(), found.name("name")?)))
        else {
            return Self::default();
        };
        let at = Some((from + name.start(), from + name.end()));
        if signed { Self { name: at, ..Self::default() } } else { Self { last: at, ..Self::default() } }
    }

    /// Notes what a member says about the members beside it.
    fn note(&mut self, name: &[u8], value: &[u8], at: (usize, usize)) {
        let is = |known: &[&str]| known.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if name == b"kind" && (value == b"Secret" || value == b"SecretList") {
            self.is_secret = true;
        }
        self.has_user |= is(&["user", "username", "login", "account"]);
        let of_a_field = is(&["type"]) && value.eq_ignore_ascii_case(b"password");
        if of_a_field
            || is(&["name", "key", "k", "id", "variable", "env", "option", "header", "field", "param", "property"])
        {
            let read = name::read(value).filter(|name| name.says == Says::Surely);
            self.named = self.named.or(read.map(|name| name.kind));
            if HEADERS.iter().any(|known| value.eq_ignore_ascii_case(known)) {
                self.named = Some(Kind::Password);
            }
        }
        if is(&["value", "val", "v", "content", "default", "stringValue", "string_value"]) && !is_none(value) {
            self.values.push(at);
        }
        self.is_key |= name == b"kty";
        if is(&["d", "p", "q", "dp", "dq", "qi", "k"]) && value.len() >= 8 {
            self.parts.push(at);
        }
    }

    /// Returns the kind of secret that a value is, by its name and by what is around it; none when it is not one.
    fn kind(&self, name: Option<&[u8]>, value: &[u8], quoted: bool) -> Option<Kind> {
        if let Some(kind) = self.secret
            && !name.is_some_and(is_open)
        {
            if self.many && name.is_none() && is_kind(kind, value) {
                return None;
            }
            return (quoted || !is_number(value) && (value.iter().any(u8::is_ascii_digit))).then_some(kind);
        }
        let name = name?;
        if self.registries && (name == b"auth" || name == b"identitytoken") {
            return Some(Kind::Password);
        }
        let Name { kind, says, many } = name::read(name)?;
        // A number of JSON's, which no rule for text takes.
        let number = value.iter().all(u8::is_ascii_digit);
        let long = if quoted { true } else { number && value.len() >= 6 && !many };
        let pass = name.eq_ignore_ascii_case(b"pass") || name.eq_ignore_ascii_case(b"pw");
        let with_user = self.has_user && pass && !is_number(value);
        (with_user || long && (says == Says::Surely || (quoted && looks_random(value)))).then_some(kind)
    }
}

static OPTION: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(r"(?-u)^--?[A-Za-z][A-Za-z0-9_.-]*$"));

fn is_option(value: &[u8]) -> Option<Kind> {
    let option = value.len() <= 64 && OPTION.as_ref().is_some_and(|option| option.is_match(value));
    let read = option.then(|| name::read(value)).flatten();
    read.filter(|name| name.says == Says::Surely).map(|name| name.kind)
}
