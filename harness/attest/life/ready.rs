//! An app that is not ready at first, then is, and is deleted.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::driver::{Driver, PROBED};
use super::sight::{Sight, Step, step, whole};
use crate::attest::known::{Deviation, Release};
use crate::attest::plain::Reply;
use crate::attest::probe::{After, Moment, Observe, Probe, Rule};
use crate::plan::Gate;

const NAME: &str = "gates-ready";
const UNREADY: &str = "apply an app that is not ready";
const READY: &str = "the app becomes ready";
const DELETED: &str = "delete the app";
/// Before that k1s must not ask: longer than it takes to start a container and to look at it.
const DELAY: u32 = 5;
/// How often the app is deleted: k1s's loop may be just about to start it.
const DELETIONS: usize = 3;
/// How long it may take each time until nothing is left.
const GONE: Duration = Duration::from_secs(30);
/// What stays in k1s's store of an app that is deleted with its history.
const PROBES: &str = "probes";
/// What k1s's loop may write of it a moment later.
const EVENTS: &str = "events";

/// What was seen of the app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Readying {
    /// Which k1s was asked.
    pub release: Release,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

/// The app that becomes ready, and is deleted.
pub static PROBE: Probe<Readying> = Probe {
    name: "app-ready",
    of: Gate::deploys_apps,
    moment: Moment::Change,
    after: After::AllThatLook,
    observe: Observe::Ask(|scene| Box::pin(super::part(scene, |life| life.readying.clone()))),
    checks: &[
        Rule::<Readying>::new(
            "attest::app-readiness",
            "an app that is not ready stays out of the ingress, and k1s does not call it ready; once it is, it is in \
             both",
            "see k1s's events of the app (`/events/<project>--gates-ready`) and the log of the controller",
            |seen, case| seen.release.judge(case.check, seen.readiness()),
        ),
        Rule::<Readying>::new(
            "attest::app-removal",
            "of an app that was deleted no container, route, status or key in the store is left",
            "delete an app by hand (`POST /delete/<project>--<name>?purge=1`), and see `nerdctl ps -a` and etcd's keys",
            |seen, case| seen.release.judge(case.check, seen.removal()),
        )
        .deviations(|seen| whole(&seen.steps).then(|| (&seen.release, seen.removal()))),
    ],
    triage: &[],
};

/// Goes through it.
pub(super) async fn observe(driver: &Driver<'_>, release: Release) -> Readying {
    let mut app = driver.app(NAME);
    let manifest = app.manifest_with_ingress(json!({
        "env": [{ "name": "GATES_READY", "value": "no" }],
        "health": { "readiness": {
            "httpGet": { "path": "/ready", "port": PROBED },
            "initialDelaySeconds": DELAY,
            "periodSeconds": 1,
            "failureThreshold": 1,
        }},
    }));
    // k1s goes over an app up to a dozen times before it answers that it is not ready: it is told meanwhile.
    let applier = driver.app(NAME);
    let nothing = Reply::default();
    let watch = async {
        // Twice: what came of the first time k1s has written down by then.
        if app.until(UNREADY, &nothing, |seen| seen.account.is_some() && seen.asked("/ready") > 1).await {
            app.tell("/ready", "").await;
        }
        app
    };
    let (reply, mut app) = tokio::join!(applier.apply(&manifest), watch);
    if app.is_settled() && app.until(READY, &reply, |seen| seen.ready(1) && seen.ingress.is_some()).await {
        for _ in 0..DELETIONS {
            let deleted = app.delete().await;
            app.forget(DELETED);
            if app.until_within(GONE, DELETED, &deleted, is_gone).await {
                break;
            }
        }
    }
    Readying { release, steps: app.steps() }
}

fn is_gone(seen: &Sight) -> bool {
    let keys = seen.keys.keys().all(|kind| [PROBES, EVENTS].contains(&kind.as_str()));
    seen.account.is_none() && seen.pods.is_empty() && seen.route.is_none() && keys
}

impl Readying {
    /// What is not as it should be while the app is not ready, and once it is.
    pub fn readiness(&self) -> Vec<Deviation> {
        let unready = match step(&self.steps, UNREADY) {
            Ok(step) => step,
            Err(missing) => return vec![missing],
        };
        let sight = &unready.sight;
        let mut found = Vec::new();
        let mut wrong = |name, what: &str| found.push(unready.shows(name, what));
        if sight.route.is_some() {
            wrong("in-the-ingress", "the ingress leads to an app that is not ready");
        }
        match &sight.account {
            Some(account) if account.ready > 0 || account.state == "ready" => {
                wrong("called-ready", "k1s calls an app ready whose readiness probe fails");
            }
            None if unready.settled => wrong("not-known", "k1s says nothing of an app that it runs"),
            _ => {}
        }
        if !found.is_empty() {
            return found;
        }
        if !unready.settled {
            let what = if sight.pods.is_empty() {
                "k1s does not run an app that was applied".to_owned()
            } else {
                format!("k1s asked the app only {} times whether it is ready", sight.asked("/ready"))
            };
            return vec![unready.shows("not-asked", what)];
        }
        match step(&self.steps, READY) {
            Err(missing) => vec![missing],
            Ok(ready) => ready.refused().into_iter().chain(late(ready)).collect(),
        }
    }

    /// What is left of the app once it is deleted.
    pub fn removal(&self) -> Vec<Deviation> {
        let deleted = match step(&self.steps, DELETED) {
            Ok(step) => step,
            Err(missing) => return vec![missing],
        };
        let sight = &deleted.sight;
        let mut left: Vec<String> = Vec::new();
        if !sight.pods.is_empty() {
            left.push(format!("{} containers", sight.pods.len()));
        }
        if sight.account.is_some() {
            left.push("its status".to_owned());
        }
        if sight.route.is_some() {
            left.push("its route".to_owned());
        }
        let keys = |kind: &str| sight.keys.get(kind).copied().unwrap_or_default();
        let others = sight.keys.keys().filter(|kind| ![PROBES, EVENTS].contains(&kind.as_str()));
        left.extend(others.map(|kind| format!("its keys `{kind}` in the store")));
        let mut found: Vec<Deviation> = deleted.refused().into_iter().collect();
        if !left.is_empty() {
            let what = format!("an app that was deleted leaves {}", left.join(", "));
            found.push(deleted.shows("left", what));
        }
        if keys(PROBES) > 0 {
            let what = format!("an app that was deleted with its history leaves {} probes in the store", keys(PROBES));
            found.push(Deviation::new("probe-history-stays", what, &sight.keys));
        }
        found
    }
}

fn late(ready: &Step) -> Option<Deviation> {
    let sight = &ready.sight;
    let what = match sight.ingress {
        _ if ready.settled => return None,
        Some(_) => "k1s does not call an app ready whose readiness probe passes",
        None => "the ingress does not lead to an app that is ready",
    };
    Some(ready.shows("not-ready", what))
}
