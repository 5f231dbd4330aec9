//! Whose an entry is: a process, by its number and its start, as a number alone is reused.

use serde::{Deserialize, Serialize};

/// A process of the harness's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Owner {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    start: u64,
}

impl Owner {
    /// This process.
    pub(crate) fn this_process() -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Self { pid, start: start_time(pid).unwrap_or_default() }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(self) -> bool {
        start_time(self.pid) == Some(self.start)
    }
}

/// Field 22 of /proc/<pid>/stat. A process that has ended and is only not yet waited for is no owner any more.
pub(super) fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok()).flatten()
}
