//! Processes, as the kernel shows them: what a container's main process has become, and what runs outside containers.

use std::collections::BTreeMap;

use procfs::ProcError;
use procfs::process::{Process, all_processes};
use serde::{Deserialize, Serialize};

use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Failure, Mismatch};
use crate::plan::Gate;

/// A process without its arguments: k1s's tokens stand among those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its id, in the PID namespace of the harness.
    pub pid: u32,
    /// The time of its start, in clock ticks after boot: with the pid it tells one process from another.
    pub started: u64,
    /// The program or, of an interpreter, the module or script: `etcd`, `ae.controller`, `pip`.
    pub program: String,
    /// The programs of its children.
    pub children: Vec<String>,
}

/// The programs of k1s that run on the machine, by the place where they run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Places {
    /// The number of processes that were examined.
    pub scanned: usize,
    /// Programs of k1s within containers, with how many there are of each.
    pub contained: BTreeMap<String, usize>,
    /// Programs of k1s outside of any container, started since the gate began.
    pub outside: Vec<Stray>,
    /// The same from before the gate: the user's own, and not this gate's to judge.
    pub earlier: Vec<Stray>,
}

/// A program of k1s outside of any container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stray {
    /// Its id.
    pub pid: i32,
    /// The id of its parent.
    pub parent: i32,
    /// The program that it runs.
    pub program: String,
    /// Its control groups.
    pub cgroups: Vec<String>,
}

/// Those of these processes that there are, by pid.
pub fn running(pids: &[u32]) -> Result<BTreeMap<u32, Running>, Failure> {
    let mut seen: BTreeMap<u32, Running> = BTreeMap::new();
    let mut children: Vec<(u32, String)> = Vec::new();
    for process in all_processes().map_err(|error| unreadable(&error))?.flatten() {
        // What ends while it is looked at runs no more; a zombie has ended and only waits to be reaped.
        let Ok(stat) = process.stat() else { continue };
        let (Ok(pid), Ok(parent)) = (u32::try_from(stat.pid), u32::try_from(stat.ppid)) else { continue };
        if stat.state == 'Z' || !(pids.contains(&pid) || pids.contains(&parent)) {
            continue;
        }
        let program = process.cmdline().ok().and_then(|line| program(&line)).unwrap_or(stat.comm);
        if pids.contains(&pid) {
            seen.insert(pid, Running { pid, started: stat.starttime, program, children: Vec::new() });
        } else {
            children.push((parent, program));
        }
    }
    for (parent, program) in children {
        seen.entry(parent).and_modify(|running| running.children.push(program));
    }
    Ok(seen)
}

/// The programs of k1s, once all components are ready and so have become what they are.
pub static PROBE: Probe<Places> = Probe {
    name: "host-processes",
    of: Gate::starts_profile,
    moment: Moment::Alive,
    after: After::These(&["readiness", "versions", "leader", "state-backend"]),
    observe: Observe::Ask(|scene| {
        Box::pin(async move {
            let namespace = scene.subject.namespace();
            observe((!scene.shared_host).then_some(namespace.as_str()))
        })
    }),
    checks: &[Rule::new(
        "attest::host-processes",
        "k1s's controllers, API shim, etcd and NATS in containers, and none outside",
        "see what started the process; a k1s that was started by hand must not run during a gate",
        |seen, _| judge(seen),
    )],
    triage: &["daemon.json"],
};

/// Looks through all processes.
///
/// A process is outside of any container when it is in the harness's own PID namespace: the kernel names one id for it
/// there and, for one within a container, an id for each namespace down to its own (`NSpid`). Names of control groups
/// say as much, in as many ways as there are runtimes. In a lane there is one, and all of k1s is the profile's: there a
/// container of the profile is known by the control group of its containerd namespace, and any other is none.
pub fn observe(lane_of: Option<&str>) -> Result<Places, Failure> {
    let begin = Process::myself().and_then(|own| own.stat()).map_err(|error| unreadable(&error))?.starttime;
    let mut seen = Places::default();
    for process in all_processes().map_err(|error| unreadable(&error))?.flatten() {
        // What ends while it is looked at runs no more.
        let Ok((status, stat)) = process.status().and_then(|status| Ok((status, process.stat()?))) else { continue };
        seen.scanned += 1;
        let Some(program) = process.cmdline().ok().and_then(|line| program(&line)).filter(|name| is_k1s(name)) else {
            continue;
        };
        let depth = status.nspid.map(|ids| ids.len()).ok_or_else(|| {
            Failure::new("the kernel does not say which processes are in containers")
                .expected("NSpid in /proc/<pid>/status (Linux 4.1)")
                .seen("no such line")
                .remedy("use a newer kernel")
        })?;
        let cgroups = process.cgroups().map(|all| all.into_iter().map(|group| group.pathname)).into_iter().flatten();
        let mut cgroups: Vec<String> = cgroups.collect();
        cgroups.sort();
        cgroups.dedup();
        let is_of = |namespace: &str| cgroups.iter().any(|path| path.split('/').any(|part| part == namespace));
        if depth > 1 && lane_of.is_none_or(is_of) {
            *seen.contained.entry(program).or_default() += 1;
            continue;
        }
        let stray = Stray { pid: process.pid, parent: stat.ppid, program, cgroups };
        if stat.starttime < begin { seen.earlier.push(stray) } else { seen.outside.push(stray) }
    }
    Ok(seen)
}

