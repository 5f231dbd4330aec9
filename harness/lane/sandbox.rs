//! A lane: a sandbox of namespaces whose first process this is. When it dies, the kernel ends all that is in it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::process::{Pid, WaitOptions, wait};

use super::intervention::Intervention;
use super::launch;
use super::settings::{Mode, Settings};
use super::spec::{Spec, Work};
use crate::evidence::{RedactionKey, Redactor, Store, layout};
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::stack::Stack;

/// The exit status of a gate whose project stays.
pub(crate) const GATE_KEPT: u8 = 75;

/// An address for documentation (RFC 5737) on the lane's loopback, with nothing behind it. Not 127.0.0.1: containers
/// have a loopback of their own.
const NAMESERVER: &str = "192.0.2.53";

/// Prepares the namespaces, starts the gate's process and reaps whatever is left to the first process of a namespace.
pub(crate) fn main() -> ExitCode {
    let told = Spec::take_over(&mut std::io::stdin().lock());
    end_with_the_lifeline();
    let started = told.and_then(|(key, spec)| {
        prepare(Intervention::RefusedNames.is_done(&spec.settings))?;
        let mut command = Command::new(launch::executable()?);
        command.arg(launch::GATE).stdin(Stdio::piped());
        let mut child = command.spawn().map_err(|error| unprepared("start the gate's process", &error))?;
        let lines = spec.hand_over(&key);
        let told = lines.and_then(|lines| child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&lines)));
        told.map_err(|error| unprepared("tell the gate what to do", &error))?;
        Ok((child, spec))
    });
    match started {
        Ok((child, spec)) => match reap_until(child.id()) {
            Some(GATE_KEPT) => stay(&spec),
            status => status.map_or(ExitCode::FAILURE, ExitCode::from),
        },
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
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

fn prepare(names_are_refused: bool) -> Result<(), Failure> {
    let step = |what: &'static str| move |error: std::io::Error| unprepared(what, &error);
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(|error| unprepared("make all mounts private", &error.into()))?;
    // /run holds containerd's, runc's and podman's state, the network namespaces and the lane itself.
    tmpfs("/run").map_err(step("mount a private /run"))?;
    for folder in ["/run/lock", "/run/netns", "/run/lib/upper", "/run/lib/work"] {
        fs::create_dir_all(folder).map_err(step("make the lane's folders"))?;
    }
    if names_are_refused {
        refuse_names().map_err(step("put its own resolver's configuration in place"))?;
    }
    // CNI and podman write under /var/lib: over it lies a layer of the lane's own.
    let options = c"lowerdir=/var/lib,upperdir=/run/lib/upper,workdir=/run/lib/work";
    mount("lane", "/var/lib", "overlay", MountFlags::empty(), options)
        .map_err(|error| unprepared("lay a private layer over /var/lib", &error.into()))?;
    ip(&["link", "set", "lo", "up"]).map_err(step("bring up loopback"))?;
    ip(&["address", "add", &format!("{NAMESERVER}/32"), "dev", "lo"])
        .map_err(step("give its name server an address"))?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(step("forward between the lane's networks"))
}

fn tmpfs(target: &str) -> std::io::Result<()> {
    mount("lane", target, "tmpfs", MountFlags::empty(), c"mode=755").map_err(Into::into)
}

/// A name server that refuses at once.
///
/// There is no way out of a lane, so a query to the host's server would wait out its timeout. gRPC asks for an IPv6
/// address even of a name in /etc/hosts: the controllers of k1s-ha-min would get their lease seconds late, in any order.
fn refuse_names() -> std::io::Result<()> {
    let target = match fs::canonicalize("/etc/resolv.conf") {
        Ok(target) => target,
        // On many systems it points into /run, which is another one now.
        Err(_) => match fs::read_link("/etc/resolv.conf") {
            Ok(link) => Path::new("/etc").join(link),
            Err(_) => return Ok(()),
        },
    };
    if !target.exists() {
        fs::create_dir_all(target.parent().unwrap_or(Path::new("/")))?;
        fs::write(&target, "")?;
    }
    let own = "/run/k1s-gates-resolv.conf";
    fs::write(own, format!("nameserver {NAMESERVER}\n"))?;
    mount_bind(own, &target).map_err(Into::into)
}

fn ip(arguments: &[&str]) -> std::io::Result<()> {
    let status = Command::new("ip").args(arguments).status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(status.to_string())) }
}

fn unprepared(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("the lane could not {what}: {error}"))
        .expected("root in a mount, PID and network namespace of its own")
        .seen(error.to_string())
        .remedy("a container that lacks CAP_SYS_ADMIN cannot hold lanes: run on the host, or use the external mode")
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
