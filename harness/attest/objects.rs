//! The life of objects in k1s's API: created, changed, listed, watched, deleted, as Kubernetes's clients expect it.
//!
//! All of it in two namespaces of the probe's own, and gone afterwards.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Subject;
use super::known::{Deviation, Release};
use super::plain::{Asker, Servers};
use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Failure, Mismatch};
use crate::plan::Gate;

const NAMESPACE: &str = "gates-objects";
const OTHER: &str = "gates-others";
/// How long a watch may take to begin, and to report the last change.
const LISTENED: Duration = Duration::from_millis(500);

/// The steps of this probe, in their order, and their results.
#[derive(Debug, Serialize, Deserialize)]
pub struct Objects {
    /// The k1s that was asked.
    pub release: Release,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The events that the watch of the namespace reported meanwhile: `ADDED one` and so on.
    pub told: Vec<String>,
}

/// One question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// The operation.
    pub what: String,
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
    /// The version that the answer has.
    pub version: Option<u64>,
    /// The data of the object.
    pub data: Value,
    /// The names of a list's items.
    pub names: Vec<String>,
}

/// A step that changes nothing it should not, and is answered so: what is done, how, where, with what; the status.
type Plan = (&'static str, Method, String, Option<Value>, u16);

fn plan() -> Vec<Plan> {
    let maps = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
    let others = format!("/api/v1/namespaces/{OTHER}/configmaps");
    let secrets = format!("/api/v1/namespaces/{NAMESPACE}/secrets");
    let one = format!("{maps}/one");
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": { "name": "sealed" },
        "data": { "key": "Z2F0ZXM=" } });
    let mut stale = map("one", &json!({ "a": "stale" }));
    stale["metadata"]["resourceVersion"] = json!("1");
    vec![
        ("create one", Method::POST, maps.clone(), Some(map("one", &json!({ "a": "1", "b": "2" }))), 201),
        ("create one again", Method::POST, maps.clone(), Some(map("one", &json!({ "a": "1", "b": "2" }))), 409),
        ("create two", Method::POST, maps.clone(), Some(map("two", &json!({ "a": "1" }))), 201),
        ("patch one", Method::PATCH, one.clone(), Some(json!({ "data": { "a": "3" } })), 200),
        ("read one", Method::GET, one.clone(), None, 200),
        ("update one of an old version", Method::PUT, one.clone(), Some(stale), 409),
        ("create three elsewhere", Method::POST, others.clone(), Some(map("three", &json!({ "a": "1" }))), 201),
        ("list", Method::GET, maps.clone(), None, 200),
        ("list two by its label", Method::GET, format!("{maps}?labelSelector=gates%3Dtwo"), None, 200),
        ("list all namespaces", Method::GET, "/api/v1/configmaps".to_owned(), None, 200),
        ("create a secret", Method::POST, secrets.clone(), Some(secret), 201),
        ("read the secret", Method::GET, format!("{secrets}/sealed"), None, 200),
        ("delete the secret", Method::DELETE, format!("{secrets}/sealed"), None, 200),
        ("delete three", Method::DELETE, format!("{others}/three"), None, 200),
        ("delete one", Method::DELETE, one.clone(), None, 200),
        ("read what is deleted", Method::GET, one.clone(), None, 404),
        ("delete what is deleted", Method::DELETE, one, None, 404),
        ("create four", Method::POST, maps.clone(), Some(map("four", &json!({ "a": "1" }))), 201),
        ("delete four", Method::DELETE, format!("{maps}/four"), None, 200),
        ("delete two", Method::DELETE, format!("{maps}/two"), None, 200),
    ]
}

fn map(name: &str, data: &Value) -> Value {
    let metadata = json!({ "name": name, "labels": { "gates": name } });
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data })
}

/// The life of objects. Each probe that makes some counts the versions of all: they go in turn.
pub static PROBE: Probe<Objects> = Probe {
    name: "objects",
    of: Gate::starts_profile,
    moment: Moment::Look,
    after: After::These(&["refusals"]),
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::objects",
        "objects of the API that are created, changed, listed, watched and deleted as Kubernetes's clients expect it",
        "go through the steps by hand, with `kubectl` or `curl`; see the API shim's log",
        |seen, case| judge(seen, case.check),
    )
    .deviations(|seen| Some((&seen.release, seen.deviations())))],
    triage: &[],
};

/// Goes through the life of a few configuration maps and a secret, and listens to what is told of it.
pub async fn observe(subject: &Subject) -> Result<Objects, Failure> {
    let servers = Servers::of(subject)?;
    let told = Mutex::new(Vec::new());
    let keep = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
        let said = format!("{} {name}", event["type"].as_str().unwrap_or_default());
        told.lock().unwrap_or_else(PoisonError::into_inner).push(said);
    };
    let watched = format!("/api/v1/namespaces/{NAMESPACE}/configmaps?watch=1&timeoutSeconds=30");
    let steps = {
        let watch = servers.lines("apishim", &watched, Asker::Owner, keep);
        let life = async {
            tokio::time::sleep(LISTENED).await;
            let mut steps = Vec::new();
            for (what, method, path, body, _) in plan() {
                let reply = servers.ask("apishim", method, &path, Asker::Owner, body.as_ref()).await;
                steps.push(Step::of(what, reply.status, &reply.json()));
            }
            tokio::time::sleep(LISTENED).await;
            steps
        };
        // A watch that ends early has told all that it tells.
        let watch = async {
            watch.await;
            std::future::pending::<Vec<Step>>().await
        };
        tokio::select! { steps = life => steps, steps = watch => steps }
    };
    let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Objects { release: subject.release(), steps, told })
}

