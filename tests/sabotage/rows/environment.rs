//! The environment goes away under a gate: containerd, the ingress.

use k1s_profile_gates::plan::{Gate, Profile};

const SQLITE: Gate = Gate::Startup(Profile::DevMinSqlite);

rows! {
    containerd_killed at SQLITE, of "stack", "after_validate() { kill -9 $(pidof containerd); sleep 1; }" => [
        ("attest::containers", "containerd does not answer"), ("attest::component-exits", "not followed to the end"),
        ("attest::readiness", "containerd does not answer"), ("attest::versions", "containerd does not answer"),
        ("attest::routes", "does not answer"), ("attest::answers", "apishim answers nothing"),
        ("attest::objects", "with nothing instead of"), ("attest::rbac", "no token"),
        ("attest::refusals", "no answer"), ("profile-status-after", "containerd.sock"),
        ("projects-after", "running false"), ("mcp-daemon-after", "HTTPS running false"),
        ("cleanup::profile-stop", "containerd.sock"), ("cleanup::profile-purge", "containerd.sock"),
        ("cleanup::containers", "containerd does not answer"), ("cleanup::snapshots", "containerd does not answer"),
        ("cleanup::networks", "conflist"), ("cleanup::bridges", "br-"), ("cleanup::firewall", "-A CNI-"),
        ("cleanup::mounts", "rootfs"), ("cleanup::ports", "forwarded"), ("cleanup::processes", "containerd-shim"),
        ("cleanup::state-folder", "names"), ("cleanup::namespace-removed", "was not removed"),
    ];
    ingress_killed_under_the_profile at SQLITE, of "WorkerBee", r#"
        after_validate() {
            system=${namespace%"$project"}system
            "$WORKERBEE_NERDCTL_BIN" --namespace "$system" kill \
                "$("$WORKERBEE_NERDCTL_BIN" --namespace "$system" ps --quiet)"
            sleep 1
        }"# => [
        ("attest::routes", "Connection refused"), ("attest::versions", "caddy of ingress does not tell its version"),
        ("mcp-daemon-after", "HTTPS running false"),
        ("cleanup::profile-stop", "ingress_sync"), ("cleanup::profile-purge", "ingress_sync"),
        // WorkerBee takes a route's file away only when the ingress has forgotten the route.
        ("cleanup::state-folder", "k1s-profile.caddy"),
    ];
    mcp_daemon_killed at SQLITE, of "WorkerBee", r#"
        after_validate() {
            kill -9 "$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["pid"])' \
                "$state_root/global/mcp-daemon.json")"
            sleep 1
        }"# => [("mcp-daemon-after", "it does not run")];
}
