//! Lies of `validate --scenario profile-workload`. `WorkerBee` itself finds an empty list good.

use serde_json::json;

use super::{CONFLICT, SOPS_REQUIRED, WORKLOADS};

tampered! {
    ok_without_checks at WORKLOADS, |fixture| fixture.items("/checks").clear() => [
        "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls", "https-probes",
        "websocket-probe", "exports", "no-unknown-checks",
    ];
    check_missing at WORKLOADS, |fixture| drop(fixture.items("/checks").remove(1)) => ["images-built"];
    check_unknown at WORKLOADS, |fixture| fixture.items("/checks").push(json!({"name": "brand-new", "ok": true})) =>
        ["no-unknown-checks"];
    check_twice at WORKLOADS, |fixture| {
        let twice = fixture.validate("/checks/7").clone();
        fixture.items("/checks").push(twice);
    } => ["exports"];
    ok_and_yet_exit_1 at WORKLOADS, |fixture| fixture.call("validate").exit = Some(1) => ["ok"];
    start_not_ready at WORKLOADS, |fixture| *fixture.validate("/profile_start/readiness/ok") = json!(false) =>
        ["ok", "profile-start"];
    start_of_another_time at WORKLOADS, |fixture| *fixture.validate("/profile_start/started") = json!(false) =>
        ["profile-start"];
    shim_not_ready at WORKLOADS, |fixture| *fixture.validate("/profile_start/readiness/apishim") = json!(false) =>
        ["profile-start"];
    deploy_not_ok at WORKLOADS, |fixture| *fixture.validate("/deploy/ok") = json!(false) => ["ok"];
    status_not_ok at WORKLOADS, |fixture| *fixture.validate("/status/ok") = json!(false) => ["ok"];
    an_error_beside_ok at WORKLOADS, |fixture| fixture.validate("")["error"] = json!({ "code": "CLI_ERROR" }) => ["ok"];
    image_of_another_project at WORKLOADS, |fixture| {
        *fixture.validate("/builds/2/tag") = json!("workerbee-other-realtime-frontend:dev");
    } => ["own-project"];
    applied_into_another_namespace at WORKLOADS, |fixture| {
        *fixture.validate("/deploy/apply/0/namespace") = json!("other");
    } => ["own-project"];
    manifest_of_another_project at WORKLOADS, |fixture| {
        *fixture.validate("/deploy/apply/0/manifest") = json!("/var/lib/workerbee/projects/other/backend.k1s.yaml");
    } => ["own-project"];
    exported_by_another_project at WORKLOADS, |fixture| {
        *fixture.validate("/exports/k8s/files/0") = json!("/var/lib/workerbee/projects/other/exports/k8s/README.md");
    } => ["own-project"];
    exported_in_another_format at WORKLOADS, |fixture| *fixture.validate("/exports/helm/format") = json!("k8s") =>
        ["exports"];
    probed_without_tls at WORKLOADS, |fixture| {
        *fixture.validate("/probes/1/url") = json!("http://api.demo.workerbee.localhost:19080/api/seed");
    } => ["https-probes"];
    socket_without_tls at WORKLOADS, |fixture| {
        *fixture.validate("/websocket/url") = json!("ws://api.demo.workerbee.localhost:19080/ws");
    } => ["websocket-probe"];
    nothing_built at WORKLOADS, |fixture| fixture.items("/builds").clear() => ["images-built"];
    the_same_built_three_times at WORKLOADS, |fixture| {
        let first = fixture.validate("/builds/0").clone();
        *fixture.validate("/builds") = json!([first, first, first]);
    } => ["images-built"];
    the_same_applied_three_times at WORKLOADS, |fixture| {
        let first = fixture.validate("/deploy/apply/0").clone();
        *fixture.validate("/deploy/apply") = json!([first, first, first]);
    } => ["manifest-deploy"];
    one_control_plane_url at WORKLOADS, |fixture| fixture.items("/url_checks").truncate(1) => ["control-plane-urls"];
    the_same_url_each_time at WORKLOADS, |fixture| {
        let first = fixture.validate("/url_checks/0/url").clone();
        fixture.items("/url_checks").iter_mut().for_each(|one| one["url"] = first.clone());
    } => ["control-plane-urls"];
    the_same_page_probed_three_times at WORKLOADS, |fixture| {
        let first = fixture.validate("/probes/0").clone();
        *fixture.validate("/probes") = json!([first, first, first]);
    } => ["https-probes"];
    a_build_failed at WORKLOADS, |fixture| *fixture.validate("/builds/1/ok") = json!(false) =>
        ["ok", "images-built"];
    nothing_applied at WORKLOADS, |fixture| fixture.items("/deploy/apply").clear() => ["manifest-deploy"];
    no_pods at WORKLOADS, |fixture| *fixture.validate("/status/resources/pods/count") = json!(0) => ["workload-status"];
    a_kind_missing at WORKLOADS, |fixture| {
        fixture.validate("/status/resources").as_object_mut().unwrap().remove("jobs");
    } => ["workload-status"];
    a_kind_refused at WORKLOADS, |fixture| *fixture.validate("/status/resources/ingresses/status") = json!(403) =>
        ["workload-status"];
    no_urls at WORKLOADS, |fixture| fixture.items("/url_checks").clear() => ["control-plane-urls"];
    urls_gone at WORKLOADS, |fixture| drop(fixture.validate("").as_object_mut().unwrap().remove("url_checks")) =>
        ["control-plane-urls"];
    url_of_another_status at WORKLOADS, |fixture| *fixture.validate("/url_checks/0/status") = json!(503) =>
        ["control-plane-urls"];
    no_probes at WORKLOADS, |fixture| fixture.items("/probes").clear() => ["https-probes"];
    probe_without_tls at WORKLOADS, |fixture| *fixture.validate("/probes/2/tls_verified") = json!(false) =>
        ["https-probes"];
    probe_of_another_status at WORKLOADS, |fixture| *fixture.validate("/probes/0/status") = json!(204) => ["https-probes"];
    another_echo at WORKLOADS, |fixture| *fixture.validate("/websocket/message") = json!("hello") => ["websocket-probe"];
    no_echo at WORKLOADS, |fixture| {
        *fixture.validate("/websocket/message") = json!("");
        *fixture.validate("/websocket/expected") = json!("");
    } => ["websocket-probe"];
    export_without_files at WORKLOADS, |fixture| *fixture.validate("/exports/helm/files") = json!([]) => ["exports"];
    export_missing at WORKLOADS, |fixture| drop(fixture.validate("/exports").as_object_mut().unwrap().remove("k8s")) =>
        ["exports"];
    error_instead at WORKLOADS, |fixture| fixture.refused("validate", SOPS_REQUIRED) => [
        "ok", "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls",
        "https-probes", "websocket-probe", "exports", "no-unknown-checks",
    ];
    conflict at WORKLOADS, |fixture| fixture.refused("validate", CONFLICT) => [
        "ok", "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls",
        "https-probes", "websocket-probe", "exports", "no-unknown-checks",
    ];
    half_an_answer at WORKLOADS, |fixture| fixture.cut_off("validate", true) => [
        "ok", "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls",
        "https-probes", "websocket-probe", "exports", "no-unknown-checks",
    ];
    never_validated at WORKLOADS, |fixture| drop(fixture.record.calls.remove("validate")) => [
        "ok", "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls",
        "https-probes", "websocket-probe", "exports", "no-unknown-checks",
    ];
}
