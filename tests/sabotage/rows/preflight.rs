//! Breaks of the daemon, its ingress and containerd, before the harness asks for them.

use k1s_profile_gates::plan::Gate;

const AT: Gate = Gate::Preflight;

rows! {
    port_taken at AT, of "host", r#"
        before_mcp_restart() {
            leave "$python" -m http.server 8765 --bind 127.0.0.1
            sleep 1
        }"# => [
        ("mcp-running", "MCP_PORT_IN_USE"), ("ingress-healthy", "HTTPS running false"),
        ("ca-ready", "ready false"),
    ];
    daemon_killed at AT, of "WorkerBee", r"after_mcp_restart() { pkill -9 -f 'workerbee.* mcp'; sleep 1; }" =>
        [("mcp-running", "running false")];
    ingress_killed at AT, of "WorkerBee", "after_mcp_restart() { pkill -9 -x caddy; sleep 1; }" =>
        [("mcp-running", "HTTPS running false"), ("ingress-healthy", "HTTPS running false")];
    ca_removed at AT, of "WorkerBee", r#"after_mcp_restart() { rm -f "$state_root"/global/caddy-local-root.crt; }"# =>
        [
        ("mcp-running", "TLS verified false"), ("ca-ready", "ready false"), ("ingress-healthy", "TLS verified false"),
    ];
    another_runtime at AT, of "WorkerBee", r#"print_mcp_status() { edit 'it["runtime"] = "docker"'; }"# =>
        [("runtime-containerd", "the runtime is docker")];
    containerd_out_of_reach at AT, of "stack", r#"before_privilege() { rm -f "$WORKERBEE_CONTAINERD_ADDRESS"; }"# =>
        [("containerd-access", "direct access false"), ("cleanup-dry-run", "containerd.sock")];
    name_too_long at AT, of "host", with &[("WB_PROJECT_BASE", "k1spv103000")], "" =>
        [("name-budget", "has 12 characters of 8")];
}
