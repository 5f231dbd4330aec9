//! Lies of `mcp status` and `containerd-privilege status`, and of the harness's own look.

use k1s_profile_gates::plan::Gate;
use serde_json::{Value, json};

use super::SOPS_REQUIRED;

const AT: &[Gate] = &[Gate::Preflight];
const STATUS: &str = "mcp-status-after";
const INGRESS: &str = "ingress-status";
const PRIVILEGE: &str = "containerd-privilege";

lies! {
    daemon_not_running at AT, |story| *story.at(STATUS, "/running") = json!(false) => ["mcp-running"];
    another_runtime at AT, |story| *story.at(STATUS, "/runtime") = json!("docker") => ["runtime-containerd"];
    no_runtime at AT, |story| *story.at(STATUS, "/runtime") = Value::Null => ["runtime-containerd"];
    no_https at AT, |story| *story.at(INGRESS, "/https_running") = json!(false) => ["ingress-healthy"];
    dashboard_unhealthy at AT, |story| *story.at(INGRESS, "/health_probe/ok") = json!(false) =>
        ["ingress-healthy"];
    dashboard_unverified at AT, |story| {
        *story.at(INGRESS, "/health_probe/tls_verified") = json!(false);
    } => ["ingress-healthy"];
    dashboard_never_probed at AT, |story| *story.at(INGRESS, "/health_probe") = Value::Null =>
        ["ingress-healthy"];
    no_dashboard at AT, |story| *story.at(INGRESS, "") = json!({}) => ["ingress-healthy", "ca-ready"];
    ingress_error at AT, |story| story.refused(INGRESS, SOPS_REQUIRED) => ["ingress-healthy", "ca-ready"];
    ingress_half_an_answer at AT, |story| story.cut_off(INGRESS, true) => ["ingress-healthy", "ca-ready"];
    ingress_never_asked at AT, |story| drop(story.record.calls.remove(INGRESS)) => ["ingress-healthy", "ca-ready"];
    ca_not_ready at AT, |story| *story.at(INGRESS, "/ca_ready") = json!(false) => ["ca-ready"];
    ca_without_fingerprint at AT, |story| *story.at(INGRESS, "/ca_sha256") = json!("") => ["ca-ready"];
    ca_with_made_up_fingerprint at AT, |story| {
        *story.at(INGRESS, "/ca_sha256") = json!("z".repeat(64));
    } => ["ca-ready"];
    status_error at AT, |story| story.refused(STATUS, SOPS_REQUIRED) =>
        ["mcp-running", "runtime-containerd"];
    status_half_an_answer at AT, |story| story.cut_off(STATUS, true) =>
        ["mcp-running", "runtime-containerd"];
    status_never_asked at AT, |story| drop(story.record.calls.remove(STATUS)) =>
        ["mcp-running", "runtime-containerd"];
    no_access at AT, |story| {
        *story.at(PRIVILEGE, "/unprivileged_probe/ok") = json!(false);
        *story.at(PRIVILEGE, "/unprivileged_probe/message") = json!("permission denied");
        *story.at(PRIVILEGE, "/helper/responsive") = json!(false);
    } => ["containerd-access"];
    no_access_at_all at AT, |story| *story.at(PRIVILEGE, "") = json!({}) => ["containerd-access"];
    privilege_error at AT, |story| story.refused(PRIVILEGE, SOPS_REQUIRED) => ["containerd-access"];
    privilege_never_asked at AT, |story| drop(story.record.calls.remove(PRIVILEGE)) => ["containerd-access"];
    status_ends_with_3 at AT, |story| {
        story.call(STATUS).exit = Some(3);
        story.at(STATUS, "")["ok"] = json!(false);
    } => ["mcp-running", "runtime-containerd"];
    status_before_never_asked at AT, |story| drop(story.record.calls.remove("mcp-status-before")) => ["mcp-running"];
    ingress_ended_by_a_signal at AT, |story| story.call(INGRESS).exit = None => ["ingress-healthy", "ca-ready"];
    privilege_and_yet_exit_1 at AT, |story| story.call(PRIVILEGE).exit = Some(1) => ["containerd-access"];
    projects_never_asked at AT, |story| {
        story.record.calls.remove("projects-before");
        story.record.calls.remove("projects-after");
    } => ["projects-before", "projects-after"];
    projects_and_yet_exit_1 at AT, |story| story.call("projects-after").exit = Some(1) => ["projects-after"];
    no_list_of_projects at AT, |story| *story.at("projects-before", "") = json!({}) => ["projects-before"];
    a_project_without_a_name at AT, |story| *story.at("projects-before", "/projects") = json!([{ "mode": "lazy" }]) =>
        ["projects-before"];
    cleanup_never_asked at AT, |story| drop(story.record.calls.remove("cleanup")) => ["cleanup-dry-run"];
    cleanup_for_real at AT, |story| *story.at("cleanup", "/execute") = json!(true) => ["cleanup-dry-run"];
    cleanup_not_ok at AT, |story| *story.at("cleanup", "/ok") = json!(false) => ["cleanup-dry-run"];
    projects_in_use at AT, |story| *story.seen("projects-unused", "/3/namespace") = json!(true) =>
        ["projects-unused"];
    project_folder_in_use at AT, |story| *story.seen("projects-unused", "/0/folder") = json!(true) =>
        ["projects-unused"];
    no_project_looked_for at AT, |story| *story.seen("projects-unused", "") = json!([]) => ["projects-unused"];
    projects_never_looked_for at AT, |story| drop(story.record.observations.remove("projects-unused")) =>
        ["projects-unused"];
    projects_not_to_be_seen at AT, |story| story.unseen("projects-unused") => ["projects-unused"];
    names_too_long at AT, |story| *story.seen("name-budget", "/2/project") = json!("k1spv103000") => ["name-budget"];
    no_name_measured at AT, |story| *story.seen("name-budget", "") = json!([]) => ["name-budget"];
    names_never_measured at AT, |story| drop(story.record.observations.remove("name-budget")) => ["name-budget"];
}
