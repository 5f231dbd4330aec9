//! The party at fault for a red check. It is k1s, unless the evidence shows otherwise: a fault of k1s's must not be put
//! down to another.

use std::fmt::{self, Display, Formatter};
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind};

/// The party at fault for a red check; the first ones must be examined before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Fault {
    /// The k1s that is validated.
    #[serde(rename = "k1s")]
    K1s,
    /// `WorkerBee`: what it answers, and what it leaves.
    WorkerBee,
    /// The software that the harness provides: containerd, images, tools of a lane.
    #[serde(rename = "stack")]
    Stack,
    /// The machine, its system and the run's settings.
    #[serde(rename = "host")]
    Host,
    /// This harness.
    #[serde(rename = "harness")]
    Harness,
}

impl Fault {
    /// Is true when nobody needs to examine k1s or `WorkerBee` for it.
    pub fn is_of_the_environment(self) -> bool {
        matches!(self, Self::Stack | Self::Host | Self::Harness)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::K1s => "k1s",
            Self::WorkerBee => "WorkerBee",
            Self::Stack => "stack",
            Self::Host => "host",
            Self::Harness => "harness",
        })
    }
}

/// What the system, containerd and `WorkerBee` say, which know nothing of kinds: words, and whose fault it is where they are
/// said. What a lane has, containerd among it, is the stack's there, and the host's on a host.
const FOREIGN: &[(&str, Whose)] = &[
    ("o space left on device", Whose::The(Fault::Host)),
    ("isk quota exceeded", Whose::The(Fault::Host)),
    ("annot allocate memory", Whose::The(Fault::Host)),
    ("oo many open files", Whose::The(Fault::Host)),
    ("ead-only file system", Whose::The(Fault::Host)),
    ("nput/output error", Whose::The(Fault::Host)),
    ("port is already allocated", Whose::The(Fault::Host)),
    ("MCP_PORT_IN_USE", Whose::The(Fault::Host)),
    ("SOPS_REQUIRED", Whose::Environment),
    ("failed to extract layer", Whose::Environment),
    ("failed to unpack", Whose::Environment),
    // pip, of what k1s requires: without its index it calls every package missing.
    ("the package index was not reached", Whose::The(Fault::Host)),
    ("No matching distribution found for", Whose::The(Fault::K1s)),
    ("ResolutionImpossible", Whose::The(Fault::K1s)),
];

/// How others say that containerd does not answer them: they name its socket beside what came of asking it. The name alone
/// says nothing: it stands in many an answer in which all is well.
static SILENT_CONTAINERD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let before = r"(?:cannot access|dial|connect)[^\n]{0,80}containerd\.sock";
    let after = r"containerd\.sock[^\n]{0,80}(?:no such file|refused|denied|deadline|timed out|connection error)";
    Regex::new(&format!("{before}|{after}")).ok()
});

/// What a component says of itself in its own log when a limit or a mount of its container is in its way: its container is as
/// k1s's profile asks for it, and the host has no part in that.
const OF_A_CONTAINER: [&str; 2] = ["oo many open files", "ead-only file system"];

/// Whose fault a red is by its check alone. All others are k1s's.
const CHECKS: &[(&str, Whose)] = &[
    ("cleanup::", Whose::The(Fault::WorkerBee)),
    ("parity::", Whose::The(Fault::WorkerBee)),
    ("agent::", Whose::The(Fault::WorkerBee)),
    ("snapshot", Whose::The(Fault::WorkerBee)),
    ("secrets::known", Whose::The(Fault::WorkerBee)),
    ("secrets::", Whose::The(Fault::Harness)),
    ("mcp-", Whose::The(Fault::WorkerBee)),
    ("ingress-", Whose::The(Fault::WorkerBee)),
    ("ca-", Whose::The(Fault::WorkerBee)),
    ("runtime-", Whose::The(Fault::WorkerBee)),
    ("containerd-", Whose::Environment),
    ("name-budget", Whose::The(Fault::Host)),
    ("projects-unused", Whose::The(Fault::Host)),
    ("own-project", Whose::The(Fault::WorkerBee)),
    ("own-state-root", Whose::The(Fault::WorkerBee)),
    ("k1s-root", Whose::The(Fault::Host)),
    ("no-host-processes", Whose::The(Fault::WorkerBee)),
    ("expected-profiles", Whose::The(Fault::WorkerBee)),
    ("no-unknown-checks", Whose::The(Fault::WorkerBee)),
    ("component-ids", Whose::The(Fault::WorkerBee)),
    ("components-running", Whose::The(Fault::K1s)),
    ("components", Whose::The(Fault::WorkerBee)),
    ("containerized-components", Whose::The(Fault::WorkerBee)),
    ("routes", Whose::The(Fault::WorkerBee)),
    ("images-built", Whose::The(Fault::WorkerBee)),
    // A lane has nobody else's processes.
    ("attest::host-processes", Whose::Starter),
];

