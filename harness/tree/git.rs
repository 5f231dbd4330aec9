//! The answers of git about a checkout, without letting the checkout run anything as somebody else.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::geteuid;

use crate::process::within;

/// How long git may take over one question.
const LIMIT: Duration = Duration::from_mins(1);

/// Variables of a git hook or another tool, which would lead git to another repository.
const OTHERS: [&str; 12] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// A question to git.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Reads the index and names of files, and nothing else.
    Harmless,
    /// May run filters that the checkout's own configuration names.
    MayRunFilters,
}

/// Asks git in a folder; none when there is no git, or it refuses or hangs.
///
/// git does not trust the checkout of another user, and rightly: its configuration may name programs. So root asks as
/// that user, and where that user cannot reach the folder, only what runs none of them.
pub(super) fn ask(root: &Path, question: Question, arguments: &[&str]) -> Option<Vec<u8>> {
    let owner = std::fs::metadata(root).ok()?;
    if !geteuid().is_root() || owner.uid() == 0 {
        return output(plain(root, arguments));
    }
    let mut as_owner = plain(root, arguments);
    // The configuration of root's is none of theirs.
    as_owner.env_remove("HOME").env_remove("XDG_CONFIG_HOME").uid(owner.uid()).gid(owner.gid());
    let found = output(as_owner);
    if found.is_some() || question == Question::MayRunFilters {
        return found;
    }
    let mut trusted = Command::new("git");
    trusted.arg("-c").arg(format!("safe.directory={}", root.display()));
    output(told(trusted, root, arguments))
}

fn plain(root: &Path, arguments: &[&str]) -> Command {
    told(Command::new("git"), root, arguments)
}

fn told(mut git: Command, root: &Path, arguments: &[&str]) -> Command {
    // No daemon of the checkout's, no fetch of what a partial clone lacks, no lock, no question.
    git.args(["-c", "core.fsmonitor=false", "-c", "protocol.allow=never", "--no-optional-locks", "-C"]).arg(root);
    git.args(arguments).env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1").env("LC_ALL", "C");
    for name in OTHERS {
        git.env_remove(name);
    }
    git
}

/// Returns the output of a command that ends well and in time.
fn output(mut command: Command) -> Option<Vec<u8>> {
    let output = within(command.stdin(Stdio::null()), LIMIT).ok()?;
    output.status.success().then_some(output.stdout)
}
