//! Lies that the command line tells and MCP does not.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use k1s_profile_gates::attest::PROBES;
use k1s_profile_gates::plan::{Gate, Transport, Transports};
use serde_json::{Value, json};

use super::{PROFILES, STARTUPS, WORKLOADS};

const EVERYWHERE: &[Gate] = &Gate::ALL;
const INVENTORY: &[Gate] = &[Gate::Inventory];
const PREFLIGHT: &[Gate] = &[Gate::Preflight];

/// The checks that compare the observations of probes.
fn of_probes() -> Vec<String> {
    static CHECKS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let of_run = |gate| k1s_profile_gates::checks_of_run(gate, Transport::Cli, Transports::Both);
        let all: BTreeSet<String> = Gate::ALL.into_iter().flat_map(of_run).map(|check| check.name).collect();
        // Of what a part of WorkerBee's answer is about, too, the observation is compared apart.
        let names = PROBES.iter().map(|probe| ["seen-", ""].map(|apart| format!("parity::{apart}{}", probe.name())));
        names.filter_map(|names| names.into_iter().find(|name| all.contains(name))).collect()
    });
    CHECKS.clone()
}

/// A member, or an item, that nobody knows.
fn something_new(value: &mut Value) {
    match value {
        Value::Object(members) => drop(members.insert("brand-new".into(), json!(true))),
        Value::Array(items) => items.push(json!([["brand-new"]])),
        other => *other = json!(["brand-new"]),
    }
}

tampered! { by Transports::Both;
    answers_of_another_shape at EVERYWHERE, |fixture| fixture.answers.values_mut().for_each(something_new) => [
        "parity::mcp-status-after", "parity::containerd-privilege", "parity::ingress-status", "parity::profile-list",
        "parity::validate", "parity::profile-status-after", "parity::mcp-status-at-the-end", "parity::profile-stop",
        "parity::profile-purge",
    ];
    ended_otherwise at EVERYWHERE, |fixture| fixture.record.calls.values_mut().for_each(|call| call.exit = Some(1)) => [
        "parity::profile-list-end", "parity::validate-end", "parity::profile-stop-end", "parity::profile-purge-end",
        "parity::projects-before-end", "parity::projects-after-end", "parity::cleanup-end", "parity::mcp-status-after-end",
    ];
    seen_otherwise at EVERYWHERE, |fixture| fixture.sights.values_mut().for_each(something_new) => [
        "parity::projects-unused", "parity::name-budget", "parity::k1s-root", "parity::namespace-removed", "parity::secrets",
        "parity::residue-containers", "parity::residue-snapshots", "parity::residue-networks",
        "parity::residue-bridges", "parity::residue-firewall", "parity::residue-mounts", "parity::residue-ports",
        "parity::residue-processes", "parity::residue-state-folder",
    ] and of_probes;
    fewer_controllers at INVENTORY, |fixture| *fixture.at("profile-list", "/profiles/3/controllers") = json!(1) =>
        ["parity::profiles"];
    another_verdict at PROFILES, |fixture| *fixture.validate("/checks/0/ok") = json!(false) =>
        ["parity::checks", "parity::validate"];
    another_status at STARTUPS, |fixture| something_new(fixture.validate("/status")) =>
        ["parity::status", "parity::validate"];
    another_workload at WORKLOADS, |fixture| {
        for part in
            ["profile_start", "builds", "deploy", "status", "url_checks", "probes", "websocket", "exports"]
        {
            something_new(fixture.validate(&format!("/{part}")));
        }
    } => [
        "parity::started", "parity::builds", "parity::deploy", "parity::resources", "parity::urls",
        "parity::probes", "parity::websocket-answer", "parity::exports-answer", "parity::validate",
    ];
    never_listed at INVENTORY, |fixture| drop(fixture.record.calls.remove("profile-list")) =>
        ["parity::profile-list-end", "parity::profiles", "parity::profile-list", "parity::coverage"];
    never_listed_by_the_other at INVENTORY, |fixture| {
        drop(fixture.beside.as_mut().unwrap().record.calls.remove("profile-list"));
    } => ["parity::profile-list-end", "parity::profiles", "parity::profile-list", "parity::coverage"];
    never_asked_anything at EVERYWHERE, |fixture| fixture.record.calls.clear() => [
        "parity::mcp-status-after", "parity::containerd-privilege", "parity::ingress-status",
        "parity::daemon-before", "parity::projects-before-end", "parity::projects-after-end", "parity::cleanup-end",
        "parity::mcp-status-after-end",
        "parity::profile-list-end", "parity::profiles", "parity::profile-list",
        "parity::validate-end", "parity::checks", "parity::validate", "parity::status", "parity::profile-status-after",
        "parity::mcp-status-at-the-end", "parity::profile-stop-end", "parity::profile-stop",
        "parity::profile-purge-end", "parity::profile-purge",
        "parity::started", "parity::builds", "parity::deploy", "parity::resources", "parity::urls",
        "parity::probes", "parity::websocket-answer", "parity::exports-answer", "parity::coverage",
    ];
    read_and_not_compared at PREFLIGHT, |fixture| {
        // Of a daemon that does not run, it is read what its restart said.
        *fixture.at("mcp-status-after", "/running") = json!(false);
        let restart = fixture.call("mcp-status-after").clone();
        fixture.record.calls.insert("mcp-restart".into(), restart);
        fixture.answers.insert("mcp-restart", json!({ "ok": false }));
    } => ["parity::mcp-status-after", "parity::coverage"];
}
