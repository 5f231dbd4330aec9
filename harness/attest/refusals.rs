//! The requests that k1s must refuse: each way to change something, from callers who may not, and manifests that are
//! invalid.
//!
//! No question changes anything that is deployed. What a k1s that refuses too little makes of them goes by the name
//! `gates-nobody`, in a namespace of that name, and is deleted again.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Subject;
use super::known::{Deviation, Release};
use super::plain::{Asker, Servers};
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::provoked::NOBODY;
use crate::failure::{Failure, Mismatch};
use crate::plan::Gate;

/// The controller's ways to change something.
const CHANGES: [&str; 7] =
    ["/apply", "/scale/*", "/delete/*", "/exec/*", "/rollout/pause/*", "/rollout/resume/*", "/rollout/restart/*"];
/// The paths of its playground, which has a token of its own.
const PLAYGROUND: [&str; 2] = ["/labs/plan", "/labs/scale"];
/// The kinds that everything is tried with.
const WRITTEN: [&str; 2] = ["/api/v1/namespaces/*/configmaps", "/api/v1/namespaces/*/secrets"];
/// The kinds that would act: each deletion is tried, and what k1s guards besides.
const DELETED: [&str; 8] = [
    "/api/v1/namespaces/*/services",
    "/api/v1/namespaces/*/serviceaccounts",
    "/api/v1/namespaces/*/persistentvolumeclaims",
    "/apis/apps/v1/namespaces/*/deployments",
    "/apis/apps/v1/namespaces/*/statefulsets",
    "/apis/apps/v1/namespaces/*/daemonsets",
    "/apis/batch/v1/namespaces/*/jobs",
    "/apis/networking.k8s.io/v1/namespaces/*/ingresses",
];
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/*/deployments";

/// The requests of this probe, and how k1s answered them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refusals {
    /// The k1s that was asked.
    pub release: Release,
    /// Changes by those who may not make them.
    pub changes: Vec<Change>,
    /// Manifests that are none, from who may apply them.
    pub manifests: Vec<Applied>,
}

/// A change that somebody asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// The server that was asked: `apishim` or `controller-0`.
    pub server: String,
    /// The HTTP method.
    pub method: String,
    /// For what.
    pub path: String,
    /// By whom.
    pub asker: Asker,
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
}

/// A manifest that is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Applied {
    /// The defect of the manifest.
    pub lacks: String,
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
    /// The start of the answer.
    pub said: String,
}

/// The changes that are asked for without a right to them.
pub static PROBE: Probe<Refusals> = Probe {
    name: "refusals",
    of: Gate::starts_profile,
    moment: Moment::Look,
    after: After::Nobody,
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::refusals",
        "each change is refused to those without a token for it, by API shim and controller; what is no manifest is \
         refused with a reason",
        "ask the same by hand, with `curl -X`; a change that is let through is open to everybody who reaches the server",
        |seen, case| judge(seen, case.check),
    )
    .deviations(|seen| seen.were_read().then(|| (&seen.release, seen.deviations())))],
    triage: &[],
};

/// Asks for all of it.
pub async fn observe(subject: &Subject) -> Result<Refusals, Failure> {
    let servers = Servers::of(subject)?;
    let mut asked: Vec<(&str, Method, String, Asker)> = Vec::new();
    for asker in [Asker::Anybody, Asker::MadeUp, Asker::Reader] {
        let paths = CHANGES.into_iter().chain(PLAYGROUND);
        asked.extend(paths.map(|path| ("controller-0", Method::POST, path.replace('*', NOBODY), asker)));
    }
    for asker in [Asker::Anybody, Asker::MadeUp] {
        asked.extend(shim().into_iter().map(|(method, path)| ("apishim", method, path, asker)));
    }
    // In turn: two changes of one object at once are refused as a conflict.
    let mut changes = Vec::new();
    for (server, method, path, asker) in asked {
        let body = if path.starts_with("/apply") { json!({}) } else { body() };
        let body = (method != Method::DELETE).then_some(&body);
        let status = servers.ask(server, method.clone(), &path, asker, body).await.status;
        changes.push(Change { server: server.to_owned(), method: method.to_string(), path, asker, status });
    }
    for kind in WRITTEN.into_iter().chain([DEPLOYMENTS]) {
        let path = format!("{}/{NOBODY}", kind.replace('*', NOBODY));
        servers.ask("apishim", Method::DELETE, &path, Asker::Owner, None).await;
    }
    let metadata = json!({ "name": NOBODY, "namespace": subject.project });
    let manifests = [
        ("everything", json!({})),
        ("a kind", json!({ "metadata": metadata })),
        ("an image", manifest(&metadata, &json!({ "replicas": 1 }))),
        ("a number of replicas", manifest(&metadata, &json!({ "image": "none", "replicas": "many" }))),
        ("a replica", manifest(&metadata, &json!({ "image": "none", "replicas": -1 }))),
    ];
    let mut applied = Vec::new();
    for (lacks, manifest) in manifests {
        let reply = servers.ask("controller-0", Method::POST, "/apply", Asker::Owner, Some(&manifest)).await;
        let said = reply.text.chars().take(200).collect();
        applied.push(Applied { lacks: lacks.to_owned(), status: reply.status, said });
    }
    Ok(Refusals { release: subject.release(), changes, manifests: applied })
}

fn shim() -> Vec<(Method, String)> {
    let mut asked = Vec::new();
    for kind in WRITTEN {
        let kind = kind.replace('*', NOBODY);
        asked.push((Method::POST, kind.clone()));
        asked.extend([Method::PUT, Method::PATCH, Method::DELETE].map(|method| (method, format!("{kind}/{NOBODY}"))));
    }
    asked.extend(DELETED.map(|kind| (Method::DELETE, format!("{}/{NOBODY}", kind.replace('*', NOBODY)))));
    asked.push((Method::POST, DEPLOYMENTS.replace('*', NOBODY)));
    asked.push((Method::PUT, format!("{}/{NOBODY}", DEPLOYMENTS.replace('*', NOBODY))));
    for stream in ["exec?command=id", "portforward"] {
        asked.push((Method::POST, format!("/api/v1/namespaces/{NOBODY}/pods/{NOBODY}/{stream}")));
    }
    asked.push((Method::DELETE, format!("/api/v1/namespaces/{NOBODY}")));
    asked
}

/// An object that k1s could make; a deployment of it would run nothing.
fn body() -> Value {
    json!({ "metadata": { "name": NOBODY }, "data": {}, "replicas": 1 })
}

fn manifest(metadata: &Value, spec: &Value) -> Value {
    json!({ "apiVersion": "ae.dev/v1alpha1", "kind": "Deployment", "metadata": metadata, "spec": spec })
}

impl Refusals {
    /// Whether the manifests came to a controller that leads: another one does not even read them.
    pub fn were_read(&self) -> bool {
        self.manifests.iter().all(|applied| applied.status != Some(409))
    }

    /// Lists the requests that are not refused as they should be.
    pub fn deviations(&self) -> Vec<Deviation> {
        let changes = self.changes.iter().filter_map(Change::deviation);
        changes.chain(self.manifests.iter().filter_map(Applied::deviation)).collect()
    }
}

impl Change {
    fn deviation(&self) -> Option<Deviation> {
        let is_playground = PLAYGROUND.contains(&self.path.as_str());
        let name = match (self.method.as_str(), self.status) {
            (_, Some(401 | 403)) => return None,
            // The playground is not there at all in k1s-ha-min.
            (_, Some(404)) if is_playground => return None,
            _ if is_playground => "anybody-plans",
            // What k1s 0.1.7 is known to let through is these, by these methods.
            ("POST" | "PUT" | "PATCH", Some(200 | 201 | 404)) if self.is_written() => "anybody-writes",
            _ => "not-refused",
        };
        let who = match self.asker {
            Asker::Anybody => "without a token",
            Asker::MadeUp => "with a made-up token",
            Asker::Reader => "with the token for reading",
            Asker::Owner => "with its own token",
        };
        let answers = self.status.map_or("gives no answer".to_owned(), |status| format!("answers {status}"));
        let what = format!("{} {answers} to {} {} {who}, and must refuse it", self.server, self.method, self.path);
        Some(Deviation::new(name, what, self))
    }

    fn is_written(&self) -> bool {
        WRITTEN.iter().any(|kind| self.path.starts_with(&kind.replace('*', NOBODY)))
    }
}

impl Applied {
    fn deviation(&self) -> Option<Deviation> {
        let name = match self.status {
            Some(400..=499) => return None,
            Some(500) if self.said.contains("invalid manifest") => "invalid-manifest-is-500",
            _ => "manifest-not-refused",
        };
        let status = self.status.map_or("no answer".to_owned(), |status| status.to_string());
        Some(Deviation::new(name, format!("a manifest that lacks {} is answered with {status}", self.lacks), self))
    }
}

/// Everything is refused to those who may not, and what is no manifest to everybody.
pub fn judge(seen: &Refusals, check: &'static str) -> Result<(), Mismatch> {
    for server in ["apishim", "controller-0"] {
        if !seen.changes.iter().any(|change| change.server == server) {
            return Err(Mismatch::new(format!("no change was asked of {server}"), &seen.changes));
        }
    }
    if seen.manifests.is_empty() {
        return Err("no manifest was applied that is none".into());
    }
    seen.release.judge(check, seen.deviations())
}
