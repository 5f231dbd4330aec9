//! What the looks at apps have in common: k1s is told to do something, and looked at until that has come about.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use containerd_client::services::v1::Container;
use reqwest::Method;
use serde_json::{Value, json};

use super::sight::{Account, Pod, Sight, Step, Word};
use crate::attest::app;
use crate::attest::containerd::{Containerd, Task};
use crate::attest::etcd::Etcd;
use crate::attest::images::{self, APP};
use crate::attest::ingress::Ingress;
use crate::attest::plain::{Asker, Reply, Servers};
use crate::attest::readiness::address;
use crate::attest::tls::{Question, Response};
use crate::attest::{Subject, client};
use crate::failure::Failure;

/// The apps' program.
const PROGRAM: &str = include_str!("app.py");
/// The port that they listen on in their containers.
pub(super) const PROBED: u16 = 8080;
/// How long k1s may take over a change: it answers when it has gone over the app several times.
const CHANGE: Duration = Duration::from_mins(2);
/// How long what was changed may take to be seen.
const SETTLED: Duration = Duration::from_mins(2);
/// How often k1s is looked at.
const AGAIN: Duration = Duration::from_millis(500);
/// How often k1s is told the same when its answer is an error of its own: its loop over all apps may meet an app that is
/// just being changed, and the later one of the two fails.
const TIMES: usize = 3;
/// How long an app may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The label of a container's revision.
const REVISION: &str = "ae.revision";
/// The name that nerdctl knows a container by.
const NAME: &str = "nerdctl/name";
/// What is kept of an answer of k1s's: an error quotes the whole command first, and says at its end what is wrong.
const SAID: usize = 400;

/// Who tells k1s what to do, and looks.
pub(super) struct Driver<'a> {
    subject: &'a Subject,
    servers: Servers,
    ingress: Ingress,
    containerd: Containerd,
    etcd: Option<Etcd>,
    pods: reqwest::Client,
    /// The images of the template's backend and frontend: both have Python, and neither is the other.
    images: [String; 2],
}

/// An app of the harness's own.
pub(super) struct Own<'a> {
    driver: &'a Driver<'a>,
    name: &'static str,
    steps: Vec<Step>,
    /// When the last step was done.
    since: Instant,
    /// Whether it has an ingress.
    ingress: bool,
    /// Whether its keys in k1s's store are looked at.
    store: bool,
}

impl<'a> Driver<'a> {
    pub(super) async fn of(subject: &'a Subject) -> Result<Self, Failure> {
        let apps = app::deployed(subject)?;
        let image = |name| app::named(&apps, name).map(|app| app.image.clone());
        Ok(Self {
            subject,
            servers: Servers::of(subject)?,
            ingress: Ingress::of(subject)?,
            containerd: Containerd::connect(&subject.address).await?,
            etcd: Etcd::of(&subject.profile_record()?)?,
            pods: client(ANSWER)?,
            images: [image("backend")?, image("frontend")?],
        })
    }

    pub(super) fn app(&'a self, name: &'static str) -> Own<'a> {
        Own { driver: self, name, steps: Vec::new(), since: Instant::now(), ingress: false, store: false }
    }

    /// The first or the second image.
    pub(super) fn image(&self, number: usize) -> &str {
        &self.images[number]
    }

    /// The host name of an app's ingress.
    fn host(&self, name: &str) -> String {
        format!("{name}.{}.workerbee.localhost", self.subject.project)
    }

    /// Posts a change to the controller that leads: one that does not says so, and changes nothing.
    async fn change(&self, path: &str, body: &Value) -> Reply {
        let mut last = Reply::default();
        for controller in self.servers.controllers() {
            last = self.servers.ask_within(CHANGE, controller, Method::POST, path, Some(body)).await;
            if last.json()["error"] != "not_leader" {
                break;
            }
        }
        last
    }
}

