//! Lies of `profile list`.

use k1s_profile_gates::plan::Gate;
use serde_json::{Value, json};

use super::SOPS_REQUIRED;

const AT: &[Gate] = &[Gate::Inventory];
const LIST: &str = "profile-list";
const ROOT: &str = "k1s-root";

tampered! {
    ok_and_yet_exit_1 at AT, |fixture| fixture.call(LIST).exit = Some(1) => ["ok"];
    ended_by_a_signal at AT, |fixture| fixture.call(LIST).exit = None => ["ok"];
    not_ok_and_yet_exit_0 at AT, |fixture| *fixture.at(LIST, "/ok") = json!(false) => ["ok"];
    ok_in_words at AT, |fixture| *fixture.at(LIST, "/ok") = json!("true") =>
        ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    another_runtime at AT, |fixture| *fixture.at(LIST, "/runtime_requirement") = json!("docker") => ["runtime-containerd"];
    runtime_of_no_type at AT, |fixture| *fixture.at(LIST, "/runtime_requirement") = Value::Null => ["runtime-containerd"];
    k1s_on_the_host at AT, |fixture| *fixture.at(LIST, "/host_k1s_processes") = json!(true) => ["no-host-processes"];
    k1s_on_the_host_unsaid at AT, |fixture| {
        fixture.at(LIST, "").as_object_mut().unwrap().remove("host_k1s_processes");
    } => ["no-host-processes"];
    profile_missing at AT, |fixture| drop(fixture.at(LIST, "/profiles").as_array_mut().unwrap().remove(2)) =>
        ["expected-profiles"];
    profile_twice at AT, |fixture| {
        let twice = fixture.at(LIST, "/profiles/0").clone();
        fixture.at(LIST, "/profiles").as_array_mut().unwrap().push(twice);
    } => ["expected-profiles"];
    fewer_controllers at AT, |fixture| *fixture.at(LIST, "/profiles/3/controllers") = json!(1) => ["expected-profiles"];
    another_backend at AT, |fixture| *fixture.at(LIST, "/profiles/1/state_backend") = json!("sqlite") => ["expected-profiles"];
    no_nats at AT, |fixture| *fixture.at(LIST, "/profiles/3/nats") = json!(false) => ["expected-profiles"];
    no_profiles at AT, |fixture| *fixture.at(LIST, "/profiles") = json!([]) => ["expected-profiles"];
    error_instead at AT, |fixture| fixture.refused(LIST, SOPS_REQUIRED) =>
        ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    half_an_answer at AT, |fixture| fixture.cut_off(LIST, true) =>
        ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    half_a_file at AT, |fixture| fixture.cut_off(LIST, false) =>
        ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    an_array at AT, |fixture| *fixture.at(LIST, "") = json!([true]) =>
        ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
    a_k1s_root_without_requirements at AT, |fixture| *fixture.seen(ROOT, "/lacks") = json!(["requirements.txt"]) => ["k1s-root"];
    another_k1s_root at AT, |fixture| *fixture.seen(ROOT, "/path") = json!("/srv/released") => ["k1s-root"];
    a_k1s_root_that_changed at AT, |fixture| {
        *fixture.seen(ROOT, "/changed") = json!([{ "file": "src/ae/cli.py", "named": "0a1b", "found": "not there" }]);
    } => ["k1s-root"];
    a_k1s_root_of_no_files at AT, |fixture| *fixture.seen(ROOT, "/compared") = json!(0) => ["k1s-root"];
    byte_code_that_nobody_checks at AT, |fixture| {
        *fixture.seen(ROOT, "") = {
            let mut found = fixture.seen(ROOT, "").clone();
            found["unchecked"] = json!(["src/ae/__pycache__/cli.cpython-311.pyc"]);
            found
        }
    } => ["k1s-root"];
    a_k1s_root_that_nobody_names at AT, |fixture| *fixture.seen(ROOT, "/named") = Value::Null => ["k1s-root"];
    a_k1s_root_that_nobody_read at AT, |fixture| drop(fixture.record.observations.remove(ROOT)) => ["k1s-root"];
    never_asked at AT, |fixture| drop(fixture.record.calls.remove(LIST)) =>
        ["ok", "runtime-containerd", "no-host-processes", "expected-profiles"];
}
