//! Lies of `validate --scenario profile-workload`. `WorkerBee` itself finds an empty list good.

use serde_json::json;

use super::{CONFLICT, SOPS_REQUIRED, WORKLOADS};

lies! {
    ok_without_checks at WORKLOADS, |story| story.items("/checks").clear() => [
        "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls", "https-probes",
        "websocket-probe", "exports", "no-unknown-checks",
    ];
    check_missing at WORKLOADS, |story| drop(story.items("/checks").remove(1)) => ["images-built"];
    check_unknown at WORKLOADS, |story| story.items("/checks").push(json!({"name": "brand-new", "ok": true})) =>
        ["no-unknown-checks"];
    check_twice at WORKLOADS, |story| {
        let twice = story.validate("/checks/7").clone();
        story.items("/checks").push(twice);
    } => ["exports"];
    ok_and_yet_exit_1 at WORKLOADS, |story| story.call("validate").exit = Some(1) => ["ok"];
    start_not_ready at WORKLOADS, |story| *story.validate("/profile_start/readiness/ok") = json!(false) =>
        ["profile-start"];
    nothing_built at WORKLOADS, |story| story.items("/builds").clear() => ["images-built"];
    the_same_built_three_times at WORKLOADS, |story| {
        let first = story.validate("/builds/0").clone();
        *story.validate("/builds") = json!([first, first, first]);
    } => ["images-built"];
    the_same_applied_three_times at WORKLOADS, |story| {
        let first = story.validate("/deploy/apply/0").clone();
        *story.validate("/deploy/apply") = json!([first, first, first]);
    } => ["manifest-deploy"];
    one_control_plane_url at WORKLOADS, |story| story.items("/url_checks").truncate(1) => ["control-plane-urls"];
    the_same_url_each_time at WORKLOADS, |story| {
        let first = story.validate("/url_checks/0/url").clone();
        story.items("/url_checks").iter_mut().for_each(|one| one["url"] = first.clone());
    } => ["control-plane-urls"];
    the_same_page_probed_three_times at WORKLOADS, |story| {
        let first = story.validate("/probes/0").clone();
        *story.validate("/probes") = json!([first, first, first]);
    } => ["https-probes"];
    a_build_failed at WORKLOADS, |story| *story.validate("/builds/1/ok") = json!(false) => ["images-built"];
    nothing_applied at WORKLOADS, |story| story.items("/deploy/apply").clear() => ["manifest-deploy"];
    no_pods at WORKLOADS, |story| *story.validate("/status/resources/pods/count") = json!(0) => ["workload-status"];
    a_kind_missing at WORKLOADS, |story| {
        story.validate("/status/resources").as_object_mut().unwrap().remove("jobs");
    } => ["workload-status"];
    a_kind_refused at WORKLOADS, |story| *story.validate("/status/resources/ingresses/status") = json!(403) =>
        ["workload-status"];
    no_urls at WORKLOADS, |story| story.items("/url_checks").clear() => ["control-plane-urls"];
    urls_gone at WORKLOADS, |story| drop(story.validate("").as_object_mut().unwrap().remove("url_checks")) =>
        ["control-plane-urls"];
    url_of_another_status at WORKLOADS, |story| *story.validate("/url_checks/0/status") = json!(503) =>
        ["control-plane-urls"];
    no_probes at WORKLOADS, |story| story.items("/probes").clear() => ["https-probes"];
    probe_without_tls at WORKLOADS, |story| *story.validate("/probes/2/tls_verified") = json!(false) =>
        ["https-probes"];
    probe_of_another_status at WORKLOADS, |story| *story.validate("/probes/0/status") = json!(204) => ["https-probes"];
    another_echo at WORKLOADS, |story| *story.validate("/websocket/message") = json!("hello") => ["websocket-probe"];
    no_echo at WORKLOADS, |story| {
        *story.validate("/websocket/message") = json!("");
        *story.validate("/websocket/expected") = json!("");
    } => ["websocket-probe"];
    export_without_files at WORKLOADS, |story| *story.validate("/exports/helm/files") = json!([]) => ["exports"];
    export_missing at WORKLOADS, |story| drop(story.validate("/exports").as_object_mut().unwrap().remove("k8s")) =>
        ["exports"];
    error_instead at WORKLOADS, |story| story.refused("validate", SOPS_REQUIRED) => [
        "ok", "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls",
        "https-probes", "websocket-probe", "exports", "no-unknown-checks",
    ];
    conflict at WORKLOADS, |story| story.refused("validate", CONFLICT) => [
        "ok", "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls",
        "https-probes", "websocket-probe", "exports", "no-unknown-checks",
    ];
    half_an_answer at WORKLOADS, |story| story.cut_off("validate", true) => [
        "ok", "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls",
        "https-probes", "websocket-probe", "exports", "no-unknown-checks",
    ];
    never_validated at WORKLOADS, |story| drop(story.record.calls.remove("validate")) => [
        "ok", "profile-start", "images-built", "manifest-deploy", "workload-status", "control-plane-urls",
        "https-probes", "websocket-probe", "exports", "no-unknown-checks",
    ];
}
