//! The subject of observations: a profile while it is alive.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Ended;
use super::known::Release;
use crate::failure::Failure;
use crate::plan::{Component, Profile};
use crate::stack::Image;
use crate::workerbee::naming;

/// A live profile, as its gate hands it to those who look.
#[derive(Debug, Clone)]
pub struct Subject {
    /// containerd's socket.
    pub address: PathBuf,
    /// `WorkerBee`'s state root.
    pub state_root: PathBuf,
    /// The gate's own project.
    pub project: String,
    /// The profile that the gate started.
    pub profile: Profile,
    /// The version of k1s, as its root names it.
    pub k1s: String,
    /// `WorkerBee`'s answer to `validate`; null when it gave no JSON.
    pub answer: Value,
    /// The components of it that have ended for good.
    pub ended: Ended,
    /// The images that the stack has brought; none where the user's own are used.
    pub images: Vec<Image>,
}

impl Subject {
    /// Returns the release of k1s, and the kind of its profile.
    pub(super) fn release(&self) -> Release {
        Release { version: self.k1s.clone(), ha: self.profile.elects_leader() }
    }

    /// The project's containerd namespace.
    pub fn namespace(&self) -> String {
        naming::namespace(&self.state_root, &self.project)
    }

    /// The container name of a component.
    pub fn container(&self, component: Component) -> String {
        naming::container(&self.state_root, &self.project, self.profile, component)
    }

    /// `WorkerBee`'s record of the profile, as far as `T` wants it. It holds tokens in clear: what is kept of it goes
    /// through the store.
    pub fn profile_record<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let file = self.state_root.join("projects").join(&self.project).join("profiles/k1s-profile.json");
        let read = std::fs::read(&file).map_err(|error| error.to_string());
        read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string())).map_err(|error| {
            Failure::new(format!("WorkerBee kept no record of the profile {}", self.profile))
                .expected(file.display().to_string())
                .seen(error)
                .remedy("the profile was not started: see what `validate` answered")
        })
    }
}
