//! Lies about the end of a gate.

use k1s_profile_gates::Failure;
use serde_json::json;

use super::{PROFILES, SOPS_REQUIRED};

const STATUS: &str = "profile-status-after";

tampered! {
    died_before_the_end at PROFILES, |fixture| *fixture.at(STATUS, "/running") = json!(false) => ["profile-status-after"];
    running_unsaid at PROFILES, |fixture| drop(fixture.at(STATUS, "").as_object_mut().unwrap().remove("running")) =>
        ["profile-status-after"];
    status_error at PROFILES, |fixture| fixture.refused(STATUS, SOPS_REQUIRED) => ["profile-status-after"];
    daemon_died at PROFILES, |fixture| *fixture.at("mcp-status-at-the-end", "/running") = json!(false) =>
        ["mcp-daemon-after"];
    daemon_not_asked at PROFILES, |fixture| drop(fixture.record.calls.remove("mcp-status-at-the-end")) =>
        ["mcp-daemon-after"];
    not_stopped at PROFILES, |fixture| fixture.refused("profile-stop", SOPS_REQUIRED) => ["cleanup::profile-stop"];
    stopped_and_yet_exit_1 at PROFILES, |fixture| fixture.call("profile-stop").exit = Some(1) =>
        ["cleanup::profile-stop"];
    not_purged at PROFILES, |fixture| *fixture.at("profile-purge", "/ok") = json!(false) => ["cleanup::profile-purge"];
    never_purged at PROFILES, |fixture| drop(fixture.record.calls.remove("profile-purge")) =>
        ["cleanup::profile-purge"];
    namespace_left at PROFILES, |fixture| *fixture.seen("namespace-removed", "/gone") = json!(false) =>
        ["cleanup::namespace-removed"];
    never_looked at PROFILES, |fixture| drop(fixture.record.observations.remove("namespace-removed")) =>
        ["cleanup::namespace-removed"];
    gate_ended_early at PROFILES, |fixture| {
        fixture.record.calls.remove("profile-purge");
        fixture.record.observations.clear();
        // The least that a failure may say: what it stands on is added where it is shown.
        fixture.record.failure = Some(
            Failure::new("evidence cannot be kept: disk full")
                .expected("a RUN_DIR that can be written to")
                .seen("No space left on device (os error 28)")
                .remedy("free some room, or set RUN_DIR to another folder"),
        );
    } => [
        "attest::containers", "attest::host-processes", "attest::readiness", "attest::leader", "attest::leadership",
        "attest::component-exits",
        "attest::state-backend", "attest::routes", "attest::websocket", "attest::websocket-echo", "attest::resources",
        "attest::app", "attest::images", "attest::exports", "attest::confinement",
        "attest::answers", "attest::authority", "attest::lease-renewal", "attest::logs", "attest::loop",
        "attest::objects", "attest::rbac", "attest::refusals",
        "attest::app-readiness", "attest::app-removal", "attest::app-changes", "attest::app-liveness", "attest::app-job",
        "cleanup::profile-purge", "cleanup::namespace-removed", "cleanup::containers", "cleanup::snapshots",
        "cleanup::networks", "cleanup::bridges", "cleanup::firewall", "cleanup::mounts", "cleanup::ports",
        "cleanup::processes", "cleanup::state-folder",
        "secrets::known", "secrets::none-in-evidence",
    ];
}
