//! Breaks between a gate and the MCP server, and of the server itself: a proxy in its place that changes what it says.

use k1s_profile_gates::plan::Gate;

use super::THROUGH_MCP;

const LIST: Gate = Gate::Inventory;

rows! {
    ok_around_data_that_is_not at LIST, of "WorkerBee", with &[THROUGH_MCP], r#"
        print_mcp_status() { through_a_proxy 'of("profile_list")["structuredContent"]["data"]["ok"] = False; agree()'; }"# =>
        [("ok", "of the data \"ok\": false"), ("snapshot", "not compared")];
    an_error_around_all_that_is_ok at LIST, of "WorkerBee", with &[THROUGH_MCP], r#"
        print_mcp_status() { through_a_proxy 'of("profile_list")["isError"] = True'; }"# =>
        [("ok", "isError true")];
    text_and_structure_disagree at LIST, of "WorkerBee", with &[THROUGH_MCP], r#"
        print_mcp_status() { through_a_proxy 'of("profile_list")["structuredContent"]["data"]["ok"] = False'; }"# => [
        ("ok", "first at `/data/ok`"), ("runtime-containerd", "text and structured content disagree"),
        ("no-host-processes", "disagree"), ("expected-profiles", "disagree"), ("snapshot", "disagree"),
    ];
    tool_missing at LIST, of "WorkerBee", with &[THROUGH_MCP], r#"
        print_mcp_status() {
            through_a_proxy 'tools()[:] = [one for one in tools() if one["name"] != "workerbee_v1_profile_list"]'
        }"# => [
        ("agent::tools", "no tool workerbee_v1_profile_list"), ("ok", "drift: the tool is gone"),
        ("runtime-containerd", "drift"), ("no-host-processes", "drift"), ("expected-profiles", "drift"),
        ("snapshot", "drift"),
    ];
    parameter_missing at LIST, of "WorkerBee", with &[THROUGH_MCP], r#"
        print_mcp_status() {
            through_a_proxy '[one["inputSchema"]["properties"].pop("target", None) for one in tools()]'
        }"# => [("agent::tools", "no parameter `target`")];
    server_elsewhere at LIST, of "WorkerBee", with &[THROUGH_MCP], r#"
        print_mcp_status() { edit 'it["mcp_url"] = "http://127.0.0.1:9/mcp"'; }"# => [
        ("agent::tools", "no MCP server says which tools"), ("ok", "no MCP server answers"), ("runtime-containerd", "127.0.0.1:9"),
        ("no-host-processes", "127.0.0.1:9"), ("expected-profiles", "127.0.0.1:9"), ("snapshot", "127.0.0.1:9"),
    ];
    a_hang_of_the_server at LIST, of "WorkerBee", with &[THROUGH_MCP, ("K1S_GATES_QUERY_TIMEOUT", "3")], r#"
        print_mcp_status() { through_a_proxy 'called("profile_list") and time.sleep(1000)'; }"# => [
        ("ok", "it did not end in time"), ("runtime-containerd", "no answer within 3 s; last words: no container yet"),
        ("no-host-processes", "no answer within 3 s"), ("expected-profiles", "no answer within 3 s"),
        ("snapshot", "no answer within 3 s"),
    ];
    daemon_killed_under_the_call at LIST, of "WorkerBee", with &[THROUGH_MCP], r#"
        print_mcp_status() {
            through_a_proxy 'called("profile_list") and (os.system("pkill -9 -f [w]orkerbee.*mcp.serve"), os._exit(1))'
        }"# => [
        ("ok", "the daemon went away"), ("runtime-containerd", "last seen"), ("no-host-processes", "went away"),
        ("expected-profiles", "went away"), ("snapshot", "went away"),
    ];
}
