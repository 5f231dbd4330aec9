//! A trial's side: find the run's supervisor or start it, ask for a gate, wait.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::alive::is_supported;
use super::key::RunKey;
use super::protocol::{Answer, LINE, Request};
use super::{launch, nextest};
use crate::evidence::Evidence;
use crate::evidence::folder::Folder;
use crate::failure::Failure;
use crate::lane::Settings;
use crate::plan::{Gate, GateKey, Transport};
use crate::summary::Verdict;
use crate::trust::Untrusted;

/// How long a supervisor may take from its start until it listens.
const STARTUP: Duration = Duration::from_secs(20);

/// The evidence of a gate: runs it, unless another trial of the same run had it run already.
pub fn evidence(gate: Gate, transport: Transport) -> Result<Evidence, Failure> {
    let key = RunKey::of_this_process()?;
    let stream = connect(&key)?;
    match ask(stream, gate, &Request::Gate(this_time(gate, transport)))? {
        Answer::Record { run_dir, file } => Evidence::load(&run_dir, &file),
        Answer::Failed(failure) => Err(failure),
        Answer::Noted => Err(Failure::new("unexpected reply from the supervisor")
            .expected("the gate's record")
            .seen("a note that a verdict was taken")
            .to_be_reported()),
    }
}

/// Tells the run's summary what a trial came to. A trial whose supervisor is gone has its own verdict nevertheless.
pub(crate) fn report_verdict(gate: Gate, transport: Transport, verdict: Verdict) {
    let Ok(key) = RunKey::of_this_process() else { return };
    if let Ok(stream) = UnixStream::connect(key.socket()) {
        let request = Request::Verdict(this_time(gate, transport), Box::new(verdict));
        let _ = ask(stream, gate, &request);
    }
}

/// A retry must never see the verdict of the try before it, nor one stress iteration that of another.
fn this_time(gate: Gate, transport: Transport) -> GateKey {
    // nextest counts iterations from 0, and without --stress-count says `none`.
    let iteration = number("NEXTEST_STRESS_CURRENT").unwrap_or(0) + 1;
    GateKey { gate, transport, iteration, attempt: attempt() }
}

/// nextest's attempt at this trial, from 1.
pub(crate) fn attempt() -> u32 {
    number("NEXTEST_ATTEMPT").unwrap_or(1).max(1)
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok().and_then(|value| value.parse().ok())
}

