//! The containers of a profile: there, labelled, running as what they should be, and not restarted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Subject;
use super::containerd::{Container, Containerd, Task};
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::processes::{self, Running};
use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::{Component, Gate, Profile};

/// `WorkerBee`'s label of all that belongs to a k1s profile, and its value.
pub(super) const KIND: (&str, &str) = ("workerbee.component", "k1s-profile");

/// The containers and their main processes, as listed at one time.
#[derive(Debug)]
pub struct ContainerList {
    containers: Vec<Container>,
    tasks: BTreeMap<String, Main>,
}

/// The containers of a profile, seen twice.
#[derive(Debug, Serialize, Deserialize)]
pub struct Containers {
    /// The gate's project.
    pub project: String,
    /// The components that the profile must have.
    pub components: Vec<Observed>,
    /// Names of containers with `WorkerBee`'s label of a profile that are none of these.
    pub others: Vec<String>,
}

/// A component.
#[derive(Debug, Serialize, Deserialize)]
pub struct Observed {
    /// Its container's name.
    pub name: String,
    /// The id that `WorkerBee` reported; none when it reported none.
    pub reported: Option<String>,
    /// The container of that name, with `WorkerBee`'s labels.
    pub container: Option<Container>,
    /// Its task right after `validate`.
    pub before: Option<Main>,
    /// Its task after all other looks.
    pub after: Option<Main>,
}

/// A container's task, with its main process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Main {
    /// containerd's word for its state: `RUNNING`, `PAUSED`, `STOPPED`.
    pub status: String,
    /// Its main process; none when there is no such process any more.
    pub process: Option<Running>,
}

/// The containers, listed before and after all other observations: whatever was restarted meanwhile is another process.
pub static PROBE: Probe<Containers> = Probe {
    name: "containers",
    of: Gate::starts_profile,
    moment: Moment::Last,
    after: After::Nobody,
    observe: Observe::Ask(|scene| {
        Box::pin(async move {
            let before = scene.before.as_ref().map_err(Clone::clone)?;
            Ok(Containers::new(&scene.subject, before, &list(&scene.subject).await?))
        })
    }),
    checks: &[Rule::new(
        "attest::containers",
        "each component in the container that WorkerBee reported, labelled, RUNNING, not restarted, past pip",
        "`nerdctl --namespace <the project's> ps -a` and the gate's logs show what became of it",
        |seen, case| seen.judge(case.profile),
    )],
    triage: &["containerd.json"],
};

/// Looks once.
pub async fn list(subject: &Subject) -> Result<ContainerList, Failure> {
    let containerd = Containerd::connect(&subject.address).await?;
    let namespace = subject.namespace();
    let found = containerd.containers(&namespace).await?;
    let tasks = containerd.tasks(&namespace).await?;
    let pids: Vec<u32> = tasks.iter().map(|task| task.pid).collect();
    let mut running = processes::running(&pids)?;
    let main = |Task { id, pid, status, .. }: Task| (id, Main { status, process: running.remove(&pid) });
    Ok(ContainerList { containers: found, tasks: tasks.into_iter().map(main).collect() })
}

impl Containers {
    /// Builds the observation from two listings.
    pub fn new(subject: &Subject, before: &ContainerList, after: &ContainerList) -> Self {
        let observed = |component: Component| {
            let name = subject.container(component);
            let container = after.containers.iter().find(|one| one.name() == Some(name.as_str())).cloned();
            let task = |list: &ContainerList| list.tasks.get(&container.as_ref()?.id).cloned();
            let (before, after) = (task(before), task(after));
            let container = container.map(|mut container| {
                container.labels.retain(|label, _| label.starts_with("workerbee."));
                container
            });
            Observed { reported: reported(&subject.answer, &name), name, container, before, after }
        };
        let components: Vec<Observed> = subject.profile.components().into_iter().map(observed).collect();
        let of_a_profile = after.containers.iter().filter(|one| one.label(KIND.0) == Some(KIND.1));
        let names = of_a_profile.map(|one| one.name().unwrap_or(&one.id).to_owned());
        let others = names.filter(|name| !components.iter().any(|component| component.name == *name)).collect();
        Self { project: subject.project.clone(), components, others }
    }

