//! The deployed workload by k1s's own account: pods, deployments, services, ingresses, jobs, as typed objects.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::Ingress as IngressObject;
use k8s_openapi::{List, ListableResource};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::app::{self, App};
use super::ingress::Ingress;
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::tls::Question;
use super::{Subject, poll};
use crate::failure::{Failure, Mismatch};
use crate::plan::{Gate, Profile};

/// k1s mirrors what it deploys into its API a moment later, and probes readiness every two seconds.
const SETTLED: Duration = Duration::from_secs(20);

/// An observed value, or why there is none.
pub type Seen<T> = Result<T, String>;

/// The observation of the workload.
#[derive(Debug, Serialize, Deserialize)]
pub struct Resources {
    /// The applications that `WorkerBee` deployed.
    pub deployed: Vec<App>,
    /// The pods, by k1s's API.
    pub pods: Seen<Vec<PodSeen>>,
    /// The deployments with their services and ingresses, by k1s's API.
    pub objects: Seen<Vec<DeploymentSeen>>,
    /// The numbers of services, ingresses, jobs and stateful sets that k1s's API lists.
    pub counts: Counts,
    /// The applications, by k1s's controller.
    pub controller: Seen<Vec<AppStatus>>,
}

/// The number of objects of each kind.
#[derive(Debug, Serialize, Deserialize)]
pub struct Counts {
    /// Services.
    pub services: Seen<usize>,
    /// Ingresses.
    pub ingresses: Seen<usize>,
    /// Jobs.
    pub jobs: Seen<usize>,
    /// Stateful sets.
    pub statefulsets: Seen<usize>,
}

/// A pod.
#[derive(Debug, Serialize, Deserialize)]
pub struct PodSeen {
    /// Its name.
    pub name: String,
    /// The application that it is of.
    pub app: String,
    /// `Running`, when all is well.
    pub phase: String,
    /// True when it is ready, with each of its containers.
    pub ready: bool,
}

/// A deployment.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeploymentSeen {
    /// The application that it runs.
    #[serde(flatten)]
    pub app: App,
    /// The number of replicas that are ready.
    pub ready: i32,
}

/// An application's status by the controller's `/status`.
#[derive(Debug, Serialize, Deserialize)]
pub struct AppStatus {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The number of replicas that should run.
    pub desired_replicas: i32,
    /// The number of replicas that are ready.
    pub ready_replicas: i32,
    /// `ready`, when all is well.
    pub revision_status: String,
    /// The image of its container.
    pub image: String,
    /// The host name of its ingress.
    pub ingress_host: Option<String>,
}

/// The workload by k1s's own account.
pub static PROBE: Probe<Resources> = Probe {
    name: "resources",
    of: Gate::deploys_apps,
    moment: Moment::Look,
    after: After::These(&["routes"]),
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::resources",
        "the pods, deployments, services and ingresses that WorkerBee's manifests name, all ready, and no others",
        "ask k1s: `ae.cli status`, and the API's /api/v1/namespaces/<project>/pods",
        |seen, case| judge(case.profile, seen),
    )],
    triage: &[],
};

/// Asks k1s's API and its controller.
pub async fn observe(subject: &Subject) -> Result<Resources, Failure> {
    let ingress = Ingress::of(subject)?;
    let deployed = app::deployed(subject)?;
    let profile = subject.profile;
    Ok(poll::until(
        SETTLED,
        &subject.ended,
        async || once(&ingress, &subject.project, deployed.clone()).await,
        |seen| judge(profile, seen).is_ok(),
    )
    .await)
}

async fn once(ingress: &Ingress, namespace: &str, deployed: Vec<App>) -> Resources {
    let (pods, deployments, services, ingresses, jobs, statefulsets, controller) = tokio::join!(
        list::<Pod>(ingress, "api/v1", namespace, "pods"),
        list::<Deployment>(ingress, "apis/apps/v1", namespace, "deployments"),
        list::<Service>(ingress, "api/v1", namespace, "services"),
        list::<IngressObject>(ingress, "apis/networking.k8s.io/v1", namespace, "ingresses"),
        list::<Job>(ingress, "apis/batch/v1", namespace, "jobs"),
        list::<StatefulSet>(ingress, "apis/apps/v1", namespace, "statefulsets"),
        status(ingress),
    );
    let counts = Counts {
        services: services.as_ref().map(Vec::len).map_err(Clone::clone),
        ingresses: ingresses.as_ref().map(Vec::len).map_err(Clone::clone),
        jobs: jobs.map(|jobs| jobs.len()),
        statefulsets: statefulsets.map(|sets| sets.len()),
    };
    let objects = match (deployments, services, ingresses) {
        (Ok(deployments), Ok(services), Ok(ingresses)) => {
            deployments.iter().map(|one| deployment(one, &services, &ingresses)).collect()
        }
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
    };
    Resources { deployed, pods: pods.map(|pods| pods.iter().map(pod).collect()), objects, counts, controller }
}

async fn list<T>(ingress: &Ingress, group: &str, namespace: &str, kind: &str) -> Seen<Vec<T>>
where
    T: DeserializeOwned + ListableResource,
{
    let list: List<T> =
        get(ingress, "api", &format!("{group}/namespaces/{namespace}/{kind}"), &ingress.tokens.api).await?;
    Ok(list.items)
}

