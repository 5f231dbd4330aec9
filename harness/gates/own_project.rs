//! Whatever WorkerBee answers is about the gate's own project and profile.

use serde_json::Value;

use crate::checks::{Check, otherwise};
use crate::evidence::Evidence;
use crate::failure::Failure;
use crate::plan::Profile;

/// Calls whose answers must name the project; others name it where they name any.
const NAMED: [&str; 4] = ["validate", "profile-status-after", "profile-stop", "profile-purge"];
/// Where the name of a profile stands. Not in the answers to stop and purge: see docs/design.
const PROFILES: [(&str, &str); 4] = [
    ("validate", "/profile"),
    ("validate", "/status/profile/profile"),
    ("validate", "/profile_start/profile/profile"),
    ("profile-status-after", "/profile/profile"),
];
/// The domain below which each project has its own.
const DOMAIN: &str = ".workerbee.localhost";

/// `own-project`: no answer is another project's.
pub(super) fn own_project() -> Check {
    let expected = "the gate's own project and profile in each answer that names one";
    Check::new("own-project", move |evidence| judge(evidence).map_err(|failure| failure.expected(expected)))
        .expecting(expected)
}

fn judge(evidence: &Evidence) -> Result<(), Failure> {
    let record = &evidence.record;
    let profile = record.key.gate.profile().map(Profile::name).unwrap_or_default();
    // A call that was not made, or went wrong, is told by its own check.
    let good = |label: &str| evidence.ending(label).is_ok_and(|ending| ending.fair) && evidence.json(label).is_ok();
    for label in NAMED.into_iter().filter(|label| good(label)) {
        let named: String = evidence.reply(label, "/project")?;
        if named != record.project {
            return Err(otherwise(evidence, label, "/project", &format!("`{label}` answers for another project")));
        }
    }
    for (label, pointer) in PROFILES.into_iter().filter(|(label, _)| good(label)) {
        let named = evidence.json(label)?.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        if named.is_some_and(|named| named != profile) {
            return Err(otherwise(evidence, label, pointer, &format!("`{label}` answers for another profile")));
        }
    }
    nothing_foreign(evidence, &NAMED)
}

/// Whatever the calls answered that ended well, nothing in it is another project's.
pub(super) fn nothing_foreign(evidence: &Evidence, labels: &[&str]) -> Result<(), Failure> {
    for label in labels.iter().filter(|label| evidence.ending(label).is_ok_and(|ending| ending.fair)) {
        if let Some(pointer) = foreign(&evidence.json(label)?, &evidence.record.project, "") {
            return Err(otherwise(evidence, label, &pointer, &format!("`{label}` answers for another project")));
        }
    }
    Ok(())
}

/// Where another project is named, or a host of another's.
fn foreign(value: &Value, project: &str, at: &str) -> Option<String> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            match (name.as_str(), value.as_str()) {
                // What is said of all projects, one by one.
                ("projects", _) => None,
                ("project", Some(named)) if named != project => Some(at),
                ("url" | "host", Some(place)) if is_of_another(place, project) => Some(at),
                ("ingress_urls", _) => value
                    .as_object()?
                    .iter()
                    .find_map(|(name, url)| is_of_another(url.as_str()?, project).then(|| format!("{at}/{name}"))),
                _ => foreign(value, project, &at),
            }
        }),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(number, item)| foreign(item, project, &format!("{at}/{number}")))
        }
        _ => None,
    }
}

/// Whether a URL leads below `WorkerBee`'s domain, to what belongs to another project.
fn is_of_another(place: &str, project: &str) -> bool {
    let host = place.split_once("://").map_or(place, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    let Some(inside) = host.strip_suffix(DOMAIN) else { return false };
    // The dashboard of all projects has no project's name before its own.
    inside.rsplit_once('.').is_some_and(|(_, owner)| owner != project)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({ "project": "demo", "status": { "project": "demo" } }), None)]
    #[case(json!({ "status": { "project": "other" } }), Some("/status/project"))]
    #[case(json!({ "builds": [{ "project": "demo" }, { "project": "other" }] }), Some("/builds/1/project"))]
    #[case(json!({ "ingress_sync": { "projects": [{ "project": "other" }] } }), None)]
    #[case(json!({ "probes": [{ "url": "https://app.other.workerbee.localhost:19443/" }] }), Some("/probes/0/url"))]
    #[case(json!({ "ingress_urls": { "api": "https://k1s-api.other.workerbee.localhost/" } }), Some("/ingress_urls/api"))]
    #[case(json!({ "ingress_urls": { "api": "https://k1s-api.demo.workerbee.localhost/", "profile": "k1s-ha-min" } }), None)]
    #[case(json!({ "url": "https://dashboard.workerbee.localhost:19443/" }), None)]
    #[case(json!({ "url": "http://127.0.0.1:19608" }), None)]
    fn another_project_is_found(#[case] answer: Value, #[case] at: Option<&str>) {
        assert_eq!(foreign(&answer, "demo", "").as_deref(), at);
    }
}
