//! The differences that there really are: one table, which docs/parity.md is.

use std::fmt::Write as _;

/// A difference between the two ways that is `WorkerBee`'s own and stays.
#[derive(Debug)]
pub struct Known {
    /// In the answers to which questions; `*` for all.
    pub answers: &'static str,
    /// Where in them (RFC 6901); what is below it too.
    pub pointer: &'static str,
    /// What the command line says.
    pub cli: &'static str,
    /// What MCP says.
    pub mcp: &'static str,
    /// Why that is so.
    pub why: &'static str,
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        answers: "*",
        pointer: "/containerd_privilege",
        cli: "how the command reached containerd",
        mcp: "not there",
        why: "each command finds its way to containerd; the daemon found its own when it started",
    },
    Known {
        answers: "*",
        pointer: "/agent_feedback",
        cli: "not there",
        mcp: "a summary, what to call next, links",
        why: "for agents; nothing is judged on it",
    },
];

/// Why a part of an answer may differ.
pub(super) fn why(answer: &str, pointer: &str) -> Option<&'static str> {
    let of = |known: &&Known| {
        let below = pointer.strip_prefix(known.pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        below && (known.answers == "*" || known.answers == answer)
    };
    KNOWN.iter().find(of).map(|known| known.why)
}

/// The table, as the docs have it.
pub fn table() -> String {
    let mut text = "| answers | where | command line | MCP | why |\n|---|---|---|---|---|\n".to_owned();
    for known in KNOWN {
        let answers = if known.answers == "*" { "all".to_owned() } else { format!("`{}`", known.answers) };
        let _ = writeln!(text, "| {answers} | `{}` | {} | {} | {} |", known.pointer, known.cli, known.mcp, known.why);
    }
    text
}
