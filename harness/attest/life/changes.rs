//! An app that is changed again and again: applied twice, refused, scaled, rolled out and back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::driver::Driver;
use super::sight::{Sight, Step, step};
use crate::attest::known::{Deviation, Release};
use crate::attest::plain::Reply;
use crate::attest::probe::{After, Moment, Observe, Probe, Rule};
use crate::attest::provoked;
use crate::plan::Gate;

const NAME: &str = "gates-changes";

/// A change of the app, and what is to come of it.
struct Change {
    /// In words, as steps name it.
    what: &'static str,
    act: Act,
    /// The number of containers that run then.
    count: usize,
    /// The manifest that they are of: the first or the second.
    manifest: usize,
    /// True when k1s calls the app ready then.
    ready: bool,
    /// What is wanted, in words.
    wanted: &'static str,
    /// The step since which no container may have been replaced, and what it is called when one was.
    stays: Option<(&'static str, &'static str)>,
}

/// What is done.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    /// A manifest is applied.
    Apply(usize),
    /// A manifest is applied that k1s has to refuse.
    Refuse(Bad),
    /// The app is given something to keep.
    Keep,
    /// It is scaled.
    Scale(u32),
}

#[derive(Clone, Copy, PartialEq)]
enum Bad {
    /// What is no manifest.
    Invalid,
    /// One with an image that is not there.
    NoImage,
}

const KEPT: &str = "give it something to keep";
const AGAIN: &str = "apply the same again";
const SCALED: &str = "scale it to two";
const FIRST: &str = "one container of the first image, with its word, and no other";

const ONE: Change =
    Change { what: "", act: Act::Apply(0), count: 1, manifest: 0, ready: true, wanted: FIRST, stays: None };

/// The changes, in order. Each changes what came before: after one that does not come about there is nothing to see.
const CHANGES: [Change; 8] = [
    Change { what: "apply an app", ..ONE },
    Change { what: KEPT, act: Act::Keep, wanted: "what the app was given to keep", ..ONE },
    Change {
        what: AGAIN,
        stays: Some((KEPT, "the same manifest, applied again, replaces the app's container")),
        ..ONE
    },
    Change {
        what: "apply what is no manifest",
        act: Act::Refuse(Bad::Invalid),
        stays: Some((AGAIN, "a manifest that is refused replaces the app's container")),
        ..ONE
    },
    Change { what: SCALED, act: Act::Scale(2), count: 2, wanted: "two containers of the app", ..ONE },
    Change {
        what: "apply an image that is not there",
        act: Act::Refuse(Bad::NoImage),
        count: 2,
        ready: false,
        wanted: "the two containers of the first image",
        stays: Some((SCALED, "an image that is not there replaces the app's containers")),
        ..ONE
    },
    Change {
        what: "apply another image and another word, and one of it",
        act: Act::Apply(1),
        manifest: 1,
        wanted: "one container of the second image, with its word, and none of the first",
        ..ONE
    },
    Change { what: "apply the first manifest", ..ONE },
];

/// What the app is told by its first and its second manifest.
const WORDS: [&str; 2] = ["first", "second"];
/// What it is given to keep.
const TREASURE: &str = "kept over restarts";

/// What was seen of the app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Changes {
    /// Which k1s was asked.
    pub release: Release,
    /// The images of the first and the second manifest.
    pub images: [String; 2],
    /// What was done, in order, up to what did not come about.
    pub steps: Vec<Step>,
}

/// The app that is changed again and again.
pub static PROBE: Probe<Changes> = Probe {
    name: "app-changes",
    of: Gate::deploys_apps,
    moment: Moment::Change,
    after: After::AllThatLook,
    observe: Observe::Ask(|scene| Box::pin(super::part(scene, |life| life.changes.clone()))),
    checks: &[Rule::new(
        "attest::app-changes",
        "an app that is as its last manifest says, whether applied, scaled, rolled out or back; the same manifest \
             and one that is refused change nothing; what it keeps stays",
        "go through the steps by hand, with k1s's /apply and /scale, and see the containers: `nerdctl ps -a`",
        |seen, case| seen.release.judge(case.check, seen.deviations()),
    )],
    triage: &[],
};

/// Goes through it.
pub(super) async fn observe(driver: &Driver<'_>, release: Release) -> Changes {
    let images = [driver.image(0).to_owned(), driver.image(1).to_owned()];
    Changes { release, steps: life(driver, &images).await, images }
}

