//! Secrets never reach a file: what looks like one is replaced before anything is written.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// What stands in a secret's place. `WorkerBee` masks with the same three stars.
const MASK: &str = "***";

/// Replaces secrets in bytes of any kind: JSON, logs, command lines.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    known: Vec<Vec<u8>>,
}

/// Where secrets stand: each pattern's first group is kept, its second replaced.
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // JSON members, also of JSON within a JSON string.
        r#"(?i)(\\*"[a-z0-9_-]*(?:token|password|passwd|secret|api_?key|private_?key)\\*"\s*:\s*\\*")([^"\\]+)"#,
        // Command lines and environments: --token=x, AE_API_ADMIN_TOKEN=x.
        r"(?i)([a-z0-9_-]*(?:token|password|passwd|secret_key|api_key)=\\*['\x22]?)([^\s'\x22,\\]+)",
        r"(?i)(bearer\s+)([a-z0-9._~+/=-]{8,})",
        // user:password@ in URLs.
        r"(?i)([a-z]+://[^/\s:@\x22]+:)([^@\s\x22/]+)@",
        r"()(AGE-SECRET-KEY-1[A-Z0-9]+)",
        // Also one that is cut off.
        r"()(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z))",
    ]
    .into_iter()
    .filter_map(|pattern| Regex::new(pattern).ok())
    .collect()
});

impl Redactor {
    /// Adds a value that is known to be secret, whatever stands around it.
    pub fn add(&mut self, secret: &str) {
        // A short value would blot out innocent text.
        if secret.len() >= 8 {
            self.known.push(secret.as_bytes().to_vec());
        }
    }

    /// The bytes without secrets.
    pub fn redact(&self, bytes: &[u8]) -> Vec<u8> {
        let mut text = bytes.to_vec();
        for secret in &self.known {
            if let Ok(pattern) = Regex::new(&regex::escape(&String::from_utf8_lossy(secret))) {
                text = pattern.replace_all(&text, MASK.as_bytes()).into_owned();
            }
        }
        for pattern in PATTERNS.iter() {
            let replaced = pattern.replace_all(&text, |found: &regex::bytes::Captures<'_>| {
                let mut kept = found[1].to_vec();
                kept.extend(MASK.as_bytes());
                if found[0].ends_with(b"@") {
                    kept.push(b'@');
                }
                kept
            });
            text = replaced.into_owned();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), 6);
    }

    #[rstest]
    #[case(r#"{"admin_token": "Zm9vYmFy", "ok": true}"#, r#"{"admin_token": "***", "ok": true}"#)]
    #[case(r#"{"cmd": ["--token=Zm9vYmFy", "apply"]}"#, r#"{"cmd": ["--token=***", "apply"]}"#)]
    #[case(r#"{"m": "{\"read_token\": \"Zm9v\"}"}"#, r#"{"m": "{\"read_token\": \"***\"}"}"#)]
    #[case("Authorization: Bearer abcdefgh1234", "Authorization: Bearer ***")]
    #[case("nats://hub-controller:dev@host:4222", "nats://hub-controller:***@host:4222")]
    #[case("AGE-SECRET-KEY-1QQPQ", "***")]
    // Cut off before or after what ends it.
    #[case(r#"{"admin_token": "Zm9vYm"#, r#"{"admin_token": "***"#)]
    #[case("a\n-----BEGIN EC PRIVATE KEY-----\nMHcC", "a\n***")]
    #[case("-----BEGIN PRIVATE KEY-----\nMHcC\n-----END PRIVATE KEY-----\nb", "***\nb")]
    // Several in one line, and one that stands where another would end.
    #[case("--token=abc --password=def", "--token=*** --password=***")]
    #[case(r#"{"a_token":"x","b_token":"y"}"#, r#"{"a_token":"***","b_token":"***"}"#)]
    #[case("AE_API_ADMIN_TOKEN='Zm9v'", "AE_API_ADMIN_TOKEN='***'")]
    // What is masked already, and what is empty, stays as it is.
    #[case(
        r#"{"read_token": "***", "x_token": "", "y_token": null}"#,
        r#"{"read_token": "***", "x_token": "", "y_token": null}"#
    )]
    // Words about secrets are none.
    #[case("no token was given", "no token was given")]
    #[case("http://127.0.0.1:8765/mcp?at=user@host", "http://127.0.0.1:8765/mcp?at=user@host")]
    #[case("", "")]
    #[case(r#"{"token_file": "/a/b", "ca_sha256": "45bd87"}"#, r#"{"token_file": "/a/b", "ca_sha256": "45bd87"}"#)]
    fn secrets_go_and_all_else_stays(#[case] raw: &str, #[case] clean: &str) {
        assert_eq!(String::from_utf8_lossy(&Redactor::default().redact(raw.as_bytes())), clean);
    }

    #[test]
    fn a_short_value_is_not_hunted_for() {
        let mut redactor = Redactor::default();
        redactor.add("abc");
        assert_eq!(redactor.redact(b"abcdef"), b"abcdef");
    }

    #[test]
    fn a_known_secret_is_no_pattern() {
        let mut redactor = Redactor::default();
        redactor.add("a.c+(d)[e");
        assert_eq!(redactor.redact(b"a.c+(d)[e abccd"), b"*** abccd");
    }

    #[test]
    fn a_second_time_changes_nothing() {
        let once = Redactor::default().redact(br#"{"admin_token": "Zm9v"} nats://a:b@c"#);
        assert_eq!(Redactor::default().redact(&once), once);
    }

    #[test]
    fn a_known_secret_goes_wherever_it_stands_even_in_no_text() {
        let mut redactor = Redactor::default();
        redactor.add("s3cr3t-value");
        assert_eq!(redactor.redact(b"\xff\xfe s3cr3t-value!"), b"\xff\xfe ***!");
    }
}
