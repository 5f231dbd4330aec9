//! Lies of `mcp status` and `containerd-privilege status`, and of the harness's own look.

use k1s_profile_gates::plan::Gate;
use serde_json::{Value, json};

use super::SOPS_REQUIRED;

const AT: &[Gate] = &[Gate::Preflight];
const STATUS: &str = "mcp-status-after";
const INGRESS: &str = "ingress-status";
const PRIVILEGE: &str = "containerd-privilege";

tampered! {
    daemon_not_running at AT, |fixture| *fixture.at(STATUS, "/running") = json!(false) => ["mcp-running"];
    another_runtime at AT, |fixture| *fixture.at(STATUS, "/runtime") = json!("docker") => ["runtime-containerd"];
    no_runtime at AT, |fixture| *fixture.at(STATUS, "/runtime") = Value::Null => ["runtime-containerd"];
    no_https at AT, |fixture| *fixture.at(INGRESS, "/https_running") = json!(false) => ["ingress-healthy"];
    dashboard_unhealthy at AT, |fixture| *fixture.at(INGRESS, "/health_probe/ok") = json!(false) =>
        ["ingress-healthy"];
    dashboard_unverified at AT, |fixture| {
        *fixture.at(INGRESS, "/health_probe/tls_verified") = json!(false);
    } => ["ingress-healthy"];
    dashboard_never_probed at AT, |fixture| *fixture.at(INGRESS, "/health_probe") = Value::Null =>
        ["ingress-healthy"];
    no_dashboard at AT, |fixture| *fixture.at(INGRESS, "") = json!({}) => ["ingress-healthy", "ca-ready"];
    ingress_error at AT, |fixture| fixture.refused(INGRESS, SOPS_REQUIRED) => ["ingress-healthy", "ca-ready"];
    ingress_half_an_answer at AT, |fixture| fixture.cut_off(INGRESS, true) => ["ingress-healthy", "ca-ready"];
    ingress_never_asked at AT, |fixture| drop(fixture.record.calls.remove(INGRESS)) => ["ingress-healthy", "ca-ready"];
    ca_not_ready at AT, |fixture| *fixture.at(INGRESS, "/ca_ready") = json!(false) => ["ca-ready"];
    ca_without_fingerprint at AT, |fixture| *fixture.at(INGRESS, "/ca_sha256") = json!("") => ["ca-ready"];
    ca_with_made_up_fingerprint at AT, |fixture| {
        *fixture.at(INGRESS, "/ca_sha256") = json!("z".repeat(64));
    } => ["ca-ready"];
    status_error at AT, |fixture| fixture.refused(STATUS, SOPS_REQUIRED) =>
        ["mcp-running", "runtime-containerd"];
    status_half_an_answer at AT, |fixture| fixture.cut_off(STATUS, true) =>
        ["mcp-running", "runtime-containerd"];
    status_never_asked at AT, |fixture| drop(fixture.record.calls.remove(STATUS)) =>
        ["mcp-running", "runtime-containerd"];
    no_access at AT, |fixture| {
        *fixture.at(PRIVILEGE, "/unprivileged_probe/ok") = json!(false);
        *fixture.at(PRIVILEGE, "/unprivileged_probe/message") = json!("permission denied");
        *fixture.at(PRIVILEGE, "/helper/responsive") = json!(false);
    } => ["containerd-access"];
    no_access_at_all at AT, |fixture| *fixture.at(PRIVILEGE, "") = json!({}) => ["containerd-access"];
    privilege_error at AT, |fixture| fixture.refused(PRIVILEGE, SOPS_REQUIRED) => ["containerd-access"];
    privilege_never_asked at AT, |fixture| drop(fixture.record.calls.remove(PRIVILEGE)) => ["containerd-access"];
    status_ends_with_3 at AT, |fixture| {
        fixture.call(STATUS).exit = Some(3);
        fixture.at(STATUS, "")["ok"] = json!(false);
    } => ["mcp-running", "runtime-containerd"];
    status_before_never_asked at AT, |fixture| drop(fixture.record.calls.remove("mcp-status-before")) => ["mcp-running"];
    restart_ended_with_1 at AT, |fixture| fixture.call("mcp-restart").exit = Some(1) => ["mcp-running"];
    ingress_ended_by_a_signal at AT, |fixture| fixture.call(INGRESS).exit = None => ["ingress-healthy", "ca-ready"];
    privilege_and_yet_exit_1 at AT, |fixture| fixture.call(PRIVILEGE).exit = Some(1) => ["containerd-access"];
    projects_never_asked at AT, |fixture| {
        fixture.record.calls.remove("projects-before");
        fixture.record.calls.remove("projects-after");
    } => ["projects-before", "projects-after"];
    projects_and_yet_exit_1 at AT, |fixture| fixture.call("projects-after").exit = Some(1) => ["projects-after"];
    no_list_of_projects at AT, |fixture| *fixture.at("projects-before", "") = json!({}) => ["projects-before"];
    a_project_without_a_name at AT, |fixture| *fixture.at("projects-before", "/projects") = json!([{ "mode": "lazy" }]) =>
        ["projects-before"];
    cleanup_never_asked at AT, |fixture| drop(fixture.record.calls.remove("cleanup")) => ["cleanup-dry-run"];
    cleanup_for_real at AT, |fixture| *fixture.at("cleanup", "/execute") = json!(true) => ["cleanup-dry-run"];
    cleanup_not_ok at AT, |fixture| *fixture.at("cleanup", "/ok") = json!(false) => ["cleanup-dry-run"];
    dashboard_not_healthy at AT, |fixture| {
        *fixture.at(STATUS, "/global_dashboard/health_probe/ok") = json!(false);
    } => ["mcp-running"];
    cleanup_of_another_state_root at AT, |fixture| *fixture.at("cleanup", "/state_root") = json!("/var/lib/another") =>
        ["own-state-root"];
    projects_of_another_state_root at AT, |fixture| {
        *fixture.at("projects-before", "/state_root") = json!("/var/lib/another");
    } => ["own-state-root"];
    access_not_enabled at AT, |fixture| *fixture.at(PRIVILEGE, "/enabled") = json!(false) => ["containerd-access"];
    cleanup_on_another_runtime at AT, |fixture| *fixture.at("cleanup", "/runtime") = json!("docker") =>
        ["cleanup-dry-run"];
    cleanup_not_safe at AT, |fixture| *fixture.at("cleanup", "/safety/ok") = json!(false) => ["cleanup-dry-run"];
    cleanup_of_something at AT, |fixture| *fixture.at("cleanup", "/actions/0") = json!({}) => ["cleanup-dry-run"];
    a_project_twice at AT, |fixture| {
        *fixture.at("projects-after", "/projects") = json!([{ "project": "demo" }, { "project": "demo" }]);
    } => ["projects-after"];
    page_is_502 at AT, |fixture| *fixture.at(INGRESS, "/health_probe/status") = json!(502) => ["ingress-healthy"];
    access_to_another_runtime at AT, |fixture| *fixture.at(PRIVILEGE, "/runtime") = json!("docker") =>
        ["containerd-access"];
    status_with_an_error at AT, |fixture| {
        fixture.at(INGRESS, "")["error"] = json!({ "code": "CLI_ERROR", "message": "no such container" });
    } => ["ingress-healthy", "ca-ready"];
    projects_in_use at AT, |fixture| *fixture.seen("projects-unused", "/3/namespace") = json!(true) =>
        ["projects-unused"];
    project_folder_in_use at AT, |fixture| *fixture.seen("projects-unused", "/0/folder") = json!(true) =>
        ["projects-unused"];
    no_project_looked_for at AT, |fixture| *fixture.seen("projects-unused", "") = json!([]) => ["projects-unused"];
    projects_never_looked_for at AT, |fixture| drop(fixture.record.observations.remove("projects-unused")) =>
        ["projects-unused"];
    projects_not_to_be_seen at AT, |fixture| fixture.unseen("projects-unused") => ["projects-unused"];
    names_too_long at AT, |fixture| *fixture.seen("name-budget", "/2/project") = json!("k1spv103000") => ["name-budget"];
    no_name_measured at AT, |fixture| *fixture.seen("name-budget", "") = json!([]) => ["name-budget"];
    names_never_measured at AT, |fixture| drop(fixture.record.observations.remove("name-budget")) => ["name-budget"];
}
