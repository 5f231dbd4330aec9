//! The fields: all that the checks read, by gate.

use std::borrow::Cow;
use std::fmt;

use crate::attest::PROBES;
use crate::attest::residue::Kind;
use crate::plan::Gate;

/// The source of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// In the answer to a call.
    Call(Cow<'static, str>),
    /// The harness's own observation.
    Observation(Cow<'static, str>),
}

/// The way in which two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// As they are, but for the project's name.
    Value,
    /// By members, types, and the values that are the same in every honest run: the rest a run chooses.
    Shape,
    /// By how the call ended, in the terms of its transport.
    Ending,
}

/// One thing that is compared.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: Cow<'static, str>,
    pub(super) source: Source,
    /// The part of it (RFC 6901, empty for all).
    pub(super) pointer: &'static str,
    pub(super) by: By,
}

impl By {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Value => "values",
            Self::Shape => "shape",
            Self::Ending => "end",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(label) => f.write_str(label),
            Self::Observation(name) => write!(f, "seen/{name}"),
        }
    }
}

/// The parts of a workload's answer that a check stands on.
const WORKLOAD: [(&str, &str); 8] = [
    ("started", "/profile_start"),
    ("builds", "/builds"),
    ("deploy", "/deploy"),
    ("resources", "/status"),
    ("urls", "/url_checks"),
    ("probes", "/probes"),
    ("websocket-answer", "/websocket"),
    ("exports-answer", "/exports"),
];

/// Observations of what a part of that answer is about, too: their fields have another name.
const APART: [&str; 6] = ["websocket", "websocket-echo", "resources", "app", "images", "exports"];

/// Lists the fields of a gate that are compared.
pub(super) fn of(gate: Gate) -> Vec<Field> {
    match gate {
        Gate::Preflight => [
            daemon_before(),
            whole("mcp-status-after"),
            whole("containerd-privilege"),
            whole("ingress-status"),
            ending("projects-before"),
            ending("projects-after"),
            ending("cleanup"),
            observation("projects-unused"),
            observation("name-budget"),
        ]
        .into(),
        Gate::Inventory => vec![
            ending("profile-list"),
            part("profiles", "profile-list", "/profiles", By::Value),
            whole("profile-list"),
            Field { by: By::Value, ..observation("k1s-root") },
        ],
        Gate::Startup(_) => {
            let mut fields = validation(gate);
            fields.push(part("status", "validate", "/status", By::Shape));
            fields
        }
        Gate::Workload(_) => {
            let mut fields = validation(gate);
            fields.extend(WORKLOAD.map(|(name, pointer)| part(name, "validate", pointer, By::Shape)));
            fields
        }
    }
}

/// Lists the fields that all gates of a profile have, and the observations of this one.
fn validation(gate: Gate) -> Vec<Field> {
    let mut fields = vec![
        ending("validate"),
        part("checks", "validate", "/checks", By::Value),
        whole("validate"),
        whole("profile-status-after"),
        daemon_before(),
        ending("mcp-status-after"),
        whole("mcp-status-at-the-end"),
        ending("projects-after"),
        ending("profile-stop"),
        whole("profile-stop"),
        ending("profile-purge"),
        whole("profile-purge"),
    ];
    fields.extend(PROBES.iter().filter(|probe| probe.is_of(gate)).map(|probe| observation(probe.name())));
    let others = Kind::ALL.map(Kind::observation).into_iter().chain(["namespace-removed", "secrets"]);
    fields.extend(others.map(observation));
    fields
}

fn part(name: &'static str, label: &'static str, pointer: &'static str, by: By) -> Field {
    Field { name: name.into(), source: Source::Call(label.into()), pointer, by }
}

/// All of an answer.
fn whole(label: &'static str) -> Field {
    part(label, label, "", By::Shape)
}

/// What was there before is whatever it was: only that it was asked is the same.
fn daemon_before() -> Field {
    part("daemon-before", "mcp-status-before", "/running", By::Shape)
}

fn ending(label: &'static str) -> Field {
    Field { name: format!("{label}-end").into(), ..part(label, label, "", By::Ending) }
}

fn observation(name: &'static str) -> Field {
    let field: Cow<'static, str> = if APART.contains(&name) { format!("seen-{name}").into() } else { name.into() };
    Field { name: field, source: Source::Observation(name.into()), pointer: "", by: By::Shape }
}
