//! What is seen of an app, and the steps of its life.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::driver::end_of;
use crate::attest::known::{Deviation, NOT_REACHED};

/// What is told of an answer in one line.
const LINE: usize = 120;

/// One thing that was done, and what was seen of the app once it had come about, or when the time was over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// What was done.
    pub what: String,
    /// k1s's answer: the HTTP status; none when nothing answered, or nothing was asked.
    pub status: Option<u16>,
    /// The same: what it said.
    pub said: String,
    /// Whether what was waited for came about.
    pub settled: bool,
    /// How long that took, with k1s's answer.
    pub seconds: f64,
    /// What was seen then.
    pub sight: Sight,
}

/// An app at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// What k1s says of it; none when it knows no such app.
    pub account: Option<Account>,
    /// Its containers.
    pub pods: Vec<Pod>,
    /// The HTTP status of what its ingress answers; none where nobody answers to its host name.
    pub route: Option<u16>,
    /// The same: what the app says, if that is who answers.
    pub ingress: Option<Word>,
    /// How many keys of it k1s's store has, by kind.
    pub keys: BTreeMap<String, usize>,
}

/// An app by k1s's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// How many shall run.
    pub desired: u64,
    /// How many are ready.
    pub ready: u64,
    /// How many are alive.
    pub live: u64,
    /// Which of its revisions runs.
    pub revision: u64,
    /// `ready`, `progressing` or `degraded`.
    pub state: String,
    /// Its image.
    pub image: String,
}

/// A container of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pod {
    /// containerd's id.
    pub id: String,
    /// The name that nerdctl knows it by.
    pub name: String,
    /// The revision that it is of.
    pub revision: String,
    /// The name of its image.
    pub image: String,
    /// containerd's word for its task: `RUNNING`, `STOPPED`; none without one.
    pub task: Option<String>,
    /// What it ended with, once it has.
    pub exit: Option<u32>,
    /// What the app in it says.
    pub word: Option<Word>,
}

/// What the app says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Which process it is: a number that it drew at its start.
    pub boot: String,
    /// What its manifest gave it to say.
    #[serde(rename = "word")]
    pub given: Option<String>,
    /// What it was given to keep.
    pub kept: Option<String>,
    /// How often it was asked for its pages `/ready` and `/alive`.
    pub asked: BTreeMap<String, u32>,
}

impl Account {
    /// Of k1s's answer to `/status/<app>`.
    pub(super) fn of(status: &Value) -> Option<Self> {
        let number = |name: &str| status[name].as_u64();
        Some(Self {
            desired: number("desired_replicas")?,
            ready: number("ready_replicas")?,
            live: number("live_replicas")?,
            revision: number("revision")?,
            state: status["revision_status"].as_str()?.to_owned(),
            image: status["image"].as_str()?.to_owned(),
        })
    }
}

impl Sight {
    /// Whether k1s calls so many of the app ready, of as many that shall run.
    pub(super) fn ready(&self, count: u64) -> bool {
        let is_so = |one: &Account| one.state == "ready" && one.ready == count && one.desired == count;
        self.account.as_ref().is_some_and(is_so)
    }

    /// The containers that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pod.task.as_deref() == Some("RUNNING"))
    }

    /// What all apps in the containers say; none when one says nothing.
    pub(super) fn words(&self) -> Option<Vec<&Word>> {
        self.pods.iter().map(|pod| pod.word.as_ref()).collect()
    }

    /// How often the app was asked for a page, in all its containers.
    pub(super) fn asked(&self, page: &str) -> u32 {
        self.pods.iter().filter_map(|pod| pod.word.as_ref()?.asked.get(page)).sum()
    }

    /// The ids of its containers.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.pods.iter().map(|pod| pod.id.as_str()).collect()
    }
}

/// In one line, for messages.
impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            None => f.write_str("k1s knows no such app")?,
            Some(Account { desired, ready, live, revision, state, .. }) => {
                write!(f, "k1s: {state}, {ready} of {desired} ready, {live} alive, revision {revision}")?;
            }
        }
        for Pod { revision, image, task, exit, word, .. } in &self.pods {
            let task = task.as_deref().unwrap_or("without a task");
            write!(f, "; a container of revision {revision} and {image}, {task}")?;
            exit.map_or(Ok(()), |exit| write!(f, " with {exit}"))?;
            if let Some(Word { given: Some(word), .. }) = word {
                write!(f, ", which says `{word}`")?;
            }
        }
        if self.pods.is_empty() {
            f.write_str("; no container")?;
        }
        self.route.map_or(Ok(()), |status| write!(f, "; its route answers {status}"))?;
        self.keys.iter().try_for_each(|(kind, count)| write!(f, "; {count} keys `{kind}`"))
    }
}

impl Step {
    /// A deviation that this step shows.
    pub(super) fn shows(&self, name: &'static str, what: impl Into<String>) -> Deviation {
        Deviation::new(name, what, &self.sight.to_string())
    }

    /// k1s did not do what it was told: it says so itself.
    pub(super) fn refused(&self) -> Option<Deviation> {
        let (what, status) = (&self.what, self.status?);
        let is_done = (200..300).contains(&status);
        // What is wrong stands at the end of an error of k1s's.
        let said = end_of(&self.said, LINE);
        (!is_done).then(|| self.shows("refused", format!("k1s answers {status} to `{what}`: {said}")))
    }
}

/// Is true when the last step came about: what was not asked to the end says little of what is not seen.
pub(super) fn whole(steps: &[Step]) -> bool {
    steps.last().is_none_or(|step| step.settled)
}

/// The step of a name; a deviation when it was not reached.
pub(super) fn step<'a>(steps: &'a [Step], what: &str) -> Result<&'a Step, Deviation> {
    steps
        .iter()
        .find(|step| step.what == what)
        .ok_or_else(|| Deviation::new(NOT_REACHED, format!("`{what}` was not reached"), &steps.last()))
}
