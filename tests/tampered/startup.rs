//! Lies of `validate --scenario k1s-profile`.

use k1s_profile_gates::plan::{Gate, Profile};
use serde_json::{Value, json};

use super::{SOPS_REQUIRED, STARTUPS};

const HA: &[Gate] = &[Gate::Startup(Profile::HaMin)];

tampered! {
    ok_without_checks at STARTUPS, |fixture| fixture.items("/checks").clear() => [
        "profile-start", "components-running", "containerized-components", "ha-leader-observed", "no-unknown-checks",
    ];
    check_missing at STARTUPS, |fixture| drop(fixture.items("/checks").remove(1)) => ["components-running"];
    leader_unreported at HA, |fixture| drop(fixture.items("/checks").pop()) => ["ha-leader-observed"];
    check_unknown at STARTUPS, |fixture| fixture.items("/checks").push(json!({"name": "brand-new", "ok": true})) =>
        ["no-unknown-checks"];
    check_twice at STARTUPS, |fixture| {
        let twice = fixture.validate("/checks/0").clone();
        fixture.items("/checks").push(twice);
    } => ["profile-start"];
    check_red at STARTUPS, |fixture| {
        *fixture.validate("/checks/2/ok") = json!(false);
        *fixture.validate("/started/readiness/errors") = json!(["controller health failed"]);
    } => ["containerized-components"];
    check_without_verdict at STARTUPS, |fixture| {
        fixture.validate("/checks/2").as_object_mut().unwrap().remove("ok");
    } => ["containerized-components"];
    ok_and_yet_exit_1 at STARTUPS, |fixture| fixture.call("validate").exit = Some(1) => ["ok"];
    id_too_short at STARTUPS, |fixture| *fixture.validate("/status/components/0/container_id") = json!("24f6d3a893d3") =>
        ["component-ids"];
    id_doubled at STARTUPS, |fixture| {
        let other = fixture.validate("/status/components/1/container_id").clone();
        *fixture.validate("/status/components/0/container_id") = other;
    } => ["component-ids"];
    id_empty at STARTUPS, |fixture| *fixture.validate("/status/components/0/container_id") = json!("") =>
        ["component-ids"];
    id_null at STARTUPS, |fixture| *fixture.validate("/status/components/0/container_id") = Value::Null =>
        ["component-ids"];
    id_made_up at STARTUPS, |fixture| *fixture.validate("/status/components/0/container_id") = json!("x".repeat(64)) =>
        ["component-ids"];
    component_missing at STARTUPS, |fixture| drop(fixture.items("/status/components").remove(0)) => ["components"];
    component_of_another_kind at STARTUPS, |fixture| {
        *fixture.validate("/status/components/0/role") = json!("edge");
    } => ["components"];
    component_not_running at STARTUPS, |fixture| *fixture.validate("/status/components/0/running") = json!(false) =>
        ["components"];
    no_components at STARTUPS, |fixture| fixture.items("/status/components").clear() => ["components", "component-ids"];
    no_routes at STARTUPS, |fixture| *fixture.validate("/status/profile/ingress_urls") = json!({}) => ["routes"];
    route_without_tls at STARTUPS, |fixture| {
        *fixture.validate("/status/profile/ingress_urls/docs") = json!("http://k1s.demo.workerbee.localhost/docs");
    } => ["routes"];
    no_status at STARTUPS, |fixture| drop(fixture.validate("").as_object_mut().unwrap().remove("status")) =>
        ["components-running", "ha-leader-observed", "components", "component-ids", "routes"];
    not_started at STARTUPS, |fixture| *fixture.validate("/started/started") = json!(false) => ["profile-start"];
    start_not_ready at STARTUPS, |fixture| *fixture.validate("/started/readiness/ok") = json!(false) =>
        ["ok", "profile-start"];
    controller_not_ready at STARTUPS, |fixture| *fixture.validate("/started/readiness/controller") = json!(false) =>
        ["profile-start"];
    not_running at STARTUPS, |fixture| *fixture.validate("/status/running") = json!(false) => ["components-running"];
    status_not_ok at STARTUPS, |fixture| *fixture.validate("/status/ok") = json!(false) => ["ok"];
    nobody_leads at HA, |fixture| *fixture.validate("/status/leader") = Value::Null => ["ha-leader-observed"];
    a_stranger_leads at HA, |fixture| {
        *fixture.validate("/status/leader/controller_id") = json!("k1s-ha-min-controller-7");
    } => ["ha-leader-observed"];
    started_in_another_folder at STARTUPS, |fixture| {
        fixture.validate("/status/profile")["state_dir"] = json!("/var/lib/workerbee/projects/other/profiles");
    } => ["own-project"];
    error_instead at STARTUPS, |fixture| fixture.refused("validate", SOPS_REQUIRED) => [
        "ok", "profile-start", "components-running", "containerized-components", "ha-leader-observed",
        "no-unknown-checks", "components", "component-ids", "routes",
    ];
    half_an_answer at STARTUPS, |fixture| fixture.cut_off("validate", true) => [
        "ok", "profile-start", "components-running", "containerized-components", "ha-leader-observed",
        "no-unknown-checks", "components", "component-ids", "routes",
    ];
    never_validated at STARTUPS, |fixture| drop(fixture.record.calls.remove("validate")) => [
        "ok", "profile-start", "components-running", "containerized-components", "ha-leader-observed",
        "no-unknown-checks", "components", "component-ids", "routes",
    ];
}
