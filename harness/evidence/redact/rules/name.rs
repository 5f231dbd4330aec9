//! Names of what is secret: `AE_API_ADMIN_TOKEN` and `clientSecret`, but not `token_file` or `secretName`.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Kind, compiled};

/// The degree to which a name marks a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    /// A value with this name may be secret: when it looks so.
    Perhaps,
    /// A value with this name is secret.
    Surely,
}

/// A name of something secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) kind: Kind,
    pub(super) says: Says,
    /// A plural: `tokens` may be a list of them, and their number.
    pub(super) many: bool,
}

/// A word that makes a name one of something secret.
struct Word {
    pattern: &'static str,
    kind: Kind,
    says: Says,
    /// True when it counts at the beginning of a word alone: `pass` does not in `bypass`.
    whole: bool,
}

const fn sure(pattern: &'static str, kind: Kind) -> Word {
    Word { pattern, kind, says: Says::Surely, whole: false }
}

const fn perhaps(pattern: &'static str, kind: Kind) -> Word {
    Word { pattern, kind, says: Says::Perhaps, whole: true }
}

const WORDS: [Word; 25] = [
    // Before the words that a key may begin with.
    sure(
        "(?:api|private|secret|access|signing|encryption|master|account|shared|storage|service|deploy|crypto?|cipher|aes|hmac|jwt|session|client|license|webhook|app|preshared|host|ssh|tls|ssl|sas|age|unseal|recovery|root|nkey|auth|fernet|subscription)[_. -]?key",
        Kind::Key,
    ),
    sure("token", Kind::Token),
    sure(
        "pass[_-]?w(?:or)?d|pass[_-]?phrase|passcode|passkey|passwort|parola|pword|kennwort|mot[_-]?de[_-]?passe|contrasen[iy]?a|senha|wachtwoord",
        Kind::Password,
    ),
    sure("secret", Kind::Secret),
    sure("credential", Kind::Secret),
    sure("client[_-]key[_-]data", Kind::PrivateKey),
    sure("dockerconfigjson|dockercfg", Kind::Secret),
    sure("mnemonic", Kind::Secret),
    sure("nkey[_-]?seed", Kind::Key),
    Word { whole: true, ..sure("id_(?:rsa|dsa|ecdsa|ed25519)", Kind::PrivateKey) },
    Word { whole: true, ..sure("pwd", Kind::Password) },
    Word { whole: true, ..sure("psk", Kind::Password) },
    Word { whole: true, ..sure("jwt", Kind::Token) },
    Word { whole: true, ..sure("bearer", Kind::Token) },
    Word { whole: true, ..sure("requirepass|masterauth|sshpass|ldappass", Kind::Password) },
    Word {
        whole: true,
        ..sure(
            "(?:db|user|smtp|mysql|root|my|admin|mail|ftp|redis|http|basic|proxy|bind|login|key|store|keystore|truststore)[_-]?(?:pass|pw)",
            Kind::Password,
        )
    },
    perhaps("pass", Kind::Password),
    perhaps("pw", Kind::Password),
    perhaps("pin|otp|totp", Kind::Password),
    perhaps("auth", Kind::Password),
    perhaps("cred|creds", Kind::Secret),
    perhaps("session|sess|sid|csrf|xsrf|nonce|jsessionid|phpsessid", Kind::Token),
    perhaps("seed|salt|pepper", Kind::Secret),
    perhaps("(?:recovery|backup|verification)[_-]?code", Kind::Secret),
    perhaps("key", Kind::Key),
];

