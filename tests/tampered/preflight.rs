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
