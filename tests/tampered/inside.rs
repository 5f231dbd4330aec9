//! Lies about the profile itself, in what the harness saw of it while it was alive.

use k1s_profile_gates::plan::{Gate, Profile};
use serde_json::{Value, json};

use super::PROFILES;

const HA: &[Gate] = &[Gate::Startup(Profile::HaMin), Gate::Workload(Profile::HaMin)];
const HA_WORKLOAD: &[Gate] = &[Gate::Workload(Profile::HaMin)];
const ETCD: &[Gate] = &[
    Gate::Startup(Profile::DevEtcdLabs),
    Gate::Startup(Profile::SingleEtcdContainerd),
    Gate::Startup(Profile::HaMin),
    Gate::Workload(Profile::SingleEtcdContainerd),
    Gate::Workload(Profile::HaMin),
];
const SQLITE: &[Gate] = &[Gate::Startup(Profile::DevMinSqlite)];

const CONTAINERS: &str = "containers";
const PROCESSES: &str = "host-processes";
const READINESS: &str = "readiness";
const LEADER: &str = "leader";
const LEADERSHIP: &str = "leadership";
const STATE: &str = "state-backend";
const VERSIONS: &str = "versions";
const EXITS: &str = "component-exits";

/// The end of a controller, as containerd told it.
fn exit(status: u32, out_of_memory: bool) -> Value {
    json!({
        "component": "controller-0", "container": "0".repeat(64), "status": status, "at": "2026-01-01T00:00:05Z",
        "seconds": 5.0, "ran_for_seconds": 1.4, "out_of_memory": out_of_memory, "restarted": false, "removed": false
    })
}

