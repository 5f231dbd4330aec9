//! Tests of what is redacted, and of what is not.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]

use rstest::rstest;

use super::*;

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

/// Planted secrets, each of which must be gone, with what must stay around it.
#[rstest]
#[case::escaped_quote(r#"{"password": "ab\"S3cret", "ok": 1}"#, r#"{"password": "***", "ok": 1}"#)]
#[case::backslash_at_the_end(r#"{"password": "S3cret\\", "ok": 1}"#, r#"{"password": "***", "ok": 1}"#)]
#[case::escaped_in_json_in_json(
    r#"{"m": "{\"password\": \"a\\\"S3cret\\n\", \"ok\": 1}"}"#,
    r#"{"m": "{\"password\": \"***\", \"ok\": 1}"}"#
)]
#[case::json_in_json_in_json(
    r#"{"m": "{\"n\": \"{\\\"a_token\\\": \\\"S3cret\\\"}\"}"}"#,
    r#"{"m": "{\"n\": \"{\\\"a_token\\\": \\\"***\\\"}\"}"}"#
)]
#[case::two_arguments(r#"["--token", "S3cret", "apply"]"#, r#"["--token", "***", "apply"]"#)]
#[case::empty_argument(r#"["--token=", "apply"]"#, r#"["--token=", "apply"]"#)]
#[case::argument_in_text("ae --token S3cret-1 apply", "ae --token *** apply")]
#[case::quoted_argument("ae --password 'S3 cret' apply", "ae --password '***' apply")]
#[case::phrase(r#"PASSPHRASE="S3cret and more" x"#, r#"PASSPHRASE="***" x"#)]
#[case::lines("A_PASSWORD='S3cret\nS3cret'\nb", "A_PASSWORD='***'\nb")]
#[case::apostrophe("the token='S3cret\nnext line", "the token='***\nnext line")]
#[case::yaml("a: 1\n  admin_token: S3cret of words\nb: 2", "a: 1\n  admin_token: ***\nb: 2")]
#[case::yaml_in_json(r#"{"m": "a: 1\n  password: S3cret\nb: 2"}"#, r#"{"m": "a: 1\n  password: ***\nb: 2"}"#)]
#[case::yaml_null("token: null\npassword: |\n", "token: null\npassword: |\n")]
#[case::nats_users(r#"{user: "hub", password: "S3cret"}"#, r#"{user: "hub", password: "***"}"#)]
#[case::kubernetes(
    r#"[{"name": "AE_TOKEN", "value": "S3cret"}, {"name": "A", "value": "b"}]"#,
    r#"[{"name": "AE_TOKEN", "value": "***"}, {"name": "A", "value": "b"}]"#
)]
#[case::kubernetes_yaml("- name: AE_TOKEN\n  value: S3cret\n", "- name: AE_TOKEN\n  value: ***\n")]
#[case::basic("Authorization: Basic S3cret==", "Authorization: Basic ***")]
#[case::header_in_json(r#"{"Authorization": "Bearer S3cret12"}"#, r#"{"Authorization": "Bearer ***"}"#)]
#[case::token_for_a_user("https://ghp_S3cretS3cret@host/x", "https://***@host/x")]
#[case::web_token("at eyJhbGciOiJ.eyJS3cretS3cret.S3cret end", "at *** end")]
#[case::plugin_identity("AGE-PLUGIN-YUBIKEY-1S3CRET x", "*** x")]
#[case::pgp("-----BEGIN PGP PRIVATE KEY BLOCK-----\nS3cret\n-----END PGP PRIVATE KEY BLOCK-----", "***")]
#[case::key_in_json(
    r#"{"k": "-----BEGIN PRIVATE KEY-----\nS3cret\n-----END PRIVATE KEY-----\n", "ok": 1}"#,
    r#"{"k": "***\n", "ok": 1}"#
)]
#[case::key_cut_off_in_json(r#"{"k": "-----BEGIN PRIVATE KEY-----\nS3cret", "ok": 1}"#, r#"{"k": "***", "ok": 1}"#)]
#[case::key_as_lines(
    r#"["a", "-----BEGIN PRIVATE KEY-----", "S3cret", "-----END PRIVATE KEY-----", "b"]"#,
    r#"["a", "***", "***", "***", "b"]"#
)]
#[case::marker_without_a_key(
    r#"{"a": "no -----BEGIN PRIVATE KEY-----", "b": {"c": "kept"}, "d": "-----END PRIVATE KEY-----"}"#,
    r#"{"a": "no ***", "b": {"c": "kept"}, "d": "-----END PRIVATE KEY-----"}"#
)]
#[case::no_text("\u{0}TOKEN=S3cret\u{0}A=b", "\u{0}TOKEN=***\u{0}A=b")]
fn planted_secrets_are_gone(#[case] raw: &str, #[case] clean: &str) {
    let redactor = Redactor::default();
    assert_eq!(String::from_utf8_lossy(&redactor.redact(raw.as_bytes())), clean);
    assert!(redactor.scan(clean.as_bytes()).is_empty(), "a second time finds more");
}

