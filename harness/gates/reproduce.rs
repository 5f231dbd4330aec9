//! `reproduce.sh` in a gate's folder: the same gate on the same k1s with the same settings, from a checkout of the harness.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::session::Session;
use crate::evidence::layout::REPRODUCE;
use crate::lane::{Mode, Spec};
use crate::plan::Transports;
use crate::tree::Origin;

/// Leaves it. It is a help to who reads the evidence: without it the gate is as good.
pub(super) fn keep(session: &Session<'_>) {
    let file = session.spec.folder().join(REPRODUCE);
    let _ = session.store.write(&file, script(session.spec, &session.record.key.gate.to_string()).as_bytes());
}

fn script(spec: &Spec, gate: &str) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |line: &str| {
        let _ = writeln!(text, "{line}");
    };
    let (version, settings) = (env!("CARGO_PKG_VERSION"), &spec.settings);
    line("#!/bin/sh");
    line(&comment(&format!("Runs the gate {gate} again, as it was run in {}.", settings.run_dir.display())));
    line("#");
    line("#   K1S_ROOT=<checkout of the k1s below> sh reproduce.sh <checkout of k1s-profile-gates>");
    line("#");
    line("# Nothing else of the run's folder is needed. The evidence goes to a folder of its own, or to RUN_DIR.");
    if let Some(k1s) = &spec.k1s {
        line(&comment(&format!("k1s: {}, sha256:{} over {} files", k1s.version(), k1s.digest, k1s.files)));
    }
    for (name, version) in &spec.versions {
        line(&comment(&format!("{name}: {version}")));
    }
    line("set -eu");
    line("harness=${1:-.}");
    line(&format!(
        "grep -q '^name = \"k1s-profile-gates\"' \"$harness/Cargo.toml\" 2> /dev/null || {{\n    echo \"reproduce: \
         $harness is no checkout of k1s-profile-gates {version}: name one as the first argument\" >&2\n    exit 2\n}}"
    ));
    line(&format!(
        "grep -q '^version = \"{version}\"' \"$harness/Cargo.toml\" || echo \"reproduce: the checkout $harness is of another \
         version than {version}\" >&2"
    ));
    let needed = needed(spec);
    for (name, what) in &needed {
        line(&format!(
            "[ -n \"${{{name}:-}}\" ] || {{\n    echo {} >&2\n    exit 2\n}}",
            quoted(&format!("reproduce: set {name}: {what}"))
        ));
    }
    let values = values(spec);
    line("for name in $(env | sed -n 's/^\\(WB_[A-Z_]*\\|K1S_GATES_[A-Z_]*\\|WORKERBEE_[A-Z_]*\\)=.*/\\1/p'); do");
    let kept: Vec<&str> = needed.keys().copied().chain(["K1S_GATES_CACHE", "K1S_GATES_SIGNING_KEY"]).collect();
    line(&format!("    case $name in {}) ;; *) unset \"$name\" ;; esac", kept.join(" | ")));
    line("done");
    for (name, value) in &values {
        line(&format!("export {name}={}", quoted(value)));
    }
    // Of a gate that was run both ways, the whole of it: each way's checks compare the two.
    let filter = format!("test(/^{gate}::/)");
    line(&format!("exec make -C \"$harness\" --no-print-directory gates ARGS={}", quoted(&format!("-E '{filter}'"))));
    text
}

/// The variables that only who reproduces it can set, and what each has to be.
fn needed(spec: &Spec) -> BTreeMap<&'static str, String> {
    let mut needed = BTreeMap::new();
    let settings = &spec.settings;
    if let Some(k1s) = spec.k1s.as_ref().filter(|k1s| k1s.origin != Origin::Released) {
        needed.insert("K1S_ROOT", format!("a k1s root of {}, sha256:{}", k1s.version(), k1s.digest));
    }
    if settings.trees.workerbee.path.is_some() {
        let version = spec.versions.get("WorkerBee").map_or("the same version", String::as_str);
        needed.insert("WORKERBEE_BIN", format!("the run had a WorkerBee of its user's, {version}"));
    }
    if matches!(settings.mode, Mode::External(_)) {
        needed.insert("WORKERBEE_CONTAINERD_STATE_ROOT", "the run was on its user's own host".to_owned());
    }
    needed
}

/// The settings that a verdict may depend on, those that the user has not set among them.
fn values(spec: &Spec) -> BTreeMap<&'static str, String> {
    let settings = &spec.settings;
    let limits = settings.limits;
    let way = match settings.transports {
        Transports::Cli => "cli",
        Transports::Mcp => "mcp",
        Transports::Both => "both",
    };
    let mut values = BTreeMap::from([
        ("K1S_GATES_TRANSPORT", way.to_owned()),
        ("K1S_GATES_FAIL_FAST", if settings.fail_fast { "on" } else { "off" }.to_owned()),
        ("K1S_GATES_STARTUP_TIMEOUT", limits.startup.to_string()),
        ("K1S_GATES_WORKLOAD_TIMEOUT", limits.workload.to_string()),
        ("K1S_GATES_QUERY_TIMEOUT", limits.query.to_string()),
        ("WORKERBEE_MCP_TIMEOUT", limits.restart.to_string()),
        // What the projects' names are drawn from.
        ("WB_PROJECT_BASE", settings.base.clone()),
    ]);
    let named = [
        ("WB_PROJECT", &settings.project),
        ("WB_SINGLE_PROJECT", &settings.single_project),
        ("WB_HA_PROJECT", &settings.ha_project),
    ];
    values.extend(named.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    if let Some(k1s) = &spec.k1s {
        values.insert("K1S_GATES_K1S_DIGEST", format!("sha256:{}", k1s.digest));
    }
    values
}

/// A comment stays one whatever is in it.
fn comment(text: &str) -> String {
    format!("# {}", text.replace(char::is_control, " "))
}

/// A word of the shell's.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_comment_or_a_quotation() {
        assert_eq!(comment("a\nrm -r x"), "# a rm -r x");
        assert_eq!(quoted("it's $(x)"), "'it'\\''s $(x)'");
    }
}
