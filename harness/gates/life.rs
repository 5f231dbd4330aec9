//! How apps live in k1s: `attest::app-…`, one check per kind of event. These looks change what is deployed, so they come
//! after those that only look.

use super::session::Session;
use crate::attest::known;
use crate::attest::life::{self, Life};
use crate::checks::{Check, observed};
use crate::failure::Failure;

const READINESS: &str = "attest::app-readiness";
const REMOVAL: &str = "attest::app-removal";
const CHANGES: &str = "attest::app-changes";
const LIVENESS: &str = "attest::app-liveness";
const JOB: &str = "attest::app-job";

/// Keeps what was seen, with what is known of this k1s and was not.
pub(super) fn keep(session: &mut Session<'_>, seen: Result<Life, Failure>) -> Result<(), Failure> {
    let Life { readying, changes, sick, job } = match seen {
        Ok(life) => life,
        Err(failure) => {
            for name in ["app-ready", "app-changes", "app-sick", "app-job"] {
                session.observe(name, Err::<(), _>(failure.clone()))?;
            }
            return Ok(());
        }
    };
    let cured =
        [readying.release.cured(REMOVAL, &readying.removal()), sick.release.cured(LIVENESS, &sick.deviations())];
    // What was not asked to the end is not known to be mended.
    let is_whole = [readying.steps.last(), sick.steps.last()].iter().flatten().all(|step| step.settled);
    if is_whole {
        session.record.noticed.extend(cured.into_iter().flatten());
    }
    session.observe("app-ready", Ok(readying))?;
    session.observe("app-changes", Ok(changes))?;
    session.observe("app-sick", Ok(sick))?;
    session.observe("app-job", Ok(job))
}

/// The checks over it.
pub(super) fn checks() -> [Check; 5] {
    let but = |expected: &str, check| format!("{expected}{}", known::left_out(check));
    [
        observed(
            READINESS,
            "app-ready",
            but(
                "an app that is not ready stays out of the ingress, and k1s does not call it ready; once it is, it is in \
                 both",
                READINESS,
            ),
            "see k1s's events of the app (`/events/<project>--gates-ready`) and the log of the controller",
            |seen| life::judge_readiness(seen, READINESS),
        ),
        observed(
            REMOVAL,
            "app-ready",
            but("of an app that was deleted no container, route, status or key in the store is left", REMOVAL),
            "delete an app by hand (`POST /delete/<project>--<name>?purge=1`), and see `nerdctl ps -a` and etcd's keys",
            |seen| life::judge_removal(seen, REMOVAL),
        ),
        observed(
            CHANGES,
            "app-changes",
            but(
                "an app that is as its last manifest says, whether applied, scaled, rolled out or back; the same manifest \
                 and one that is refused change nothing; what it keeps stays",
                CHANGES,
            ),
            "go through the steps by hand, with k1s's /apply and /scale, and see the containers: `nerdctl ps -a`",
            |seen| life::judge_changes(seen, CHANGES),
        ),
        observed(
            LIVENESS,
            "app-sick",
            but("an app whose liveness probe fails is counted as dead and restarted", LIVENESS),
            "see k1s's events of the app: `/events/<project>--gates-sick`",
            |seen| life::judge_liveness(seen, LIVENESS),
        ),
        observed(
            JOB,
            "app-job",
            but("a job that runs to its end, once, and is done", JOB),
            "see `nerdctl ps -a` and the log of the container whose name holds `gates-job`",
            |seen| life::judge_job(seen, JOB),
        ),
    ]
}