async fn status(ingress: &Ingress) -> Seen<Vec<AppStatus>> {
    #[derive(Deserialize)]
    struct Page {
        items: Vec<AppStatus>,
    }
    let page: Page = get(ingress, "controller", "status", &ingress.tokens.admin).await?;
    Ok(page.items)
}

async fn get<T: DeserializeOwned>(ingress: &Ingress, route: &str, path: &str, token: &str) -> Seen<T> {
    let url = ingress.below(route, path).map_err(|failure| failure.what)?;
    let response = ingress.trust.ask(Question::get(&url).with(Some(token))).await;
    let response = response.map_err(|answer| format!("{url}: {answer:?}"))?;
    if response.status != 200 {
        return Err(format!("{url}: status {}", response.status));
    }
    serde_json::from_slice(&response.body).map_err(|error| format!("{url} is not what it should be: {error}"))
}

fn pod(pod: &Pod) -> PodSeen {
    let label = |name: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(name)).cloned();
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    PodSeen {
        name: pod.metadata.name.clone().unwrap_or_default(),
        app: label("app").unwrap_or_default(),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_default(),
        ready: ready && !containers.is_empty() && containers.iter().all(|container| container.ready),
    }
}

fn deployment(deployment: &Deployment, services: &[Service], ingresses: &[IngressObject]) -> Seen<DeploymentSeen> {
    Ok(DeploymentSeen {
        app: App::from_k8s(deployment, services, ingresses)?,
        ready: deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0),
    })
}

/// All that was deployed is there and ready, and nothing else.
///
/// k1s mirrors deployments, services and ingresses into its API in k1s-ha-min alone: the API of a single controller
/// keeps a store of its own, in which none of them was seen 47 s after the deployment. There the controller is asked
/// for them, and the published ports answer for the services (`attest::app`).
pub fn judge(profile: Profile, seen: &Resources) -> Result<(), Mismatch> {
    app::complete(&seen.deployed)?;
    pods(seen)?;
    controller(seen)?;
    objects(profile.mirrors_resources(), seen)?;
    for (kind, count) in [("jobs", &seen.counts.jobs), ("stateful sets", &seen.counts.statefulsets)] {
        match count {
            Ok(0) => {}
            Ok(count) => return Err(Mismatch::new(format!("{count} {kind} that nobody deployed"), &seen.counts)),
            Err(error) => return Err(Mismatch::new(format!("no list of {kind}"), error)),
        }
    }
    Ok(())
}

fn pods(seen: &Resources) -> Result<(), Mismatch> {
    let pods = seen.pods.as_ref().map_err(|error| Mismatch::new("no list of pods", error))?;
    for app in &seen.deployed {
        let ready = pods.iter().filter(|pod| pod.app == app.name && pod.phase == "Running" && pod.ready).count();
        if i32::try_from(ready) != Ok(app.replicas) {
            return Err(Mismatch::new(format!("{ready} ready pods of {} instead of {}", app.name, app.replicas), pods));
        }
    }
    let wanted: i32 = seen.deployed.iter().map(|app| app.replicas).sum();
    if i32::try_from(pods.len()) == Ok(wanted) {
        Ok(())
    } else {
        Err(Mismatch::new(format!("{} pods instead of {wanted}", pods.len()), pods))
    }
}

fn controller(seen: &Resources) -> Result<(), Mismatch> {
    let statuses = seen.controller.as_ref().map_err(|error| Mismatch::new("no status of the controller's", error))?;
    for app in &seen.deployed {
        let Some(status) = statuses.iter().find(|status| status.name == app.name) else {
            return Err(Mismatch::new(format!("the controller's /status has nothing of {}", app.name), statuses));
        };
        let wanted = (app.replicas, app.replicas, "ready", &app.image, &app.host, &app.namespace);
        let is = (
            status.desired_replicas,
            status.ready_replicas,
            status.revision_status.as_str(),
            &status.image,
            &status.ingress_host,
            &status.namespace,
        );
        if is != wanted {
            return Err(Mismatch::new(
                format!("the controller has {} otherwise than it was deployed", app.name),
                status,
            ));
        }
    }
    if statuses.len() == seen.deployed.len() {
        Ok(())
    } else {
        Err(Mismatch::new(
            format!("the controller knows {} apps instead of {}", statuses.len(), seen.deployed.len()),
            statuses,
        ))
    }
}

fn objects(mirrored: bool, seen: &Resources) -> Result<(), Mismatch> {
    let objects =
        seen.objects.as_ref().map_err(|error| Mismatch::new("no deployments, services and ingresses", error))?;
    let mut listed: Vec<&App> = objects.iter().map(|object| &object.app).collect();
    listed.sort();
    let counts = (seen.counts.services.as_ref().ok(), seen.counts.ingresses.as_ref().ok());
    if listed.is_empty() && !mirrored && counts == (Some(&0), Some(&0)) {
        return Ok(());
    }
    if listed != seen.deployed.iter().collect::<Vec<_>>() {
        return Err(Mismatch::new("deployments, services and ingresses are not those that were deployed", objects));
    }
    if let Some(unready) = objects.iter().find(|object| object.ready != object.app.replicas) {
        return Err(Mismatch::new(
            format!("{} of the deployment {} are ready", unready.ready, unready.app.name),
            unready,
        ));
    }
    let hosts = seen.deployed.iter().filter(|app| app.host.is_some()).count();
    if counts == (Some(&seen.deployed.len()), Some(&hosts)) {
        Ok(())
    } else {
        Err(Mismatch::new("there are other services or ingresses than were deployed", &seen.counts))
    }
}
