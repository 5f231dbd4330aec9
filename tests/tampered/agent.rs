//! Lies of the MCP server: what its results can say of a call beside its answer, and what agents alone ask.

use k1s_profile_gates::evidence::McpProblem;
use k1s_profile_gates::evidence::call::CallProblem;
use k1s_profile_gates::plan::{Gate, Transports};
use serde_json::json;

use super::{PROFILES, SOPS_REQUIRED, STARTUPS, WORKLOADS};

const INVENTORY: &[Gate] = &[Gate::Inventory];
const LIST: &str = "profile-list";
const EVERYWHERE: &[Gate] = &Gate::ALL;

tampered! { by Transports::Mcp;
    ok_around_data_that_is_not at INVENTORY, |fixture| *fixture.at(LIST, "/ok") = json!(false) => ["ok"];
    not_ok_around_data_that_is at INVENTORY, |fixture| {
        fixture.results.insert(LIST, |result| result["structuredContent"]["ok"] = json!(false));
    } => ["ok"];
    an_error_around_all_that_is_ok at INVENTORY, |fixture| {
        fixture.results.insert(LIST, |result| result["isError"] = json!(true));
    } => ["ok"];
    no_data at INVENTORY, |fixture| {
        fixture.results.insert(LIST, |result| drop(result["structuredContent"].as_object_mut().unwrap().remove("data")));
    } => ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    error_instead_through_mcp at INVENTORY, |fixture| fixture.refused(LIST, SOPS_REQUIRED) =>
        ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    text_and_structure_disagree at INVENTORY, |fixture| {
        fixture.call(LIST).problem = Some(CallProblem::Mcp { problem: McpProblem::Disagree {
            at: "/ok".into(),
            text: "true".into(),
            structured: "false".into(),
        } });
    } => ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    daemon_gone at STARTUPS, |fixture| {
        fixture.call("validate").problem = Some(CallProblem::Mcp { problem: McpProblem::DaemonGone {
            tool: "workerbee_v1_profile_validate".into(),
            error: "connection closed before message completed".into(),
            last: "etcd RUNNING".into(),
        } });
    } => [
        "ok", "profile-start", "components-running", "containerized-components", "ha-leader-observed",
        "no-unknown-checks", "components", "component-ids", "routes",
    ];
    tool_missing at EVERYWHERE, |fixture| {
        fixture.items_seen("mcp-tools").retain(|tool| tool["name"] != "workerbee_v1_profile_validate");
    } => ["agent::tools"];
    parameter_missing at EVERYWHERE, |fixture| {
        for tool in fixture.items_seen("mcp-tools") {
            tool["inputSchema"]["properties"].as_object_mut().unwrap().remove("k1s_root");
        }
    } => ["agent::tools"];
    parameter_required at EVERYWHERE, |fixture| {
        for tool in fixture.items_seen("mcp-tools") {
            tool["inputSchema"]["required"] = json!(["reason"]);
        }
    } => ["agent::tools"];
    no_tools at EVERYWHERE, |fixture| fixture.items_seen("mcp-tools").clear() => ["agent::tools"];
    tools_never_listed at EVERYWHERE, |fixture| drop(fixture.record.observations.remove("mcp-tools")) => ["agent::tools"];
    session_of_another_project at PROFILES, |fixture| {
        *fixture.at("session-start", "/project") = json!("k1s-main-0a1b2c3d4e");
    } => ["agent::session", "agent::own-project"];
    result_for_another_project at PROFILES, |fixture| {
        fixture.results.insert("profile-stop", |result| result["structuredContent"]["project"] = json!("other"));
    } => ["own-project"];
    an_error_beside_what_is_ok at PROFILES, |fixture| {
        fixture.results.insert("profile-purge", |result| {
            result["structuredContent"]["error"] = json!({ "code": "CLI_ERROR", "message": "no such container" });
        });
    } => ["cleanup::profile-purge"];
    daemon_not_asked_before_the_list at INVENTORY, |fixture| drop(fixture.record.calls.remove("mcp-status-before")) =>
        ["agent::mcp-daemon-before"];
    daemon_of_the_list_on_another_runtime at INVENTORY, |fixture| {
        *fixture.at("mcp-status-after", "/runtime") = json!("docker");
    } => ["agent::mcp-daemon-before"];
    session_refused at PROFILES, |fixture| fixture.refused("session-start", SOPS_REQUIRED) => ["agent::session"];
    probe_not_ok at PROFILES, |fixture| *fixture.at("ingress-probe", "/ok") = json!(false) => ["agent::ingress-probe"];
    probe_never_made at PROFILES, |fixture| drop(fixture.record.calls.remove("ingress-probe")) =>
        ["agent::ingress-probe"];
    probe_of_a_bad_gateway at PROFILES, |fixture| *fixture.at("ingress-probe", "/status") = json!(502) =>
        ["agent::ingress-probe"];
    probe_without_verified_tls at PROFILES, |fixture| *fixture.at("ingress-probe", "/tls_verified") = json!(false) =>
        ["agent::ingress-probe"];
    probe_of_another_project at PROFILES, |fixture| {
        *fixture.at("ingress-probe", "") = json!({
            "ok": true, "project": "demo", "status": 200, "tls_verified": true,
            "url": "https://k1s.other.workerbee.localhost:19444/health",
        });
    } => ["agent::own-project"];
    probe_over_plain_http at PROFILES, |fixture| {
        *fixture.at("ingress-probe", "/url") = json!("http://k1s.demo.workerbee.localhost:19080/health");
    } => ["agent::ingress-probe"];
    probe_of_no_project at PROFILES, |fixture| *fixture.at("ingress-probe", "/project") = json!(null) =>
        ["agent::own-project"];
    session_of_a_made_up_project at PROFILES, |fixture| {
        *fixture.at("session-start", "/explicit_project") = json!(false);
    } => ["agent::session"];
    logs_of_another_app at WORKLOADS, |fixture| *fixture.at("logs", "/app") = json!("frontend") => ["agent::logs"];
    logs_without_a_text at WORKLOADS, |fixture| *fixture.at("logs", "/logs/0/text") = json!(null) => ["agent::logs"];
    logs_of_another_pod at WORKLOADS, |fixture| *fixture.at("logs", "/logs/0/pod") = json!("other--backend-rev1-0") =>
        ["agent::logs"];
    logs_empty at WORKLOADS, |fixture| *fixture.at("logs", "/logs") = json!([]) => ["agent::logs"];
    logs_not_found at WORKLOADS, |fixture| *fixture.at("logs", "/logs/0/status") = json!(404) => ["agent::logs"];
    logs_of_another_project at WORKLOADS, |fixture| fixture.at("logs", "")["project"] = json!("other") =>
        ["agent::own-project"];
    workload_status_without_pods at WORKLOADS, |fixture| {
        *fixture.at("workload-status", "/resources/pods/count") = json!(0);
    } => ["agent::workload-status"];
    workload_status_500 at WORKLOADS, |fixture| {
        *fixture.at("workload-status", "/resources/services/status") = json!(500);
    } => ["agent::workload-status"];
    no_logs at WORKLOADS, |fixture| *fixture.at("logs", "/ok") = json!(false) => ["agent::logs"];
    workload_status_not_ok at WORKLOADS, |fixture| *fixture.at("workload-status", "/ok") = json!(false) =>
        ["agent::workload-status"];
}
