//! Lies about the end of a gate.

use k1s_profile_gates::Failure;
use k1s_profile_gates::plan::{Gate, Profile};
use serde_json::json;

use super::{PROFILES, SOPS_REQUIRED};

const HA: &[Gate] = &[Gate::Startup(Profile::HaMin), Gate::Workload(Profile::HaMin)];
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
    daemon_on_another_runtime at PROFILES, |fixture| {
        *fixture.at("mcp-status-at-the-end", "/runtime") = json!("docker");
    } => ["mcp-daemon-after"];
    daemon_without_a_dashboard at PROFILES, |fixture| {
        *fixture.at("mcp-status-at-the-end", "/global_dashboard") = json!({});
    } => ["mcp-daemon-after"];
    daemon_and_yet_exit_3 at PROFILES, |fixture| fixture.call("mcp-status-at-the-end").exit = Some(3) =>
        ["mcp-daemon-after"];
    daemon_not_accepted_before at PROFILES, |fixture| {
        *fixture.at("mcp-status-after", "/global_dashboard/health_probe/ok") = json!(false);
    } => ["mcp-daemon-before"];
    restart_not_ok at PROFILES, |fixture| *fixture.at("mcp-restart", "/ok") = json!(false) => ["mcp-daemon-before"];
    restart_and_yet_exit_1 at PROFILES, |fixture| fixture.call("mcp-restart").exit = Some(1) => ["mcp-daemon-before"];
    daemon_not_asked_before at PROFILES, |fixture| drop(fixture.record.calls.remove("mcp-status-after")) =>
        ["mcp-daemon-before"];
    running_without_components at PROFILES, |fixture| *fixture.at(STATUS, "/components") = json!([]) =>
        ["profile-status-after"];
    a_component_stopped at PROFILES, |fixture| *fixture.at(STATUS, "/components/0/running") = json!(false) =>
        ["profile-status-after"];
    a_component_elsewhere at PROFILES, |fixture| {
        *fixture.at(STATUS, "/components/0/url") = json!("http://192.0.2.1:12379");
    } => ["profile-status-after"];
    a_component_of_another_name at PROFILES, |fixture| {
        *fixture.at(STATUS, "/components/1/name") = json!("workerbee-0123456789ab-demo-k1s-ha-min-gateway");
    } => ["profile-status-after"];
    status_and_yet_exit_1 at PROFILES, |fixture| fixture.call(STATUS).exit = Some(1) => ["profile-status-after"];
    projects_not_asked at PROFILES, |fixture| drop(fixture.record.calls.remove("projects-after")) => ["projects-after"];
    not_looked_at_as_root at PROFILES, |fixture| {
        let project = fixture.at("projects-after", "/projects/0");
        project["error"] = json!("permission denied");
        project["profile_running"] = json!(false);
    } => ["projects-after"];
    not_among_the_projects at PROFILES, |fixture| *fixture.at("projects-after", "/projects/0/project") = json!("third") =>
        ["projects-after"];
    twice_among_the_projects at PROFILES, |fixture| *fixture.at("projects-after", "/projects/1/project") = json!("demo") =>
        ["projects-after"];
    no_profile_of_the_project_runs at PROFILES, |fixture| {
        *fixture.at("projects-after", "/projects/0/profile_running") = json!(false);
    } => ["projects-after"];
    another_profile_of_the_project_runs at PROFILES, |fixture| {
        *fixture.at("projects-after", "/projects/0/profile_name") = json!("k1s-edge-link");
    } => ["projects-after"];
    nobody_leads_at_the_end at HA, |fixture| *fixture.at(STATUS, "/leader") = json!(null) => ["profile-status-after"];
    a_stranger_leads_at_the_end at HA, |fixture| {
        *fixture.at(STATUS, "/leader/controller_id") = json!("k1s-ha-min-controller-7");
    } => ["profile-status-after"];
    two_components_are_one_at_the_end at PROFILES, |fixture| {
        let first = fixture.at(STATUS, "/components/0/container_id").clone();
        *fixture.at(STATUS, "/components/1/container_id") = first;
    } => ["profile-status-after"];
    daemon_whose_page_is_502 at PROFILES, |fixture| {
        *fixture.at("mcp-status-at-the-end", "/global_dashboard/health_probe/status") = json!(502);
    } => ["mcp-daemon-after"];
    daemon_without_verified_tls at PROFILES, |fixture| {
        *fixture.at("mcp-status-at-the-end", "/global_dashboard/health_probe/tls_verified") = json!(false);
    } => ["mcp-daemon-after"];
    daemon_without_https at PROFILES, |fixture| {
        *fixture.at("mcp-status-after", "/global_dashboard/https_running") = json!(false);
    } => ["mcp-daemon-before"];
    status_of_another_state_root at PROFILES, |fixture| {
        *fixture.at(STATUS, "/profile/state_root") = json!("/var/lib/another");
    } => ["own-project"];
    lease_of_another_project at HA, |fixture| {
        *fixture.at(STATUS, "/leader/key") = json!("k1s/workerbee/other/k1s-ha-min/controlplane/leader");
    } => ["own-project"];
    component_of_another_project at PROFILES, |fixture| {
        let name = fixture.at(STATUS, "/components/0/name");
        *name = json!(name.as_str().unwrap().replace("-demo-", "-other-"));
    } => ["own-project"];
    another_daemon_at_the_end at PROFILES, |fixture| {
        *fixture.at("mcp-status-at-the-end", "/mcp_url") = json!("http://127.0.0.1:8766/mcp");
    } => ["mcp-daemon-after"];
    daemon_of_another_state_root_at_the_end at PROFILES, |fixture| {
        *fixture.at("mcp-status-at-the-end", "/state_root") = json!("/var/lib/another");
    } => ["mcp-daemon-after"];
    no_routes_at_the_end at PROFILES, |fixture| *fixture.at(STATUS, "/profile/ingress_urls") = json!({}) =>
        ["profile-status-after"];
    a_lease_of_another_name at HA, |fixture| {
        *fixture.at(STATUS, "/leader/key") = json!("k1s/workerbee/demo/k1s-edge-link/controlplane/leader");
    } => ["profile-status-after"];
    nothing_removed at PROFILES, |fixture| *fixture.at("profile-stop", "/removed") = json!([]) =>
        ["cleanup::profile-stop"];
    one_component_removed_twice at PROFILES, |fixture| {
        let first = fixture.at("profile-stop", "/removed/0").clone();
        *fixture.at("profile-stop", "/removed/1") = first;
    } => ["cleanup::profile-stop"];
    a_removal_failed at PROFILES, |fixture| *fixture.at("profile-stop", "/removed/0/returncode") = json!(1) =>
        ["cleanup::profile-stop"];
    purged_without_a_result at PROFILES, |fixture| *fixture.at("profile-purge", "/purge_result") = json!(null) =>
        ["cleanup::profile-purge"];
    stopped_and_purged at PROFILES, |fixture| *fixture.at("profile-stop", "/purged") = json!(true) =>
        ["cleanup::profile-stop"];
    a_component_not_removed at PROFILES, |fixture| *fixture.at("profile-stop", "/removed/1/ok") = json!(false) =>
        ["cleanup::profile-stop"];
    stopped_with_an_error at PROFILES, |fixture| {
        fixture.at("profile-stop", "")["error"] = json!({ "code": "CLI_ERROR", "message": "no such container" });
    } => ["cleanup::profile-stop"];
    stopped_and_not_purged at PROFILES, |fixture| *fixture.at("profile-purge", "/purged") = json!(false) =>
        ["cleanup::profile-purge"];
    purged_in_part at PROFILES, |fixture| *fixture.at("profile-purge", "/purge_result/ok") = json!(false) =>
        ["cleanup::profile-purge"];
    no_projects at PROFILES, |fixture| *fixture.at("projects-after", "/projects") = json!([]) => ["projects-after"];
    projects_not_ok at PROFILES, |fixture| fixture.call("projects-after").exit = Some(2) => ["projects-after"];
    validated_for_another_project at PROFILES, |fixture| *fixture.validate("/project") = json!("other") => ["own-project"];
    validated_another_profile at PROFILES, |fixture| *fixture.validate("/profile") = json!("k1s-edge-link") =>
        ["own-project"];
    no_project_named at PROFILES, |fixture| drop(fixture.validate("").as_object_mut().unwrap().remove("project")) =>
        ["own-project"];
    status_of_another_project at PROFILES, |fixture| *fixture.at(STATUS, "/project") = json!("other") => ["own-project"];
    stopped_another_project at PROFILES, |fixture| *fixture.at("profile-stop", "/project") = json!("other") =>
        ["own-project"];
    purged_another_project at PROFILES, |fixture| *fixture.at("profile-purge", "/project") = json!("other") =>
        ["own-project"];
    a_host_of_another_project at PROFILES, |fixture| {
        *fixture.at(STATUS, "/profile/ingress_urls/docs") = json!("https://k1s.other.workerbee.localhost:19444/docs");
    } => ["own-project"];
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
        "attest::containers", "attest::host-processes", "attest::readiness", "attest::versions", "attest::leader", "attest::leadership",
        "attest::component-exits",
        "attest::state-backend", "attest::routes", "attest::websocket", "attest::websocket-echo", "attest::resources",
        "attest::app", "attest::images", "attest::exports", "attest::confinement",
        "attest::answers", "attest::authority", "attest::lease-renewal", "attest::logs", "attest::loop",
        "attest::nodes", "attest::objects", "attest::rbac", "attest::refusals", "attest::streams",
        "attest::app-readiness", "attest::app-removal", "attest::app-changes", "attest::app-liveness", "attest::app-job",
        "cleanup::profile-purge", "cleanup::namespace-removed", "cleanup::containers", "cleanup::snapshots",
        "cleanup::networks", "cleanup::bridges", "cleanup::firewall", "cleanup::mounts", "cleanup::ports",
        "cleanup::processes", "cleanup::state-folder",
        "secrets::known", "secrets::none-in-evidence",
    ];
}
