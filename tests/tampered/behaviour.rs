//! Lies about what k1s does when it is asked: controllers, refusals, answers, objects, roles, logs.

use k1s_profile_gates::plan::{Gate, Profile};
use serde_json::{Value, json};

use super::{PROFILES, WORKLOADS};

const HA: &[Gate] = &[Gate::Startup(Profile::HaMin), Gate::Workload(Profile::HaMin)];
const SINGLE: &[Gate] = &[
    Gate::Startup(Profile::DevMinSqlite),
    Gate::Startup(Profile::DevEtcdLabs),
    Gate::Startup(Profile::SingleEtcdContainerd),
    Gate::Workload(Profile::SingleEtcdContainerd),
];

const SINGLE_WORKLOAD: &[Gate] = &[Gate::Workload(Profile::SingleEtcdContainerd)];

const STREAMS: &str = "streams";
const NODES: &str = "nodes";
const CONTROLLERS: &str = "controllers";
const REFUSALS: &str = "refusals";
const ANSWERS: &str = "answers";
const OBJECTS: &str = "objects";
const RBAC: &str = "rbac";
const LOGS: &str = "logs";

/// The one of a list whose member has that value.
fn one<'a>(list: &'a mut Value, member: &str, value: &str) -> &'a mut Value {
    list.as_array_mut().unwrap().iter_mut().find(|one| one[member] == value).unwrap()
}

