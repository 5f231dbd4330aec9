//! The reason why a program ended, by its log: the last exception of Python, the panic of a Go program, a record that
//! calls itself fatal, or its last words.

mod python;
mod record;

use std::fmt::{self, Display, Formatter};

use crate::attest::provoked::is_provoked;

/// The number of lines at the end of a log that can name what ended the program: a handled exception is further up.
const NEAR: usize = 12;

/// How a reason begins that is only the last line of a log.
pub(super) const LAST_WORDS: &str = "its last words";

/// A reason that a log gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// The exception's last line, or the message.
    pub(super) text: String,
    /// File and line.
    pub(super) place: Option<String>,
    /// The index of the line with which it begins, and of that with which it ends.
    from: usize,
    at: usize,
    /// True when it can end a program; else it is an error that was only logged.
    is_fatal: bool,
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, " ({place})"))
    }
}

/// Finds the reason why the program that has written these lines ended: it stands at their end.
pub(super) fn of_an_end(lines: &[String]) -> Option<Reason> {
    let all = all(lines);
    let near = |reason: &&Reason| lines.len() - reason.at <= NEAR;
    let fatal = all.iter().rev().filter(near).find(|reason| reason.is_fatal);
    fatal.or_else(|| all.iter().rev().find(near)).cloned().or_else(|| last_words(lines))
}

/// The last that went wrong in a program that goes on, of what the harness's own questions have not provoked.
pub(super) fn of_trouble(lines: &[String]) -> Option<Reason> {
    let mut all = all(lines);
    let before = |reason: &Reason| Some(lines.get(reason.from.checked_sub(1)?)?.as_str());
    all.retain(|reason| !is_provoked(before(reason), &reason.text));
    let last = all.iter().rev().find(|reason| reason.is_fatal).or(all.last());
    last.cloned()
}

fn all(lines: &[String]) -> Vec<Reason> {
    let mut all = python::exceptions(lines);
    all.extend(record::records(lines));
    all.sort_by_key(|reason| reason.at);
    all
}

/// A program that ends with a message of its own, such as Python's `SystemExit`, leaves it as its last line.
fn last_words(lines: &[String]) -> Option<Reason> {
    let at = lines.iter().rposition(|line| !line.trim().is_empty())?;
    let text = format!("{LAST_WORDS}: {}", lines[at].trim());
    Some(Reason { text, place: None, from: at, at, is_fatal: true })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[rstest]
    #[case::traceback(
        "traceback.txt",
        "ModuleNotFoundError: No module named 'nope' (/workspace/src/ae/apishim/server.py:12)"
    )]
    #[case::syntax(
        "syntax.txt",
        "SyntaxError: from __future__ imports must occur at the beginning of the file (/workspace/src/ae/controller/__main__.py:15)"
    )]
    #[case::indentation(
        "indentation.txt",
        "IndentationError: unexpected indent (/workspace/src/ae/controller/spec.py:7)"
    )]
    #[case::during_handling(
        "during-handling.txt",
        "RuntimeError: no state (/workspace/src/ae/controller/state.py:20), while handling KeyError: 'dsn' (/workspace/src/ae/controller/state.py:18)"
    )]
    #[case::direct_cause(
        "direct-cause.txt",
        "RuntimeError: etcd is away (/workspace/src/ae/controller/etcd_state.py:9), because of ConnectionRefusedError: [Errno 111] Connection refused (/workspace/src/ae/controller/etcd_state.py:5)"
    )]
    #[case::in_a_library(
        "library.txt",
        "yaml.scanner.ScannerError: mapping values are not allowed here (/workspace/src/ae/controller/spec.py:301)"
    )]
    #[case::a_group(
        "group.txt",
        "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception) (/workspace/src/ae/controller/__main__.py:40): ValueError: bad (/workspace/src/ae/controller/loop.py:3)"
    )]
    #[case::no_message("no-message.txt", "AssertionError (/workspace/src/ae/controller/__main__.py:40)")]
    #[case::ignored_at_shutdown("ignored.txt", "its last words: the controller was broken on purpose")]
    #[case::system_exit("system-exit.txt", "its last words: the controller was broken on purpose")]
    #[case::usage("usage.txt", "its last words: __main__.py: error: unrecognized arguments: --watch")]
    #[case::handled_long_before("handled.txt", "its last words: stopping")]
    #[case::segmentation_fault(
        "segfault.txt",
        "Fatal Python error: Segmentation fault (/workspace/src/ae/controller/native.py:4)"
    )]
    #[case::etcd(
        "etcd.txt",
        "discovery failed: listen tcp 0.0.0.0:2380: bind: address already in use (etcdmain/etcd.go:203)"
    )]
    #[case::caddy(
        "caddy.txt",
        "Error: adapting config using caddyfile: /etc/caddy/Caddyfile:3: unrecognized directive: nope"
    )]
    #[case::nats(
        "nats.txt",
        "Error listening on port: 0.0.0.0:4222, \"listen tcp 0.0.0.0:4222: bind: address already in use\""
    )]
    #[case::go_panic(
        "panic.txt",
        "panic: runtime error: index out of range [3] with length 3 (/src/server/main.go:17)"
    )]
    #[case::go_deadlock("deadlock.txt", "fatal error: all goroutines are asleep - deadlock! (/src/server/main.go:9)")]
    #[case::logfmt("logfmt.txt", "failed to create shim: no such file")]
    #[case::shell("shell.txt", "its last words: /bin/sh: 1: exec: python: not found")]
    fn what_ended_it(#[case] file: &str, #[case] says: &str) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/logs");
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert_eq!(of_an_end(&lines(&text)).map(|reason| reason.to_string()).as_deref(), Some(says));
    }

    #[test]
    fn silence_gives_no_reason() {
        assert_eq!(of_an_end(&[]), None);
        assert_eq!(of_an_end(&lines("\n  \n")), None);
        assert_eq!(of_trouble(&lines("all is well\nstill")), None);
    }

    #[test]
    fn a_program_that_goes_on_tells_its_last_trouble() {
        let text = "Exception in thread loop:\nTraceback (most recent call last):\n  File \"/workspace/src/ae/controller/__main__.py\", line 40, in run\n    go()\nValueError: no\n";
        let long = format!("{text}{}", "still here\n".repeat(100));
        let said = of_trouble(&lines(&long)).map(|reason| reason.to_string());
        assert_eq!(said.as_deref(), Some("ValueError: no (/workspace/src/ae/controller/__main__.py:40)"));
    }

    #[rstest]
    #[case::a_change_that_is_refused(
        "2026-01-01 00:00:00 ERROR ae.http: apply handler failed source=api app=x--app",
        "ae.controller.authority.NotLeaderError: not_leader: controller_id=b",
        None
    )]
    #[case::what_must_never_be(
        "2026-01-01 00:00:00 ERROR ae.http: apply handler failed source=api app=x--gates-nobody",
        "ValueError: no",
        None
    )]
    #[case::somebody_elses(
        "2026-01-01 00:00:00 ERROR ae.http: apply handler failed source=api app=x--app",
        "ValueError: no",
        Some("ValueError: no (/workspace/src/ae/a.py:4)")
    )]
    fn what_the_harness_provokes_is_no_trouble(#[case] before: &str, #[case] last: &str, #[case] says: Option<&str>) {
        let text = format!(
            "{before}\nTraceback (most recent call last):\n  File \"/workspace/src/ae/a.py\", line 4, in f\n    f()\n{last}\nINFO on\n"
        );
        assert_eq!(of_trouble(&lines(&text)).map(|reason| reason.to_string()).as_deref(), says);
    }
}
