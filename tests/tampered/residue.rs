//! Lies about what a project leaves: something left of each kind, nothing seen while it was alive, no look at all.

use serde_json::json;

use super::PROFILES;
use crate::support::evidence_fixture::EvidenceFixture;

const NAMESPACE: &str = "workerbee-0123456789ab-demo";

/// Something that appeared by its name: after the purge, whether or not it was there before.
fn left(fixture: &mut EvidenceFixture, sight: &str, what: &str) {
    let thing = json!({ "what": what, "tie": format!("names {NAMESPACE}") });
    fixture.seen(sight, "/after").as_array_mut().unwrap().push(thing);
}

/// Makes a thing that was there while the profile was alive stay there after the purge.
fn stayed(fixture: &mut EvidenceFixture, sight: &str, start: &str) {
    let alive = fixture.seen(sight, "/alive").as_array().unwrap().clone();
    let thing = alive.into_iter().find(|thing| thing["what"].as_str().unwrap().starts_with(start)).unwrap();
    fixture.seen(sight, "/after").as_array_mut().unwrap().push(thing);
}

/// Of the project's only that is seen while its profile is alive which a purge leaves by design.
fn half_blind(fixture: &mut EvidenceFixture, sight: &str) {
    let after = fixture.seen(sight, "/after").clone();
    *fixture.seen(sight, "/alive") = after;
}

/// Nothing of the project's is seen while its profile is alive: what is seen is what was there before.
fn blind(fixture: &mut EvidenceFixture, sight: &str) {
    let before = fixture.seen(sight, "/before").clone();
    *fixture.seen(sight, "/alive") = before;
}