tampered! {
    two_lead at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/1/last/Ok/leads") = json!(true);
    } => ["attest::authority", "attest::loop"];
    nobody_says_that_it_leads at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/0/last/Ok/leads") = json!(false);
    } => ["attest::authority", "attest::loop"];
    another_leader_named at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/2/last/Ok/leader") = json!("k1s-ha-min-controller-1");
    } => ["attest::authority"];
    a_member_not_heard_of at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/0/last/Ok/members/2/freshness") = json!("stale");
    } => ["attest::authority"];
    a_follower_takes_a_change at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/1/refusal/status") = json!(500);
    } => ["attest::authority"];
    a_follower_refuses_otherwise at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/1/refusal/error") = json!("resource_version_conflict");
    } => ["attest::authority"];
    a_refusal_that_names_nobody at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/2/refusal/leader") = Value::Null;
    } => ["attest::authority"];
    the_leader_refuses at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/0/refusal") =
            json!({ "status": 409, "error": "not_leader", "leader": "k1s-ha-min-controller-0" });
    } => ["attest::authority"];
    a_controller_without_an_account at HA, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/2/last") = json!({ "Err": "/system answers 500" });
    } => ["attest::authority", "attest::loop"];
    loop_never_turned at PROFILES, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/0/last/Ok/turned") = json!(0.0);
    } => ["attest::loop"];
    loop_turned_once at PROFILES, |fixture| {
        let first = fixture.seen(CONTROLLERS, "/controllers/0/first/Ok/turned").clone();
        *fixture.seen(CONTROLLERS, "/controllers/0/last/Ok/turned") = first;
    } => ["attest::loop"];
    loop_over_no_app at WORKLOADS, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/0/last/Ok/apps") = json!([]);
    } => ["attest::loop"];
    loop_without_one_app at WORKLOADS, |fixture| {
        *fixture.seen(CONTROLLERS, "/controllers/0/last/Ok/apps/0/times") = json!(0);
    } => ["attest::loop"];
    a_stale_node at PROFILES, |fixture| *fixture.seen(CONTROLLERS, "/stale_nodes") = json!(["core"]) => ["attest::loop"];
    no_controllers_asked at HA, |fixture| *fixture.seen(CONTROLLERS, "/controllers") = json!([]) =>
        ["attest::authority", "attest::loop"];
    controllers_not_to_be_seen at PROFILES, |fixture| fixture.unseen(CONTROLLERS) => ["attest::authority", "attest::loop"];
    lease_never_renewed at HA, |fixture| *fixture.seen("leadership", "/lease/renewed") = json!([]) =>
        ["attest::lease-renewal"];
    lease_of_minutes at HA, |fixture| *fixture.seen("leadership", "/lease/granted") = json!(150) =>
        ["attest::lease-renewal"];

    a_log_of_nothing at WORKLOADS, |fixture| *fixture.seen(STREAMS, "/log/stdout") = json!(false) => ["attest::streams"];
    a_log_refused at WORKLOADS, |fixture| *fixture.seen(STREAMS, "/log/status") = json!(403) => ["attest::streams"];
    a_log_that_is_a_page at WORKLOADS, |fixture| *fixture.seen(STREAMS, "/log/content_type") = json!("text/html") =>
        ["attest::streams"];
    a_port_of_another at WORKLOADS, |fixture| {
        *fixture.seen(STREAMS, "/forward/opened/1/Ok") = json!("HTTP/1.0 502 Bad Gateway");
    } => ["attest::streams"];
    no_port_forwarded at WORKLOADS, |fixture| {
        *fixture.seen(STREAMS, "/forward") = json!({ "refused": [403, "forbidden"] });
    } => ["attest::streams"];
    another_word_printed at WORKLOADS, |fixture| {
        *fixture.seen(STREAMS, "/exec") = json!({ "opened": ["HTTP/1.1", { "Ok": "another word" }] });
    } => ["attest::streams"];
    no_command_let_in at WORKLOADS, |fixture| {
        *fixture.seen(STREAMS, "/exec") = json!({ "refused": [403, "forbidden"] });
    } => ["attest::streams"];
    no_answer_to_a_command at WORKLOADS, |fixture| {
        *fixture.seen(STREAMS, "/exec") = json!({ "refused": [null, "Connection refused (os error 111)"] });
    } => ["attest::streams"];
    a_port_that_says_nothing at WORKLOADS, |fixture| {
        *fixture.seen(STREAMS, "/forward/opened/1") = json!({ "Err": "nothing within 30 s" });
    } => ["attest::streams"];
    streams_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen(STREAMS) => ["attest::streams"];

    a_node_without_a_heartbeat at SINGLE_WORKLOAD, |fixture| *fixture.seen(NODES, "/nodes/0/stale") = json!(true) =>
        ["attest::nodes"];
    a_node_never_heard_of at SINGLE_WORKLOAD, |fixture| *fixture.seen(NODES, "/nodes/0/seen_at") = json!(null) =>
        ["attest::nodes"];
    a_node_that_is_not_ready at SINGLE_WORKLOAD, |fixture| *fixture.seen(NODES, "/nodes/0/status") = json!("Unknown") =>
        ["attest::nodes"];
    no_nodes at SINGLE_WORKLOAD, |fixture| *fixture.seen(NODES, "/nodes") = json!([]) => ["attest::nodes"];
    nodes_refused at SINGLE_WORKLOAD, |fixture| *fixture.seen(NODES, "/status") = json!(403) => ["attest::nodes"];
    nodes_not_to_be_seen at SINGLE_WORKLOAD, |fixture| fixture.unseen(NODES) => ["attest::nodes"];

    delete_let_through at PROFILES, |fixture| {
        one(fixture.seen(REFUSALS, "/changes"), "method", "DELETE")["status"] = json!(404);
    } => ["attest::refusals"];
    apply_let_through at PROFILES, |fixture| {
        one(fixture.seen(REFUSALS, "/changes"), "path", "/apply")["status"] = json!(400);
    } => ["attest::refusals"];
    scale_not_answered at PROFILES, |fixture| {
        one(fixture.seen(REFUSALS, "/changes"), "path", "/scale/gates-nobody")["status"] = Value::Null;
    } => ["attest::refusals"];
    playground_open at HA, |fixture| {
        one(fixture.seen(REFUSALS, "/changes"), "path", "/labs/plan")["status"] = json!(200);
    } => ["attest::refusals"];
    known_of_another_release at PROFILES, |fixture| *fixture.seen(REFUSALS, "/release/version") = json!("0.1.8") =>
        ["attest::refusals"];
    no_manifest_applied at PROFILES, |fixture| *fixture.seen(REFUSALS, "/manifests") = json!([]) => ["attest::refusals"];
    manifest_taken at PROFILES, |fixture| *fixture.seen(REFUSALS, "/manifests/2/status") = json!(200) =>
        ["attest::refusals"];
    nothing_asked_of_the_shim at PROFILES, |fixture| {
        fixture.seen(REFUSALS, "/changes").as_array_mut().unwrap().retain(|one| one["server"] != "apishim");
    } => ["attest::refusals"];
    refusals_not_to_be_seen at PROFILES, |fixture| fixture.unseen(REFUSALS) => ["attest::refusals"];

    json_called_text at PROFILES, |fixture| {
        one(fixture.seen(ANSWERS, "/answers"), "path", "/version")["content_type"] = json!("text/plain");
    } => ["attest::answers"];
    list_of_no_kind at PROFILES, |fixture| {
        one(fixture.seen(ANSWERS, "/answers"), "path", "/api/v1/configmaps")["unfit"] = json!("its kind is no List");
    } => ["attest::answers"];
    another_release_built at PROFILES, |fixture| {
        one(fixture.seen(ANSWERS, "/answers"), "path", "/__ae/version")["version"] = json!("0.1.6");
    } => ["attest::answers"];
    token_for_everybody at PROFILES, |fixture| {
        one(fixture.seen(ANSWERS, "/answers"), "path", "/system")["tokens"] = json!(["admin"]);
    } => ["attest::answers"];
    error_without_a_status at PROFILES, |fixture| {
        one(fixture.seen(ANSWERS, "/answers"), "shape", "error")["status"] = json!(200);
    } => ["attest::answers"];
    metrics_not_asked_for at PROFILES, |fixture| {
        fixture.seen(ANSWERS, "/answers").as_array_mut().unwrap().retain(|one| one["path"] != "/metrics");
    } => ["attest::answers"];
    answers_not_to_be_seen at PROFILES, |fixture| fixture.unseen(ANSWERS) => ["attest::answers"];

    object_not_created at PROFILES, |fixture| *fixture.seen(OBJECTS, "/steps/0/status") = json!(500) =>
        ["attest::objects"];
    patch_that_replaces at PROFILES, |fixture| {
        one(fixture.seen(OBJECTS, "/steps"), "what", "patch one")["data"] = json!({ "a": "3" });
    } => ["attest::objects"];
    list_of_all_without_one at PROFILES, |fixture| {
        one(fixture.seen(OBJECTS, "/steps"), "what", "list all namespaces")["names"] = json!(["one"]);
    } => ["attest::objects"];
    list_of_the_neighbours at SINGLE, |fixture| {
        one(fixture.seen(OBJECTS, "/steps"), "what", "list")["names"] = json!(["one", "two", "three"]);
    } => ["attest::objects"];
    version_that_stands_still at PROFILES, |fixture| {
        let version = one(fixture.seen(OBJECTS, "/steps"), "what", "create one")["version"].clone();
        one(fixture.seen(OBJECTS, "/steps"), "what", "create two")["version"] = version;
    } => ["attest::objects"];
    list_older_than_its_items at PROFILES, |fixture| {
        one(fixture.seen(OBJECTS, "/steps"), "what", "list all namespaces")["version"] = json!(0);
    } => ["attest::objects"];
    object_without_a_version at PROFILES, |fixture| {
        one(fixture.seen(OBJECTS, "/steps"), "what", "read one")["version"] = Value::Null;
    } => ["attest::objects"];
    watch_without_the_end at SINGLE, |fixture| {
        fixture.seen(OBJECTS, "/told").as_array_mut().unwrap().retain(|told| told != "DELETED one");
    } => ["attest::objects"];
    watch_of_the_neighbours at SINGLE, |fixture| {
        fixture.seen(OBJECTS, "/told").as_array_mut().unwrap().push(json!("ADDED three"));
    } => ["attest::objects"];
    a_step_left_out at PROFILES, |fixture| drop(fixture.seen(OBJECTS, "/steps").as_array_mut().unwrap().pop()) =>
        ["attest::objects"];
    objects_not_to_be_seen at PROFILES, |fixture| fixture.unseen(OBJECTS) => ["attest::objects"];

    role_of_another_namespace at PROFILES, |fixture| {
        one(fixture.seen(RBAC, "/asked"), "what", "list the same in another namespace")["status"] = json!(200);
    } => ["attest::rbac"];
    role_that_opens_nothing at PROFILES, |fixture| {
        one(fixture.seen(RBAC, "/asked"), "what", "list what the role names")["status"] = json!(403);
    } => ["attest::rbac"];
    account_not_deleted at PROFILES, |fixture| *fixture.seen(RBAC, "/deleted/0/1") = json!(500) => ["attest::rbac"];
    account_without_a_token at PROFILES, |fixture| *fixture.seen(RBAC, "/token") = json!(false) => ["attest::rbac"];
    nothing_asked_by_the_account at PROFILES, |fixture| *fixture.seen(RBAC, "/asked") = json!([]) => ["attest::rbac"];
    rbac_not_to_be_seen at PROFILES, |fixture| fixture.unseen(RBAC) => ["attest::rbac"];

    token_in_a_log at PROFILES, |fixture| *fixture.seen(LOGS, "/logs/0/tokens") = json!(["admin"]) =>
        ["attest::logs"];
    log_missing at PROFILES, |fixture| drop(fixture.seen(LOGS, "/logs").as_array_mut().unwrap().remove(0)) =>
        ["attest::logs"];
    log_unread at PROFILES, |fixture| {
        *fixture.seen(LOGS, "/logs/1/unread") = json!("Input/output error (os error 5)");
    } => ["attest::logs"];
    logs_not_to_be_seen at PROFILES, |fixture| fixture.unseen(LOGS) => ["attest::logs"];

    another_user at WORKLOADS, |fixture| *fixture.seen("websocket-echo", "/process/Ok/user") = json!(0) =>
        ["attest::confinement"];
    all_capabilities at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/process/Ok/capabilities") = json!("00000000a80425fb");
    } => ["attest::confinement"];
    root_that_can_be_written at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/process/Ok/root") = json!("rw,relatime");
    } => ["attest::confinement"];
    no_limit_of_memory at WORKLOADS, |fixture| *fixture.seen("websocket-echo", "/process/Ok/memory") = json!("max") =>
        ["attest::confinement"];
    environment_lost at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/process/Ok/environment") = Value::Null;
    } => ["attest::confinement"];
    process_not_asked at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/process") = json!({ "Err": "no answer within 10 s" });
    } => ["attest::confinement"];
    ingress_without_upgrades at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/talk") = json!({ "Err": "HTTP error: 200 OK" });
        fixture.seen("websocket-echo", "").as_object_mut().unwrap().insert("directly".into(), json!({ "Ok": null }));
    } => ["attest::websocket-echo"];
}
