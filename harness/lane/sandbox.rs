//! A lane: a sandbox of namespaces whose first process this is. When it dies, the kernel ends all that is in it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, wait};

use super::intervention::Intervention;
use super::meter::Meter;
use super::mounts::{self, NAMESERVER, unprepared};
use super::settings::{Mode, Settings};
use super::spec::{Spec, Work};
use super::{launch, needed};
use crate::evidence::{RedactionKey, Redactor, Store, layout};
use crate::failure::Failure;
use crate::ledger::{self, Ledger};
use crate::process::done_within;
use crate::stack::Stack;

/// How long `ip` may take over one change: the kernel's lock over networks is held at length where many are torn down.
const IP: Duration = Duration::from_mins(1);

/// The exit status of a gate whose project stays.
pub(crate) const GATE_KEPT: u8 = 75;

/// Prepares the namespaces, starts the gate's process and reaps whatever is left to the first process of a namespace.
pub(crate) fn main() -> ExitCode {
    let told = Spec::take_over(&mut std::io::stdin().lock());
    end_with_the_lifeline();
    let started = told.and_then(|(key, spec)| {
        // Before anything else is started, by the thread that starts it.
        let meter = Metered::begin(&spec);
        prepare(&needed::by(&spec), Intervention::RefusedNames.is_done(&spec.settings))?;
        let mut command = Command::new(launch::executable()?);
        command.arg(launch::GATE).stdin(Stdio::piped());
        let mut child = command.spawn().map_err(|error| unprepared("start the gate's process", &error))?;
        let lines = spec.hand_over(&key);
        let told = lines.and_then(|lines| child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&lines)));
        told.map_err(|error| unprepared("tell the gate what to do", &error))?;
        Ok((child, meter, spec))
    });
    match started {
        Ok((child, meter, spec)) => {
            let status = reap_until(child.id());
            meter.end(&spec);
            match status {
                Some(GATE_KEPT) => stay(&spec),
                status => status.map_or(ExitCode::FAILURE, ExitCode::from),
            }
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// The meter of a gate's lane, with the cgroups of its containers; none in the lane of a user's command.
struct Metered(Option<(Meter, Vec<String>)>);

impl Metered {
    fn begin(spec: &Spec) -> Self {
        let cgroups = match spec.work {
            Work::Gate(_) => ledger::cgroups_of_lane(&spec.entry),
            Work::Command { .. } => None,
        };
        Self(cgroups.map(|(own, containers)| (Meter::begin(&own), containers)))
    }

    /// Writes the bill beside the gate's record. No evidence: a run whose folder cannot be written to says so elsewhere.
    fn end(self, spec: &Spec) {
        let Some((meter, containers)) = self.0 else { return };
        let bill = meter.end(&containers);
        let _ = Store::open(&spec.settings.run_dir, Redactor::default())
            .and_then(|store| store.write_json(&spec.folder().join(layout::BILL), &bill));
    }
}

/// Prepares the namespaces and nothing else: tells on standard output what kept it from that, as JSON, or nothing. The
/// folders that a lane would need come on standard input.
pub(crate) fn probe() -> ExitCode {
    let folders: Vec<PathBuf> = serde_json::from_reader(std::io::stdin().lock()).unwrap_or_default();
    let Err(failure) = prepare(&folders, true) else { return ExitCode::SUCCESS };
    // Whoever asked reads it, or is gone.
    let _ = serde_json::to_writer(std::io::stdout(), &failure);
    ExitCode::FAILURE
}

/// Whoever started the lane holds the other end of standard input: when it dies, by whatever signal, so does the lane.
fn end_with_the_lifeline() {
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        while !matches!(std::io::stdin().read(&mut nothing), Ok(0) | Err(_)) {}
        if !STAYS.load(Ordering::SeqCst) {
            std::process::exit(1);
        }
    });
}

/// Set when the lane no longer ends with its lifeline.
static STAYS: AtomicBool = AtomicBool::new(false);

/// Lives on, without whoever started it: until somebody ends it.
fn stay(spec: &Spec) -> ExitCode {
    // Held until this process is ended.
    let _sign = ledger::give_sign_of_lane(&spec.entry);
    let told = || -> Result<(), Failure> {
        let store = Store::open(&spec.settings.run_dir, Redactor::default());
        STAYS.store(true, Ordering::SeqCst);
        // The supervisor lets go of the lane when this is there.
        let kept = store.and_then(|store| store.write_json(&spec.folder().join(layout::KEPT), &spec.project));
        kept.map_err(|error| unprepared("say that it stays", &std::io::Error::other(error)))?;
        Ok(())
    };
    if let Err(failure) = told() {
        eprintln!("{failure}");
        return ExitCode::FAILURE;
    }
    // What nobody reads any more.
    if let Ok(nothing) = fs::File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&nothing);
        let _ = rustix::stdio::dup2_stderr(&nothing);
    }
    loop {
        if wait(WaitOptions::empty()).is_err() {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
}

fn prepare(needed: &[PathBuf], names_are_refused: bool) -> Result<(), Failure> {
    let step = |what: &'static str| move |error: std::io::Error| unprepared(what, &error);
    mounts::lay(needed, names_are_refused)?;
    ip(&["link", "set", "lo", "up"]).map_err(step("bring up loopback"))?;
    ip(&["address", "add", &format!("{NAMESERVER}/32"), "dev", "lo"])
        .map_err(step("give its name server an address"))?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(step("forward between the lane's networks (/proc/sys)"))
}

fn ip(arguments: &[&str]) -> std::io::Result<()> {
    done_within(Command::new("ip").args(arguments), IP)
}

/// Daemons whose parents ended are this process's children now: unreaped, they would look alive to `WorkerBee`.
fn reap_until(child: u32) -> Option<u8> {
    let child = i32::try_from(child).ok().and_then(Pid::from_raw);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == child => {
                let status = std::process::ExitStatus::from_raw(status.as_raw());
                return status.code().and_then(|code| u8::try_from(code).ok());
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Runs a command in a lane of its own, with the stack's tools and settings in its environment and the images of
/// `projects` in place: for benchmarks, and to look around. Ends with the command's exit status.
pub fn run_command(stack: Stack, projects: Vec<String>, line: Vec<String>) -> Result<ExitCode, Failure> {
    // Whatever the environment says of the user's own WorkerBee: a lane has its own.
    let settings = Settings { mode: Mode::Embedded, ..Settings::from_env()? };
    let mut spec = Spec {
        work: Work::Command { line, projects },
        part: 1,
        project: settings.base.clone(),
        workerbee: stack.workerbee.clone(),
        k1s_root: stack.k1s_root.clone(),
        k1s: None,
        versions: stack.versions.clone(),
        rerun_of: None,
        entry: PathBuf::new(),
        stack: Some(stack),
        settings,
    };
    let ledger = Ledger::open().map_err(|error| unprepared("be written down", &error))?;
    spec.write_down(&ledger)?;
    let mut child = launch::in_lane()?
        .into_std()
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| unprepared("be started", &error))?;
    // Held open until the command ends: the lane's lifeline.
    let mut lifeline = child.stdin.take();
    let lines = RedactionKey::random().and_then(|key| spec.hand_over(&key));
    let told = lines.and_then(|lines| lifeline.as_mut().map_or(Ok(()), |line| line.write_all(&lines)));
    told.map_err(|error| unprepared("tell the lane what to do", &error))?;
    let status = child.wait().map_err(|error| unprepared("be waited for", &error))?;
    drop(lifeline);
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        runtime.block_on(ledger.close());
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
