//! Whatever `WorkerBee` answers is about the gate's own project, profile and state root.

use serde_json::Value;

use crate::checks::{Check, otherwise};
use crate::evidence::Evidence;
use crate::failure::Failure;
use crate::plan::Profile;
use crate::workerbee::naming;

/// Calls whose answers must name the project; others name it where they name any.
const NAMED: [&str; 4] = ["validate", "profile-status-after", "profile-stop", "profile-purge"];
/// Where the name of a profile stands. Not in the answers to stop and purge: of a project whose profile was stopped before,
/// `WorkerBee` says in the answer to a purge that its profile was k1s-edge-link.
const PROFILES: [(&str, &str); 5] = [
    ("validate", "/profile"),
    ("validate", "/status/profile/profile"),
    ("validate", "/started/profile/profile"),
    ("validate", "/profile_start/profile/profile"),
    ("profile-status-after", "/profile/profile"),
];
/// What `WorkerBee` serves there; all answers are about the same.
const STATE_ROOT: (&str, &str) = ("mcp-status-after", "/state_root");

/// `own-project`: no answer is another project's.
pub(super) fn own_project() -> Check {
    let expected = "the gate's own project, profile and state root in each answer that names one";
    Check::new("own-project", move |evidence| judge(evidence).map_err(|failure| failure.expected(expected)))
        .expecting(expected)
}

/// `own-state-root`: the answers to these calls are about what the daemon serves.
pub(super) fn own_state_root(labels: &'static [&'static str]) -> Check {
    let expected = "the state root that the daemon serves, in each answer that names one";
    Check::new("own-state-root", move |evidence| {
        let (asked, pointer) = STATE_ROOT;
        // What gives no answer is told by its own check.
        let named =
            |label: &str| is_good(evidence, label).then(|| evidence.reply::<Value>(label, pointer).ok()).flatten();
        let Some(served) = named(asked) else { return Ok(()) };
        match labels.iter().find(|label| named(label).is_some_and(|named| named != served)) {
            None => Ok(()),
            Some(label) => {
                let what = format!("`{label}` answers for another state root than {served}");
                Err(otherwise(evidence, label, pointer, &what).expected(expected))
            }
        }
    })
    .expecting(expected)
}

fn judge(evidence: &Evidence) -> Result<(), Failure> {
    let record = &evidence.record;
    let profile = record.key.gate.profile().map(Profile::name).unwrap_or_default();
    named(evidence, &NAMED)?;
    for (label, pointer) in PROFILES.into_iter().filter(|(label, _)| is_good(evidence, label)) {
        let named = evidence.json(label)?.pointer(pointer).cloned();
        if named.is_some_and(|named| named != *profile) {
            return Err(otherwise(evidence, label, pointer, &format!("`{label}` answers for another profile")));
        }
    }
    nothing_foreign(evidence, &NAMED)
}

/// The answers to these calls name the gate's own project.
pub(super) fn named(evidence: &Evidence, labels: &[&str]) -> Result<(), Failure> {
    for label in labels.iter().filter(|label| is_good(evidence, label)) {
        let named: String = evidence.reply(label, "/project")?;
        if named != evidence.record.project {
            return Err(otherwise(evidence, label, "/project", &format!("`{label}` answers for another project")));
        }
    }
    Ok(())
}

/// A call that was not made, or went wrong, is told by its own check.
fn is_good(evidence: &Evidence, label: &str) -> bool {
    evidence.ending(label).is_ok_and(|ending| ending.fair) && evidence.json(label).is_ok()
}

/// Whatever the calls answered that ended well, nothing in it is another project's.
pub(super) fn nothing_foreign(evidence: &Evidence, labels: &[&str]) -> Result<(), Failure> {
    let (asked, pointer) = STATE_ROOT;
    let own = Own {
        project: &evidence.record.project,
        state_root: if is_good(evidence, asked) { evidence.reply(asked, pointer).ok() } else { None },
    };
    for label in labels.iter().filter(|label| is_good(evidence, label)) {
        if let Some(pointer) = own.foreign("", &evidence.json(label)?, "") {
            return Err(otherwise(evidence, label, &pointer, &format!("`{label}` answers for another project")));
        }
        if let Some(said) = evidence.said_of(label).filter(|said| said != own.project) {
            return Err(otherwise(evidence, label, "", &format!("`{label}` is for the project {said}"))
                .seen(format!("/structuredContent/project is {said:?}")));
        }
    }
    Ok(())
}

/// What an answer may name.
struct Own<'a> {
    project: &'a str,
    /// Where `WorkerBee` keeps its state, as it says itself.
    state_root: Option<String>,
}