impl Own<'_> {
    fn key(&self) -> String {
        format!("{}--{}", self.driver.subject.project, self.name)
    }

    /// A manifest: what is given is put over what all of them have.
    pub(super) fn manifest(&self, different: Value) -> Value {
        let mut spec = json!({
            "image": self.driver.image(0),
            "imagePullPolicy": "Never",
            "replicas": 1,
            "command": ["python", "-u", "-c", PROGRAM],
            "ports": [{ "name": "http", "containerPort": PROBED }],
            "terminationGracePeriodSeconds": 1,
        });
        if let (Some(spec), Value::Object(different)) = (spec.as_object_mut(), different) {
            spec.extend(different);
        }
        json!({
            "apiVersion": "ae.dev/v1alpha1",
            "kind": "Deployment",
            "metadata": { "name": self.name, "namespace": self.driver.subject.project },
            "spec": spec,
        })
    }

    /// The same of an app with an ingress.
    pub(super) fn manifest_with_ingress(&mut self, different: Value) -> Value {
        self.ingress = true;
        let mut manifest = self.manifest(different);
        manifest["spec"]["ingress"] = json!({ "host": self.driver.host(self.name), "path": "/" });
        manifest
    }

    pub(super) async fn apply(&self, manifest: &Value) -> Reply {
        self.insist("/apply", manifest).await
    }

    /// Applies what k1s must refuse: once.
    pub(super) async fn apply_once(&self, manifest: &Value) -> Reply {
        self.driver.change("/apply", manifest).await
    }

    pub(super) async fn scale(&self, replicas: u32) -> Reply {
        self.insist(&format!("/scale/{}", self.key()), &json!({ "replicas": replicas })).await
    }

    /// Deletes the app with its history. From then on its keys are looked at.
    pub(super) async fn delete(&mut self) -> Reply {
        self.store = true;
        self.insist(&format!("/delete/{}?purge=1", self.key()), &json!({})).await
    }

    async fn insist(&self, path: &str, body: &Value) -> Reply {
        let mut told = 1;
        loop {
            let reply = self.driver.change(path, body).await;
            if told == TIMES || reply.status.is_none_or(|status| status < 500) {
                return reply;
            }
            told += 1;
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Posts something to each of the app's containers.
    pub(super) async fn tell(&self, page: &str, text: &str) {
        for (_, task) in self.containers().await {
            if let Some(address) = task.and_then(|task| address(task.pid)) {
                let url = format!("http://{address}:{PROBED}{page}");
                for _ in 0..TIMES {
                    // What came of it is seen in what the app says next.
                    if self.driver.pods.post(&url).body(text.to_owned()).send().await.is_ok() {
                        break;
                    }
                }
            }
        }
    }

    /// Looks until something has come about, and keeps what was seen. Says whether it did.
    pub(super) async fn until(&mut self, what: &str, reply: &Reply, settled: impl Fn(&Sight) -> bool) -> bool {
        self.until_within(SETTLED, what, reply, settled).await
    }

    /// The same of something that is soon done.
    pub(super) async fn until_within(
        &mut self,
        limit: Duration,
        what: &str,
        reply: &Reply,
        settled: impl Fn(&Sight) -> bool,
    ) -> bool {
        let begin = Instant::now();
        loop {
            let sight = self.look().await;
            let is_settled = settled(&sight);
            let is_over = begin.elapsed() >= limit || self.driver.subject.ended.of_the_way_in().is_some();
            if is_settled || is_over {
                self.steps.push(Step {
                    what: what.to_owned(),
                    status: reply.status,
                    said: end_of(&reply.text, SAID),
                    settled: is_settled,
                    seconds: self.since.elapsed().as_secs_f64(),
                    sight,
                });
                self.since = Instant::now();
                return is_settled;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Whether all that was waited for came about.
    pub(super) fn is_settled(&self) -> bool {
        self.steps.iter().all(|step| step.settled)
    }

    /// Forgets a step that is done once more.
    pub(super) fn forget(&mut self, what: &str) {
        self.steps.retain(|step| step.what != what);
    }

    pub(super) fn steps(self) -> Vec<Step> {
        self.steps
    }

    async fn look(&self) -> Sight {
        let driver = self.driver;
        let path = format!("/status/{}", self.key());
        let account = driver.servers.get("controller-0", &path, Asker::Owner);
        let (account, pods, answer, keys) = tokio::join!(account, self.pods(), self.through_ingress(), self.keys());
        Sight {
            account: Account::of(&account.json()),
            pods,
            route: answer.as_ref().map(|answer| answer.status),
            ingress: answer.and_then(|answer| serde_json::from_slice(&answer.body).ok()),
            keys,
        }
    }

    async fn through_ingress(&self) -> Option<Response> {
        let driver = self.driver;
        let url = driver.ingress.at(&driver.host(self.name), "/").ok().filter(|_| self.ingress)?;
        driver.ingress.trust.ask(Question::get(&url)).await.ok()
    }

    /// What kinds of keys of the app are in k1s's store, with how many there are.
    async fn keys(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        let Some(etcd) = self.driver.etcd.as_ref().filter(|_| self.store) else { return kinds };
        let own = format!("/{}/", self.key());
        // A store that does not answer shows no account either.
        for key in etcd.all_keys().await.unwrap_or_default() {
            let whole = format!("{key}/");
            if let Some(at) = whole.find(&own) {
                let kind = whole[..at].rsplit('/').next().unwrap_or_default();
                *kinds.entry(kind.to_owned()).or_default() += 1;
            }
        }
        kinds
    }

    async fn pods(&self) -> Vec<Pod> {
        let mut pods = Vec::new();
        for (container, task) in self.containers().await {
            let word = match &task {
                Some(task) if task.status == "RUNNING" => self.word(task.pid).await,
                _ => None,
            };
            let label = |name: &str| container.labels.get(name).cloned().unwrap_or_default();
            pods.push(Pod {
                name: label(NAME),
                revision: label(REVISION),
                image: container.image.trim_start_matches("localhost/").to_owned(),
                exit: task.as_ref().filter(|task| task.status == "STOPPED").map(|task| task.exit_status),
                task: task.map(|task| task.status),
                id: container.id,
                word,
            });
        }
        pods.sort_by(|one, other| one.name.cmp(&other.name));
        pods
    }

    async fn word(&self, pid: u32) -> Option<Word> {
        let url = format!("http://{}:{PROBED}/", address(pid)?);
        self.driver.pods.get(url).send().await.ok()?.json().await.ok()
    }

    async fn containers(&self) -> Vec<(Container, Option<Task>)> {
        let namespace = self.driver.subject.namespace();
        let containerd = &self.driver.containerd;
        // A containerd that does not answer shows no container: what is waited for does not come about.
        let found = images::applications(containerd, &namespace).await.unwrap_or_default();
        let mut tasks = containerd.tasks(&namespace).await.unwrap_or_default();
        let own = found.into_iter().filter(|one| one.labels.get(APP).is_some_and(|app| *app == self.key()));
        own.map(|one| {
            let task = tasks.iter().position(|task| task.id == one.id).map(|at| tasks.swap_remove(at));
            (one, task)
        })
        .collect()
    }
}

/// The last characters of a text.
pub(super) fn end_of(text: &str, most: usize) -> String {
    let length = text.chars().count();
    text.chars().skip(length.saturating_sub(most)).collect()
}
