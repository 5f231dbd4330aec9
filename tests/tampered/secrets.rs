//! Lies about secrets: what the harness knew of them, and where it looked.

use serde_json::json;

use super::PROFILES;

const SIGHT: &str = "secrets";

tampered! {
    a_token_unknown at PROFILES, |fixture| drop(fixture.seen(SIGHT, "/known/0/secrets").as_array_mut().unwrap().pop()) =>
        ["secrets::known"];
    a_token_of_another_name at PROFILES, |fixture|
        *fixture.seen(SIGHT, "/known/1/secrets/0/place/pointer") = json!("/controller_token") => ["secrets::known"];
    no_identity at PROFILES, |fixture| *fixture.seen(SIGHT, "/known/2/secrets") = json!([]) => ["secrets::known"];
    no_record_looked_at at PROFILES, |fixture| drop(fixture.seen(SIGHT, "/known").as_array_mut().unwrap().remove(0)) =>
        ["secrets::known"];
    a_secret_left at PROFILES, |fixture| *fixture.seen(SIGHT, "/left") = json!([
        { "file": "demo-profile-stop.json", "place": { "pointer": "/started/env/3" } },
    ]) => ["secrets::none-in-evidence"];
    nothing_looked_through at PROFILES, |fixture| *fixture.seen(SIGHT, "/scanned") = json!([]) =>
        ["secrets::none-in-evidence"];
    one_file_looked_through at PROFILES, |fixture|
        *fixture.seen(SIGHT, "/scanned") = json!(["validate.json"]) => ["secrets::none-in-evidence"];
    secrets_unseen at PROFILES, |fixture| fixture.unseen(SIGHT) => ["secrets::known", "secrets::none-in-evidence"];
}
