//! A run: the trial processes of one `cargo nextest run`, the supervisor that they share, the gates that it starts.

mod alive;
mod captures;
mod client;
mod ends;
mod gate;
mod host;
mod inputs;
mod key;
mod launch;
mod log;
mod nextest;
mod previous;
mod protocol;
mod queue;
mod reaper;
mod supervisor;

pub use alive::{is_alive, wait_until_sealed};
pub(crate) use client::{attempt, report_verdict};
pub use client::{claim_run_dir, evidence};
pub use host::cleanup_dry_run;
pub use key::{newest, newest_interrupted};
pub(crate) use previous::refuse_another;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::failure::Failure;
use crate::lane;
use crate::ledger::{self, Remains};

/// The parts that this executable plays besides that of a trial, by its first argument.
///
/// One executable for all of them: a consumer's test binary needs no second one installed beside it.
pub fn role(arguments: &[OsString]) -> Option<ExitCode> {
    let [_, role, rest @ ..] = arguments else { return None };
    let first = rest.first().map(Path::new);
    match role.to_str()? {
        launch::SUPERVISOR => first.map(supervisor::serve::main),
        lane::PROBE => Some(lane::probe()),
        lane::LANE => Some(lane::main()),
        lane::GATE => Some(gate::main()),
        launch::REAPER => first.map(reaper::main),
        _ => None,
    }
}

/// Removes what runs that are no more have left: their sockets, and what their entries in the ledger name. Returns what
/// could not be removed, and why.
pub async fn sweep() -> Vec<(Remains, Failure)> {
    key::remove_stale_sockets();
    ledger::sweep().await
}

/// Returns the folder in which trials meet their supervisor, or why it cannot be used.
pub fn runtime_dir() -> Result<std::path::PathBuf, Failure> {
    key::runtime_dir()
}