/// Last words of names that name no secret, but something about one.
const ABOUT: &[&str] = &[
    "file",
    "files",
    "filename",
    "path",
    "paths",
    "dir",
    "folder",
    "name",
    "names",
    "ref",
    "refs",
    "type",
    "types",
    "kind",
    "url",
    "uri",
    "urls",
    "endpoint",
    "count",
    "counts",
    "total",
    "length",
    "len",
    "size",
    "ttl",
    "expiry",
    "expires",
    "expiration",
    "expired",
    "lifetime",
    "age",
    "policy",
    "enabled",
    "disabled",
    "required",
    "valid",
    "invalid",
    "present",
    "set",
    "unset",
    "status",
    "state",
    "error",
    "errors",
    "message",
    "source",
    "sources",
    "provider",
    "manager",
    "store",
    "hint",
    "prompt",
    "stdin",
    "sha256",
    "sha1",
    "sha512",
    "md5",
    "digest",
    "fingerprint",
    "checksum",
    "version",
    "created",
    "updated",
    "at",
    "in",
    "limit",
    "limits",
    "usage",
    "used",
    "max",
    "min",
    "rate",
    "scope",
    "scopes",
    "header",
    "headers",
    "param",
    "field",
    "column",
    "label",
    "format",
    "algorithm",
    "alg",
    "mode",
    "class",
    "mount",
    "mounts",
    "volume",
    "selector",
    "resource",
    "resources",
    "template",
    "pattern",
    "regex",
    "rule",
    "rules",
    "changed",
    "rotation",
    "rotated",
    "owner",
    "group",
    "issuer",
    "review",
    "reviews",
    "request",
    "requests",
    "bucket",
    "audience",
    "s",
    "py",
    "rs",
    "json",
    "yaml",
    "yml",
    "txt",
    "log",
    "toml",
    "sh",
    "go",
    "js",
    "md",
    "pub",
    "public",
    "known",
    "found",
    "missing",
    "left",
    "service",
    "server",
    "helper",
    "binding",
    "id",
    "ids",
    "uid",
    "index",
    "number",
    "redacted",
    "masked",
    "check",
    "checks",
    "verified",
    "reader",
    "backend",
    "engine",
    "driver",
    "controller",
    "operator",
    "usages",
    "exists",
    "loaded",
    "given",
    "ok",
];

/// Last words of names that name a secret as surely as without them.
const SAME: &[&str] = &[
    "base",
    "data",
    "value",
    "values",
    "val",
    "plain",
    "plaintext",
    "raw",
    "b64",
    "base64",
    "hex",
    "text",
    "string",
    "str",
    "content",
    "contents",
    "current",
    "old",
    "new",
    "prev",
    "previous",
    "key",
    "pem",
    "encoded",
    "phrase",
    "admin",
    "root",
    "user",
    "api",
    "prod",
    "production",
    "staging",
    "dev",
    "test",
    "default",
    "main",
    "primary",
    "secondary",
    "backup",
    "db",
    "env",
    "confirm",
    "confirmation",
    "repeat",
    "again",
    "bytes",
    "inner",
    "ro",
    "rw",
];

/// First words of keys that everybody may know.
const NOT_SECRET: &[&str] =
    &["public", "pub", "primary", "foreign", "no", "without", "count", "num", "max", "total", "socket"];

static ANY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words: Vec<String> = WORDS.iter().map(|word| format!("(?:{})", word.pattern)).collect();
    compiled(&format!("(?i-u){}", words.join("|")))
});

static EACH: LazyLock<Vec<(Regex, &'static Word)>> = LazyLock::new(|| {
    let each = |word: &'static Word| Some((compiled(&format!("^(?i-u)(?:{})", word.pattern))?, word));
    WORDS.iter().filter_map(each).collect()
});

/// Finds the places of words in a text that make a name one of something secret. One may begin within another:
/// `db_password` has `db_pass` in it, and `password`.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = ANY.as_ref()?.find_at(text, from)?;
        from = found.start() + 1;
        Some((found.start(), found.end()))
    })
}

pub(super) fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// Judges a whole name; none when it marks no secret.
pub(super) fn read(name: &[u8]) -> Option<Name> {
    if name.len() > 128 || !name.iter().all(|byte| is_of_name(*byte) || b":@$ /".contains(byte)) {
        return None;
    }
    // The last word of a name is what it names: `token_secret_name` is a name.
    words(name).filter_map(|(start, end)| one(name, start, end)).max_by_key(|name| name.says)
}

