//! Lies about what the harness sees of a profile from outside: routes, WebSocket, resources, app, images, exports.

use k1s_profile_gates::plan::{Gate, Profile};
use serde_json::{Value, json};

use super::{PROFILES, WORKLOADS};

const SINGLE: &[Gate] = &[Gate::Workload(Profile::SingleEtcdContainerd)];
const HA: &[Gate] = &[Gate::Workload(Profile::HaMin)];

lies! {
    no_route at PROFILES, |story| *story.seen("routes", "/routes") = json!([]) => ["attest::routes"];
    route_missing at PROFILES, |story| {
        story.seen("routes", "/routes").as_array_mut().unwrap().retain(|route| route["name"] != "dashboard");
    } => ["attest::routes"];
    route_of_status_503 at PROFILES, |story| *story.seen("routes", "/routes/2/answer/answered/status") = json!(503) =>
        ["attest::routes"];
    route_of_status_302 at PROFILES, |story| *story.seen("routes", "/routes/0/answer/answered/status") = json!(302) =>
        ["attest::routes"];
    route_to_an_empty_page at PROFILES, |story| *story.seen("routes", "/routes/3/answer/answered/bytes") = json!(0) =>
        ["attest::routes"];
    route_of_another_ca at PROFILES, |story| {
        *story.seen("routes", "/routes/4/answer") = json!({ "bad-certificate": "UnknownIssuer" });
    } => ["attest::routes"];
    route_to_nowhere at PROFILES, |story| {
        *story.seen("routes", "/routes/5/answer") = json!({ "failed": "Connection refused (os error 111)" });
    } => ["attest::routes"];
    route_for_any_ca at PROFILES, |story| {
        *story.seen("routes", "/strangers/0/answer") = json!({ "answered": { "status": 200, "bytes": 15 } });
    } => ["attest::routes"];
    route_for_no_ca at PROFILES, |story| {
        *story.seen("routes", "/strangers/1/answer") = json!({ "failed": "tls handshake eof" });
    } => ["attest::routes"];
    no_other_ca_tried at PROFILES, |story| *story.seen("routes", "/strangers") = json!([]) => ["attest::routes"];
    app_route_missing at WORKLOADS, |story| {
        story.seen("routes", "/routes").as_array_mut().unwrap().retain(|route| route["name"] != "app backend");
    } => ["attest::routes"];
    app_route_for_any_ca at WORKLOADS, |story| {
        let strangers = story.seen("routes", "/strangers").as_array_mut().unwrap();
        strangers.retain(|stranger| stranger["host"] != "app.demo.workerbee.localhost");
    } => ["attest::routes"];
    secrets_for_everybody at PROFILES, |story| {
        *story.seen("routes", "/guards/0/without/answered/status") = json!(200);
    } => ["attest::routes"];
    changes_for_a_made_up_token at PROFILES, |story| {
        *story.seen("routes", "/guards/1/made_up/answered/status") = json!(400);
    } => ["attest::routes"];
    token_refused at PROFILES, |story| *story.seen("routes", "/guards/1/with/answered/status") = json!(403) =>
        ["attest::routes"];
    nothing_guarded at PROFILES, |story| *story.seen("routes", "/guards") = json!([]) => ["attest::routes"];
    routes_not_to_be_seen at PROFILES, |story| story.unseen("routes") => ["attest::routes"];

    no_handshake at WORKLOADS, |story| {
        *story.seen("websocket", "/text") =
            json!({ "refused": "the accept key \"\" is not that of the key that was sent" });
    } => ["attest::websocket"];
    app_does_not_echo at WORKLOADS, |story| *story.seen("websocket", "/text/answered/echoed") = json!(false) =>
        ["attest::websocket"];
    app_is_silent at WORKLOADS, |story| *story.seen("websocket", "/text") = json!({ "unanswered": "ended" }) =>
        ["attest::websocket"];
    binary_garbled at WORKLOADS, |story| *story.seen("websocket", "/binary/answered/echoed") = json!(false) =>
        ["attest::websocket"];
    order_wrong at WORKLOADS, |story| {
        *story.seen("websocket", "/in_order") = json!(57);
        *story.seen("websocket", "/out_of_order") =
            json!({ "answered": { "sent": 17, "answered": 22, "echoed": false, "end": "ended" } });
    } => ["attest::websocket"];
    short_of_a_hundred at WORKLOADS, |story| *story.seen("websocket", "/in_order") = json!(99) =>
        ["attest::websocket"];
    longest_cut_short at WORKLOADS, |story| {
        *story.seen("websocket", "/longest/answered/answered") = json!(32_768);
        *story.seen("websocket", "/longest/answered/echoed") = json!(false);
    } => ["attest::websocket"];
    longest_is_short at WORKLOADS, |story| *story.seen("websocket", "/longest/answered/sent") = json!(5) =>
        ["attest::websocket"];
    a_part_of_64_kib at WORKLOADS, |story| {
        *story.seen("websocket", "/too_long") =
            json!({ "answered": { "sent": 65536, "answered": 5, "echoed": false, "end": "ended" } });
    } => ["attest::websocket"];
    no_answer_to_64_kib at WORKLOADS, |story| {
        *story.seen("websocket", "/too_long") = json!({ "refused": "not over within 10 s" });
    } => ["attest::websocket"];
    no_end at WORKLOADS, |story| *story.seen("websocket", "/text/answered/end") = json!("went-on") =>
        ["attest::websocket"];
    end_in_the_middle_of_tls at WORKLOADS, |story| {
        *story.seen("websocket", "/binary/answered/end") =
            json!({ "broken": "peer closed connection without sending TLS close_notify" });
    } => ["attest::websocket"];
    echo_not_deployed at WORKLOADS, |story| story.unseen("websocket-echo") =>
        ["attest::confinement", "attest::websocket-echo"];
    echo_without_a_handshake at WORKLOADS, |story| {
        *story.seen("websocket-echo", "/talk") = json!({ "Err": "HTTP error: 502 Bad Gateway" });
    } => ["attest::websocket-echo"];
    echo_of_text_as_bytes at WORKLOADS, |story| {
        *story.seen("websocket-echo", "/talk/Ok/text") = json!({ "other": "binary, 21 bytes" });
    } => ["attest::websocket-echo"];
    echo_of_less_than_every_byte at WORKLOADS, |story| {
        *story.seen("websocket-echo", "/talk/Ok/binary") = json!({ "same": 1 });
    } => ["attest::websocket-echo"];
    echo_out_of_order at WORKLOADS, |story| {
        *story.seen("websocket-echo", "/talk/Ok/in_order") = json!(99);
        *story.seen("websocket-echo", "/talk/Ok/out_of_order") = json!({ "other": "text, 17 bytes" });
    } => ["attest::websocket-echo"];
    echo_of_64_kib_lost at WORKLOADS, |story| {
        *story.seen("websocket-echo", "/talk/Ok/long") = json!({ "nothing": "the connection had ended" });
    } => ["attest::websocket-echo"];
    echo_closed_with_another_code at WORKLOADS, |story| {
        *story.seen("websocket-echo", "/talk/Ok/closed") = json!(1006);
    } => ["attest::websocket-echo"];
    echo_that_does_not_end at WORKLOADS, |story| *story.seen("websocket-echo", "/talk/Ok/ended") = json!(false) =>
        ["attest::websocket-echo"];
    websocket_not_to_be_seen at WORKLOADS, |story| story.unseen("websocket") => ["attest::websocket"];

    no_pod at WORKLOADS, |story| *story.seen("resources", "/pods/Ok") = json!([]) => ["attest::resources"];
    pod_missing at WORKLOADS, |story| drop(story.seen("resources", "/pods/Ok").as_array_mut().unwrap().remove(1)) =>
        ["attest::resources"];
    pod_not_ready at WORKLOADS, |story| *story.seen("resources", "/pods/Ok/0/ready") = json!(false) =>
        ["attest::resources"];
    pod_not_running at WORKLOADS, |story| *story.seen("resources", "/pods/Ok/2/phase") = json!("Pending") =>
        ["attest::resources"];
    pod_of_nobodys at WORKLOADS, |story| {
        story.seen("resources", "/pods/Ok").as_array_mut().unwrap().push(
            json!({ "name": "demo--miner-rev1-0", "app": "miner", "phase": "Running", "ready": true }),
        );
    } => ["attest::resources"];
    pods_refused at WORKLOADS, |story| *story.seen("resources", "/pods") = json!({ "Err": "…/pods: status 403" }) =>
        ["attest::resources"];
    controller_knows_nothing at WORKLOADS, |story| *story.seen("resources", "/controller/Ok") = json!([]) =>
        ["attest::resources"];
    controller_waits at WORKLOADS, |story| *story.seen("resources", "/controller/Ok/0/ready_replicas") = json!(0) =>
        ["attest::resources"];
    zero_replicas at WORKLOADS, |story| {
        *story.seen("resources", "/controller/Ok/1/desired_replicas") = json!(0);
        *story.seen("resources", "/controller/Ok/1/ready_replicas") = json!(0);
    } => ["attest::resources"];
    controller_rolls_back at WORKLOADS, |story| {
        *story.seen("resources", "/controller/Ok/1/revision_status") = json!("failed");
    } => ["attest::resources"];
    controller_has_another_host at WORKLOADS, |story| {
        *story.seen("resources", "/controller/Ok/0/ingress_host") = Value::Null;
    } => ["attest::resources"];
    controller_has_more at WORKLOADS, |story| {
        let one = story.seen("resources", "/controller/Ok/0").clone();
        story.seen("resources", "/controller/Ok").as_array_mut().unwrap().push(one);
    } => ["attest::resources"];
    controller_refuses at WORKLOADS, |story| {
        *story.seen("resources", "/controller") = json!({ "Err": "…/status: status 503" });
    } => ["attest::resources"];
    no_deployment at HA, |story| *story.seen("resources", "/objects/Ok") = json!([]) => ["attest::resources"];
    deployment_missing at HA, |story| {
        story.seen("resources", "/objects/Ok").as_array_mut().unwrap().pop();
    } => ["attest::resources"];
    deployment_not_ready at HA, |story| *story.seen("resources", "/objects/Ok/0/ready") = json!(0) =>
        ["attest::resources"];
    service_of_another_port at HA, |story| *story.seen("resources", "/objects/Ok/0/service_port") = json!(80) =>
        ["attest::resources"];
    ingress_missing at HA, |story| {
        *story.seen("resources", "/objects/Ok/0/host") = Value::Null;
        *story.seen("resources", "/counts/ingresses/Ok") = json!(1);
    } => ["attest::resources"];
    service_without_deployment at WORKLOADS, |story| *story.seen("resources", "/counts/services/Ok") = json!(4) =>
        ["attest::resources"];
    half_mirrored at SINGLE, |story| {
        let mut one = story.seen("resources", "/deployed/1").clone();
        one["ready"] = json!(1);
        *story.seen("resources", "/objects/Ok") = json!([one]);
    } => ["attest::resources"];
    objects_of_another_type at WORKLOADS, |story| {
        *story.seen("resources", "/objects") =
            json!({ "Err": "…/deployments is not what it should be: missing field `spec`" });
    } => ["attest::resources"];
    job_of_nobodys at WORKLOADS, |story| *story.seen("resources", "/counts/jobs/Ok") = json!(1) =>
        ["attest::resources"];
    jobs_refused at WORKLOADS, |story| {
        *story.seen("resources", "/counts/jobs") = json!({ "Err": "…/jobs: status 500" });
    } => ["attest::resources"];
    deployed_to_run_nowhere at WORKLOADS, |story| *story.seen("resources", "/deployed/1/replicas") = json!(0) =>
        ["attest::resources"];
    nothing_deployed at WORKLOADS, |story| *story.seen("resources", "/deployed") = json!([]) =>
        ["attest::resources"];
    resources_not_to_be_seen at WORKLOADS, |story| story.unseen("resources") => ["attest::resources"];

    database_down at WORKLOADS, |story| {
        *story.seen("app", "/database/ok") = json!(false);
        *story.seen("app", "/database/error") = json!("connection refused");
    } => ["attest::app"];
    backend_without_database at WORKLOADS, |story| {
        *story.seen("app", "/backend/ok") = json!(false);
        *story.seen("app", "/backend/error") = json!("status 503");
    } => ["attest::app"];
    backend_with_a_seed_of_its_own at WORKLOADS, |story| *story.seen("app", "/backend/value") = json!("workerbee") =>
        ["attest::app"];
    backend_without_a_seed at WORKLOADS, |story| *story.seen("app", "/backend/value") = Value::Null =>
        ["attest::app"];
    frontend_without_backend at WORKLOADS, |story| *story.seen("app", "/frontend/value") = Value::Null =>
        ["attest::app"];
    frontend_of_another_backend at WORKLOADS, |story| {
        *story.seen("app", "/frontend/peer") = json!("http://127.0.0.1:80");
    } => ["attest::app"];
    nothing_written at WORKLOADS, |story| {
        for part in ["/written", "/database/value", "/backend/value", "/frontend/value"] {
            *story.seen("app", part) = json!("workerbee");
        }
    } => ["attest::app"];
    service_not_published at WORKLOADS, |story| {
        *story.seen("app", "/services/2/status") = json!({ "Err": "connection refused" });
    } => ["attest::app"];
    service_never_asked at WORKLOADS, |story| drop(story.seen("app", "/services").as_array_mut().unwrap().pop()) =>
        ["attest::app"];
    seed_not_put_back at WORKLOADS, |story| *story.seen("app", "/restored") = json!(false) => ["attest::app"];
    app_not_to_be_seen at WORKLOADS, |story| story.unseen("app") => ["attest::app"];

    nothing_was_built at WORKLOADS, |story| *story.seen("images", "/builds") = json!([]) => ["attest::images"];
    image_of_another_digest at WORKLOADS, |story| {
        let other = json!(format!("sha256:{}", "0".repeat(64)));
        *story.seen("images", "/containers/0/manifest") = other.clone();
        *story.seen("images", "/containers/0/configuration") = other;
    } => ["attest::images"];
    image_of_another_name at WORKLOADS, |story| {
        *story.seen("images", "/containers/1/image") = json!("docker.io/library/python:3.12-slim");
    } => ["attest::images"];
    image_renamed_after_the_start at WORKLOADS, |story| {
        *story.seen("images", "/containers/2/stands_on") = json!(format!("sha256:{}", "1".repeat(64)));
    } => ["attest::images"];
    image_of_no_layers at WORKLOADS, |story| {
        *story.seen("images", "/containers/2/stands_on") = json!("");
        *story.seen("images", "/containers/2/layers") = json!("");
    } => ["attest::images"];
    app_not_running at WORKLOADS, |story| drop(story.seen("images", "/containers").as_array_mut().unwrap().remove(0)) =>
        ["attest::images"];
    app_of_nobodys at WORKLOADS, |story| {
        let mut one = story.seen("images", "/containers/0").clone();
        one["app"] = json!("miner");
        story.seen("images", "/containers").as_array_mut().unwrap().push(one);
    } => ["attest::images"];
    no_app_to_compare at WORKLOADS, |story| *story.seen("images", "/deployed") = json!([]) => ["attest::images"];
    images_not_to_be_seen at WORKLOADS, |story| story.unseen("images") => ["attest::images"];

    export_gone at WORKLOADS, |story| drop(story.seen("exports", "/formats").as_object_mut().unwrap().remove("k8s")) =>
        ["attest::exports"];
    export_file_missing at WORKLOADS, |story| {
        *story.seen("exports", "/formats/k1s") = json!({ "Err": "db.k1s.yaml: No such file (os error 2)" });
    } => ["attest::exports"];
    export_empty at WORKLOADS, |story| *story.seen("exports", "/formats/k8s/Ok/apps") = json!([]) =>
        ["attest::exports"];
    export_of_another_type at WORKLOADS, |story| {
        *story.seen("exports", "/formats/k8s") = json!({ "Err": "invalid type: string \"one\", expected i32" });
    } => ["attest::exports"];
    export_of_another_image at WORKLOADS, |story| {
        *story.seen("exports", "/formats/helm/Ok/apps/0/image") = json!("nginx:latest");
    } => ["attest::exports"];
    export_of_another_port at WORKLOADS, |story| {
        *story.seen("exports", "/formats/k8s/Ok/apps/1/service_port") = json!(80);
    } => ["attest::exports"];
    export_of_another_host at WORKLOADS, |story| {
        *story.seen("exports", "/formats/k1s/Ok/apps/2/host") = json!("app.example.org");
    } => ["attest::exports"];
    export_lists_no_image at WORKLOADS, |story| *story.seen("exports", "/formats/k1s/Ok/images") = json!([]) =>
        ["attest::exports"];
    export_names_no_file at WORKLOADS, |story| *story.seen("exports", "/formats/helm/Ok/files") = json!(0) =>
        ["attest::exports"];
    chart_does_not_parse at WORKLOADS, |story| {
        *story.seen("exports", "/chart") = json!({ "Err": "Chart.yaml: missing field `version`" });
    } => ["attest::exports"];
    chart_of_helm_2 at WORKLOADS, |story| *story.seen("exports", "/chart/Ok/apiVersion") = json!("v1") =>
        ["attest::exports"];
    chart_without_version at WORKLOADS, |story| *story.seen("exports", "/chart/Ok/version") = json!("new") =>
        ["attest::exports"];
    values_do_not_parse at WORKLOADS, |story| {
        *story.seen("exports", "/values") = json!({ "Err": "values.yaml: No such file (os error 2)" });
    } => ["attest::exports"];
    values_of_another_image at WORKLOADS, |story| {
        *story.seen("exports", "/values/Ok/images/db") = json!("postgres:17");
    } => ["attest::exports"];
    chart_that_helm_faults at WORKLOADS, |story| {
        *story.seen("exports", "/lint") = json!({ "exit": 1, "said": "[ERROR] Chart.yaml: version is required" });
    } => ["attest::exports"];
    another_image_runs at WORKLOADS, |story| *story.seen("exports", "/running/backend") = json!("nginx:latest") =>
        ["attest::exports"];
    export_of_another_target at WORKLOADS, |story| {
        *story.seen("exports", "/formats/k8s/Ok/apps/1/target_port") = json!(9999);
    } => ["attest::exports"];
    nothing_to_export at WORKLOADS, |story| *story.seen("exports", "/deployed") = json!([]) => ["attest::exports"];
    exports_not_to_be_seen at WORKLOADS, |story| story.unseen("exports") => ["attest::exports"];
}
