//! An app that is changed again and again: applied twice, refused, scaled, rolled out and back.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::driver::Driver;
use super::sight::{Sight, Step, step};
use crate::attest::known::{Deviation, Release};
use crate::attest::plain::Reply;
use crate::attest::provoked;
use crate::failure::Mismatch;

const NAME: &str = "gates-changes";
const APPLIED: &str = "apply an app";
const KEPT: &str = "give it something to keep";
const AGAIN: &str = "apply the same again";
const INVALID: &str = "apply what is no manifest";
const SCALED: &str = "scale it to two";
const NO_IMAGE: &str = "apply an image that is not there";
const ROLLED_OUT: &str = "apply another image and another word, and one of it";
const BACK: &str = "apply the first manifest";

/// What the app is told by its first and its second manifest.
const WORDS: [&str; 2] = ["first", "second"];
/// What it is given to keep.
const TREASURE: &str = "kept over restarts";

/// What was seen of the app.
#[derive(Debug, Serialize, Deserialize)]
pub struct Changes {
    /// Which k1s was asked.
    pub release: Release,
    /// The images of the first and the second manifest.
    pub images: [String; 2],
    /// What was done, in order, up to what did not come about.
    pub steps: Vec<Step>,
}

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
    let first = manifest(&images[0], WORDS[0]);
    let second = manifest(&images[1], WORDS[1]);
    let mut missing = manifest(provoked::NO_IMAGE, WORDS[1]);
    missing["spec"]["replicas"] = json!(2);
    let mut invalid = first.clone();
    invalid["spec"]["replicas"] = json!("many");
    let nothing = Reply::default();
    // What comes next changes what came before: after a step that does not come about there is nothing to see.
    let reply = app.apply(&first).await;
    if !app.until(APPLIED, &reply, |seen| seen.ready(1) && runs(seen, 1, &images[0], WORDS[0])).await {
        return app.steps();
    }
    app.tell("/", TREASURE).await;
    let is_kept = |seen: &Sight| seen.words().is_some_and(|words| words.iter().all(|word| keeps(word)));
    if !app.until(KEPT, &nothing, |seen| seen.ready(1) && is_kept(seen)).await {
        return app.steps();
    }
    let reply = app.apply(&first).await;
    if !app.until(AGAIN, &reply, |seen| seen.ready(1) && runs(seen, 1, &images[0], WORDS[0])).await {
        return app.steps();
    }
    let reply = app.apply_once(&invalid).await;
    if !app.until(INVALID, &reply, |seen| seen.ready(1) && runs(seen, 1, &images[0], WORDS[0])).await {
        return app.steps();
    }
    let reply = app.scale(2).await;
    if !app.until(SCALED, &reply, |seen| seen.ready(2) && runs(seen, 2, &images[0], WORDS[0])).await {
        return app.steps();
    }
    let reply = app.apply_once(&missing).await;
    if !app.until(NO_IMAGE, &reply, |seen| runs(seen, 2, &images[0], WORDS[0])).await {
        return app.steps();
    }
    let reply = app.apply(&second).await;
    if !app.until(ROLLED_OUT, &reply, |seen| seen.ready(1) && runs(seen, 1, &images[1], WORDS[1])).await {
        return app.steps();
    }
    let reply = app.apply(&first).await;
    app.until(BACK, &reply, |seen| seen.ready(1) && runs(seen, 1, &images[0], WORDS[0])).await;
    app.steps()
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
        for what in [APPLIED, KEPT, AGAIN, INVALID, SCALED, NO_IMAGE, ROLLED_OUT, BACK] {
            match step(&self.steps, what) {
                Err(missing) => {
                    found.push(missing);
                    break;
                }
                Ok(step) => found.extend(self.of(step)),
            }
            // Nothing was done after that.
            if !found.is_empty() && self.steps.last().is_some_and(|last| last.what == what) {
                break;
            }
        }
        found
    }

    fn of(&self, step: &Step) -> Vec<Deviation> {
        let what = step.what.as_str();
        let must_be_refused = [INVALID, NO_IMAGE].contains(&what);
        let mut found: Vec<Deviation> = if must_be_refused {
            let is_refused = step.status.is_some_and(|status| status >= 400) && step.said.len() > 2;
            let told = || step.shows("not-refused", format!("k1s does not refuse to `{what}` with a reason"));
            (!is_refused).then(told).into_iter().collect()
        } else {
            step.refused().into_iter().collect()
        };
        if !step.settled {
            let wanted = match what {
                SCALED => "two containers of the app",
                ROLLED_OUT => "one container of the second image, with its word, and none of the first",
                KEPT => "what the app was given to keep",
                NO_IMAGE => "the two containers of the first image",
                _ => "one container of the first image, with its word, and no other",
            };
            let after =
                if must_be_refused { "what ran before does not run on" } else { "what was wanted did not come" };
            found.push(step.shows("not-done", format!("after `{what}` {after}: {wanted}")));
            return found;
        }
        found.extend(self.compared(step));
        found
    }

    /// What is seen in comparison with the step before.
    fn compared(&self, later: &Step) -> Vec<Deviation> {
        let (before, what) = match later.what.as_str() {
            AGAIN => (KEPT, "the same manifest, applied again, replaces the app's container"),
            INVALID => (AGAIN, "a manifest that is refused replaces the app's container"),
            NO_IMAGE => (SCALED, "an image that is not there replaces the app's containers"),
            _ => ("", ""),
        };
        let mut found = Vec::new();
        if let Ok(earlier) = step(&self.steps, before) {
            let revision = |step: &Step| step.sight.account.as_ref().map(|account| account.revision);
            if earlier.sight.ids() != later.sight.ids() {
                found.push(both("replaced", what, earlier, later));
            } else if later.what == AGAIN && revision(earlier) != revision(later) {
                let what = "the same manifest, applied again, becomes another revision";
                found.push(both("another-revision", what, earlier, later));
            }
        }
        let words = later.sight.words().unwrap_or_default();
        if later.what != APPLIED && !words.iter().all(|word| keeps(word)) {
            let what = format!("what the app was given to keep is gone after `{}`", later.what);
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

/// Each change comes about, and nothing else changes.
pub fn judge(seen: &Changes, check: &'static str) -> Result<(), Mismatch> {
    seen.release.judge(check, seen.deviations())
}
