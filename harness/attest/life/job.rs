//! A job: it runs to its end, and once.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::driver::{Driver, Own};
use super::sight::{Sight, Step, step};
use crate::attest::Subject;
use crate::attest::known::{Deviation, Release};
use crate::attest::logs;
use crate::attest::plain::Reply;
use crate::attest::probe::{After, Moment, Observe, Probe, Rule};
use crate::plan::Gate;

const NAME: &str = "gates-job";
const APPLIED: &str = "apply a job";
const LATER: &str = "look again";
/// What it prints.
const LINE: &str = "gates: the job ran";

/// What was seen of the job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Which k1s was asked.
    pub release: Release,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// How often it ran, by the logs of its containers.
    pub ran: usize,
}

/// The job.
pub static PROBE: Probe<Job> = Probe {
    name: "app-job",
    of: Gate::deploys_apps,
    moment: Moment::Change,
    after: After::AllThatLook,
    observe: Observe::Ask(|scene| Box::pin(super::part(scene, |life| life.job.clone()))),
    checks: &[Rule::new(
        "attest::app-job",
        "a job that runs to its end, once, and is done",
        "see `nerdctl ps -a` and the log of the container whose name holds `gates-job`",
        |seen, case| seen.release.judge(case.check, seen.deviations()),
    )],
    triage: &[],
};

/// Deploys it, and looks until it has ended.
pub(super) async fn observe<'a>(driver: &'a Driver<'a>) -> Own<'a> {
    let mut app = driver.app(NAME);
    // nerdctl's logger may begin after a container that ends at once: what that printed is lost.
    let program = format!("import time; print({LINE:?}); time.sleep(1)");
    let manifest = app.manifest(json!({
        "workload": "job",
        "ports": [],
        "command": ["python", "-u", "-c", program],
    }));
    let applied = app.apply(&manifest).await;
    app.until(APPLIED, &applied, |seen| seen.ready(1) && has_ended(seen)).await;
    app
}

/// Looks again, and reads what it printed.
pub(super) async fn again(mut app: Own<'_>, subject: &Subject, release: Release) -> Job {
    app.until(LATER, &Reply::default(), |seen| seen.account.is_some()).await;
    let steps = app.steps();
    let names: Vec<&String> = steps.iter().flat_map(|step| &step.sight.pods).map(|pod| &pod.name).collect();
    let files = logs::files(&subject.state_root, &subject.project, None);
    let texts = files.iter().filter(|(name, _)| names.contains(name)).map(|(_, file)| std::fs::read_to_string(file));
    let ran = texts.flatten().map(|text| text.matches(LINE).count()).sum();
    Job { release, steps, ran }
}

fn has_ended(seen: &Sight) -> bool {
    seen.pods.iter().any(|pod| pod.exit == Some(0)) && seen.running().count() == 0
}

impl Job {
    /// What is not as it should be.
    pub fn deviations(&self) -> Vec<Deviation> {
        let (first, later) = match (step(&self.steps, APPLIED), step(&self.steps, LATER)) {
            (Ok(first), Ok(later)) => (first, later),
            (Err(missing), _) | (_, Err(missing)) => return vec![missing],
        };
        let mut found: Vec<Deviation> = first.refused().into_iter().collect();
        let mut wrong = |what: String| found.push(later.shows("job", what));
        if !first.settled {
            let what = if has_ended(&first.sight) {
                "k1s does not call a job done that has ended"
            } else {
                "the job does not end"
            };
            wrong(what.to_owned());
        } else if !has_ended(&later.sight) || later.sight.ids() != first.sight.ids() {
            wrong("a job that has ended is run again".to_owned());
        } else if self.ran != 1 {
            wrong(format!("the job ran {} times instead of once", self.ran));
        }
        found
    }
}
