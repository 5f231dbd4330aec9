//! Lies about what the harness sees of a profile from outside: its routes.

use serde_json::json;

use super::PROFILES;

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
}
