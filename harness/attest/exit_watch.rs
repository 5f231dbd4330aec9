//! Watches the components of a profile by containerd's events, from before they are made until they are stopped.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::containerd::{Container, Containerd};
use super::containers::KIND;
use super::ended::{Ended, locked};
use super::events::TaskEvent;
use super::exits::{Exit, Exits, Known, Tally};
use crate::failure::Failure;
use crate::plan::Profile;
use crate::workerbee::naming;

/// The pause before a stream that broke is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// `WorkerBee` still starts components when it has not started all, unless nothing has happened for so long.
const STARTING: Duration = Duration::from_secs(15);
/// By then a subscription has reached containerd, which says so with its first event alone.
const SUBSCRIBED: Duration = Duration::from_millis(300);
/// The interval at which the events that have come are examined.
const LOOK: Duration = Duration::from_millis(100);

/// The watch; it ends when this is dropped.
pub struct ExitWatch {
    tally: Arc<Mutex<Tally>>,
    components: usize,
    task: AbortHandle,
}

/// The project whose components are watched.
struct Project {
    address: PathBuf,
    namespace: String,
    /// The names of the components' containers, with the component of each.
    components: Vec<(String, String)>,
}

impl ExitWatch {
    /// Begins to follow the events.
    pub fn begin(address: &Path, state_root: &Path, project: &str, profile: Profile) -> Self {
        let names = profile.components().into_iter();
        let project = Project {
            address: address.to_owned(),
            namespace: naming::namespace(state_root, project),
            components: names
                .map(|one| (naming::container(state_root, project, profile, one), one.to_string()))
                .collect(),
        };
        let components = project.components.len();
        let tally = Arc::new(Mutex::new(Tally::new(Instant::now())));
        let kept = Arc::clone(&tally);
        let task = tokio::spawn(async move {
            loop {
                let Err(failure) = project.follow(&kept).await;
                locked(&kept).seen.problem = Some(failure.seen);
                tokio::time::sleep(AGAIN).await;
            }
        });
        Self { tally, components, task: task.abort_handle() }
    }

    /// Returns what was observed so far.
    pub fn so_far(&self) -> Exits {
        locked(&self.tally).seen.clone()
    }

    /// The same for those who ask the components.
    pub fn ended(&self) -> Ended {
        Ended::known_to(Arc::clone(&self.tally))
    }

    /// Waits for an end that nothing will undo, until `WorkerBee` has started what there is to start besides.
    pub async fn death(&self) -> Exit {
        loop {
            let now = Instant::now();
            {
                let tally = locked(&self.tally);
                let all = tally.seen.started.len() >= self.components || tally.quiet_for(now) > STARTING;
                if let Some(exit) = tally.final_ends(now).next().filter(|_| all) {
                    return exit.clone();
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for ExitWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Project {
    /// Follows the events until the stream breaks.
    async fn follow(&self, tally: &Mutex<Tally>) -> Result<Infallible, Failure> {
        let containerd = Containerd::connect(&self.address).await?;
        let (mut events, ()) = tokio::try_join!(containerd.events(&self.namespace), self.catch_up(&containerd, tally))?;
        loop {
            let event = events.next().await?;
            let now = Instant::now();
            if let TaskEvent::Started(id) | TaskEvent::Exited { container: id, .. } | TaskEvent::OutOfMemory(id) =
                &event
                && !locked(tally).known.contains_key(id)
            {
                self.learn(&containerd, tally).await?;
                // Gone already: whoever removes a container at once has no component of a profile.
                locked(tally).known.entry(id.clone()).or_default();
            }
            locked(tally).note(&event, now);
        }
    }

    /// Finds what happened before the subscription, or while there was none.
    async fn catch_up(&self, containerd: &Containerd, tally: &Mutex<Tally>) -> Result<(), Failure> {
        tokio::time::sleep(SUBSCRIBED).await;
        self.learn(containerd, tally).await?;
        let tasks = containerd.tasks(&self.namespace).await?;
        let mut tally = locked(tally);
        for task in tasks {
            let exit = (task.status == "STOPPED").then_some(task.exit_status);
            tally.found(&task.id, exit, Instant::now());
        }
        tally.seen.problem = None;
        Ok(())
    }

    /// Finds out which containers are the profile's components.
    async fn learn(&self, containerd: &Containerd, tally: &Mutex<Tally>) -> Result<(), Failure> {
        let found = containerd.containers(&self.namespace).await?;
        let mut tally = locked(tally);
        for one in found {
            let known = self.component(&one);
            tally.known.entry(one.id).or_insert(known);
        }
        Ok(())
    }

    fn component(&self, container: &Container) -> Option<Known> {
        let of_a_profile = container.label(KIND.0) == Some(KIND.1);
        let (_, component) = self.components.iter().find(|(name, _)| container.name() == Some(name))?;
        let is_restarted = container.labels.keys().any(|label| label.starts_with("containerd.io/restart."));
        of_a_profile.then(|| Known { component: component.clone(), is_restarted })
    }
}