tampered! {
    container_left at PROFILES, |fixture| left(fixture, "residue-containers", "container 24f6d3a893d3") =>
        ["cleanup::containers"];
    task_left at PROFILES, |fixture| stayed(fixture, "residue-containers", "task ") => ["cleanup::containers"];
    no_containers_seen at PROFILES, |fixture| blind(fixture, "residue-containers") => ["cleanup::containers"];
    containers_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-containers")) =>
        ["cleanup::containers"];
    containers_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-containers") => ["cleanup::containers"];

    snapshot_left at PROFILES, |fixture| stayed(fixture, "residue-snapshots", "overlayfs active ") =>
        ["cleanup::snapshots"];
    snapshot_of_no_image_left at PROFILES, |fixture| left(fixture, "residue-snapshots", "native committed copy") =>
        ["cleanup::snapshots"];
    only_snapshots_seen_that_stay at PROFILES, |fixture| half_blind(fixture, "residue-snapshots") => ["cleanup::snapshots"];
    no_snapshots_seen at PROFILES, |fixture| blind(fixture, "residue-snapshots") => ["cleanup::snapshots"];
    snapshots_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-snapshots")) =>
        ["cleanup::snapshots"];
    snapshots_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-snapshots") => ["cleanup::snapshots"];

    network_left at PROFILES, |fixture| {
        stayed(fixture, "residue-networks", "/var/lib/workerbee/projects/demo/containerd-cni-net.d/workerbee-");
    } => ["cleanup::networks"];
    address_left at PROFILES, |fixture| {
        left(fixture, "residue-networks", "/var/lib/cni/networks/workerbee-0123456789ab-demo/10.211.249.2");
    } => ["cleanup::networks"];
    result_left at PROFILES, |fixture| stayed(fixture, "residue-networks", "/var/lib/cni/results/") =>
        ["cleanup::networks"];
    only_networks_seen_that_stay at PROFILES, |fixture| half_blind(fixture, "residue-networks") => ["cleanup::networks"];
    no_networks_seen at PROFILES, |fixture| blind(fixture, "residue-networks") => ["cleanup::networks"];
    networks_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-networks")) =>
        ["cleanup::networks"];
    networks_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-networks") => ["cleanup::networks"];

    bridge_left at PROFILES, |fixture| stayed(fixture, "residue-bridges", "bridge br-") => ["cleanup::bridges"];
    veth_left at PROFILES, |fixture| stayed(fixture, "residue-bridges", "veth ") => ["cleanup::bridges"];
    bridge_of_nobody_left at PROFILES, |fixture| {
        let nobodys = json!({ "what": "bridge other0", "tie": null });
        for look in ["/alive", "/after"] {
            fixture.seen("residue-bridges", look).as_array_mut().unwrap().push(nobodys.clone());
        }
    } => ["cleanup::bridges"];
    bridge_made_by_the_purge at PROFILES, |fixture| {
        let made = json!({ "what": "bridge other0", "tie": null });
        fixture.seen("residue-bridges", "/after").as_array_mut().unwrap().push(made);
    } => ["cleanup::bridges"];
    no_bridges_seen at PROFILES, |fixture| blind(fixture, "residue-bridges") => ["cleanup::bridges"];
    bridges_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-bridges")) =>
        ["cleanup::bridges"];
    bridges_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-bridges") => ["cleanup::bridges"];

    rule_left at PROFILES, |fixture| stayed(fixture, "residue-firewall", "ipv4 nat -A POSTROUTING -s ") =>
        ["cleanup::firewall"];
    forwarding_left at PROFILES, |fixture| stayed(fixture, "residue-firewall", "ipv4 nat -A CNI-HOSTPORT-DNAT -p ") =>
        ["cleanup::firewall"];
    acceptance_left at PROFILES, |fixture| stayed(fixture, "residue-firewall", "ipv4 filter -A CNI-FORWARD -s ") =>
        ["cleanup::firewall"];
    // An empty chain stays by design; one that holds a rule does not.
    chain_with_a_rule_left at PROFILES, |fixture| {
        stayed(fixture, "residue-firewall", "ipv4 nat -A CNI-DN-");
        stayed(fixture, "residue-firewall", "ipv4 nat chain CNI-DN-");
    } => ["cleanup::firewall"];
    rule_for_ipv6_left at PROFILES, |fixture| {
        left(fixture, "residue-firewall", "ipv6 nat -A POSTROUTING -m comment --comment \"workerbee-0123456789ab-demo\" -j X");
    } => ["cleanup::firewall"];
    only_rules_seen_that_stay at PROFILES, |fixture| half_blind(fixture, "residue-firewall") => ["cleanup::firewall"];
    no_rules_seen at PROFILES, |fixture| blind(fixture, "residue-firewall") => ["cleanup::firewall"];
    rules_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-firewall")) =>
        ["cleanup::firewall"];
    rules_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-firewall") => ["cleanup::firewall"];

    mount_left at PROFILES, |fixture| stayed(fixture, "residue-mounts", "/run/containerd/io.containerd.runtime.v2.task/workerbee-0123456789ab-demo/") =>
        ["cleanup::mounts"];
    no_mounts_seen at PROFILES, |fixture| blind(fixture, "residue-mounts") => ["cleanup::mounts"];
    mounts_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-mounts")) =>
        ["cleanup::mounts"];
    mounts_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-mounts") => ["cleanup::mounts"];

    port_left at PROFILES, |fixture| stayed(fixture, "residue-ports", "tcp 127.0.0.1:196") => ["cleanup::ports"];
    port_forwarded_left at PROFILES, |fixture| left(fixture, "residue-ports", "tcp 19608 forwarded") =>
        ["cleanup::ports"];
    no_ports_seen at PROFILES, |fixture| blind(fixture, "residue-ports") => ["cleanup::ports"];
    ports_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-ports")) =>
        ["cleanup::ports"];
    ports_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-ports") => ["cleanup::ports"];

    process_left at PROFILES, |fixture| stayed(fixture, "residue-processes", "process ") => ["cleanup::processes"];
    process_appeared at PROFILES, |fixture| left(fixture, "residue-processes", "process 4711 sleep (since tick 815)") =>
        ["cleanup::processes"];
    no_processes_seen at PROFILES, |fixture| blind(fixture, "residue-processes") => ["cleanup::processes"];
    processes_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-processes")) =>
        ["cleanup::processes"];
    processes_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-processes") => ["cleanup::processes"];

    record_left at PROFILES, |fixture| stayed(fixture, "residue-state-folder", "projects/demo/profiles/k1s-profile.json") =>
        ["cleanup::state-folder"];
    route_left at PROFILES, |fixture| left(fixture, "residue-state-folder", "projects/demo/caddy/k1s-profile.caddy") =>
        ["cleanup::state-folder"];
    volume_of_nobody_left at PROFILES, |fixture| {
        left(fixture, "residue-state-folder", "projects/demo/containerd-data/1/volumes/x/other/volume.json");
    } => ["cleanup::state-folder"];
    only_files_seen_that_stay at PROFILES, |fixture| half_blind(fixture, "residue-state-folder") => ["cleanup::state-folder"];
    no_files_seen at PROFILES, |fixture| blind(fixture, "residue-state-folder") => ["cleanup::state-folder"];
    files_never_looked_for at PROFILES, |fixture| drop(fixture.record.observations.remove("residue-state-folder")) =>
        ["cleanup::state-folder"];
    files_not_to_be_seen at PROFILES, |fixture| fixture.unseen("residue-state-folder") => ["cleanup::state-folder"];
}
