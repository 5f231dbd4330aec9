//! The ledger's entries of what a lane or a gate is about to create, written before it does.

use std::path::PathBuf;

use super::environment::Environment;
use super::settings::Mode;
use super::spec::{Spec, Work};
use crate::failure::Failure;
use crate::ledger::{Ledger, OnHost, Plan};

impl Spec {
    /// Writes into the ledger what is about to be created.
    pub(crate) fn write_down(&mut self, ledger: &Ledger) -> Result<PathBuf, Failure> {
        let unwritten = |error: std::io::Error| {
            Failure::new(format!("what is about to be created cannot be written down: {error}"))
                .expected("a ledger in the state folder")
                .seen(error.to_string())
                .remedy("see that the state folder can be written to (XDG_STATE_HOME)")
        };
        let projects = match &self.work {
            Work::Gate(_) => std::slice::from_ref(&self.project),
            Work::Command { projects, .. } if projects.is_empty() => std::slice::from_ref(&self.project),
            Work::Command { projects, .. } => projects,
        };
        let written = match &self.settings.mode {
            Mode::Embedded => {
                let state_root = self.lane_root().join("state");
                ledger.write(&Plan { projects, state_root: &state_root, on_host: None })
            }
            Mode::External(external) => {
                let environment = Environment::on_host(external);
                let cli = environment.cli(self);
                let on_host = Some(OnHost { cli: &cli, address: &environment.address });
                ledger.write(&Plan { projects, state_root: &environment.state_root, on_host })
            }
        };
        self.entry = written.map_err(unwritten)?;
        Ok(self.entry.clone())
    }
}
