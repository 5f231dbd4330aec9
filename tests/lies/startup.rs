//! Lies of `validate --scenario k1s-profile`.

use k1s_profile_gates::plan::{Gate, Profile};
use serde_json::{Value, json};

use super::{SOPS_REQUIRED, STARTUPS};

const HA: &[Gate] = &[Gate::Startup(Profile::HaMin)];

lies! {
    ok_without_checks at STARTUPS, |story| story.items("/checks").clear() => [
        "profile-start", "components-running", "containerized-components", "ha-leader-observed", "no-unknown-checks",
    ];
    check_missing at STARTUPS, |story| drop(story.items("/checks").remove(1)) => ["components-running"];
    leader_unreported at HA, |story| drop(story.items("/checks").pop()) => ["ha-leader-observed"];
    check_unknown at STARTUPS, |story| story.items("/checks").push(json!({"name": "brand-new", "ok": true})) =>
        ["no-unknown-checks"];
    check_twice at STARTUPS, |story| {
        let twice = story.validate("/checks/0").clone();
        story.items("/checks").push(twice);
    } => ["profile-start"];
    check_red at STARTUPS, |story| {
        *story.validate("/checks/2/ok") = json!(false);
        *story.validate("/started/readiness/errors") = json!(["controller health failed"]);
    } => ["containerized-components"];
    check_without_verdict at STARTUPS, |story| {
        story.validate("/checks/2").as_object_mut().unwrap().remove("ok");
    } => ["containerized-components"];
    ok_and_yet_exit_1 at STARTUPS, |story| story.call("validate").exit = Some(1) => ["ok"];
    id_too_short at STARTUPS, |story| *story.validate("/status/components/0/container_id") = json!("24f6d3a893d3") =>
        ["component-ids"];
    id_doubled at STARTUPS, |story| {
        let other = story.validate("/status/components/1/container_id").clone();
        *story.validate("/status/components/0/container_id") = other;
    } => ["component-ids"];
    id_empty at STARTUPS, |story| *story.validate("/status/components/0/container_id") = json!("") =>
        ["component-ids"];
    id_null at STARTUPS, |story| *story.validate("/status/components/0/container_id") = Value::Null =>
        ["component-ids"];
    id_made_up at STARTUPS, |story| *story.validate("/status/components/0/container_id") = json!("x".repeat(64)) =>
        ["component-ids"];
    component_missing at STARTUPS, |story| drop(story.items("/status/components").remove(0)) => ["components"];
    component_of_another_kind at STARTUPS, |story| {
        *story.validate("/status/components/0/role") = json!("edge");
    } => ["components"];
    component_not_running at STARTUPS, |story| *story.validate("/status/components/0/running") = json!(false) =>
        ["components"];
    no_components at STARTUPS, |story| story.items("/status/components").clear() => ["components", "component-ids"];
    no_routes at STARTUPS, |story| *story.validate("/status/profile/ingress_urls") = json!({}) => ["routes"];
    route_without_tls at STARTUPS, |story| {
        *story.validate("/status/profile/ingress_urls/docs") = json!("http://k1s.demo.workerbee.localhost/docs");
    } => ["routes"];
    no_status at STARTUPS, |story| drop(story.validate("").as_object_mut().unwrap().remove("status")) =>
        ["components", "component-ids", "routes"];
    error_instead at STARTUPS, |story| story.refused("validate", SOPS_REQUIRED) => [
        "ok", "profile-start", "components-running", "containerized-components", "ha-leader-observed",
        "no-unknown-checks", "components", "component-ids", "routes",
    ];
    half_an_answer at STARTUPS, |story| story.cut_off("validate", true) => [
        "ok", "profile-start", "components-running", "containerized-components", "ha-leader-observed",
        "no-unknown-checks", "components", "component-ids", "routes",
    ];
    never_validated at STARTUPS, |story| drop(story.record.calls.remove("validate")) => [
        "ok", "profile-start", "components-running", "containerized-components", "ha-leader-observed",
        "no-unknown-checks", "components", "component-ids", "routes",
    ];
}
