//! Why a check has no row on the real stack: what would turn it red is nothing that can be broken there.

const NO_DAEMON: &str =
    "without its daemon such a gate does not begin; preflight breaks it, and tells by `mcp-running`";
const ASKED_BEFORE: &str =
    "the validation right before asks the same of the same thing: broken, its checks are red instead";

/// How the names of checks begin, and why no row breaks what they see.
const REASONS: [(&str, &str); 12] = [
    (
        "parity::",
        "both gates ask one WorkerBee, and no part of it is changed: what is broken for one of them turns that gate's own \
         check red",
    ),
    ("mcp-daemon-before", NO_DAEMON),
    ("agent::mcp-daemon-before", NO_DAEMON),
    ("agent::ingress-probe", ASKED_BEFORE),
    ("agent::logs", ASKED_BEFORE),
    ("agent::workload-status", ASKED_BEFORE),
    (
        "agent::own-project",
        "WorkerBee's server answers for the project that it is asked about; only another one would not",
    ),
    ("agent::session", "WorkerBee's server keeps its session until it ends, and then other checks are red before"),
    ("own-state-root", "WorkerBee has its state root from the harness; only another one would use another"),
    ("projects-", "WorkerBee lists the projects of its state root; only another one would list others"),
    ("secrets::known", "WorkerBee keeps its tokens in the files that it always does; only another one would not"),
    ("secrets::none-in-evidence", "all evidence is redacted before it is written; only another harness would not"),
];

/// The reason for a check; none when there is none.
pub(crate) fn reason(check: &str) -> Option<&'static str> {
    REASONS.iter().find(|(beginning, _)| check.starts_with(beginning)).map(|(_, reason)| *reason)
}

/// Reasons that are for nothing any more: all checks that they were for have a row.
pub(crate) fn outlived(unbroken: &[&str]) -> Vec<&'static str> {
    let is_needed = |beginning: &str| unbroken.iter().any(|check| check.starts_with(beginning));
    REASONS.iter().map(|(beginning, _)| *beginning).filter(|beginning| !is_needed(beginning)).collect()
}
