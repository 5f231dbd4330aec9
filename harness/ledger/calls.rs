//! Calls of `WorkerBee` that outlive their gate: on the user's own host nothing ends them with it.

use std::ffi::OsStr;

use procfs::process::{Process, all_processes};
use rustix::process::{Pid, Signal, kill_process_group};

/// The variable that says to which project's entry a call belongs: its value is the entry's mark.
pub(super) const VARIABLE: &str = "K1S_GATES_MARK";

/// Ends the calls for a project that bear its mark, each with all of its process group. What a call has left running on
/// purpose, in a group of its own, is none.
pub(super) fn end(project: &str, mark: &str) {
    for process in all_processes().into_iter().flatten().flatten() {
        if let Some(pid) = Pid::from_raw(process.pid()).filter(|_| is_call(&process, project, mark)) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The first process of a call: of those that may be read, which are all of the user's own.
fn is_call(process: &Process, project: &str, mark: &str) -> bool {
    let leads = process.stat().is_ok_and(|stat| stat.pgrp == stat.pid && stat.state != 'Z');
    let marked = || {
        let environment = process.environ();
        environment.is_ok_and(|all| {
            all.get(OsStr::new(VARIABLE)).is_some_and(|value| value.as_encoded_bytes() == mark.as_bytes())
        })
    };
    // Whatever the executable is called, it was told the project so.
    let is_told = |line: Vec<String>| line.windows(2).any(|pair| pair[0] == "--project" && pair[1] == project);
    leads && marked() && process.cmdline().is_ok_and(is_told)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_call_is_ended_by_its_project_and_mark_and_no_other() {
        let mark = "4d".repeat(16);
        let start = |project: &str, mark: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", "read line", "sh", "--project", project]).stdin(Stdio::piped());
            command.env(VARIABLE, mark).process_group(0).spawn().unwrap()
        };
        let mut call = start("demo", &mark);
        let others = [start("demo2", &mark), start("demo", "another mark")];
        end("demo", &mark);
        assert_eq!(call.wait().unwrap().signal(), Some(9));
        for mut other in others {
            assert_eq!(other.try_wait().unwrap(), None);
            other.kill().unwrap();
            other.wait().unwrap();
        }
    }
}
