//! A project that was kept because its gate failed and its user asked for that: who keeps it alive, the way in, the way
//! out.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::owner::{hold, is_held, start_time};
use super::{Entry, belongs_to, entries, folder, read, settle, write};
use crate::failure::Failure;
use crate::process::done_within;

/// How long a lane may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// The ledger's notes of a kept project.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// Since when.
    pub since: SystemTime,
    /// The gate that failed.
    pub gate: String,
    /// The folder of its run.
    pub run_dir: PathBuf,
    /// Variables by which its `WorkerBee`, nerdctl and containerd are found.
    env: Vec<(String, String)>,
    /// Its lane; none on the user's own host.
    lane: Option<Lane>,
}

/// A lane by its first process: as its number is not known within, by the start of it and the namespace that it leads.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Lane {
    start: u64,
    namespace: u64,
}

/// Marks what an entry names as kept. In a lane, by the lane's own processes: before they let go of the run that started
/// them.
pub(crate) fn keep(
    entry: &Path,
    gate: &str,
    run_dir: &Path,
    env: Vec<(String, String)>,
    in_lane: bool,
) -> std::io::Result<()> {
    let missing = || std::io::Error::other(format!("{} is not there any more", entry.display()));
    let mut known = read(entry).ok_or_else(missing)?;
    let lane = if in_lane {
        let namespace = std::fs::metadata("/proc/self/ns/pid")?.ino();
        let start = start_time(1).ok_or_else(|| std::io::Error::other("the lane has no first process"))?;
        Some(Lane { start, namespace })
    } else {
        None
    };
    let (gate, run_dir) = (gate.to_owned(), run_dir.to_owned());
    known.kept = Some(Kept { since: SystemTime::now(), gate, run_dir, env, lane });
    write(entry, &known)
}

/// Makes the sign of life of the lane that an entry names: for its first process, which holds it until it ends. By its
/// processes a lane is seen in its own PID namespace and those above it alone, and two containers may share a ledger.
pub(crate) fn give_sign_of_lane(entry: &Path) -> Option<File> {
    let sign = hold(&sign_of_lane(entry))?;
    // A lane is root's. Where its user may not read the sign, the lane's processes have to do.
    let _ = belongs_to(&sign, entry.parent()?);
    Some(sign)
}

pub(super) fn sign_of_lane(entry: &Path) -> PathBuf {
    entry.with_extension("lane")
}

impl Kept {
    /// Is true when there is still something that is kept: a lane that has ended keeps nothing.
    pub(super) fn holds(&self, entry: &Path) -> bool {
        self.lane.is_none_or(|lane| lane.first_process().is_some() || is_elsewhere(entry))
    }

    /// Seconds since it is kept.
    pub fn age(&self) -> u64 {
        self.since.elapsed().unwrap_or_default().as_secs()
    }

    /// Where it is, in words.
    pub fn place(&self) -> String {
        match self.lane.map(Lane::first_process) {
            None => "on this host".to_owned(),
            Some(Some(pid)) => format!("in the lane of process {}", pid.as_raw_nonzero()),
            Some(None) => "in a lane of another PID namespace".to_owned(),
        }
    }
}

/// Is true of a lane whose processes are not seen, when it lives all the same.
fn is_elsewhere(entry: &Path) -> bool {
    is_held(&sign_of_lane(entry)).unwrap_or_default()
}

fn elsewhere(project: &str) -> Failure {
    Failure::new(format!("the lane of `{project}` runs in another PID namespace"))
        .expected("the lane's first process among the processes that are seen here")
        .seen("its sign of life is held, and its processes are not seen")
        .remedy("give the command where the run was started: in the same container, or on its host")
}

impl Lane {
    fn first_process(self) -> Option<Pid> {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.find(|pid| self.is_led_by(*pid)).and_then(Pid::from_raw)
    }

