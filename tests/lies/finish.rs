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
    daemon_on_another_runtime at PROFILES, |story| {
        *story.at("mcp-status-at-the-end", "/runtime") = json!("docker");
    } => ["mcp-daemon-after"];
    daemon_without_a_dashboard at PROFILES, |story| {
        *story.at("mcp-status-at-the-end", "/global_dashboard") = json!({});
    } => ["mcp-daemon-after"];
    daemon_and_yet_exit_3 at PROFILES, |story| story.call("mcp-status-at-the-end").exit = Some(3) =>
        ["mcp-daemon-after"];
    daemon_not_accepted_before at PROFILES, |story| {
        *story.at("mcp-status-after", "/global_dashboard/health_probe/ok") = json!(false);
    } => ["mcp-daemon-before"];
    restart_not_ok at PROFILES, |story| {
        let mut restart = story.record.calls["mcp-status-before"].clone();
        restart.exit = Some(1);
        story.record.calls.insert("mcp-restart".into(), restart);
        story.answers.insert("mcp-restart", json!({ "ok": false }));
        story.seen("secrets", "/scanned").as_array_mut().unwrap().push(json!("mcp-restart.json"));
    } => ["mcp-daemon-before"];
    daemon_not_asked_before at PROFILES, |story| drop(story.record.calls.remove("mcp-status-after")) =>
        ["mcp-daemon-before"];
    running_without_components at PROFILES, |story| *story.at(STATUS, "/components") = json!([]) =>
        ["profile-status-after"];
    a_component_stopped at PROFILES, |story| *story.at(STATUS, "/components/0/running") = json!(false) =>
        ["profile-status-after"];
    a_component_of_another_name at PROFILES, |story| {
        *story.at(STATUS, "/components/1/name") = json!("workerbee-0123456789ab-demo-k1s-ha-min-gateway");
    } => ["profile-status-after"];
    status_and_yet_exit_1 at PROFILES, |story| story.call(STATUS).exit = Some(1) => ["profile-status-after"];
    projects_not_asked at PROFILES, |story| drop(story.record.calls.remove("projects-after")) => ["projects-after"];
    no_projects at PROFILES, |story| *story.at("projects-after", "/projects") = json!([]) => ["projects-after"];
    projects_not_ok at PROFILES, |story| story.call("projects-after").exit = Some(2) => ["projects-after"];
    validated_for_another_project at PROFILES, |story| *story.validate("/project") = json!("other") => ["own-project"];
    validated_another_profile at PROFILES, |story| *story.validate("/profile") = json!("k1s-edge-link") =>
        ["own-project"];
    no_project_named at PROFILES, |story| drop(story.validate("").as_object_mut().unwrap().remove("project")) =>
        ["own-project"];
    status_of_another_project at PROFILES, |story| *story.at(STATUS, "/project") = json!("other") => ["own-project"];
    stopped_another_project at PROFILES, |story| *story.at("profile-stop", "/project") = json!("other") =>
        ["own-project"];
    purged_another_project at PROFILES, |story| *story.at("profile-purge", "/project") = json!("other") =>
        ["own-project"];
    a_host_of_another_project at PROFILES, |story| {
        *story.at(STATUS, "/profile/ingress_urls/docs") = json!("https://k1s.other.workerbee.localhost:19444/docs");
    } => ["own-project"];
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
        "attest::containers", "attest::host-processes", "attest::readiness", "attest::versions", "attest::leader",
        "attest::leadership", "attest::component-exits",
        "attest::state-backend", "attest::routes", "attest::websocket", "attest::websocket-echo", "attest::resources",
        "attest::app", "attest::images", "attest::exports",
        "cleanup::profile-purge", "cleanup::namespace-removed", "cleanup::containers", "cleanup::snapshots",
        "cleanup::networks", "cleanup::bridges", "cleanup::firewall", "cleanup::mounts", "cleanup::ports",
        "cleanup::processes", "cleanup::state-folder",
        "secrets::known", "secrets::none-in-evidence",
    ];
}
