//! What the harness's own questions make k1s log: changes that it must refuse. None of it is a fault.

/// The name of what is asked for and must never be.
pub(crate) const NOBODY: &str = "gates-nobody";
/// The image that is applied and must never be: nobody has built it.
pub(crate) const NO_IMAGE: &str = "gates-no-such-image:none";
/// What k1s says to a change that it refuses, whoever asked for it.
const REFUSED: [&str; 3] = ["not_leader", "invalid manifest", NO_IMAGE];

/// Whether the harness provoked an exception: by its last line, and the line before its traceback.
pub(crate) fn is_provoked(before: Option<&str>, last: &str) -> bool {
    REFUSED.iter().any(|words| last.contains(words)) || before.is_some_and(|line| line.contains(NOBODY))
}
