//! The scene of a gate's probes: the live profile, what was begun before it was up, and what they tell besides.

use std::mem::take;
use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::Subject;
use super::containers::{self, ContainerList};
use super::leadership::Watch;
use super::life::Life;
use crate::failure::Failure;
use crate::plan::Gate;

/// A live profile while its gate observes it.
pub struct Scene {
    /// The profile.
    pub subject: Subject,
    /// The gate.
    pub gate: Gate,
    /// True when the gate runs on the user's own host, not in a lane.
    pub shared_host: bool,
    /// The containers right after the profile was validated.
    pub before: Result<ContainerList, Failure>,
    /// The watch of who leads, where controllers elect a leader.
    pub leadership: Option<Watch>,
    /// The apps' lives, which several probes have a part of.
    pub(super) life: OnceCell<Result<Life, Failure>>,
    aside: Mutex<Aside>,
}

/// What probes tell besides their observations.
#[derive(Debug, Default)]
pub struct Aside {
    /// Irregularities that no check judges.
    pub noticed: Vec<String>,
    /// Versions of what the gate runs on.
    pub versions: Vec<(String, String)>,
    /// Files of their own, with the lines that each holds.
    pub files: Vec<(&'static str, Vec<String>)>,
}

impl Scene {
    /// Begins to observe a profile that is up.
    pub async fn open(subject: Subject, gate: Gate, shared_host: bool, leadership: Option<Watch>) -> Self {
        let before = containers::list(&subject).await;
        let (life, aside) = (OnceCell::new(), Mutex::default());
        Self { subject, gate, shared_host, before, leadership, life, aside }
    }

    /// Adds to what is told besides.
    pub(super) fn tell(&self, told: impl FnOnce(&mut Aside)) {
        told(&mut self.aside.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes what was told since this was last asked.
    pub fn told(&self) -> Aside {
        take(&mut *self.aside.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
