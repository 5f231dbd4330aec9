//! The observations of a live profile from outside it: through its ingress, by its APIs, and on disk.

use super::session::Session;
use tokio::sync::{Notify, Semaphore};

use super::life as apps;
use crate::attest::{Subject, app, echo, exports, images, life, listeners, resources, routes, seed, websocket};
use crate::checks::{Check, observed};
use crate::failure::Failure;
use crate::plan::{Gate, Profile};

/// Who looks besides: at the resources, and at what k1s does when it is asked.
const LOOKING: u32 = 2;

/// Looks at what the gate's profile has: routes always, the rest where a workload was deployed.
/// Those that change what is deployed wait until `looked` has been given a permit by who looks besides.
pub(super) async fn observe(session: &mut Session<'_>, subject: &Subject, looked: &Semaphore) -> Result<(), Failure> {
    let routes = async {
        let apps = if has_apps(session.key.gate) { app::deployed(subject)? } else { Vec::new() };
        routes::observe(subject, &apps).await
    };
    session.observe("routes", routes.await)?;
    session.record.noticed.extend(listeners::shared_admin());
    if !has_apps(session.key.gate) {
        return Ok(());
    }
    // The observations have nothing in common but the profile: side by side they take as long as the slowest. That is the
    // echo app, which k1s takes many seconds to deploy. It comes after the observation of what is deployed, which would
    // find one app too many, and beside all others.
    let mut refused = Vec::new();
    // k1s has the ingress loaded anew for each app that it deploys, which closes the connections that are open then.
    let connections = Notify::new();
    let resources_and_echo = async {
        let resources = resources::observe(subject).await;
        looked.add_permits(1);
        connections.notified().await;
        (resources, echo::observe(subject, &mut refused).await)
    };
    let websocket = async {
        let websocket = websocket::observe(subject).await;
        connections.notify_one();
        websocket
    };
    let looks_and_life = async {
        let looks =
            tokio::join!(websocket, seed::observe(subject), images::observe(subject), exports::observe(subject),);
        // Nobody closes it: what comes of the wait is the permits, and they are not given back.
        let _ = looked.acquire_many(LOOKING).await;
        (looks, Box::pin(life::observe(subject)).await)
    };
    let ((resources, echo), ((websocket, seed, images, exports), life)) =
        tokio::join!(resources_and_echo, looks_and_life);
    session.observe("websocket", websocket)?;
    session.observe("resources", resources)?;
    session.observe("app", seed)?;
    session.observe("images", images)?;
    session.observe("exports", exports)?;
    session.observe("websocket-echo", echo)?;
    apps::keep(session, life)?;
    if let Some(last) = refused.last() {
        let file = session.own("echo-refused.json");
        session.keep(&file, &refused)?;
        let (times, last) = (refused.len(), echo::end_of(last));
        session.record.noticed.push(format!("k1s failed at the harness's echo app {times} times (see {file}): {last}"));
    }
    Ok(())
}

/// Is true when a gate deploys applications.
pub(super) fn has_apps(gate: Gate) -> bool {
    matches!(gate, Gate::Workload(_))
}

/// The checks over it.
pub(super) fn checks(gate: Gate) -> Vec<Check> {
    let mut checks = vec![observed(
        "attest::routes",
        "routes",
        "every route answers 200 over TLS that verifies against WorkerBee's CA and no other; what is guarded asks for \
         a token",
        "ask the URL by hand, with `curl --cacert` and the CA in <state root>/global/caddy-local-root.crt",
        if has_apps(gate) { routes::judge_with_apps } else { routes::judge },
    )];
    if let Gate::Workload(profile) = gate {
        checks.extend(workload(profile));
        checks.extend(apps::checks());
    }
    checks
}

fn workload(profile: Profile) -> [Check; 7] {
    [
        observed(
            "attest::websocket",
            "websocket",
            "a verified handshake, every message echoed, 100 of them in order, an end after the answer; of 64 KiB all or \
             nothing",
            "see the log of the backend's container, and that the ingress passes upgrades on",
            websocket::judge,
        ),
        observed(
            "attest::websocket-echo",
            "websocket-echo",
            "on one connection to an echo app in k1s: text, binary, 100 messages in order and 64 KiB as they were sent, \
             then a close frame for ours",
            "see the log of the container whose name holds `gates-echo`, and that the ingress passes upgrades on",
            echo::judge,
        ),
        observed(
            "attest::confinement",
            "websocket-echo",
            "the process of the echo app with the user, the capabilities, the read-only root, the limit of memory and the \
             environment of its manifest",
            "see how k1s runs the container whose name holds `gates-echo`: `nerdctl inspect`",
            echo::judge_process,
        ),
        observed(
            "attest::resources",
            "resources",
            "the pods, deployments, services and ingresses that WorkerBee's manifests name, all ready, and no others",
            "ask k1s: `ae.cli status`, and the API's /api/v1/namespaces/<project>/pods",
            move |seen| resources::judge(profile, seen),
        ),
        observed(
            "attest::app",
            "app",
            "what is written into the database comes out of backend and frontend, by the ports of their services",
            "see the logs of the app's containers, and DB_URLS and BACKEND_URLS in their manifests",
            seed::judge,
        ),
        observed(
            "attest::images",
            "images",
            "each app's container runs from the image that this gate built for it",
            "compare `nerdctl image inspect` and `nerdctl container inspect` with /builds in the answer",
            images::judge,
        ),
        observed(
            "attest::exports",
            "exports",
            "k1s, Kubernetes and Helm exports of valid objects, with the images, ports and hosts of what runs",
            "read the exported files, which /exports in the answer names",
            exports::judge,
        ),
    ]
}
