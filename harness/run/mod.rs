//! A run: the trial processes of one `cargo nextest run`, the supervisor that they share, the lanes that it starts.

mod alive;
mod client;
mod earlier;
mod ends;
mod environment;
mod gate;
mod ground;
mod head_start;
mod host;
mod inputs;
mod key;
mod lane;
mod launch;
mod log;
mod part;
mod prepared;
mod protocol;
mod queue;
mod reaper;
mod settings;
mod spec;
mod summary;
mod supervisor;
mod token;

pub use alive::{is_alive, let_end};
pub use client::evidence;
pub use host::cleanup_dry_run;
pub use key::{newest, newest_interrupted};
pub use lane::run_command;
pub use part::Part;
pub use protocol::GateKey;
pub(crate) use settings::MCP_PORT;
pub use settings::{External, Limits, Mode, Settings};
pub use summary::{GateSummary, NoRun, Outcome, State, Summary, Verdict};

pub(crate) use client::{attempt, tell};
pub(crate) use earlier::INTERRUPTED;
pub(crate) use ground::Ground;
pub(crate) use inputs::INPUTS;
pub(crate) use key::sweep as forget_meetings;
pub(crate) use spec::{Spec, gate_folder, gate_of_folder, is_ours};
pub(crate) use token::StartToken;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// The parts that this executable plays besides that of a trial, by its first argument.
///
/// One executable for all of them: a consumer's test binary needs no second one installed beside it.
pub fn role(arguments: &[OsString]) -> Option<ExitCode> {
    let [_, role, spec, ..] = arguments else { return None };
    let spec = Path::new(spec);
    match role.to_str()? {
        launch::SUPERVISOR => Some(supervisor::serve::main(spec)),
        launch::LANE => Some(lane::main(spec)),
        launch::GATE => Some(gate::main(spec)),
        launch::REAPER => Some(reaper::main(spec)),
        _ => None,
    }
}

/// Whether trials can meet their supervisor: the folder that they meet in, or why it cannot be used.
pub fn meeting_place() -> Result<std::path::PathBuf, crate::Failure> {
    key::meeting_folder()
}