impl Step {
    fn of(what: &str, status: Option<u16>, json: &Value) -> Self {
        let items = json["items"].as_array().into_iter().flatten();
        let names = items.filter_map(|item| item["metadata"]["name"].as_str()).map(ToOwned::to_owned);
        Self {
            what: what.to_owned(),
            status,
            version: json["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()),
            data: json["data"].clone(),
            names: names.filter(|name| ["one", "two", "three", "four"].contains(&name.as_str())).collect(),
        }
    }
}

impl Objects {
    fn step(&self, what: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.what == what)
    }

    /// Lists what is not as Kubernetes's clients expect it.
    pub fn deviations(&self) -> Vec<Deviation> {
        let mut found = self.statuses();
        found.extend(self.contents());
        found.extend(self.lists());
        found.extend(self.versions());
        found.extend(self.watched());
        found
    }

    fn statuses(&self) -> Vec<Deviation> {
        let wrong = plan().into_iter().filter_map(|(what, _, _, _, wanted)| {
            let Some(step) = self.step(what) else {
                return Some(Deviation::new("not-asked", format!("not done: {what}"), &0));
            };
            if step.status == Some(wanted) {
                return None;
            }
            let name = match (what, step.status) {
                ("create one again", Some(201)) => "created-twice",
                ("update one of an old version", Some(200)) => "stale-update",
                _ => "status",
            };
            let status = step.status.map_or("nothing".to_owned(), |status| status.to_string());
            let again = if what.contains("deleted") { ", as if it were not deleted" } else { "" };
            Some(Deviation::new(
                name,
                format!("apishim answers `{what}` with {status} instead of {wanted}{again}"),
                step,
            ))
        });
        wrong.collect()
    }

    fn contents(&self) -> Vec<Deviation> {
        let wanted = [
            ("patch one", json!({ "a": "3", "b": "2" })),
            ("read one", json!({ "a": "3", "b": "2" })),
            ("read the secret", json!({ "key": "Z2F0ZXM=" })),
        ];
        let wrong = wanted.into_iter().filter_map(|(what, data)| {
            let step = self.step(what)?;
            (step.data != data)
                .then(|| Deviation::new("data", format!("`{what}` has other data than were put there"), step))
        });
        wrong.collect()
    }

    fn lists(&self) -> Vec<Deviation> {
        let wanted = [
            ("list", &["one", "two"][..], "the list of a namespace"),
            ("list two by its label", &["two"][..], "the list by a label selector"),
            ("list all namespaces", &["one", "two", "three"][..], "the list of all namespaces"),
        ];
        let wrong = wanted.into_iter().filter_map(|(what, names, place)| {
            let step = self.step(what)?;
            let mut listed: Vec<&str> = step.names.iter().map(String::as_str).collect();
            listed.sort_unstable();
            let mut names = names.to_vec();
            names.sort_unstable();
            if listed == names {
                return None;
            }
            let name = if listed.is_empty() && what != "list all namespaces" { "list-of-a-namespace" } else { "list" };
            let shown = if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") };
            Some(Deviation::new(name, format!("{place} shows {shown} instead of {}", names.join(", ")), step))
        });
        wrong.collect()
    }

    fn versions(&self) -> Vec<Deviation> {
        let version = |what: &str| self.step(what).and_then(|step| step.version);
        let mut found = Vec::new();
        let mut grows = |name, before: &str, after: &str| {
            if let (Some(one), Some(other)) = (version(before), version(after))
                && other <= one
            {
                let what = format!("the resourceVersion does not grow from `{before}` ({one}) to `{after}` ({other})");
                found.push(Deviation::new(name, what, &[self.step(before), self.step(after)]));
            }
        };
        grows("version", "create one", "create two");
        grows("version-after-patch", "create two", "patch one");
        grows("version", "create two", "create three elsewhere");
        grows("version-goes-back", "create a secret", "create four");
        for what in ["create one", "create two", "read one"] {
            if version(what).is_none() {
                found.push(Deviation::new("no-version", format!("`{what}` has no resourceVersion"), &self.step(what)));
            }
        }
        if let Some(list) = self.step("list all namespaces")
            && list.version.is_none_or(|listed| Some(listed) < version("create two"))
        {
            let what = "the resourceVersion of a list is older than what it lists";
            found.push(Deviation::new("version-of-a-list", what, list));
        }
        found
    }

    fn watched(&self) -> Vec<Deviation> {
        if self.told.is_empty() {
            return vec![Deviation::new("watch-of-a-namespace", "the watch of a namespace tells nothing", &self.told)];
        }
        let wanted = ["ADDED one", "ADDED two", "MODIFIED one", "DELETED one"];
        let untold: Vec<&str> =
            wanted.into_iter().filter(|event| !self.told.iter().any(|told| told == event)).collect();
        let mut found = Vec::new();
        if !untold.is_empty() {
            found.push(Deviation::new("watch", format!("the watch does not tell {}", untold.join(", ")), &self.told));
        }
        if untold.is_empty() && !self.told.iter().any(|told| told == "DELETED two") {
            let what = "the watch does not tell of the deletion of an object that is older than another one";
            found.push(Deviation::new("watch-misses-older", what, &self.told));
        }
        if self.told.iter().any(|told| told.ends_with("three")) {
            found.push(Deviation::new("watch", "the watch tells of another namespace", &self.told));
        }
        found
    }
}

/// Every step is answered as it must be, and told to who watches.
pub fn judge(seen: &Objects, check: &'static str) -> Result<(), Mismatch> {
    seen.release.judge(check, seen.deviations())
}
