//! The reaper: outlives a supervisor on the user's own host, where no kernel ends what its gates have started.

use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Waits for the end of the supervisor, then settles what it has left; nothing, when it ended by itself.
pub(super) fn main(supervisor: &Path) -> ExitCode {
    let pid = supervisor.to_str().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    // No such process: it has ended already.
    if let Some(process) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
        super::ends::wait_for_end_of(&process);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    if runtime.block_on(super::sweep()).is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