impl Own<'_> {
    /// Where another project is named, or something of another's.
    fn foreign(&self, member: &str, value: &Value, at: &str) -> Option<String> {
        match value {
            // What is said of all projects, one by one; and how the host's containerd was found.
            Value::Array(_) if member == "projects" => None,
            Value::Object(_) if member == "containerd_helper" => None,
            Value::Object(members) => members.iter().find_map(|(name, value)| {
                self.foreign(name, value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")))
            }),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .find_map(|(number, item)| self.foreign(member, item, &format!("{at}/{number}"))),
            Value::String(text) => (!self.may_name(member, text)).then(|| at.to_owned()),
            _ => None,
        }
    }

    fn may_name(&self, member: &str, text: &str) -> bool {
        let owner = match member {
            "project" => Some(text),
            "state_root" => return self.state_root.as_ref().is_none_or(|own| own == text),
            // k1s's own namespaces are called as the project is.
            "namespace" if !text.starts_with("workerbee-") => Some(text),
            // Of containers, networks, containerd's namespaces and images; k1s's own objects are called as they like.
            "name" | "namespace" => return naming::may_be_of(text, self.project),
            "container" | "network" | "tag" => {
                return text.starts_with("workerbee-") && naming::may_be_of(text, self.project);
            }
            "manifest" | "files" if self.state_root.is_some() => Some(self.owner_of_path(text).unwrap_or_default()),
            // Of the lease of k1s-ha-min.
            "key" => text.strip_prefix("k1s/workerbee/").and_then(|rest| rest.split('/').next()),
            _ => self.owner_of_path(text).or_else(|| naming::owner_of_host(text)),
        };
        owner.is_none_or(|owner| owner == self.project)
    }

    /// The project in whose folder a path lies.
    fn owner_of_path<'t>(&self, text: &'t str) -> Option<&'t str> {
        let below = text.strip_prefix(self.state_root.as_deref()?)?.strip_prefix("/projects/")?;
        below.split('/').next()
    }
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
    #[case(json!({ "websocket": { "url": "wss://api.other.workerbee.localhost/ws" } }), Some("/websocket/url"))]
    #[case(json!({ "ingress_urls": { "api": "https://k1s-api.other.workerbee.localhost/" } }), Some("/ingress_urls/api"))]
    #[case(json!({ "ingress_urls": { "api": "https://k1s-api.demo.workerbee.localhost/", "profile": "k1s-ha-min" } }), None)]
    #[case(json!({ "url": "https://dashboard.workerbee.localhost:19443/" }), None)]
    #[case(json!({ "url": "http://127.0.0.1:19608" }), None)]
    #[case(json!({ "components": [{ "name": "workerbee-0123456789ab-demo-k1s-ha-min-etcd" }] }), None)]
    #[case(json!({ "components": [{ "name": "workerbee-0123456789ab-other-k1s-ha-min-etcd" }] }), Some("/components/0/name"))]
    #[case(json!({ "components": [{ "name": "workerbee-0123456789ab-demo2-k1s-ha-min-etcd" }] }), Some("/components/0/name"))]
    #[case(json!({ "reload": { "container": "workerbee-caddy-0123456789" } }), None)]
    #[case(json!({ "tag": "workerbee-other-realtime-db:dev" }), Some("/tag"))]
    #[case(json!({ "tag": "workerbee-demo-realtime-db:dev" }), None)]
    #[case(json!({ "tag": "realtime-db:dev" }), Some("/tag"))]
    #[case(json!({ "manifest": "backend.k1s.yaml" }), Some("/manifest"))]
    #[case(json!({ "network": "workerbee-0123456789ab-other" }), Some("/network"))]
    #[case(json!({ "apply": [{ "namespace": "demo" }, { "namespace": "other" }] }), Some("/apply/1/namespace"))]
    #[case(json!({ "leader": { "key": "k1s/workerbee/other/k1s-ha-min/controlplane/leader" } }), Some("/leader/key"))]
    #[case(json!({ "leader": { "key": "k1s/workerbee/demo/k1s-ha-min/controlplane/leader" } }), None)]
    #[case(json!({ "state_root": "/var/lib/another" }), Some("/state_root"))]
    #[case(json!({ "state_dir": "/var/lib/workerbee/projects/other" }), Some("/state_dir"))]
    #[case(json!({ "files": ["/var/lib/workerbee/projects/demo/a", "/var/lib/workerbee/projects/other/b"] }), Some("/files/1"))]
    #[case(json!({ "k1s_root": "/home/me/projects/k1s" }), None)]
    fn another_project_is_found(#[case] answer: Value, #[case] at: Option<&str>) {
        let own = Own { project: "demo", state_root: Some("/var/lib/workerbee".to_owned()) };
        assert_eq!(own.foreign("", &answer, "").as_deref(), at);
    }
}