/// No program of k1s runs outside of a container, and the scan is not blind: it saw those that run in one.
pub fn judge(seen: &Places) -> Result<(), Mismatch> {
    match (seen.scanned, seen.contained.is_empty(), seen.outside.first()) {
        (0, _, _) => Err("no process was read".into()),
        (_, _, Some(stray)) => {
            Err(Mismatch::new(format!("`{}` runs in no container of the profile", stray.program), &seen.outside))
        }
        (scanned, true, None) => Err(format!("{scanned} processes, and none of k1s's own among them").into()),
        (_, false, None) => Ok(()),
    }
}

/// The servers that k1s is made of: its modules and scripts, and the stores that a profile brings.
///
/// `ae.cli` and `ae.kctl` (`ae`, `k1s`) are clients, which WorkerBee calls on the host and users do too. WorkerBee's own
/// daemon (`workerbee`, which serves MCP and the global dashboard in one process) and its containerd helper belong on
/// the host; k1s's own dashboard is a part of `ae.controller`.
fn is_k1s(program: &str) -> bool {
    let clients = ["ae.cli", "ae.kctl"];
    let servers = ["etcd", "nats-server", "ae-gateway", "ae-node", "ae-worker-stub"];
    servers.contains(&program) || (program.starts_with("ae.") && !clients.contains(&program))
}

/// Finds the program that a command line runs: for Python the module or the script.
fn program(line: &[String]) -> Option<String> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let first = name(line.first()?);
    if !first.starts_with("python") {
        return Some(first).filter(|name| !name.is_empty());
    }
    let mut rest = line[1..].iter();
    loop {
        match rest.next().map(String::as_str) {
            Some("-m") => return rest.next().cloned().or(Some(first)),
            // What follows is code, not a name.
            Some("-c") | None => return Some(first),
            // Options of Python's that take a value.
            Some("-W" | "-X") => drop(rest.next()),
            Some(option) if option.starts_with('-') => {}
            Some(script) => return Some(name(script)),
        }
    }
}

fn unreadable(error: &ProcError) -> Failure {
    Failure::new(format!("/proc cannot be read: {error}"))
        .expected("a /proc that shows all processes")
        .seen(error.to_string())
        .remedy("mount /proc without hidepid, or run as root")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["python", "-m", "ae.controller", "--loop"], "ae.controller")]
    #[case(&["/usr/bin/python3.11", "-u", "-X", "dev", "-m", "ae.apishim", "serve"], "ae.apishim")]
    #[case(&["/venv/bin/python", "/venv/bin/ae-node", "--token=x"], "ae-node")]
    #[case(&["python3", "-c", "import ae.controller"], "python3")]
    #[case(&["python", "-m", "pip", "install"], "pip")]
    #[case(&["/usr/local/bin/etcd", "--name", "etcd"], "etcd")]
    #[case(&["/bin/sh", "-ec", "exec python -m ae.controller"], "sh")]
    fn a_program_is_named_without_its_arguments(#[case] line: &[&str], #[case] expected: &str) {
        let line: Vec<String> = line.iter().map(ToString::to_string).collect();
        assert_eq!(program(&line).as_deref(), Some(expected));
    }

    #[rstest]
    #[case("ae.controller", true)]
    #[case("nats-server", true)]
    #[case("ae.cli", false)]
    #[case("workerbee", false)]
    #[case("etcdctl", false)]
    fn servers_are_told_from_clients(#[case] program: &str, #[case] server: bool) {
        assert_eq!(is_k1s(program), server);
    }

    #[test]
    fn a_planted_controller_is_found() -> Result<(), Box<dyn std::error::Error>> {
        // A shell takes `-m` too, and the module's name as that of its script, which waits for its input.
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("ae.controller"), "read line")?;
        let mut planted = Command::new("sh");
        planted.arg0("python").args(["-m", "ae.controller", "--token=x"]).current_dir(&folder);
        let mut planted = planted.stdin(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (seen, alive) = (observe(None), running(&[planted.id()]));
        drop(planted.stdin.take());
        planted.wait()?;
        let (seen, alive) = (seen?, alive?);
        assert!(seen.outside.iter().any(|stray| stray.pid.unsigned_abs() == planted.id()), "{seen:?}");
        assert!(judge(&seen).is_err());
        assert_eq!(alive.get(&planted.id()).map(|one| one.program.as_str()), Some("ae.controller"));
        assert!(running(&[planted.id()])?.is_empty());
        Ok(())
    }
}
