//! `reproduce.sh` in a gate's folder: the same gate on the same k1s with the same settings, from a checkout of the harness or
//! from a repository that has the gates among its tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::session::Session;
use crate::evidence::layout::REPRODUCE;
use crate::lane::{Mode, Spec};
use crate::plan::Transports;
use crate::stack::Stack;
use crate::tree::Origin;

/// The part of the script that is the same for all gates: it finds the harness, and makes paths absolute, for the gates are
/// run in another folder.
const BEGINNING: &str = include_str!("reproduce/begin.sh");

/// The part that comes last, with the gate's `filter`. In a repository with the gates, nextest does where the command is
/// not installed.
const END: &str = include_str!("reproduce/end.sh");

/// The k1s where none is named: that of the bundle, or the repository that has the gates.
const BUNDLED_OR_OWN: &str = include_str!("reproduce/k1s.sh");

/// Variables that hold a path.
const PATHS: [&str; 7] = [
    "K1S_ROOT",
    "WORKERBEE_BIN",
    "WORKERBEE_CONTAINERD_STATE_ROOT",
    "WORKERBEE_CONTAINERD_ADDRESS",
    "RUN_DIR",
    "K1S_GATES_CACHE",
    "K1S_GATES_IMAGE_PINS",
];

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
    line("#!/bin/sh");
    line(&comment(&format!("Runs the gate {gate} again, as it was run in {}.", spec.settings.run_dir.display())));
    line("#");
    line("#   K1S_ROOT=<checkout of the k1s below> sh reproduce.sh <checkout of k1s-profile-gates>");
    line("#");
    line("# Out of a bundle that has the k1s (`k1s-gates bundle --with-k1s`) it finds that by itself.");
    line(
        "# Instead of that checkout, a repository that has the gates among its tests will do. Nothing else of the run's folder",
    );
    line("# is needed. The evidence goes to a folder of its own, or to RUN_DIR.");
    if let Some(k1s) = &spec.k1s {
        line(&comment(&format!("k1s: {}, sha256:{} over {} files", k1s.version(), k1s.digest, k1s.files)));
    }
    for (name, version) in &spec.versions {
        line(&comment(&format!("{name}: {version}")));
    }
    line(&format!("version={}", env!("CARGO_PKG_VERSION")));
    // Of a gate that was run both ways, the whole of it: each way's checks compare the two.
    line(&format!("filter='test(/^{gate}::/)'"));
    line(BEGINNING.trim_end());
    let needed = needed(spec);
    let own_k1s = needed.contains_key("K1S_ROOT");
    line(if own_k1s {
        BUNDLED_OR_OWN.trim_end()
    } else {
        // The gate had the released k1s, which comes with the stack.
        "unset K1S_ROOT"
    });
    for (name, what) in &needed {
        line(&format!("[ -n \"${{{name}:-}}\" ] || refuse {}", quoted(&format!("set {name}: {what}"))));
    }
    line(
        "for name in $(env | sed -n 's/^\\(WB_[A-Z0-9_]*\\|K1S_GATES_[A-Z0-9_]*\\|WORKERBEE_[A-Z0-9_]*\\)=.*/\\1/p'); do",
    );
    let mut kept: Vec<&str> = needed.keys().copied().chain(["K1S_GATES_CACHE"]).collect();
    if has_fetched_images(spec) {
        kept.push("K1S_GATES_REGISTRY");
    }
    if matches!(spec.settings.mode, Mode::External(_)) {
        kept.extend(["WORKERBEE_CONTAINERD_ADDRESS", "WORKERBEE_MCP_HOST", "WORKERBEE_MCP_PORT"]);
    }
    line(&format!("    case $name in {}) ;; *) unset \"$name\" ;; esac", kept.join(" | ")));
    line("done");
    line(&format!("for name in {}; do", PATHS.join(" ")));
    line("    eval \"value=\\${$name:-}\"");
    line("    case $value in '') ;; /*) export \"$name\" ;; *) export \"$name=$PWD/$value\" ;; esac");
    line("done");
    for (name, value) in &values(spec) {
        line(&format!("export {name}={}", quoted(value)));
    }
    line(END.trim_end());
    text
}

/// The variables that only who reproduces it can set, and what each has to be.
fn needed(spec: &Spec) -> BTreeMap<&'static str, String> {
    let mut needed = BTreeMap::new();
    let settings = &spec.settings;
    if let Some(k1s) = spec.k1s.as_ref().filter(|k1s| k1s.origin != Origin::Released) {
        needed.insert("K1S_ROOT", format!("the k1s root of sha256:{} ({})", k1s.digest, k1s.version()));
    }
    if settings.trees.workerbee.path.is_some() {
        let version = spec.versions.get("WorkerBee").map_or("the same version", String::as_str);
        needed.insert("WORKERBEE_BIN", format!("the run had a WorkerBee of its user's, {version}"));
    }
    if matches!(settings.mode, Mode::External(_)) {
        needed.insert("WORKERBEE_CONTAINERD_STATE_ROOT", "the run was on its user's own host".to_owned());
    }
    if has_fetched_images(spec) {
        let pins = "the run had the images of a registry, each by its digest in a file of the user's";
        needed.insert("K1S_GATES_IMAGE_PINS", pins.to_owned());
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
    if settings.plain {
        values.insert("K1S_GATES_PLAIN", "1".to_owned());
    }
    if has_fetched_images(spec) {
        values.insert("K1S_GATES_IMAGES", "registry".to_owned());
    }
    if let Some(k1s) = &spec.k1s {
        values.insert("K1S_GATES_K1S_DIGEST", format!("sha256:{}", k1s.digest));
    }
    values
}

fn has_fetched_images(spec: &Spec) -> bool {
    spec.stack.as_ref().is_some_and(Stack::has_fetched_images)
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
