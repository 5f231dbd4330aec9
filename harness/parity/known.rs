//! The differences that there really are: one table, which docs/parity.md is.

use std::fmt::Write as _;

/// A difference between the two ways that is `WorkerBee`'s own and stays.
#[derive(Debug)]
pub struct Known {
    /// In the answers to which questions; `*` for all.
    pub answers: &'static str,
    /// The place in them (RFC 6901, `*` for any member), with what is below it.
    pub pointer: &'static str,
    /// The command line's answer.
    pub cli: &'static str,
    /// MCP's answer.
    pub mcp: &'static str,
    /// The reason for it.
    pub why: &'static str,
}

const DNS: &str = "the daemon writes its ingress down anew, with that member, when an agent's session asks for it; \
                   `mcp status` reads what is written";

/// What an app of the harness's own looks like when it is looked at.
const fn moment(answers: &'static str) -> Known {
    Known {
        answers,
        pointer: "/steps/*/sight",
        cli: "the app at the moment of a look",
        mcp: "the same at another moment",
        why: "what k1s says of an app comes and goes with the turns of its loop; what is judged of it is judged both ways",
    }
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
    Known { answers: "mcp-status-at-the-end", pointer: "/dns/running", cli: "not there", mcp: "`false`", why: DNS },
    Known {
        answers: "mcp-status-at-the-end",
        pointer: "/global_dashboard/dns/running",
        cli: "not there",
        mcp: "`false`",
        why: DNS,
    },
    Known {
        answers: "seen/containers",
        pointer: "/components/*/*/process/children",
        cli: "what the component's process had just started",
        mcp: "the same, at another moment",
        why: "a matter of the moment; what is judged of it is judged both ways",
    },
    moment("seen/app-ready"),
    moment("seen/app-changes"),
    moment("seen/app-sick"),
    moment("seen/app-job"),
    Known {
        answers: "seen/nodes",
        pointer: "/nodes/*/name",
        cli: "the id of the container that controller-0 is in",
        mcp: "that of its own",
        why: "k1s names the node after its host, and each project has a controller of its own",
    },
    Known {
        answers: "seen/logs",
        pointer: "/logs/*/tracebacks",
        cli: "what k1s could not handle in its profile",
        mcp: "the same in its own",
        why: "each project has a profile of its own; tracebacks are noticed in the gate that has them",
    },
];

/// Finds the reason why a part of an answer may differ.
pub(super) fn why(answer: &str, pointer: &str) -> Option<&'static str> {
    let of = |known: &&Known| is_or_below(pointer, known.pointer) && ["*", answer].contains(&known.answers);
    KNOWN.iter().find(of).map(|known| known.why)
}

fn is_or_below(pointer: &str, known: &str) -> bool {
    let mut members = pointer.split('/');
    known.split('/').all(|wanted| members.next().is_some_and(|member| ["*", member].contains(&wanted)))
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/agent_feedback", true)]
    #[case("/agent_feedback/links/0", true)]
    #[case("/agent_feedback_of_another", false)]
    #[case("/status/agent_feedback", false)]
    #[case("", false)]
    fn a_known_difference_is_that_place_and_what_is_below(#[case] pointer: &str, #[case] known: bool) {
        assert_eq!(why("validate", pointer).is_some(), known);
    }

    #[rstest]
    #[case("seen/containers", "/components/0/before/process/children/0", true)]
    #[case("seen/containers", "/components/0/before/process/pid", false)]
    #[case("validate", "/components/0/before/process/children/0", false)]
    fn it_is_one_of_these_answers_alone(#[case] answer: &str, #[case] pointer: &str, #[case] known: bool) {
        assert_eq!(why(answer, pointer).is_some(), known);
    }
}
