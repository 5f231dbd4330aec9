//! An app whose liveness probe fails, and a job: both are looked at once more when all else is done.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::driver::{Driver, Own, PROBED};
use super::sight::{Sight, Step, step};
use crate::attest::known::{Deviation, Release};
use crate::attest::plain::Reply;
use crate::failure::Mismatch;

const NAME: &str = "gates-sick";
const APPLIED: &str = "apply an app whose liveness probe fails";
const LATER: &str = "look again";

/// What was seen of the app.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sick {
    /// Which k1s was asked.
    pub release: Release,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

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

/// k1s calls the app dead, and restarts it.
pub fn judge(seen: &Sick, check: &'static str) -> Result<(), Mismatch> {
    seen.release.judge(check, seen.deviations())
}
