//! Lies of the MCP server: what its results can say of a call beside its answer, and what agents alone ask.

use k1s_profile_gates::evidence::McpProblem;
use k1s_profile_gates::evidence::call::CallProblem;
use k1s_profile_gates::plan::{Gate, Transports};
use serde_json::json;

use super::{PROFILES, SOPS_REQUIRED, STARTUPS, WORKLOADS};

const INVENTORY: &[Gate] = &[Gate::Inventory];
const LIST: &str = "profile-list";
const EVERYWHERE: &[Gate] = &Gate::ALL;

lies! { by Transports::Mcp;
    ok_around_data_that_is_not at INVENTORY, |story| *story.at(LIST, "/ok") = json!(false) => ["ok"];
    not_ok_around_data_that_is at INVENTORY, |story| {
        story.results.insert(LIST, |result| result["structuredContent"]["ok"] = json!(false));
    } => ["ok"];
    an_error_around_all_that_is_ok at INVENTORY, |story| {
        story.results.insert(LIST, |result| result["isError"] = json!(true));
    } => ["ok"];
    no_data at INVENTORY, |story| {
        story.results.insert(LIST, |result| drop(result["structuredContent"].as_object_mut().unwrap().remove("data")));
    } => ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    error_instead_through_mcp at INVENTORY, |story| story.refused(LIST, SOPS_REQUIRED) =>
        ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    text_and_structure_disagree at INVENTORY, |story| {
        story.call(LIST).problem = Some(CallProblem::Mcp { problem: McpProblem::Disagree {
            at: "/ok".into(),
            text: "true".into(),
            structured: "false".into(),
        } });
    } => ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    daemon_gone at STARTUPS, |story| {
        story.call("validate").problem = Some(CallProblem::Mcp { problem: McpProblem::DaemonGone {
            tool: "workerbee_v1_profile_validate".into(),
            error: "connection closed before message completed".into(),
            last: "etcd RUNNING".into(),
        } });
    } => [
        "ok", "profile-start", "components-running", "containerized-components", "ha-leader-observed",
        "no-unknown-checks", "components", "component-ids", "routes",
    ];
    tool_missing at EVERYWHERE, |story| {
        story.items_seen("mcp-tools").retain(|tool| tool["name"] != "workerbee_v1_profile_validate");
    } => ["agent::tools"];
    parameter_missing at EVERYWHERE, |story| {
        for tool in story.items_seen("mcp-tools") {
            tool["inputSchema"]["properties"].as_object_mut().unwrap().remove("k1s_root");
        }
    } => ["agent::tools"];
    parameter_required at EVERYWHERE, |story| {
        for tool in story.items_seen("mcp-tools") {
            tool["inputSchema"]["required"] = json!(["reason"]);
        }
    } => ["agent::tools"];
    no_tools at EVERYWHERE, |story| story.items_seen("mcp-tools").clear() => ["agent::tools"];
    tools_never_listed at EVERYWHERE, |story| drop(story.record.observations.remove("mcp-tools")) => ["agent::tools"];
    session_of_another_project at PROFILES, |story| {
        *story.at("session-start", "/project") = json!("k1s-main-0a1b2c3d4e");
    } => ["agent::session"];
    session_refused at PROFILES, |story| story.refused("session-start", SOPS_REQUIRED) => ["agent::session"];
    probe_not_ok at PROFILES, |story| *story.at("ingress-probe", "/ok") = json!(false) => ["agent::ingress-probe"];
    probe_never_made at PROFILES, |story| drop(story.record.calls.remove("ingress-probe")) =>
        ["agent::ingress-probe"];
    probe_of_a_bad_gateway at PROFILES, |story| *story.at("ingress-probe", "/status") = json!(502) =>
        ["agent::ingress-probe"];
    probe_without_verified_tls at PROFILES, |story| *story.at("ingress-probe", "/tls_verified") = json!(false) =>
        ["agent::ingress-probe"];
    probe_of_another_project at PROFILES, |story| {
        *story.at("ingress-probe", "") = json!({
            "ok": true, "status": 200, "tls_verified": true, "url": "https://k1s.other.workerbee.localhost:19444/health",
        });
    } => ["agent::own-project"];
    logs_empty at WORKLOADS, |story| *story.at("logs", "/logs") = json!([]) => ["agent::logs"];
    logs_not_found at WORKLOADS, |story| *story.at("logs", "/logs/0/status") = json!(404) => ["agent::logs"];
    no_logs at WORKLOADS, |story| *story.at("logs", "/ok") = json!(false) => ["agent::logs"];
    workload_status_not_ok at WORKLOADS, |story| *story.at("workload-status", "/ok") = json!(false) =>
        ["agent::workload-status"];
}
