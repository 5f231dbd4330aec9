//! Lies about the end of a gate.

use k1s_profile_gates::Failure;
use serde_json::json;

use super::{PROFILES, SOPS_REQUIRED};

const STATUS: &str = "profile-status-after";

lies! {
    died_before_the_end at PROFILES, |story| *story.at(STATUS, "/running") = json!(false) => ["profile-status-after"];
    running_unsaid at PROFILES, |story| drop(story.at(STATUS, "").as_object_mut().unwrap().remove("running")) =>
        ["profile-status-after"];
    status_error at PROFILES, |story| story.refused(STATUS, SOPS_REQUIRED) => ["profile-status-after"];
    daemon_died at PROFILES, |story| *story.at("mcp-status-at-the-end", "/running") = json!(false) =>
        ["mcp-daemon-after"];
    daemon_not_asked at PROFILES, |story| drop(story.record.calls.remove("mcp-status-at-the-end")) =>
        ["mcp-daemon-after"];
    not_stopped at PROFILES, |story| story.refused("profile-stop", SOPS_REQUIRED) => ["cleanup::profile-stop"];
    stopped_and_yet_exit_1 at PROFILES, |story| story.call("profile-stop").exit = Some(1) =>
        ["cleanup::profile-stop"];
    not_purged at PROFILES, |story| *story.at("profile-purge", "/ok") = json!(false) => ["cleanup::profile-purge"];
    never_purged at PROFILES, |story| drop(story.record.calls.remove("profile-purge")) =>
        ["cleanup::profile-purge"];
    namespace_left at PROFILES, |story| *story.seen("namespace-removed", "/gone") = json!(false) =>
        ["cleanup::namespace-removed"];
    never_looked at PROFILES, |story| drop(story.record.observations.remove("namespace-removed")) =>
        ["cleanup::namespace-removed"];
    gate_ended_early at PROFILES, |story| {
        story.record.calls.remove("profile-purge");
        story.record.observations.clear();
        // The least that a failure may say: what it stands on is added where it is shown.
        story.record.failure = Some(
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
        "cleanup::profile-purge", "cleanup::namespace-removed", "cleanup::containers", "cleanup::snapshots",
        "cleanup::networks", "cleanup::bridges", "cleanup::firewall", "cleanup::mounts", "cleanup::ports",
        "cleanup::processes", "cleanup::state-folder",
        "secrets::known", "secrets::none-in-evidence",
    ];
}