fn connect(key: &RunKey) -> Result<UnixStream, Failure> {
    let broken = |what: &str, error: &std::io::Error| {
        Failure::new(format!("{what}: {error}"))
            .expected("the run's supervisor, which all trials of a run share")
            .seen(format!("none on {}", key.socket().display()))
            .remedy("correct what it names, then run again")
    };
    refuse_deep_folder(key)?;
    let lock = File::create(key.lock()).map_err(|error| broken("the run's lock cannot be made", &error))?;
    match flock(&lock, FlockOperation::LockExclusive) {
        // Of two supervisors that are started the second finds the first.
        Err(error) if !is_supported(error) => {}
        taken => taken.map_err(|error| broken("the run's lock cannot be taken", &error.into()))?,
    }
    if let Ok(stream) = UnixStream::connect(key.socket()) {
        return Ok(stream);
    }
    let settings = settings(key).inspect_err(|_| {
        // There is no supervisor that would remove it.
        let _ = std::fs::remove_file(key.lock());
    })?;
    // What a supervisor has left that was killed while it said why it could not work.
    let _ = std::fs::remove_file(key.socket().with_extension("error"));
    launch::supervisor(key, &settings).map_err(|error| broken("the supervisor cannot be started", &error))?;
    let started = Instant::now();
    let refused = key.socket().with_extension("error");
    loop {
        if let Ok(why) = std::fs::read_to_string(&refused) {
            let _ = std::fs::remove_file(&refused);
            return Err(broken("the supervisor cannot work", &std::io::Error::other(why)));
        }
        match UnixStream::connect(key.socket()) {
            Ok(stream) => {
                if nextest::asks_for_all_one_by_one(key.owner) {
                    ask_for_all(key, &settings);
                }
                return Ok(stream);
            }
            Err(error) if started.elapsed() > STARTUP => return Err(broken("the supervisor does not answer", &error)),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Has every gate of the run begin. Their trials come later and find them; what fails here is told to them.
fn ask_for_all(key: &RunKey, settings: &Path) {
    let read = std::fs::read(settings).ok().and_then(|bytes| serde_json::from_slice::<Settings>(&bytes).ok());
    for gate in read.iter().flat_map(Settings::keys) {
        let Ok(mut stream) = UnixStream::connect(key.socket()) else { return };
        let line = serde_json::to_string(&Request::Gate(this_time(gate.gate, gate.transport))).unwrap_or_default();
        let _ = stream.write_all(format!("{line}\n").as_bytes());
    }
}

/// The address of a socket has room for a path of so many bytes.
const SOCKET_PATH: usize = 107;

fn refuse_deep_folder(key: &RunKey) -> Result<(), Failure> {
    let socket = key.socket();
    let length = socket.as_os_str().len();
    if length <= SOCKET_PATH {
        return Ok(());
    }
    Err(Failure::new("the folder in XDG_RUNTIME_DIR, or else TMPDIR, is too deep for a socket")
        .expected(format!("a path of at most {SOCKET_PATH} bytes"))
        .seen(format!("{length} bytes: {}", socket.display()))
        .remedy("set XDG_RUNTIME_DIR to a folder with a shorter path"))
}

/// The first trial decides for all: the default folder and project names hold the time.
fn settings(key: &RunKey) -> Result<PathBuf, Failure> {
    let file = key.settings();
    if !file.exists() {
        let mut settings = Settings::from_env()?;
        let unwritten = |variable: &str, path: &Path, error: &std::io::Error| {
            if let Some(refused) = Untrusted::of(error) {
                return refused.failure(&format!("the run cannot begin in {variable}"));
            }
            Failure::new(format!("the run cannot begin: {variable} cannot be written to"))
                .expected(format!("room and the right to write in {}", path.display()))
                .seen(error.to_string())
                .remedy(format!("free some room, or set {variable} to another folder"))
        };
        if !settings.names_its_folder {
            let claimed = claim(&settings.run_dir).map_err(|error| unwritten("TMPDIR", &settings.run_dir, &error))?;
            settings.run_dir = claimed;
        }
        let run_dir = &settings.run_dir;
        try_to_write(run_dir).map_err(|error| unwritten("RUN_DIR", run_dir, &error))?;
        let written = serde_json::to_vec(&settings).map_err(Into::into).and_then(|bytes| std::fs::write(&file, bytes));
        written.map_err(|error| unwritten("XDG_RUNTIME_DIR", &file, &error))?;
    }
    Ok(file)
}

/// Makes the folder of a run that names none.
pub fn claim_run_dir() -> std::io::Result<PathBuf> {
    claim(&crate::lane::default_run_dir())
}

/// A folder that is this run's alone: another one may have begun in the same second.
fn claim(folder: &Path) -> std::io::Result<PathBuf> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => Ok(folder.to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let parent = folder.parent().unwrap_or(Path::new("/"));
            Ok(tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(parent)?.keep())
        }
        Err(error) => Err(error),
    }
}

/// A folder that can be listed may be read-only, and one that takes a name may have no room for a byte.
fn try_to_write(folder: &Path) -> std::io::Result<()> {
    Folder::make(folder)?.stage(Path::new("probe"), b"k1s-gates").map(drop)
}

fn ask(mut stream: UnixStream, gate: Gate, request: &Request) -> Result<Answer, Failure> {
    let gone = |error: String| {
        Failure::new(format!("the supervisor went away while {gate} was running"))
            .expected("the evidence of the gate")
            .seen(error)
            .remedy("see run.json in the run's folder for the gates that had ended; then run again")
    };
    let mut line = serde_json::to_string(request).map_err(|error| gone(error.to_string()))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(|error| gone(error.to_string()))?;
    let mut answer = String::new();
    BufReader::new(stream.take(LINE)).read_line(&mut answer).map_err(|error| gone(error.to_string()))?;
    serde_json::from_str(&answer).map_err(|error| gone(error.to_string()))
}
