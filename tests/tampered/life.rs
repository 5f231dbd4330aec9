//! Lies about how apps live in k1s.

use serde_json::{Value, json};

use super::WORKLOADS;
use crate::support::evidence_fixture::EvidenceFixture;

const READY: &str = "app-ready";
const CHANGES: &str = "app-changes";
const SICK: &str = "app-sick";
const JOB: &str = "app-job";

/// A part of a step, by the step's number.
fn at<'a>(fixture: &'a mut EvidenceFixture, name: &str, step: usize, pointer: &str) -> &'a mut Value {
    fixture.seen(name, &format!("/steps/{step}{pointer}"))
}

/// What was waited for did not come about, and nothing was done after it.
fn stopped(fixture: &mut EvidenceFixture, name: &str, step: usize) {
    fixture.seen(name, "/steps").as_array_mut().unwrap().truncate(step + 1);
    *at(fixture, name, step, "/settled") = json!(false);
}

tampered! {
    in_the_ingress_before_it_is_ready at WORKLOADS, |fixture| {
        *at(fixture, READY, 0, "/sight/route") = json!(200);
    } => ["attest::app-readiness"];
    called_ready_too_early at WORKLOADS, |fixture| *at(fixture, READY, 0, "/sight/account/ready") = json!(1) =>
        ["attest::app-readiness"];
    ready_by_its_state_alone at WORKLOADS, |fixture| *at(fixture, READY, 0, "/sight/account/state") = json!("ready") =>
        ["attest::app-readiness"];
    never_asked_for_readiness at WORKLOADS, |fixture| {
        stopped(fixture, READY, 0);
        *at(fixture, READY, 0, "/sight/pods/0/word/asked/~1ready") = json!(0);
    } => ["attest::app-readiness", "attest::app-removal"];
    not_run_at_all at WORKLOADS, |fixture| {
        stopped(fixture, READY, 0);
        *at(fixture, READY, 0, "/sight/pods") = json!([]);
    } => ["attest::app-readiness", "attest::app-removal"];
    never_becomes_ready at WORKLOADS, |fixture| {
        stopped(fixture, READY, 1);
        *at(fixture, READY, 1, "/sight/account/ready") = json!(0);
    } => ["attest::app-readiness", "attest::app-removal"];
    no_route_when_it_is_ready at WORKLOADS, |fixture| {
        stopped(fixture, READY, 1);
        *at(fixture, READY, 1, "/sight/ingress") = Value::Null;
    } => ["attest::app-readiness", "attest::app-removal"];
    apply_refused at WORKLOADS, |fixture| *at(fixture, READY, 1, "/status") = json!(409) => ["attest::app-readiness"];
    no_look_at_readiness at WORKLOADS, |fixture| *fixture.seen(READY, "/steps") = json!([]) =>
        ["attest::app-readiness", "attest::app-removal"];
    readiness_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen(READY) =>
        ["attest::app-readiness", "attest::app-removal"];

    container_left at WORKLOADS, |fixture| {
        *at(fixture, READY, 2, "/sight/pods") = at(fixture, READY, 1, "/sight/pods").clone();
    } => ["attest::app-removal"];
    status_left at WORKLOADS, |fixture| {
        *at(fixture, READY, 2, "/sight/account") = at(fixture, READY, 1, "/sight/account").clone();
    } => ["attest::app-removal"];
    route_left at WORKLOADS, |fixture| *at(fixture, READY, 2, "/sight/route") = json!(502) => ["attest::app-removal"];
    registration_left at WORKLOADS, |fixture| *at(fixture, READY, 2, "/sight/keys") = json!({ "apps": 2, "probes": 3 }) =>
        ["attest::app-removal"];
    delete_refused at WORKLOADS, |fixture| *at(fixture, READY, 2, "/status") = json!(500) => ["attest::app-removal"];

    second_apply_conflicts at WORKLOADS, |fixture| *at(fixture, CHANGES, 2, "/status") = json!(409) =>
        ["attest::app-changes"];
    second_apply_replaces at WORKLOADS, |fixture| {
        *at(fixture, CHANGES, 2, "/sight/pods/0/id") = json!("0123456789abcdef");
        *at(fixture, CHANGES, 3, "/sight/pods/0/id") = json!("0123456789abcdef");
    } => ["attest::app-changes"];
    second_apply_is_a_revision at WORKLOADS, |fixture| *at(fixture, CHANGES, 2, "/sight/account/revision") = json!(99) =>
        ["attest::app-changes"];
    no_manifest_taken at WORKLOADS, |fixture| *at(fixture, CHANGES, 3, "/status") = json!(200) => ["attest::app-changes"];
    refused_without_a_reason at WORKLOADS, |fixture| *at(fixture, CHANGES, 3, "/said") = json!("") =>
        ["attest::app-changes"];
    refused_and_replaced at WORKLOADS, |fixture| *at(fixture, CHANGES, 3, "/sight/pods/0/id") = json!("0123456789abcdef") =>
        ["attest::app-changes"];
    scale_without_effect at WORKLOADS, |fixture| stopped(fixture, CHANGES, 4) => ["attest::app-changes"];
    missing_image_ends_what_ran at WORKLOADS, |fixture| stopped(fixture, CHANGES, 5) => ["attest::app-changes"];
    old_revision_left at WORKLOADS, |fixture| stopped(fixture, CHANGES, 6) => ["attest::app-changes"];
    kept_nothing_over_a_rollout at WORKLOADS, |fixture| *at(fixture, CHANGES, 6, "/sight/pods/0/word/kept") = Value::Null =>
        ["attest::app-changes"];
    not_rolled_back at WORKLOADS, |fixture| *at(fixture, CHANGES, 7, "/settled") = json!(false) => ["attest::app-changes"];
    a_change_left_out at WORKLOADS, |fixture| drop(fixture.seen(CHANGES, "/steps").as_array_mut().unwrap().pop()) =>
        ["attest::app-changes"];
    changes_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen(CHANGES) => ["attest::app-changes"];

    sick_and_called_alive at WORKLOADS, |fixture| *at(fixture, SICK, 0, "/settled") = json!(false) =>
        ["attest::app-liveness"];
    sick_and_refused at WORKLOADS, |fixture| *at(fixture, SICK, 0, "/status") = json!(403) => ["attest::app-liveness"];
    sick_in_another_release at WORKLOADS, |fixture| *fixture.seen(SICK, "/release/version") = json!("0.1.8") =>
        ["attest::app-liveness"];
    sick_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen(SICK) => ["attest::app-liveness"];

    job_without_end at WORKLOADS, |fixture| {
        *at(fixture, JOB, 0, "/settled") = json!(false);
        *at(fixture, JOB, 0, "/sight/pods/0/task") = json!("RUNNING");
    } => ["attest::app-job"];
    job_in_another_container at WORKLOADS, |fixture| *at(fixture, JOB, 1, "/sight/pods/0/id") = json!("0123456789abcdef") =>
        ["attest::app-job"];
    job_ran_twice at WORKLOADS, |fixture| *fixture.seen(JOB, "/ran") = json!(2) => ["attest::app-job"];
    job_never_ran at WORKLOADS, |fixture| *fixture.seen(JOB, "/ran") = json!(0) => ["attest::app-job"];
    job_not_to_be_seen at WORKLOADS, |fixture| fixture.unseen(JOB) => ["attest::app-job"];
}
