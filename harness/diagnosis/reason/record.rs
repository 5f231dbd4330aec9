//! The records that Go programs, and loggers, call fatal: panics, JSON (zap, as of etcd and Caddy), logfmt, klog, NATS.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::Reason;

struct Patterns {
    /// `panic: …`, `fatal error: …`.
    panic: Regex,
    /// A frame of a goroutine: `\t/src/main.go:17 +0x1d`.
    frame: Regex,
    /// `level=fatal msg="…" error="…"`.
    level: Regex,
    /// `[1] 2026/01/01 00:00:00.000000 [FTL] …`.
    nats: Regex,
    /// `F0101 00:00:00.000000       1 server.go:12] …`.
    klog: Regex,
    /// `Error: …`, as Caddy and tools of Go end.
    plain: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    Some(Patterns {
        panic: Regex::new(r"^(?:panic|fatal error): ").ok()?,
        frame: Regex::new(r"^\s+(/\S+\.go:\d+)").ok()?,
        level: Regex::new(r"\blevel=(\w+)").ok()?,
        nats: Regex::new(r"^\[\d+\] \S+ \S+ \[(FTL|ERR)\] (.*)$").ok()?,
        klog: Regex::new(r"^([FE])\d{4} \d\d:\d\d:\d\d\S*\s+\d+ (\S+:\d+)\] (.*)$").ok()?,
        plain: Regex::new(r"^(?:Error|error|FATAL|fatal): ").ok()?,
    })
});

/// The levels that end a program, and those that do not.
const FATAL: [&str; 6] = ["fatal", "panic", "dpanic", "critical", "emergency", "alert"];
const ERROR: [&str; 2] = ["error", "err"];

/// The records that tell of trouble.
pub(super) fn records(lines: &[String]) -> Vec<Reason> {
    let Some(patterns) = &*PATTERNS else { return Vec::new() };
    lines.iter().enumerate().filter_map(|(at, line)| record(lines, at, line, patterns)).collect()
}

fn record(lines: &[String], at: usize, line: &str, patterns: &Patterns) -> Option<Reason> {
    if patterns.panic.is_match(line) {
        return Some(panic(lines, at, line, patterns));
    }
    if line.starts_with('{') {
        return json(&serde_json::from_str(line).ok()?, at);
    }
    let reason =
        |text: String, place: Option<String>, is_fatal: bool| Some(Reason { text, place, from: at, at, is_fatal });
    if let Some(nats) = patterns.nats.captures(line) {
        return reason(nats[2].to_owned(), None, &nats[1] == "FTL");
    }
    if let Some(klog) = patterns.klog.captures(line) {
        return reason(klog[3].to_owned(), Some(klog[2].to_owned()), &klog[1] == "F");
    }
    if let Some(level) = patterns.level.captures(line) {
        let level = severity(&level[1])?;
        let said = logfmt(line, "msg").unwrap_or_else(|| line.to_owned());
        let error = logfmt(line, "error").or_else(|| logfmt(line, "err"));
        return reason(error.map_or(said.clone(), |error| format!("{said}: {error}")), None, level);
    }
    if patterns.plain.is_match(line) { reason(line.to_owned(), None, true) } else { None }
}

/// Returns true for a level that ends a program, false for an error; none for levels of no trouble.
fn severity(level: &str) -> Option<bool> {
    let level = level.to_ascii_lowercase();
    let is_fatal = FATAL.contains(&level.as_str());
    (is_fatal || ERROR.contains(&level.as_str())).then_some(is_fatal)
}

fn json(record: &Map<String, Value>, at: usize) -> Option<Reason> {
    let text = |names: &[&str]| {
        names.iter().find_map(|name| record.get(*name)?.as_str()).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let is_fatal = severity(&text(&["level", "severity", "levelname", "lvl"])?)?;
    let said = text(&["msg", "message", "event"]);
    let error = text(&["error", "err", "exception"]);
    let text_of = match (said, error) {
        (Some(said), Some(error)) => format!("{said}: {error}"),
        (one, other) => one.or(other)?,
    };
    Some(Reason { text: text_of, place: text(&["caller"]), from: at, at, is_fatal })
}

fn logfmt(line: &str, name: &str) -> Option<String> {
    let rest = line.split_once(&format!(" {name}="))?.1;
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let mut end = 0;
            let bytes = quoted.as_bytes();
            while end < bytes.len() && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            Some(quoted.get(..end.min(quoted.len()))?.replace("\\\"", "\""))
        }
        None => rest.split(' ').next().map(str::to_owned),
    }
}

/// A panic, with the first frame that is not of Go's own runtime.
fn panic(lines: &[String], at: usize, line: &str, patterns: &Patterns) -> Reason {
    let end = lines.len().min(at + 60);
    let frames = lines[at..end].iter().filter_map(|line| Some(patterns.frame.captures(line)?[1].to_owned()));
    let place = frames.into_iter().find(|place| !place.contains("/runtime/"));
    // All that follows is its trace.
    Reason { text: line.to_owned(), place, from: at, at: end.saturating_sub(1), is_fatal: true }
}