    /// Every component of the profile as it should be, and nothing else that calls itself one.
    pub fn judge(&self, profile: Profile) -> Result<(), Mismatch> {
        if self.components.is_empty() {
            return Err("no container was observed".into());
        }
        for component in profile.components() {
            let end = format!("-{profile}-{component}");
            let observed = self.components.iter().find(|one| one.name.ends_with(&end));
            let observed = observed.ok_or_else(|| Mismatch::from(format!("{component} was not observed")))?;
            self.as_it_should_be(component, observed)?;
        }
        match self.others.first() {
            None => Ok(()),
            Some(other) => Err(Mismatch::new(format!("{other} is no component of {profile}"), &self.others)),
        }
    }

    fn as_it_should_be(&self, component: Component, seen: &Observed) -> Result<(), Mismatch> {
        let wrong = |what: String, part: Value| Mismatch::new(format!("{component} {what}"), &part);
        let container = seen.container.as_ref().ok_or_else(|| wrong("has no container".into(), json!(seen)))?;
        if seen.reported.as_ref() != Some(&container.id) {
            let ids = json!({ "container": container.id, "reported": seen.reported });
            return Err(wrong("is not in the container that WorkerBee reported".into(), ids).of(Kind::WorkerBee));
        }
        let kind = format!("k1s-profile-{}", component.role());
        let labels = [
            ("workerbee.managed", "true"),
            ("workerbee.project", &self.project),
            KIND,
            ("workerbee.k1s_profile_component", &kind),
        ];
        if let Some((label, value)) = labels.into_iter().find(|(label, value)| container.label(label) != Some(value)) {
            let what = format!("has no label {label}={value}");
            return Err(wrong(what, json!(container.labels)).of(Kind::WorkerBee));
        }
        let before = main(seen.before.as_ref()).map_err(|what| wrong(what, json!(seen.before)))?;
        let after = main(seen.after.as_ref()).map_err(|what| wrong(what, json!(seen.after)))?;
        if (before.pid, before.started) != (after.pid, after.started) {
            let both = json!({ "before": before, "after": after });
            return Err(wrong("was restarted between the two observations".into(), both));
        }
        if after.program != program(component) {
            return Err(wrong(format!("is not {} but still {}", program(component), after.program), json!(after)));
        }
        Ok(())
    }
}

/// The main process of a task that runs.
fn main(task: Option<&Main>) -> Result<&Running, String> {
    let task = task.ok_or("has a container and no task: nothing runs in it")?;
    if task.status != "RUNNING" {
        return Err(format!("is {}, not RUNNING", task.status));
    }
    task.process.as_ref().ok_or_else(|| "is RUNNING for containerd, and the kernel knows no such process".into())
}

/// Returns the program that a component's main process runs once `pip` is done: `WorkerBee` starts controllers and the
/// API shim by a shell that installs k1s's requirements and then becomes them (`exec`).
fn program(component: Component) -> &'static str {
    match component {
        Component::Etcd => "etcd",
        Component::Nats => "nats-server",
        Component::Apishim => "ae.apishim",
        Component::Controller(_) => "ae.controller",
    }
}

/// The id that the answer to `validate` gives for a container: a startup's has a status, a workload's the profile that
/// was started for it.
fn reported(answer: &Value, name: &str) -> Option<String> {
    let components = ["/status/components", "/profile_start/profile/components"];
    let components = components.into_iter().find_map(|pointer| answer.pointer(pointer)?.as_array())?;
    let component = components.iter().find(|component| component["name"] == name)?;
    Some(component["container_id"].as_str()?.to_owned())
}
