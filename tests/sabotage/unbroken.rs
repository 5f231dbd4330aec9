//! Why a check has no row on the real stack.

const NO_DAEMON: &str =
    "without its daemon such a gate does not begin; preflight breaks it, and tells by `mcp-running`";
const ASKED_BEFORE: &str =
    "the validation right before asks the same of the same thing: broken, its checks are red instead";
const NOT_CHANGED: &str = "no row changes what WorkerBee says of this; tampered evidence does";

/// How the names of checks begin, and why no row breaks what they see.
const REASONS: [(&str, &str); 11] = [
    (
        "parity::",
        "parity compares two gates, one over each transport, and a row runs one gate; tampered evidence is of both",
    ),
    ("mcp-daemon-before", NO_DAEMON),
    ("agent::mcp-daemon-before", NO_DAEMON),
    ("agent::ingress-probe", ASKED_BEFORE),
    ("agent::logs", ASKED_BEFORE),
    ("agent::workload-status", ASKED_BEFORE),
    ("agent::", NOT_CHANGED),
    ("own-state-root", NOT_CHANGED),
    ("projects-", NOT_CHANGED),
    ("secrets::known", NOT_CHANGED),
    (
        "secrets::none-in-evidence",
        "all evidence is redacted before it is written, and no row undoes that; tampered evidence does",
    ),
];

/// The reason for a check, the first that fits; none when there is none.
pub(crate) fn reason(check: &str) -> Option<&'static str> {
    REASONS.iter().find(|(beginning, _)| check.starts_with(beginning)).map(|(_, reason)| *reason)
}

/// Reasons that are for nothing any more: all checks that they were for have a row.
pub(crate) fn outlived(unbroken: &[&str]) -> Vec<&'static str> {
    let is_needed = |beginning: &str| unbroken.iter().any(|check| check.starts_with(beginning));
    REASONS.iter().map(|(beginning, _)| *beginning).filter(|beginning| !is_needed(beginning)).collect()
}
