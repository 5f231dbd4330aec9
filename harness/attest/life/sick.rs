//! An app whose liveness probe fails, and a job: both are looked at once more when all else is done.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::driver::{Driver, Own, PROBED};
use super::sight::{Sight, Step, step, whole};
use crate::attest::known::{Deviation, Release};
use crate::attest::plain::Reply;
use crate::attest::probe::{After, Moment, Observe, Probe, Rule};
use crate::plan::Gate;

const NAME: &str = "gates-sick";
const APPLIED: &str = "apply an app whose liveness probe fails";
const LATER: &str = "look again";

/// What was seen of the app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sick {
    /// Which k1s was asked.
    pub release: Release,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

/// The app whose liveness probe fails.
pub static PROBE: Probe<Sick> = Probe {
    name: "app-sick",
    of: Gate::deploys_apps,
    moment: Moment::Change,
    after: After::AllThatLook,
    observe: Observe::Ask(|scene| Box::pin(super::part(scene, |life| life.sick.clone()))),
    checks: &[Rule::<Sick>::new(
        "attest::app-liveness",
        "an app whose liveness probe fails is counted as dead and restarted",
        "see k1s's events of the app: `/events/<project>--gates-sick`",
        |seen, case| seen.release.judge(case.check, seen.deviations()),
    )
    .deviations(|seen| whole(&seen.steps).then(|| (&seen.release, seen.deviations())))],
    triage: &[],
};

/// Deploys it, and looks until k1s calls it dead.
pub(super) async fn observe<'a>(driver: &'a Driver<'a>) -> Own<'a> {
    let mut app = driver.app(NAME);
    let manifest = app.manifest(json!({
        "env": [{ "name": "GATES_ALIVE", "value": "no" }],
        "health": { "liveness": {
            "httpGet": { "path": "/alive", "port": PROBED },
            "periodSeconds": 1,
            "failureThreshold": 1,
        }},
    }));
    let applied = app.apply(&manifest).await;
    app.until(APPLIED, &applied, |seen| is_dead(seen) && seen.asked("/alive") > 0).await;
    app
}

/// Looks again.
pub(super) async fn again(mut app: Own<'_>, release: Release) -> Sick {
    app.until(LATER, &Reply::default(), |seen| seen.account.is_some()).await;
    Sick { release, steps: app.steps() }
}

fn is_dead(seen: &Sight) -> bool {
    seen.account.as_ref().is_some_and(|account| account.live == 0)
}

impl Sick {
    /// What is not as it should be.
    pub fn deviations(&self) -> Vec<Deviation> {
        let (first, later) = match (step(&self.steps, APPLIED), step(&self.steps, LATER)) {
            (Ok(first), Ok(later)) => (first, later),
            (Err(missing), _) | (_, Err(missing)) => return vec![missing],
        };
        let mut found: Vec<Deviation> = first.refused().into_iter().collect();
        if !first.settled {
            let what = if first.sight.pods.is_empty() {
                "k1s does not run an app that was applied"
            } else if first.sight.asked("/alive") == 0 {
                "k1s does not ask whether the app is alive"
            } else {
                "k1s calls an app alive whose liveness probe fails"
            };
            found.push(first.shows("called-alive", what));
            return found;
        }
        let boots = |step: &Step| -> Vec<String> {
            step.sight.words().unwrap_or_default().into_iter().map(|word| word.boot.clone()).collect()
        };
        if boots(first) == boots(later) {
            let what = "k1s does not restart an app whose liveness probe fails";
            found.push(later.shows("sick-not-restarted", what));
        }
        found
    }
}
