//! Lies about what the harness sees of a profile from outside: routes, WebSocket, resources, app, images, exports.

use k1s_profile_gates::plan::{Gate, Profile};
use serde_json::{Value, json};

use super::{PROFILES, WORKLOADS};

const SINGLE: &[Gate] = &[Gate::Workload(Profile::SingleEtcdContainerd)];
const HA: &[Gate] = &[Gate::Workload(Profile::HaMin)];

tampered! {
    no_route at PROFILES, |fixture| *fixture.seen("routes", "/routes") = json!([]) => ["attest::routes"];
    route_missing at PROFILES, |fixture| {
        fixture.seen("routes", "/routes").as_array_mut().unwrap().retain(|route| route["name"] != "dashboard");
    } => ["attest::routes"];
    route_of_status_503 at PROFILES, |fixture| *fixture.seen("routes", "/routes/2/answer/answered/status") = json!(503) =>
        ["attest::routes"];
    route_of_status_302 at PROFILES, |fixture| *fixture.seen("routes", "/routes/0/answer/answered/status") = json!(302) =>
        ["attest::routes"];
    route_to_an_empty_page at PROFILES, |fixture| *fixture.seen("routes", "/routes/3/answer/answered/bytes") = json!(0) =>
        ["attest::routes"];
    route_of_another_ca at PROFILES, |fixture| {
        *fixture.seen("routes", "/routes/4/answer") = json!({ "bad-certificate": "UnknownIssuer" });
    } => ["attest::routes"];
    route_to_nowhere at PROFILES, |fixture| {
        *fixture.seen("routes", "/routes/5/answer") = json!({ "failed": "Connection refused (os error 111)" });
    } => ["attest::routes"];
    route_for_any_ca at PROFILES, |fixture| {
        *fixture.seen("routes", "/strangers/0/answer") = json!({ "answered": { "status": 200, "bytes": 15 } });
    } => ["attest::routes"];
    route_for_no_ca at PROFILES, |fixture| {
        *fixture.seen("routes", "/strangers/1/answer") = json!({ "failed": "tls handshake eof" });
    } => ["attest::routes"];
    no_other_ca_tried at PROFILES, |fixture| *fixture.seen("routes", "/strangers") = json!([]) => ["attest::routes"];
    app_route_missing at WORKLOADS, |fixture| {
        fixture.seen("routes", "/routes").as_array_mut().unwrap().retain(|route| route["name"] != "app backend");
    } => ["attest::routes"];
    app_route_for_any_ca at WORKLOADS, |fixture| {
        let strangers = fixture.seen("routes", "/strangers").as_array_mut().unwrap();
        strangers.retain(|stranger| stranger["host"] != "app.demo.workerbee.localhost");
    } => ["attest::routes"];
    secrets_for_everybody at PROFILES, |fixture| {
        *fixture.seen("routes", "/guards/0/without/answered/status") = json!(200);
    } => ["attest::routes"];
    changes_for_a_made_up_token at PROFILES, |fixture| {
        *fixture.seen("routes", "/guards/1/made_up/answered/status") = json!(400);
    } => ["attest::routes"];
    token_refused at PROFILES, |fixture| *fixture.seen("routes", "/guards/1/with/answered/status") = json!(403) =>
        ["attest::routes"];
    nothing_guarded at PROFILES, |fixture| *fixture.seen("routes", "/guards") = json!([]) => ["attest::routes"];
    routes_not_to_be_seen at PROFILES, |fixture| fixture.unseen("routes") => ["attest::routes"];

    no_handshake at WORKLOADS, |fixture| {
        *fixture.seen("websocket", "/text") =
            json!({ "refused": "the accept key \"\" is not that of the key that was sent" });
    } => ["attest::websocket"];
    app_does_not_echo at WORKLOADS, |fixture| *fixture.seen("websocket", "/text/answered/echoed") = json!(false) =>
        ["attest::websocket"];
    app_is_silent at WORKLOADS, |fixture| *fixture.seen("websocket", "/text") = json!({ "unanswered": "ended" }) =>
        ["attest::websocket"];
    binary_garbled at WORKLOADS, |fixture| *fixture.seen("websocket", "/binary/answered/echoed") = json!(false) =>
        ["attest::websocket"];
    order_wrong at WORKLOADS, |fixture| {
        *fixture.seen("websocket", "/in_order") = json!(57);
        *fixture.seen("websocket", "/out_of_order") =
            json!({ "answered": { "sent": 17, "answered": 22, "echoed": false, "end": "ended" } });
    } => ["attest::websocket"];
    short_of_a_hundred at WORKLOADS, |fixture| *fixture.seen("websocket", "/in_order") = json!(99) =>
        ["attest::websocket"];
    longest_cut_short at WORKLOADS, |fixture| {
        *fixture.seen("websocket", "/longest/answered/answered") = json!(32_768);
        *fixture.seen("websocket", "/longest/answered/echoed") = json!(false);
    } => ["attest::websocket"];
    longest_is_short at WORKLOADS, |fixture| *fixture.seen("websocket", "/longest/answered/sent") = json!(5) =>
        ["attest::websocket"];
    a_part_of_64_kib at WORKLOADS, |fixture| {
        *fixture.seen("websocket", "/too_long") =
            json!({ "answered": { "sent": 65536, "answered": 5, "echoed": false, "end": "ended" } });
    } => ["attest::websocket"];
    no_answer_to_64_kib at WORKLOADS, |fixture| {
        *fixture.seen("websocket", "/too_long") = json!({ "refused": "not over within 10 s" });
    } => ["attest::websocket"];
    no_end at WORKLOADS, |fixture| *fixture.seen("websocket", "/text/answered/end") = json!("went-on") =>
        ["attest::websocket"];
    end_in_the_middle_of_tls at WORKLOADS, |fixture| {
        *fixture.seen("websocket", "/binary/answered/end") =
            json!({ "broken": "peer closed connection without sending TLS close_notify" });
    } => ["attest::websocket"];
    echo_not_deployed at WORKLOADS, |fixture| fixture.unseen("websocket-echo") =>
        ["attest::confinement", "attest::websocket-echo"];
    echo_without_a_handshake at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/talk") = json!({ "Err": "HTTP error: 502 Bad Gateway" });
    } => ["attest::websocket-echo"];
    echo_of_text_as_bytes at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/talk/Ok/text") = json!({ "other": "binary, 21 bytes" });
    } => ["attest::websocket-echo"];
    echo_of_less_than_every_byte at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/talk/Ok/binary") = json!({ "same": 1 });
    } => ["attest::websocket-echo"];
    echo_out_of_order at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/talk/Ok/in_order") = json!(99);
        *fixture.seen("websocket-echo", "/talk/Ok/out_of_order") = json!({ "other": "text, 17 bytes" });
    } => ["attest::websocket-echo"];
    echo_of_64_kib_lost at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/talk/Ok/long") = json!({ "nothing": "the connection had ended" });
    } => ["attest::websocket-echo"];
    echo_closed_with_another_code at WORKLOADS, |fixture| {
        *fixture.seen("websocket-echo", "/talk/Ok/closed") = json!(1006);
    } => ["attest::websocket-echo"];
    echo_that_does_not_end at WORKLOADS, |fixture| *fixture.seen("websocket-echo", "/talk/Ok/ended") = json!(false) =>
        ["attest::websocket-echo"];
    websocket_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen("websocket") => ["attest::websocket"];

    no_pod at WORKLOADS, |fixture| *fixture.seen("resources", "/pods/Ok") = json!([]) => ["attest::resources"];
    pod_missing at WORKLOADS, |fixture| drop(fixture.seen("resources", "/pods/Ok").as_array_mut().unwrap().remove(1)) =>
        ["attest::resources"];
    pod_not_ready at WORKLOADS, |fixture| *fixture.seen("resources", "/pods/Ok/0/ready") = json!(false) =>
        ["attest::resources"];
    pod_not_running at WORKLOADS, |fixture| *fixture.seen("resources", "/pods/Ok/2/phase") = json!("Pending") =>
        ["attest::resources"];
    pod_of_nobodys at WORKLOADS, |fixture| {
        fixture.seen("resources", "/pods/Ok").as_array_mut().unwrap().push(
            json!({ "name": "demo--miner-rev1-0", "app": "miner", "phase": "Running", "ready": true }),
        );
    } => ["attest::resources"];
    pods_refused at WORKLOADS, |fixture| *fixture.seen("resources", "/pods") = json!({ "Err": "…/pods: status 403" }) =>
        ["attest::resources"];
    controller_knows_nothing at WORKLOADS, |fixture| *fixture.seen("resources", "/controller/Ok") = json!([]) =>
        ["attest::resources"];
    controller_waits at WORKLOADS, |fixture| *fixture.seen("resources", "/controller/Ok/0/ready_replicas") = json!(0) =>
        ["attest::resources"];
    zero_replicas at WORKLOADS, |fixture| {
        *fixture.seen("resources", "/controller/Ok/1/desired_replicas") = json!(0);
        *fixture.seen("resources", "/controller/Ok/1/ready_replicas") = json!(0);
    } => ["attest::resources"];
    controller_rolls_back at WORKLOADS, |fixture| {
        *fixture.seen("resources", "/controller/Ok/1/revision_status") = json!("failed");
    } => ["attest::resources"];
    controller_has_another_host at WORKLOADS, |fixture| {
        *fixture.seen("resources", "/controller/Ok/0/ingress_host") = Value::Null;
    } => ["attest::resources"];
    controller_has_more at WORKLOADS, |fixture| {
        let one = fixture.seen("resources", "/controller/Ok/0").clone();
        fixture.seen("resources", "/controller/Ok").as_array_mut().unwrap().push(one);
    } => ["attest::resources"];
    controller_refuses at WORKLOADS, |fixture| {
        *fixture.seen("resources", "/controller") = json!({ "Err": "…/status: status 503" });
    } => ["attest::resources"];
    no_deployment at HA, |fixture| *fixture.seen("resources", "/objects/Ok") = json!([]) => ["attest::resources"];
    deployment_missing at HA, |fixture| {
        fixture.seen("resources", "/objects/Ok").as_array_mut().unwrap().pop();
    } => ["attest::resources"];
    deployment_not_ready at HA, |fixture| *fixture.seen("resources", "/objects/Ok/0/ready") = json!(0) =>
        ["attest::resources"];
    service_of_another_port at HA, |fixture| *fixture.seen("resources", "/objects/Ok/0/service_port") = json!(80) =>
        ["attest::resources"];
    ingress_missing at HA, |fixture| {
        *fixture.seen("resources", "/objects/Ok/0/host") = Value::Null;
        *fixture.seen("resources", "/counts/ingresses/Ok") = json!(1);
    } => ["attest::resources"];
    service_without_deployment at WORKLOADS, |fixture| *fixture.seen("resources", "/counts/services/Ok") = json!(4) =>
        ["attest::resources"];
    half_mirrored at SINGLE, |fixture| {
        let mut one = fixture.seen("resources", "/deployed/1").clone();
        one["ready"] = json!(1);
        *fixture.seen("resources", "/objects/Ok") = json!([one]);
    } => ["attest::resources"];
    objects_of_another_type at WORKLOADS, |fixture| {
        *fixture.seen("resources", "/objects") =
            json!({ "Err": "…/deployments is not what it should be: missing field `spec`" });
    } => ["attest::resources"];
    job_of_nobodys at WORKLOADS, |fixture| *fixture.seen("resources", "/counts/jobs/Ok") = json!(1) =>
        ["attest::resources"];
    jobs_refused at WORKLOADS, |fixture| {
        *fixture.seen("resources", "/counts/jobs") = json!({ "Err": "…/jobs: status 500" });
    } => ["attest::resources"];
    deployed_to_run_nowhere at WORKLOADS, |fixture| *fixture.seen("resources", "/deployed/1/replicas") = json!(0) =>
        ["attest::resources"];
    nothing_deployed at WORKLOADS, |fixture| *fixture.seen("resources", "/deployed") = json!([]) =>
        ["attest::resources"];
    resources_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen("resources") => ["attest::resources"];

    database_down at WORKLOADS, |fixture| {
        *fixture.seen("app", "/database/ok") = json!(false);
        *fixture.seen("app", "/database/error") = json!("connection refused");
    } => ["attest::app"];
    backend_without_database at WORKLOADS, |fixture| {
        *fixture.seen("app", "/backend/ok") = json!(false);
        *fixture.seen("app", "/backend/error") = json!("status 503");
    } => ["attest::app"];
    backend_with_a_seed_of_its_own at WORKLOADS, |fixture| *fixture.seen("app", "/backend/value") = json!("workerbee") =>
        ["attest::app"];
    backend_without_a_seed at WORKLOADS, |fixture| *fixture.seen("app", "/backend/value") = Value::Null =>
        ["attest::app"];
    frontend_without_backend at WORKLOADS, |fixture| *fixture.seen("app", "/frontend/value") = Value::Null =>
        ["attest::app"];
    frontend_of_another_backend at WORKLOADS, |fixture| {
        *fixture.seen("app", "/frontend/peer") = json!("http://127.0.0.1:80");
    } => ["attest::app"];
    nothing_written at WORKLOADS, |fixture| {
        for part in ["/written", "/database/value", "/backend/value", "/frontend/value"] {
            *fixture.seen("app", part) = json!("workerbee");
        }
    } => ["attest::app"];
    service_not_published at WORKLOADS, |fixture| {
        *fixture.seen("app", "/services/2/status") = json!({ "Err": "connection refused" });
    } => ["attest::app"];
    service_never_asked at WORKLOADS, |fixture| drop(fixture.seen("app", "/services").as_array_mut().unwrap().pop()) =>
        ["attest::app"];
    seed_not_put_back at WORKLOADS, |fixture| *fixture.seen("app", "/restored") = json!(false) => ["attest::app"];
    app_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen("app") => ["attest::app"];

    nothing_was_built at WORKLOADS, |fixture| *fixture.seen("images", "/builds") = json!([]) => ["attest::images"];
    image_of_another_digest at WORKLOADS, |fixture| {
        let other = json!(format!("sha256:{}", "0".repeat(64)));
        *fixture.seen("images", "/containers/0/manifest") = other.clone();
        *fixture.seen("images", "/containers/0/configuration") = other;
    } => ["attest::images"];
    image_of_another_name at WORKLOADS, |fixture| {
        *fixture.seen("images", "/containers/1/image") = json!("docker.io/library/python:3.12-slim");
    } => ["attest::images"];
    image_renamed_after_the_start at WORKLOADS, |fixture| {
        *fixture.seen("images", "/containers/2/stands_on") = json!(format!("sha256:{}", "1".repeat(64)));
    } => ["attest::images"];
    image_of_no_layers at WORKLOADS, |fixture| {
        *fixture.seen("images", "/containers/2/stands_on") = json!("");
        *fixture.seen("images", "/containers/2/layers") = json!("");
    } => ["attest::images"];
    app_not_running at WORKLOADS, |fixture| drop(fixture.seen("images", "/containers").as_array_mut().unwrap().remove(0)) =>
        ["attest::images"];
    app_of_nobodys at WORKLOADS, |fixture| {
        let mut one = fixture.seen("images", "/containers/0").clone();
        one["app"] = json!("miner");
        fixture.seen("images", "/containers").as_array_mut().unwrap().push(one);
    } => ["attest::images"];
    no_app_to_compare at WORKLOADS, |fixture| *fixture.seen("images", "/deployed") = json!([]) => ["attest::images"];
    images_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen("images") => ["attest::images"];

    export_gone at WORKLOADS, |fixture| drop(fixture.seen("exports", "/formats").as_object_mut().unwrap().remove("k8s")) =>
        ["attest::exports"];
    export_file_missing at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/formats/k1s") = json!({ "Err": "db.k1s.yaml: No such file (os error 2)" });
    } => ["attest::exports"];
    export_empty at WORKLOADS, |fixture| *fixture.seen("exports", "/formats/k8s/Ok/apps") = json!([]) =>
        ["attest::exports"];
    export_of_another_type at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/formats/k8s") = json!({ "Err": "invalid type: string \"one\", expected i32" });
    } => ["attest::exports"];
    export_of_another_image at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/formats/helm/Ok/apps/0/image") = json!("nginx:latest");
    } => ["attest::exports"];
    export_of_another_port at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/formats/k8s/Ok/apps/1/service_port") = json!(80);
    } => ["attest::exports"];
    export_of_another_host at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/formats/k1s/Ok/apps/2/host") = json!("app.example.org");
    } => ["attest::exports"];
    export_lists_no_image at WORKLOADS, |fixture| *fixture.seen("exports", "/formats/k1s/Ok/images") = json!([]) =>
        ["attest::exports"];
    export_names_no_file at WORKLOADS, |fixture| *fixture.seen("exports", "/formats/helm/Ok/files") = json!(0) =>
        ["attest::exports"];
    chart_does_not_parse at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/chart") = json!({ "Err": "Chart.yaml: missing field `version`" });
    } => ["attest::exports"];
    chart_of_helm_2 at WORKLOADS, |fixture| *fixture.seen("exports", "/chart/Ok/apiVersion") = json!("v1") =>
        ["attest::exports"];
    chart_without_version at WORKLOADS, |fixture| *fixture.seen("exports", "/chart/Ok/version") = json!("new") =>
        ["attest::exports"];
    values_do_not_parse at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/values") = json!({ "Err": "values.yaml: No such file (os error 2)" });
    } => ["attest::exports"];
    values_of_another_image at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/values/Ok/images/db") = json!("postgres:17");
    } => ["attest::exports"];
    chart_that_helm_faults at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/lint") = json!({ "exit": 1, "said": "[ERROR] Chart.yaml: version is required" });
    } => ["attest::exports"];
    another_image_runs at WORKLOADS, |fixture| *fixture.seen("exports", "/running/backend") = json!("nginx:latest") =>
        ["attest::exports"];
    export_of_another_target at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/formats/k8s/Ok/apps/1/target_port") = json!(9999);
    } => ["attest::exports"];
    export_without_confinement at WORKLOADS, |fixture| {
        *fixture.seen("exports", "/formats/helm/Ok/apps/0/security/user") = Value::Null;
    } => ["attest::exports"];
    nothing_to_export at WORKLOADS, |fixture| *fixture.seen("exports", "/deployed") = json!([]) => ["attest::exports"];
    exports_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen("exports") => ["attest::exports"];
}