tampered! {
    component_exited at PROFILES, |fixture| *fixture.seen(EXITS, "/exits") = json!([exit(1, false)]) =>
        ["attest::component-exits"];
    component_exited_with_0 at PROFILES, |fixture| *fixture.seen(EXITS, "/exits") = json!([exit(0, false)]) =>
        ["attest::component-exits"];
    component_out_of_memory at PROFILES, |fixture| *fixture.seen(EXITS, "/exits") = json!([exit(137, true)]) =>
        ["attest::component-exits"];
    component_restarted_unnoticed at PROFILES, |fixture| {
        *fixture.seen(EXITS, "/exits") = json!([exit(1, false)]);
        *fixture.seen(EXITS, "/exits/0/restarted") = json!(true);
    } => ["attest::component-exits"];
    events_not_followed at PROFILES, |fixture| *fixture.seen(EXITS, "/problem") = json!("transport error") =>
        ["attest::component-exits"];
    no_start_was_seen at PROFILES, |fixture| *fixture.seen(EXITS, "/started") = json!([]) => ["attest::component-exits"];
    exits_not_observed at PROFILES, |fixture| fixture.unseen(EXITS) => ["attest::component-exits"];
    another_version_told at PROFILES, |fixture| {
        *fixture.seen(VERSIONS, "/programs/0/said/Ok") = json!("v2.6.2");
        *fixture.seen(VERSIONS, "/programs/0/version") = json!("2.6.2");
    } => ["attest::versions"];
    another_version_recorded at PROFILES, |fixture| {
        *fixture.seen(VERSIONS, "/programs/1/recorded/version") = json!("3.4.23");
    } => ["attest::versions"];
    image_called_otherwise at PROFILES, |fixture| {
        *fixture.seen(VERSIONS, "/programs/0/image/name") = json!("docker.io/library/caddy:2.9");
    } => ["attest::versions"];
    tag_moved at PROFILES, |fixture| {
        *fixture.seen(VERSIONS, "/programs/0/image/id") = json!(format!("sha256:{}", "0".repeat(64)));
    } => ["attest::versions"];
    version_refused at PROFILES, |fixture| {
        *fixture.seen(VERSIONS, "/programs/0/said") = json!({ "Err": "it ended with 1: unknown command" });
        *fixture.seen(VERSIONS, "/programs/0/version") = Value::Null;
    } => ["attest::versions"];
    no_version_in_what_is_said at PROFILES, |fixture| {
        *fixture.seen(VERSIONS, "/programs/0/said/Ok") = json!("unknown");
        *fixture.seen(VERSIONS, "/programs/0/version") = Value::Null;
    } => ["attest::versions"];
    version_not_what_was_said at PROFILES, |fixture| {
        *fixture.seen(VERSIONS, "/programs/0/said/Ok") = json!("v2.6.2");
    } => ["attest::versions"];
    program_not_asked at PROFILES, |fixture| drop(fixture.seen(VERSIONS, "/programs").as_array_mut().unwrap().pop()) =>
        ["attest::versions"];
    no_program_asked at PROFILES, |fixture| *fixture.seen(VERSIONS, "/programs") = json!([]) => ["attest::versions"];
    k1s_of_another_version at PROFILES, |fixture| {
        let programs = fixture.seen(VERSIONS, "/programs").as_array_mut().unwrap();
        let k1s = programs.iter_mut().find(|one| one["program"] == "k1s").unwrap();
        k1s["said"] = json!({ "Ok": "0.1.6" });
        k1s["version"] = json!("0.1.6");
    } => ["attest::versions"];
    image_not_of_the_stack at PROFILES, |fixture| *fixture.seen(VERSIONS, "/programs/0/recorded") = Value::Null =>
        ["attest::versions"];
    led_at_one_moment at HA, |fixture| *fixture.seen(LEADERSHIP, "/looks") = json!(1) => ["attest::leadership"];
    image_unknown at PROFILES, |fixture| *fixture.seen(VERSIONS, "/programs/0/image") = Value::Null =>
        ["attest::versions"];
    versions_not_to_be_seen at PROFILES, |fixture| fixture.unseen(VERSIONS) => ["attest::versions"];
    no_container at PROFILES, |fixture| {
        *fixture.seen(CONTAINERS, "/components/0/container") = Value::Null;
        *fixture.seen(CONTAINERS, "/components/0/before") = Value::Null;
        *fixture.seen(CONTAINERS, "/components/0/after") = Value::Null;
    } => ["attest::containers"];
    container_not_looked_for at PROFILES, |fixture| {
        fixture.seen(CONTAINERS, "/components").as_array_mut().unwrap().pop();
    } => ["attest::containers"];
    no_containers at PROFILES, |fixture| *fixture.seen(CONTAINERS, "/components") = json!([]) => ["attest::containers"];
    another_id at PROFILES, |fixture| {
        *fixture.seen(CONTAINERS, "/components/1/reported") = json!("0".repeat(64));
    } => ["attest::containers"];
    no_id_reported at PROFILES, |fixture| *fixture.seen(CONTAINERS, "/components/1/reported") = Value::Null =>
        ["attest::containers"];
    no_label at PROFILES, |fixture| {
        let labels = fixture.seen(CONTAINERS, "/components/0/container/labels");
        labels.as_object_mut().unwrap().remove("workerbee.k1s_profile_component");
    } => ["attest::containers"];
    label_of_another_component at PROFILES, |fixture| {
        let labels = fixture.seen(CONTAINERS, "/components/0/container/labels");
        labels["workerbee.k1s_profile_component"] = json!("k1s-profile-edge");
    } => ["attest::containers"];
    label_of_another_project at PROFILES, |fixture| {
        fixture.seen(CONTAINERS, "/components/0/container/labels")["workerbee.project"] = json!("other");
    } => ["attest::containers"];
    not_managed at PROFILES, |fixture| {
        fixture.seen(CONTAINERS, "/components/0/container/labels")["workerbee.managed"] = json!("false");
    } => ["attest::containers"];
    of_another_kind at PROFILES, |fixture| {
        fixture.seen(CONTAINERS, "/components/0/container/labels")["workerbee.component"] = json!("sidecar");
    } => ["attest::containers"];
    paused at PROFILES, |fixture| *fixture.seen(CONTAINERS, "/components/0/after/status") = json!("PAUSED") =>
        ["attest::containers"];
    stopped_before_the_first_look at PROFILES, |fixture| {
        *fixture.seen(CONTAINERS, "/components/0/before/status") = json!("STOPPED");
    } => ["attest::containers"];
    nothing_runs_in_it at PROFILES, |fixture| *fixture.seen(CONTAINERS, "/components/0/after") = Value::Null =>
        ["attest::containers"];
    running_without_a_process at PROFILES, |fixture| {
        *fixture.seen(CONTAINERS, "/components/0/after/process") = Value::Null;
    } => ["attest::containers"];
    restarted at PROFILES, |fixture| *fixture.seen(CONTAINERS, "/components/0/after/process/pid") = json!(4242) =>
        ["attest::containers"];
    restarted_under_the_same_pid at PROFILES, |fixture| {
        *fixture.seen(CONTAINERS, "/components/0/after/process/started") = json!(424_242);
    } => ["attest::containers"];
    still_pip at PROFILES, |fixture| {
        *fixture.seen(CONTAINERS, "/components/1/after/process/program") = json!("sh");
        *fixture.seen(CONTAINERS, "/components/1/after/process/children") = json!(["pip"]);
    } => ["attest::containers"];
    one_too_many at PROFILES, |fixture| {
        *fixture.seen(CONTAINERS, "/others") = json!(["workerbee-0123456789ab-demo-k1s-edge-link-gateway"]);
    } => ["attest::containers"];
    containers_not_to_be_seen at PROFILES, |fixture| fixture.unseen(CONTAINERS) => ["attest::containers"];
    containers_never_looked_at at PROFILES, |fixture| drop(fixture.record.observations.remove(CONTAINERS)) =>
        ["attest::containers"];

    k1s_on_the_host at PROFILES, |fixture| {
        *fixture.seen(PROCESSES, "/outside") =
            json!([{"pid": 4242, "parent": 1, "program": "ae.controller", "cgroups": ["/"]}]);
    } => ["attest::host-processes"];
    no_process_scanned at PROFILES, |fixture| {
        *fixture.seen(PROCESSES, "") = json!({"scanned": 0, "contained": {}, "outside": [], "earlier": []});
    } => ["attest::host-processes"];
    blind_to_containers at PROFILES, |fixture| *fixture.seen(PROCESSES, "/contained") = json!({}) =>
        ["attest::host-processes"];
    processes_not_to_be_seen at PROFILES, |fixture| fixture.unseen(PROCESSES) => ["attest::host-processes"];

    last_component_not_ready at PROFILES, |fixture| {
        let last = fixture.seen(READINESS, "/components").as_array_mut().unwrap().last_mut().unwrap();
        last["status"] = json!(503);
        last["said"] = json!("{\"status\": \"starting\"}");
    } => ["attest::readiness"];
    first_component_silent at PROFILES, |fixture| {
        *fixture.seen(READINESS, "/components/0/status") = Value::Null;
        *fixture.seen(READINESS, "/components/0/said") = json!("connection refused");
    } => ["attest::readiness"];
    nats_without_an_address at HA, |fixture| {
        *fixture.seen(READINESS, "/components/1/url") = Value::Null;
        *fixture.seen(READINESS, "/components/1/status") = Value::Null;
    } => ["attest::readiness"];
    apishim_not_ready at HA, |fixture| *fixture.seen(READINESS, "/components/2/status") = json!(500) =>
        ["attest::readiness"];
    second_controller_not_ready at HA, |fixture| *fixture.seen(READINESS, "/components/4/status") = json!(500) =>
        ["attest::readiness"];
    only_the_first_asked at PROFILES, |fixture| {
        fixture.seen(READINESS, "/components").as_array_mut().unwrap().truncate(1);
    } => ["attest::readiness"];
    nobody_asked at PROFILES, |fixture| *fixture.seen(READINESS, "/components") = json!([]) => ["attest::readiness"];
    readiness_not_to_be_seen at PROFILES, |fixture| fixture.unseen(READINESS) => ["attest::readiness"];

    nobody_leads at HA, |fixture| *fixture.seen(LEADER, "/leader") = Value::Null => ["attest::leader"];
    foreign_leader at HA, |fixture| {
        *fixture.seen(LEADER, "/leader/controller") = json!("k1s-ha-min-controller-3");
    } => ["attest::leader"];
    leader_of_another_role at HA, |fixture| *fixture.seen(LEADER, "/leader/controller") = json!("k1s-ha-min-etcd") =>
        ["attest::leader"];
    lease_ended at HA, |fixture| *fixture.seen(LEADER, "/seconds_left") = json!(-1) => ["attest::leader"];
    lease_unknown at HA, |fixture| *fixture.seen(LEADER, "/seconds_left") = Value::Null => ["attest::leader"];
    key_without_a_lease at HA, |fixture| *fixture.seen(LEADER, "/leader/attached") = json!(0) => ["attest::leader"];
    lease_of_somebody_else at HA, |fixture| *fixture.seen(LEADER, "/leader/claimed") = json!(42) => ["attest::leader"];
    lease_of_another_key at HA, |fixture| *fixture.seen(LEADER, "/keys") = json!(["k1s/another"]) => ["attest::leader"];
    leader_not_to_be_seen at HA, |fixture| fixture.unseen(LEADER) => ["attest::leader"];
    nobody_led at HA, |fixture| *fixture.seen(LEADERSHIP, "/changes") = json!([]) => ["attest::leadership"];
    another_took_over at HA, |fixture| {
        *fixture.seen(LEADERSHIP, "/changes") = json!([
            { "seconds": 4.6, "leader": "k1s-ha-min-controller-0" },
            { "seconds": 21.3, "leader": "k1s-ha-min-controller-2" },
        ]);
    } => ["attest::leadership"];
    nobody_led_for_a_while at HA, |fixture| {
        *fixture.seen(LEADERSHIP, "/changes") = json!([
            { "seconds": 4.6, "leader": "k1s-ha-min-controller-0" },
            { "seconds": 21.3, "leader": null },
            { "seconds": 22.1, "leader": "k1s-ha-min-controller-0" },
        ]);
    } => ["attest::leadership"];
    a_stranger_led at HA, |fixture| {
        *fixture.seen(LEADERSHIP, "/changes/0/leader") = json!("k1s-ha-min-controller-3");
    } => ["attest::leadership"];
    leadership_not_to_be_seen at HA, |fixture| fixture.unseen(LEADERSHIP) =>
        ["attest::leadership", "attest::lease-renewal"];
    state_by_another_prefix at ETCD, |fixture| {
        *fixture.seen(STATE, "/etcd/count") = json!(0);
        *fixture.seen(STATE, "/etcd/election") = json!(0);
        let etcd = fixture.seen(STATE, "/etcd").as_object_mut().unwrap();
        etcd.insert("elsewhere".into(), json!(["k1s/v1/nodes/core"]));
    } => ["attest::state-backend"];

    state_in_a_file at ETCD, |fixture| {
        let table = json!({"path": "state/controller.db", "tables": ["app_registry", "nodes"]});
        fixture.seen(STATE, "/sqlite").as_array_mut().unwrap().push(table);
        *fixture.seen(STATE, "/etcd/count") = json!(0);
        *fixture.seen(STATE, "/etcd/election") = json!(0);
        *fixture.seen(STATE, "/etcd/first") = json!([]);
    } => ["attest::state-backend"];
    state_in_a_file_too at ETCD, |fixture| {
        *fixture.seen(STATE, "/sqlite/0/tables") = json!(["app_registry", "objects"]);
    } => ["attest::state-backend"];
    etcd_empty at ETCD, |fixture| {
        *fixture.seen(STATE, "/etcd/count") = json!(0);
        *fixture.seen(STATE, "/etcd/election") = json!(0);
    } => ["attest::state-backend"];
    nothing_but_an_election at HA_WORKLOAD, |fixture| *fixture.seen(STATE, "/etcd/count") = json!(0) =>
        ["attest::state-backend"];
    etcd_not_recorded at ETCD, |fixture| *fixture.seen(STATE, "/etcd") = Value::Null => ["attest::state-backend"];
    state_in_etcd at SQLITE, |fixture| {
        *fixture.seen(STATE, "/etcd") = json!({"prefix": "k1s/", "count": 1, "election": 0, "first": ["k1s/nodes/core/0123456789ab"]});
        *fixture.seen(STATE, "/sqlite") = json!([]);
    } => ["attest::state-backend"];
    etcd_beside_the_file at SQLITE, |fixture| *fixture.seen(STATE, "/etcd_folder") = json!(true) =>
        ["attest::state-backend"];
    file_without_tables at SQLITE, |fixture| {
        for file in fixture.seen(STATE, "/sqlite").as_array_mut().unwrap() {
            file["tables"] = json!([]);
        }
    } => ["attest::state-backend"];
    no_shim_seen at ETCD, |fixture| *fixture.seen(STATE, "/sqlite") = json!([]) => ["attest::state-backend"];
    no_state at PROFILES, |fixture| {
        *fixture.seen(STATE, "/etcd") = Value::Null;
        *fixture.seen(STATE, "/sqlite") = json!([]);
    } => ["attest::state-backend"];
    state_not_to_be_seen at PROFILES, |fixture| fixture.unseen(STATE) => ["attest::state-backend"];
}
