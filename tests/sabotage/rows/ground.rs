//! The ground goes away under a gate: containerd, the MCP daemon, the ingress.

use k1s_profile_gates::plan::{Gate, Profile};

const SQLITE: Gate = Gate::Startup(Profile::DevMinSqlite);

rows! {
    containerd_killed at SQLITE, r#"
        after_validate() { kill -9 $(pidof containerd); sleep 1; }"# => [("attest::containers", "containerd")];
    containerd_killed_before at SQLITE, r#"
        before_validate() { kill -9 $(pidof containerd); sleep 1; }"# => [("ok", "")];
    mcp_daemon_killed at SQLITE, r#"
        after_validate() {
            daemon=$("$real" mcp status | "$python" -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
            kill -9 "$daemon"; sleep 1
        }"# => [("attest::routes", "")];
    ingress_killed at SQLITE, r#"
        after_validate() {
            "$WORKERBEE_NERDCTL_BIN" --namespace "${namespace%"$project"}system" kill \
                $("$WORKERBEE_NERDCTL_BIN" --namespace "${namespace%"$project"}system" ps --quiet)
            sleep 1
        }"# => [("attest::routes", "")];
}