#[derive(Clone, Copy)]
enum Whose {
    The(Fault),
    /// The stack's in a lane, the host's on a host.
    Environment,
    /// `WorkerBee`'s in a lane, where it alone starts processes; the host's on a host.
    Starter,
}

impl Whose {
    fn fault(self, in_lane: bool) -> Fault {
        match self {
            Self::The(fault) => fault,
            Self::Environment if in_lane => Fault::Stack,
            Self::Starter if in_lane => Fault::WorkerBee,
            Self::Environment | Self::Starter => Fault::Host,
        }
    }
}

/// Is true when a text says that containerd does not answer.
pub(super) fn is_of_containerd(text: &str) -> bool {
    SILENT_CONTAINERD.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// By what others say.
pub(super) fn by_words(text: &str, in_lane: bool) -> Option<Fault> {
    if is_of_containerd(text) {
        return Some(Whose::Environment.fault(in_lane));
    }
    FOREIGN.iter().find(|(words, _)| text.contains(words)).map(|(_, whose)| whose.fault(in_lane))
}

/// By what a component says in its own log of what ended it.
pub(super) fn by_its_own_words(text: &str, in_lane: bool) -> Option<Fault> {
    let is_of_its_container = OF_A_CONTAINER.iter().any(|words| text.contains(words));
    if is_of_its_container { None } else { by_words(text, in_lane) }
}

/// By what others say in a failure, or its kind: whose it is whatever check tells it.
pub(super) fn of_failure(failure: &Failure, said: &str, in_lane: bool) -> Option<Fault> {
    let whose = match failure.kind {
        Kind::Finding | Kind::NotYet | Kind::Follows | Kind::Silence => None,
        Kind::Containerd | Kind::Environment => Some(Whose::Environment),
        Kind::Daemon | Kind::WorkerBee => Some(Whose::The(Fault::WorkerBee)),
        Kind::Host => Some(Whose::The(Fault::Host)),
        Kind::Harness | Kind::Missing => Some(Whose::The(Fault::Harness)),
    };
    by_words(said, in_lane).or_else(|| whose.map(|whose| whose.fault(in_lane)))
}

/// By the check alone: of a gate without a profile there is nothing of k1s.
pub(super) fn of_check(check: &str, has_profile: bool, in_lane: bool) -> Fault {
    let whose = CHECKS.iter().find(|(beginning, _)| check.starts_with(beginning));
    let else_ = if has_profile { Fault::K1s } else { Fault::WorkerBee };
    whose.map_or(else_, |(_, whose)| whose.fault(in_lane))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nerdctl("cannot access containerd socket \"/x/containerd.sock\": no such file or directory", true)]
    #[case::ctr("ctr: failed to dial \"/x/containerd.sock\": context deadline exceeded", true)]
    #[case::go("dial unix /x/containerd.sock: connect: connection refused", true)]
    #[case::python("[Errno 13] Permission denied: '/x/containerd.sock': permission denied", true)]
    #[case::an_answer("the answer is an object of address \"/run/containerd/containerd.sock\", enabled true", false)]
    #[case::a_shape("/status/address is now \"<state root>/containerd.sock\"; /ok is gone", false)]
    #[case::far_apart(&format!("containerd.sock {} connection refused", "x".repeat(200)), false)]
    fn containerd_is_silent_only_where_somebody_says_so(#[case] text: &str, #[case] is: bool) {
        assert_eq!(by_words(text, true), is.then_some(Fault::Stack));
        assert_eq!(by_words(text, false), is.then_some(Fault::Host));
    }

    #[rstest]
    #[case("OSError: [Errno 30] Read-only file system: '/workspace/x' (/workspace/src/ae/a.py:3)", None)]
    #[case("OSError: [Errno 24] Too many open files (/workspace/src/ae/a.py:3)", None)]
    #[case("OSError: [Errno 28] No space left on device (/workspace/src/ae/a.py:3)", Some(Fault::Host))]
    fn a_component_in_the_way_of_its_own_container_is_no_fault_of_the_host(
        #[case] why: &str,
        #[case] fault: Option<Fault>,
    ) {
        assert_eq!(by_its_own_words(why, true), fault);
    }
}