async fn life(driver: &Driver<'_>, images: &[String; 2]) -> Vec<Step> {
    let mut app = driver.app(NAME);
    let manifest = |image: &str, word: &str| {
        app.manifest(json!({
            "image": image,
            "env": [{ "name": "GATES_WORD", "value": word }],
            "storage": [{ "name": "kept", "mountPath": "/data", "retention": "Delete" }],
            // A volume is root's.
            "security": { "runAsUser": 0, "runAsGroup": 0 },
        }))
    };
    let good = [manifest(&images[0], WORDS[0]), manifest(&images[1], WORDS[1])];
    let invalid = with_replicas(good[0].clone(), json!("many"));
    let missing = with_replicas(manifest(provoked::NO_IMAGE, WORDS[1]), json!(2));
    for change in &CHANGES {
        let reply = match change.act {
            Act::Apply(which) => app.apply(&good[which]).await,
            Act::Refuse(Bad::Invalid) => app.apply_once(&invalid).await,
            Act::Refuse(Bad::NoImage) => app.apply_once(&missing).await,
            Act::Scale(replicas) => app.scale(replicas).await,
            Act::Keep => {
                app.tell("/", TREASURE).await;
                Reply::default()
            }
        };
        if !app.until(change.what, &reply, |seen| change.has_come(seen, images)).await {
            break;
        }
    }
    app.steps()
}

fn with_replicas(mut manifest: Value, replicas: Value) -> Value {
    manifest["spec"]["replicas"] = replicas;
    manifest
}

impl Change {
    fn has_come(&self, seen: &Sight, images: &[String; 2]) -> bool {
        let is_kept = || seen.words().is_some_and(|words| words.iter().all(|word| keeps(word)));
        (!self.ready || seen.ready(self.count as u64))
            && runs(seen, self.count, &images[self.manifest], WORDS[self.manifest])
            && (self.act != Act::Keep || is_kept())
    }

    fn is_refused(&self) -> bool {
        matches!(self.act, Act::Refuse(_))
    }
}

fn keeps(word: &super::sight::Word) -> bool {
    word.kept.as_deref() == Some(TREASURE)
}

/// So many containers run, all of one revision, all with that image and word, and there are no others.
fn runs(seen: &Sight, count: usize, image: &str, word: &str) -> bool {
    let of_it = |pod: &super::sight::Pod| {
        let says = pod.word.as_ref().and_then(|said| said.given.as_deref());
        pod.image == image && pod.revision == seen.pods[0].revision && says == Some(word)
    };
    seen.pods.len() == count && seen.running().count() == count && seen.pods.iter().all(of_it)
}

impl Changes {
    /// What did not come about as it should.
    pub fn deviations(&self) -> Vec<Deviation> {
        let mut found = Vec::new();
        for change in &CHANGES {
            match step(&self.steps, change.what) {
                Err(missing) => {
                    found.push(missing);
                    break;
                }
                Ok(step) => found.extend(self.of(change, step)),
            }
            // Nothing was done after that.
            if !found.is_empty() && self.steps.last().is_some_and(|last| last.what == change.what) {
                break;
            }
        }
        found
    }

    fn of(&self, change: &Change, step: &Step) -> Vec<Deviation> {
        let what = change.what;
        let mut found: Vec<Deviation> = if change.is_refused() {
            let is_refused = step.status.is_some_and(|status| status >= 400) && step.said.len() > 2;
            let told = || step.shows("not-refused", format!("k1s does not refuse to `{what}` with a reason"));
            (!is_refused).then(told).into_iter().collect()
        } else {
            step.refused().into_iter().collect()
        };
        if !step.settled {
            let after =
                if change.is_refused() { "what ran before does not run on" } else { "what was wanted did not come" };
            found.push(step.shows("not-done", format!("after `{what}` {after}: {}", change.wanted)));
            return found;
        }
        found.extend(self.compared(change, step));
        found
    }

    /// What is seen in comparison with the step before.
    fn compared(&self, change: &Change, later: &Step) -> Vec<Deviation> {
        let mut found = Vec::new();
        if let Some((before, replaced)) = change.stays
            && let Ok(earlier) = step(&self.steps, before)
        {
            let revision = |step: &Step| step.sight.account.as_ref().map(|account| account.revision);
            if earlier.sight.ids() != later.sight.ids() {
                found.push(both("replaced", replaced, earlier, later));
            } else if change.what == AGAIN && revision(earlier) != revision(later) {
                let what = "the same manifest, applied again, becomes another revision";
                found.push(both("another-revision", what, earlier, later));
            }
        }
        let words = later.sight.words().unwrap_or_default();
        if change.what != CHANGES[0].what && !words.iter().all(|word| keeps(word)) {
            let what = format!("what the app was given to keep is gone after `{}`", change.what);
            found.push(later.shows("lost", what));
        }
        found
    }
}

fn both(name: &'static str, what: &str, earlier: &Step, later: &Step) -> Deviation {
    let ids = |step: &Step| step.sight.ids().iter().map(|id| id.chars().take(12).collect()).collect::<Vec<String>>();
    let told = |step: &Step| format!("{} ({})", step.sight, ids(step).join(", "));
    Deviation::new(name, what, &format!("before: {}; after: {}", told(earlier), told(later)))
}
