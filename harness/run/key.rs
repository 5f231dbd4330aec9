//! The identity of a run: its trials are processes that know nothing of each other but this.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{getpid, getppid, getuid};

use crate::evidence::layout;
use crate::failure::Failure;
use crate::lane::{RUN_DIR_PREFIX, Settings};
use crate::summary::Summary;
use crate::trust;

/// The identity of a run and the files by which its processes meet.
#[derive(Debug, Clone)]
pub(super) struct RunKey {
    name: String,
    folder: PathBuf,
    /// The process whose end is the end of the run.
    pub(super) owner: i32,
}

impl RunKey {
    /// The key of the run that this process is a trial of: nextest's run, or this process when it runs alone.
    pub(super) fn of_this_process() -> Result<Self, Failure> {
        let own = getpid().as_raw_nonzero().get();
        let (name, owner) = match std::env::var("NEXTEST_RUN_ID") {
            Ok(id) => {
                let owner = nextest(&id, getppid().map_or(own, |parent| parent.as_raw_nonzero().get()));
                (id, owner)
            }
            Err(_) => (format!("process-{own}"), own),
        };
        Ok(Self { name, folder: runtime_dir()?, owner })
    }

    /// Returns the path of the socket at which the supervisor listens. It is not in the run's folder: a socket's path
    /// has 107 bytes at most.
    pub(super) fn socket(&self) -> PathBuf {
        self.file("sock")
    }

    /// Held while a supervisor is looked for or started.
    pub(super) fn lock(&self) -> PathBuf {
        self.file("lock")
    }

    /// The settings that the first trial wrote down.
    pub(super) fn settings(&self) -> PathBuf {
        self.file("json")
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }
}

/// nextest's own process: the first one above this that does not bear the run's id, which nextest gives to what it starts.
/// Between it and a trial may be a runner (`CARGO_TARGET_<triple>_RUNNER`), one for each trial, that ends with it.
fn nextest(id: &str, parent: i32) -> i32 {
    let mark = format!("NEXTEST_RUN_ID={id}");
    let mut at = parent;
    // No process has so many above it.
    for _ in 0..64 {
        // What belongs to somebody else, or has ended, is no runner of this user's.
        let Ok(environment) = std::fs::read(format!("/proc/{at}/environ")) else { break };
        if !environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
            break;
        }
        match parent_of(at) {
            Some(above) if above > 0 => at = above,
            _ => break,
        }
    }
    at
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// How long a supervisor without a socket may still be about to make it: far longer than a trial waits for it.
const NO_SOCKET: Duration = Duration::from_hours(1);

/// Removes the files of runs whose supervisor is no more: nobody answers at their socket, or none was ever made.
pub(super) fn remove_stale_sockets() {
    let Ok(folder) = runtime_dir() else { return };
    for file in entries(&folder) {
        let socket = file.with_extension("sock");
        let refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
        let over =
            if socket.exists() { UnixStream::connect(&socket).is_err_and(refused) } else { is_older(&file, NO_SOCKET) };
        if over {
            remove(&socket);
        }
    }
}

fn is_older(file: &Path, than: Duration) -> bool {
    let modified = std::fs::metadata(file).and_then(|file| file.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > than))
}

/// The folder of the newest run of this user: one that lives, or else the newest that was left where runs are kept.
pub fn newest() -> Option<PathBuf> {
    let settings = entries(&runtime_dir().ok()?).filter(|file| file.extension().is_some_and(|kind| kind == "json"));
    let told = newest_of(settings).and_then(|file| {
        let settings: Settings = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        Some(settings.run_dir)
    });
    told.or_else(|| newest_of(left()))
}

/// The folder of this user's newest run that was cut short, where runs are kept.
pub fn newest_interrupted() -> Option<PathBuf> {
    let cut_short = |folder: &PathBuf| {
        let ended = |run: Summary| run.gates.values().all(|gate| gate.ended.is_some());
        !super::is_alive(folder) && Summary::load(folder).is_ok_and(|run| !ended(run))
    };
    newest_of(left().filter(cut_short))
}

/// The folders of this user's runs, where runs are kept.
fn left() -> impl Iterator<Item = PathBuf> {
    let own = |folder: &PathBuf| std::fs::metadata(folder).is_ok_and(|folder| folder.uid() == getuid().as_raw());
    let named =
        |folder: &PathBuf| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(RUN_DIR_PREFIX));
    let kept = entries(&std::env::temp_dir()).filter(move |folder| named(folder) && own(folder));
    kept.filter(|folder| folder.join(layout::SUMMARY).is_file())
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn newest_of(paths: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    paths.max_by_key(|path| std::fs::metadata(path).and_then(|entry| entry.modified()).ok())
}

/// Removes the files of a run.
pub(super) fn remove(socket: &Path) {
    for extension in ["sock", "json", "lock"] {
        let _ = std::fs::remove_file(socket.with_extension(extension));
    }
}

/// A folder of the user's own, readable by nobody else.
pub(super) fn runtime_dir() -> Result<PathBuf, Failure> {
    let parent = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
    let uid = getuid().as_raw();
    let folder = parent.unwrap_or_else(std::env::temp_dir).join(format!("k1s-gates-{uid}"));
    let refused = |seen: String| {
        Failure::new(format!("the folder {} cannot be used", folder.display()))
            .expected("a folder of this user, in which trials meet their supervisor")
            .seen(seen)
            .remedy("remove it, or set XDG_RUNTIME_DIR to a folder of your own")
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| refused(error.to_string()))?;
    own(&folder, uid).map_err(refused)?;
    trust::examine(&folder).map_err(|error| refused(error.to_string()))?;
    Ok(folder)
}

/// Anyone may have made a folder of that name in /tmp before.
fn own(folder: &Path, uid: u32) -> Result<(), String> {
    let metadata = std::fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    let others = rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO;
    let private = !rustix::fs::Mode::from_raw_mode(metadata.mode()).intersects(others);
    if metadata.is_dir() && metadata.uid() == uid && private {
        return Ok(());
    }
    Err(format!("owner {}, mode {:o}", metadata.uid(), metadata.mode() & 0o7777))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn runners_are_not_taken_for_nextest() {
        let own = getpid().as_raw_nonzero().get();
        let id = "a-run-of-this-test";
        let mut outer = Command::new("sh");
        // Two runners, one in the other; the inner one tells its number and waits. What runs in the background reads from
        // nowhere, unless it has a descriptor of its own.
        outer.args(["-c", "exec 3<&0; sh -c 'echo $$; read line <&3' & wait"]).env("NEXTEST_RUN_ID", id);
        let mut outer = outer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(outer.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let inner: i32 = line.trim().parse().unwrap();
        assert_eq!(nextest(id, inner), own);
        assert_eq!(nextest("another run", inner), inner);
        outer.kill().unwrap();
        outer.wait().unwrap();
    }
}