/// Judges a name by one of its words.
fn one(name: &[u8], start: usize, end: usize) -> Option<Name> {
    let (_, word) = EACH
        .iter()
        .find(|(pattern, _)| pattern.find(&name[start..]).is_some_and(|found| found.end() == end - start))?;
    let begins = start == 0
        || !name[start - 1].is_ascii_alphabetic()
        || (name[start].is_ascii_uppercase() && name[start - 1].is_ascii_lowercase());
    // A key alone is one of anything.
    if word.whole && (!begins || name.eq_ignore_ascii_case(b"key")) {
        return None;
    }
    let before = parts(&name[..start]);
    if before.last().is_some_and(|last| NOT_SECRET.contains(&last.as_str())) {
        return None;
    }
    let rest = &name[end..];
    let plural = rest.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b's'))
        && rest.get(1).is_none_or(|next| !next.is_ascii_lowercase());
    let after = parts(&rest[usize::from(plural)..]);
    // `passing` and `keyboard` go on where the word would end.
    let goes_on = !plural && rest.first().is_some_and(u8::is_ascii_lowercase) && name[end - 1].is_ascii_lowercase();
    if word.whole && goes_on {
        return None;
    }
    let last = after.last().map(String::as_str);
    let says = match last {
        None => word.says,
        Some(last) if ABOUT.contains(&last) => return None,
        Some(last) if SAME.contains(&last) || last.bytes().all(|byte| byte.is_ascii_digit()) => word.says,
        Some(_) => Says::Perhaps,
    };
    Some(Name { kind: word.kind, says, many: plural })
}

/// The words of a name, in small letters: `fooBar_baz-1` has four.
fn parts(name: &[u8]) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = b'_';
    for byte in name.iter().copied() {
        let new = !byte.is_ascii_alphanumeric()
            || (byte.is_ascii_uppercase() && before.is_ascii_lowercase())
            || (byte.is_ascii_digit() != before.is_ascii_digit()
                && before.is_ascii_alphanumeric()
                && byte.is_ascii_digit());
        if new {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut().filter(|_| byte.is_ascii_alphanumeric()) {
            last.push(char::from(byte.to_ascii_lowercase()));
        }
        before = byte;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("token", Some(Says::Surely))]
    #[case("AE_API_ADMIN_TOKEN", Some(Says::Surely))]
    #[case("clientSecret", Some(Says::Surely))]
    #[case("db_password", Some(Says::Surely))]
    #[case("MYSQL_ROOT_PASSWORD", Some(Says::Surely))]
    #[case("userPassword", Some(Says::Surely))]
    #[case("dummypassword", Some(Says::Surely))]
    #[case("db_pass", Some(Says::Surely))]
    #[case("pass_phrase", Some(Says::Surely))]
    #[case("id_ed25519", Some(Says::Surely))]
    #[case("id_rsa.pub", None)]
    #[case("Sec-WebSocket-Key", None)]
    #[case("userpassed", None)]
    #[case("SECRET_KEY_BASE", Some(Says::Surely))]
    #[case("MYSQL_PWD", Some(Says::Surely))]
    #[case("PGPASSWORD", Some(Says::Surely))]
    #[case("aws_secret_access_key", Some(Says::Surely))]
    #[case("SecretAccessKey", Some(Says::Surely))]
    #[case("client-key-data", Some(Says::Surely))]
    #[case("TOKEN_PROD", Some(Says::Surely))]
    #[case("password2", Some(Says::Surely))]
    #[case("tls.key", Some(Says::Surely))]
    #[case("TOKEN_OF_HUB", Some(Says::Perhaps))]
    #[case("server.key", Some(Says::Perhaps))]
    #[case("auth", Some(Says::Perhaps))]
    #[case("token_file", None)]
    #[case("secretName", None)]
    #[case("secretKeyRef", None)]
    #[case("token_count", None)]
    #[case("public_key", None)]
    #[case("passing", None)]
    #[case("bypass", None)]
    #[case("author", None)]
    #[case("keyboard", None)]
    #[case("monkey", None)]
    #[case("key", None)]
    #[case("pwd_dir", None)]
    #[case("components", None)]
    fn a_name_says_what_it_names(#[case] name: &str, #[case] says: Option<Says>) {
        assert_eq!(read(name.as_bytes()).map(|name| name.says), says);
    }

    #[test]
    fn every_word_is_a_pattern() {
        assert_eq!(EACH.len(), WORDS.len());
        assert!(ANY.is_some());
    }
}