    fn is_led_by(self, pid: i32) -> bool {
        if start_time(pid) != Some(self.start) {
            return false;
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        let leads = numbers.split_whitespace().count() > 1 && numbers.split_whitespace().last() == Some("1");
        // Of root's processes a user may not read the namespace: then number and start have to do.
        let namespace = std::fs::metadata(format!("/proc/{pid}/ns/pid")).map(|namespace| namespace.ino());
        leads && namespace.map_or(true, |namespace| namespace == self.namespace)
    }

    /// Ends all that is in it, through its first process.
    fn end(self) -> Result<(), Failure> {
        let Some(pid) = self.first_process() else { return Ok(()) };
        let number = pid.as_raw_nonzero().get();
        let stays = |seen: String| {
            Failure::new("the lane could not be ended")
                .expected(format!("the end of process {number}, and with it of all that is in the lane"))
                .seen(seen)
                .remedy("run this as root, or allow sudo without a password")
        };
        // Held before it is looked at once more: the number cannot come to mean another process.
        let held = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| stays(error.to_string()))?;
        if !self.is_led_by(number) {
            return Ok(());
        }
        if geteuid().is_root() {
            pidfd_send_signal(&held, Signal::KILL).map_err(|error| stays(error.to_string()))?;
        } else {
            let mut kill = Command::new("sudo");
            kill.args(["-n", "kill", "-KILL", &number.to_string()]);
            done_within(&mut kill, ENDING).map_err(|error| stays(error.to_string()))?;
        }
        let begin = Instant::now();
        while self.first_process().is_some() {
            if begin.elapsed() > ENDING {
                return Err(stays(format!("it still runs after {} s", ENDING.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// The entry of a kept project, by the project's name, or by the entry's own where several bear that.
fn find(name: &str) -> Result<(PathBuf, Entry, Kept), Failure> {
    let kept: Vec<(PathBuf, Entry, Kept)> = entries(&folder())
        .into_iter()
        .filter_map(|(path, entry)| {
            let entry = entry?;
            let kept = entry.kept.clone()?;
            Some((path, entry, kept))
        })
        .collect();
    let own_name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let all: Vec<String> =
        kept.iter().map(|(path, entry, _)| format!("{} ({})", entry.project, own_name(path))).collect();
    let mut named = kept.into_iter().filter(|(path, entry, _)| entry.project == name || own_name(path) == name);
    match (named.next(), named.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Failure::new(format!("no project `{name}` is kept"))
            .expected("the project of a gate that failed in a run with K1S_GATES_KEEP=failed")
            .seen(if all.is_empty() { "none is kept".to_owned() } else { all.join(", ") })
            .remedy("`k1s-gates sweep` shows what is kept")),
        _ => Err(Failure::new(format!("several projects `{name}` are kept"))
            .expected("one")
            .seen(all.join(", "))
            .remedy("name the entry instead, as in the parentheses")),
    }
}

/// Is true when a project of that name is still kept.
pub fn is_kept(project: &str) -> bool {
    let same = |(path, entry): &(PathBuf, Option<Entry>)| {
        entry.as_ref().is_some_and(|entry| entry.project == project && entry.is_kept(path))
    };
    entries(&folder()).iter().any(same)
}

/// Runs a command where a kept project lives, with its `WorkerBee`, nerdctl and containerd in the environment.
pub fn enter(name: &str, line: &[String]) -> Result<ExitStatus, Failure> {
    let (path, entry, kept) = find(name)?;
    let mut words: Vec<String> = Vec::new();
    let mut own: Vec<String> = Vec::new();
    if let Some(lane) = kept.lane {
        let pid = lane.first_process().ok_or_else(|| {
            if is_elsewhere(&path) {
                return elsewhere(name);
            }
            Failure::new(format!("the lane of `{name}` has ended"))
                .expected("its first process")
                .seen("no such process")
                .remedy("`k1s-gates sweep --execute` removes its leftovers")
        })?;
        if !geteuid().is_root() {
            words.push("sudo".into());
        }
        let pid = pid.as_raw_nonzero().to_string();
        words.extend(
            ["nsenter", "--target", &pid, "--net", "--mount", "--pid", "--ipc", "--uts", "--"].map(String::from),
        );
        // Nothing of the user's own environment means anything in there but the terminal.
        words.extend(["env", "-i"].map(String::from));
        own.extend(std::env::var("TERM").map(|term| format!("TERM={term}")));
    } else {
        words.push("env".into());
    }
    words.extend(own);
    words.extend(kept.env.iter().map(|(name, value)| format!("{name}={value}")));
    words.extend(line.iter().cloned());
    let started = Command::new(&words[0]).args(&words[1..]).status();
    started.map_err(|error| {
        Failure::new(format!("`{}` could not be entered: {error}", entry.project))
            .expected("nsenter and env, of util-linux and coreutils")
            .seen(error.to_string())
            .remedy("install util-linux, then try again")
    })
}

/// Ends what is kept, and removes it.
pub async fn release(name: &str) -> Result<(), Failure> {
    let (path, entry, kept) = find(name)?;
    if let Some(lane) = kept.lane {
        if lane.first_process().is_none() && is_elsewhere(&path) {
            return Err(elsewhere(name));
        }
        lane.end()?;
    }
    let unkept = Entry { kept: None, ..entry };
    write(&path, &unkept).map_err(|error| {
        Failure::new(format!("the ledger cannot be written: {error}"))
            .expected(path.display().to_string())
            .seen(error.to_string())
            .remedy("see that the state folder can be written to")
    })?;
    // A killed lane's processes take a moment to leave their cgroups.
    let begin = Instant::now();
    loop {
        match settle(&path).await {
            Err(failure) if unkept.on_host.is_some() || begin.elapsed() > ENDING => return Err(failure),
            Ok(()) => return Ok(()),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