#[test]
fn a_long_secret_is_gone_as_a_whole() {
    let secret = "S3cret-".repeat(100_000);
    let raw = format!("{{\"a\": \"--token={secret}\", \"b_token\": \"{secret}\"}}");
    let clean = Redactor::default().redact(raw.as_bytes());
    assert_eq!(clean, br#"{"a": "--token=***", "b_token": "***"}"#);
}

#[test]
fn a_secret_has_one_placeholder_wherever_and_however_it_stands() {
    let redactor = Redactor::keyed(RedactionKey::random().unwrap());
    let key = "-----BEGIN PRIVATE KEY-----\nS3cret\n-----END PRIVATE KEY-----";
    let json = serde_json::json!({ "k": key, "admin_token": "S3cret-1", "argv": ["--token=S3cret-1"] });
    let nested = serde_json::json!({ "m": json.to_string() });
    let texts = [json.to_string(), nested.to_string(), format!("{key}\nAuthorization: Bearer S3cret-1\n")];
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for text in texts {
        let (clean, replaced) = redactor.redacted(text.as_bytes());
        assert!(!String::from_utf8_lossy(&clean).contains("S3cret"));
        assert!(redactor.scan(&clean).is_empty() && Redactor::default().scan(&clean).is_empty());
        for one in replaced {
            *seen.entry(one.placeholder).or_default() += 1;
        }
    }
    assert_eq!(seen.values().copied().collect::<std::collections::BTreeSet<_>>(), [3, 5].into());
    let other = Redactor::keyed(RedactionKey::random().unwrap()).redacted(b"TOKEN=S3cret-1").1;
    assert!(!seen.contains_key(&other[0].placeholder), "another run has another key");
}

#[test]
fn a_replacement_is_written_down_at_its_place() {
    let redactor = Redactor::default();
    let places = |text: &str| -> Vec<(Kind, String)> {
        let replaced = redactor.redacted(text.as_bytes()).1;
        replaced.into_iter().map(|one| (one.kind, one.place.to_string())).collect()
    };
    assert_eq!(
        places(r#"{"status": {"admin_token": "x"}, "cmd": ["a", "--password=b"]}"#),
        [(Kind::Token, "/status/admin_token".into()), (Kind::Password, "/cmd/1".into())]
    );
    assert_eq!(
        places("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nnats://a:b@c\n"),
        [(Kind::PrivateKey, "line 1".into()), (Kind::Password, "line 2".into())]
    );
}

#[test]
fn a_file_tells_what_is_secret_while_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    let redactor = Redactor::default();
    redactor.source("tokens", &file);
    let text = br#"GET /S3cret%201 "a\"S3cret" UzNjcmV0LTEyMw=="#;
    assert_eq!(redactor.redact(text), text, "nothing is known yet");
    std::fs::write(&file, r#"{"a_token": "a\"S3cret", "b_token": "S3cret-123", "name": "known"}"#).unwrap();
    assert_eq!(redactor.redact(text), br#"GET /S3cret%201 "***" ***"#);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(redactor.clone().redact(b"x S3cret-123"), b"x ***", "what is known stays known, also to a clone");
    let learned = redactor.learned();
    let pointers: Vec<String> = learned[0].secrets.iter().map(|one| one.place.to_string()).collect();
    assert_eq!(pointers, ["/a_token", "/b_token"]);
    assert!(!format!("{redactor:?}").contains("S3cret"));
}

#[test]
fn a_short_value_is_not_hunted_for() {
    let redactor = Redactor::default();
    redactor.add("abc");
    assert_eq!(redactor.redact(b"abcdef"), b"abcdef");
}

#[test]
fn a_known_secret_is_no_pattern() {
    let redactor = Redactor::default();
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
    let redactor = Redactor::default();
    redactor.add("s3cr3t-value");
    assert_eq!(redactor.redact(b"\xff\xfe s3cr3t-value!"), b"\xff\xfe ***!");
}

#[path = "../../../tests/support/forms.rs"]
pub(super) mod forms;

/// A form that is not as it should be.
fn wrong(of: impl Fn(forms::Form) -> Option<String>) -> String {
    forms::forms().filter_map(|form| Some(format!("{}: {}\n", form.0, of(form)?))).collect()
}

fn redacted(text: &str) -> String {
    String::from_utf8_lossy(&Redactor::default().redact(text.as_bytes())).into_owned()
}

#[test]
fn no_form_gets_through() {
    let wrong = wrong(|(_, text, _)| {
        assert!(forms::leaks(text), "no secret is in {text}");
        let clean = redacted(text);
        (forms::leaks(&clean) || !clean.contains("***")).then_some(clean)
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_looks_much_like_it_stays() {
    let wrong = wrong(|(_, _, near)| Some(redacted(near)).filter(|clean| clean != near));
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_second_time_finds_no_more_in_any_form() {
    let redactor = Redactor::keyed(RedactionKey::random().unwrap());
    let wrong = wrong(|(_, text, _)| {
        let once = redactor.redact(text.as_bytes());
        let twice = Redactor::default().redact(&once);
        (once != twice).then(|| format!("{}\n  {}", String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice)))
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn json_stays_json() {
    let wrong = wrong(|(_, text, near)| {
        let inside = serde_json::json!({ "a": text, "b": [near, { text: 1 }] }).to_string();
        let nested = serde_json::json!({ "m": inside, "n": 12 }).to_string();
        [text, &inside, &nested].into_iter().find_map(|text| {
            serde_json::from_str::<serde_json::Value>(text).ok()?;
            let clean = redacted(text);
            let json = serde_json::from_str::<serde_json::Value>(&clean);
            (json.is_err() || forms::leaks(&clean)).then_some(clean)
        })
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn forms_that_stand_together_get_through_no_more_than_alone() {
    let mut wrong = String::new();
    for family in forms::FAMILIES {
        let texts: Vec<&str> = family.iter().map(|(_, text, _)| *text).collect();
        let clean = Redactor::keyed(RedactionKey::random().unwrap()).text(&texts.join("\n\n"));
        let leaks = clean.lines().filter(|line| forms::leaks(line)).map(|line| format!("{}: {line}\n", family[0].0));
        wrong.extend(leaks);
        let again = Redactor::default().scan(clean.as_bytes());
        wrong.extend(again.iter().map(|found| format!("{}: {found:?} in\n{clean}\n", family[0].0)));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A known value in the forms that programs give it.
#[rstest]
#[case::hexadecimal("x 53336372654b6e30776e3a76 y")]
#[case::large_digits("x 53336372654B6E30776E3A76 y")]
#[case::base64("x UzNjcmVLbjB3bjp2 y")]
#[case::base64_of_more("x YVMzY3JlS24wd246dg== y")]
#[case::base64_of_more_still("x YWFTM2NyZUtuMHduOnY y")]
#[case::percent("x S3creKn0wn%3Av y")]
#[case::all_percent("x %53%33%63%72%65%4b%6e%30%77%6e%3a%76 y")]
#[case::escapes("x \\u00533creKn0wn\\x3av y")]
#[case::entities("x S3creKn0wn&#58;v y")]
#[case::wrapped("x S3cre\n    Kn0wn:v y")]
#[case::json(r#"{"a": "x S3creKn0wn:v y"}"#)]
#[case::wrapped_in_json(r#"{"a": "x S3cre\nKn0wn:v y"}"#)]
fn a_known_value_is_found_in_each_of_its_forms(#[case] text: &str) {
    let redactor = Redactor::default();
    redactor.add("S3creKn0wn:v");
    let clean = redactor.text(text);
    // What stands before it in base64 may stay.
    assert!(["x *** y", "x Y*** y", r#"{"a": "x *** y"}"#].contains(&clean.as_str()), "{clean}");
}

#[rstest]
#[case::whole(r#"{"token": "***secret:6ce76d12***", "ok": true}"#)]
#[case::cut("{\"value\": \"***secret:36c0bf78**…\nnext")]
#[case::cut_early("AE_TOKEN='***sec…\nA='b'")]
#[case::a_sign_behind_it("AE_TOKEN=***secret:70cf4d39***\u{2400}C=d")]
fn what_was_replaced_before_stays(#[case] text: &str) {
    assert_eq!(Redactor::default().text(text), text);
    assert!(Redactor::default().scan(text.as_bytes()).is_empty());
}

/// The processor time that a text takes: what else runs on the machine adds nothing to it.
fn work(text: &str) -> u64 {
    let used = || -> u64 {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        told.split(' ').next().unwrap().parse().unwrap()
    };
    let begin = used();
    Redactor::default().redacted(text.as_bytes());
    used() - begin
}

#[rstest]
#[case::a_token_a_line("2026-01-01 INFO said token=S3cretS3cret to hub\n")]
#[case::json_lines("{\"log\":\"token=S3cretS3cret\\n\",\"stream\":\"stderr\"}\n")]
#[case::open_marks("token='abc\n")]
#[case::open_brackets("password: {")]
#[case::escapes("\"\\")]
#[case::keys_without_ends("-----BEGIN PRIVATE KEY-----")]
#[case::secrets_without_ends("kind: Secret\ndata:\n")]
#[case::one_name("token")]
#[case::urls("nats://a:")]
fn twenty_times_the_text_takes_no_hundred_times_as_long(#[case] unit: &str) {
    let of = |bytes: usize| unit.repeat(bytes / unit.len());
    // The first time, patterns are made.
    work(&of(1000));
    let (short, long) = (work(&of(20_000)).max(1_000_000), work(&of(400_000)));
    assert!(long < short * 100, "{short} ns, then {long} ns");
}
