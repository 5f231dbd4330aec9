//! Redaction of texts that nobody has thought of: the known forms, cut, put together and spoiled.
//!
//! `make fuzz` runs it for long, with a seed that is drawn; the tests of every day have one seed, so that they say the
//! same of the same code. What it prints when it fails repeats it: `K1S_GATES_FUZZ_SEED=… make fuzz`.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]

use std::time::Instant;

use super::Redactor;
use super::tests::forms;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// A text of parts of forms, some of them spoiled.
fn text(random: &mut fastrand::Rng) -> Vec<u8> {
    let forms: Vec<forms::Form> = forms::forms().collect();
    let mut text = Vec::new();
    for _ in 0..random.usize(1..5) {
        let (_, example, near_miss) = forms[random.usize(..forms.len())];
        let part = if random.bool() { example } else { near_miss }.as_bytes();
        let from = if random.u8(..4) == 0 { random.usize(..=part.len()) } else { 0 };
        let to = if random.u8(..4) == 0 { random.usize(from..=part.len()) } else { part.len() };
        text.extend_from_slice(&part[from..to]);
        text.extend_from_slice(
            random.choice([&b""[..], b" ", b"\n", b"\\", b"\"", b"'", b": ", b"=", b"\x00\xff"]).unwrap(),
        );
    }
    for _ in 0..if text.is_empty() { 0 } else { random.usize(..3) } {
        let at = random.usize(..text.len());
        text[at] = random.choice(*b"\"'\\{}[]():=,%&;\n-\x00\xff").unwrap();
    }
    text
}

#[test]
fn whatever_the_bytes_json_stays_json_and_nothing_known_is_left() {
    let seconds = number("K1S_GATES_FUZZ_SECONDS").unwrap_or_default();
    let seed = number("K1S_GATES_FUZZ_SEED").unwrap_or_else(|| if seconds == 0 { 1 } else { fastrand::u64(..) });
    println!("K1S_GATES_FUZZ_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let redactor = Redactor::default();
    redactor.add("kn0wn\"to\nall");
    let begin = Instant::now();
    let mut cases = 0;
    while cases < 200 || begin.elapsed().as_secs() < seconds {
        cases += 1;
        let text = text(&mut random);
        let read = String::from_utf8_lossy(&text);
        let json = serde_json::json!({ "a": read, "b": [{ read.clone(): 1, "token": 12_345_678 }] });
        let nested = serde_json::json!({ "m": json.to_string(), "n": [json.to_string(), "kn0wn\"to\nall"] });
        redactor.redact(&text);
        for json in [json.to_string(), serde_json::to_string_pretty(&nested).unwrap()] {
            let clean = redactor.redact(json.as_bytes());
            let whole = serde_json::from_slice::<serde_json::Value>(&clean);
            assert!(whole.is_ok(), "seed {seed}: {json}\n  became\n{}", String::from_utf8_lossy(&clean));
            assert!(!String::from_utf8_lossy(&clean).contains("kn0wn"), "seed {seed}: {json}");
        }
        let wrapped = [&text[..], &b"\nkn0wn\"to\n  all"[..]].concat();
        assert!(!String::from_utf8_lossy(&redactor.redact(&wrapped)).contains("kn0wn"), "seed {seed}: {wrapped:?}");
    }
}
