//! A lane: a sandbox of namespaces whose first process this is. When it dies, the kernel ends all that is in it.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Pid, WaitOptions, wait};

use super::launch;
use super::spec::{Spec, Work};
use crate::failure::Failure;
use crate::stack::Stack;

/// Prepares the namespaces, starts the gate's process and reaps whatever is left to the first process of a namespace.
pub(super) fn main(spec: &Path) -> ExitCode {
    end_with_the_lifeline();
    let started = prepare().and_then(|()| {
        let mut command = Command::new(launch::executable()?);
        command.arg(launch::GATE).arg(spec).stdin(Stdio::null());
        command.spawn().map_err(|error| unprepared("start the gate's process", &error))
    });
    match started {
        Ok(child) => reap_until(child.id()),
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
        std::process::exit(1);
    });
}

fn prepare() -> Result<(), Failure> {
    let step = |what: &'static str| move |error: std::io::Error| unprepared(what, &error);
    let resolver = fs::read("/etc/resolv.conf").ok();
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(|error| unprepared("make all mounts private", &error.into()))?;
    // /run holds containerd's, runc's and podman's state, the network namespaces and the lane itself.
    tmpfs("/run").map_err(step("mount a private /run"))?;
    for folder in ["/run/lock", "/run/netns", "/run/lib/upper", "/run/lib/work"] {
        fs::create_dir_all(folder).map_err(step("make the lane's folders"))?;
    }
    keep_resolver(resolver).map_err(step("keep the resolver's configuration"))?;
    // CNI and podman write under /var/lib: over it lies a layer of the lane's own.
    let options = c"lowerdir=/var/lib,upperdir=/run/lib/upper,workdir=/run/lib/work";
    mount("lane", "/var/lib", "overlay", MountFlags::empty(), options)
        .map_err(|error| unprepared("lay a private layer over /var/lib", &error.into()))?;
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().map_err(step("bring up loopback"))?;
    if !up.success() {
        return Err(unprepared("bring up loopback", &std::io::Error::other(up.to_string())));
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(step("forward between the lane's networks"))
}

fn tmpfs(target: &str) -> std::io::Result<()> {
    mount("lane", target, "tmpfs", MountFlags::empty(), c"mode=755").map_err(Into::into)
}

/// On many systems /etc/resolv.conf points into /run, which is another one now.
fn keep_resolver(content: Option<Vec<u8>>) -> std::io::Result<()> {
    let (Some(content), false) = (content, Path::new("/etc/resolv.conf").exists()) else { return Ok(()) };
    let target = fs::read_link("/etc/resolv.conf")?;
    let target = if target.is_absolute() { target } else { Path::new("/etc").join(target) };
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(target, content)
}

fn unprepared(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("the lane could not {what}: {error}"))
        .expected("root in a mount, PID and network namespace of its own")
        .seen(error.to_string())
        .remedy("a container that lacks CAP_SYS_ADMIN cannot hold lanes: run on the host, or use the external mode")
}

/// Daemons whose parents ended are this process's children now: unreaped, they would look alive to `WorkerBee`.
fn reap_until(child: u32) -> ExitCode {
    let child = i32::try_from(child).ok().and_then(Pid::from_raw);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == child => {
                let status = std::process::ExitStatus::from_raw(status.as_raw());
                return status
                    .code()
                    .and_then(|code| u8::try_from(code).ok())
                    .map_or(ExitCode::FAILURE, ExitCode::from);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// Runs a command in a lane of its own, with the stack's tools and settings in its environment and the images of
/// `projects` in place: for benchmarks, and to look around. Ends with the command's exit status.
pub fn run_command(stack: Stack, projects: Vec<String>, line: Vec<String>) -> Result<ExitCode, Failure> {
    let settings = super::Settings::from_env();
    let folder = tempfile::tempdir().map_err(|error| unprepared("make a folder", &error))?;
    let spec = Spec {
        work: Work::Command { line, projects },
        project: settings.base.clone(),
        workerbee: stack.workerbee.clone(),
        k1s_root: stack.k1s_root.clone(),
        versions: stack.versions.clone(),
        rerun_of: None,
        stack: Some(stack),
        settings,
    };
    let file: PathBuf = folder.path().join("spec.json");
    let written = serde_json::to_vec(&spec).map_err(std::io::Error::other).and_then(|bytes| fs::write(&file, bytes));
    written.map_err(|error| unprepared("write its specification", &error))?;
    let mut child = launch::in_lane(&file)?
        .into_std()
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| unprepared("be started", &error))?;
    // Held open until the command ends: the lane's lifeline.
    let lifeline = child.stdin.take();
    let status = child.wait().map_err(|error| unprepared("be waited for", &error))?;
    drop(lifeline);
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
