//! Processes of a project: in its containers or beside them.

use std::collections::{BTreeMap, BTreeSet};

use procfs::process::{Process, all_processes};

use super::command::unreadable;
use super::{Owner, Thing};
use crate::failure::Failure;

/// The project's processes, and whose each listening socket is.
pub(super) struct Processes {
    things: Vec<Thing>,
    /// Sockets that processes of the project hold, by inode.
    pub(super) sockets: BTreeSet<u64>,
}

pub(super) fn things(processes: Processes) -> Vec<Thing> {
    processes.things
}

struct One {
    process: Process,
    parent: i32,
    what: String,
    tie: Option<String>,
}

pub(super) fn scan(owner: &Owner) -> Result<Processes, Failure> {
    let all = all_processes().map_err(|error| unreadable("/proc", &error.to_string()))?;
    // One that ends while it is looked at is no longer there.
    let mut all: BTreeMap<i32, One> =
        all.filter_map(|process| one(owner, process.ok()?)).map(|one| (one.process.pid, one)).collect();
    // Who was started by a process of the project is of the project: a holder of a port says `sleep infinity`.
    loop {
        let of_one = |one: &One| all.get(&one.parent).is_some_and(|parent| parent.tie.is_some());
        let found: Vec<i32> =
            all.values().filter(|one| one.tie.is_none() && of_one(one)).map(|one| one.process.pid).collect();
        if found.is_empty() {
            break;
        }
        for pid in found {
            if let Some(one) = all.get_mut(&pid) {
                one.tie = Some(format!("started by process {}", one.parent));
            }
        }
    }
    all.retain(|_, one| one.tie.is_some());
    // Whose they are only root may see of others' processes; forwarded ports tell the same.
    let descriptors = |one: &One| one.process.fd().map(|fds| fds.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let sockets = all.values().flat_map(descriptors).filter_map(|fd| match fd.target {
        procfs::process::FDTarget::Socket(inode) => Some(inode),
        _ => None,
    });
    Ok(Processes {
        sockets: sockets.collect(),
        things: all.into_values().map(|one| Thing::new(one.what, one.tie)).collect(),
    })
}

fn one(owner: &Owner, process: Process) -> Option<One> {
    let stat = process.stat().ok()?;
    // A dead process that nobody has waited for holds nothing any more.
    if stat.state == 'Z' {
        return None;
    }
    // Its arguments are looked at and not kept: there are tokens among them.
    let mut texts = process.cmdline().unwrap_or_default();
    texts.extend(process.cgroups().into_iter().flatten().map(|group| group.pathname));
    texts.extend([process.exe(), process.cwd()].into_iter().flatten().map(|path| path.display().to_string()));
    let tie = texts.iter().find_map(|text| owner.tie(text));
    let what = format!("process {} {} (since tick {})", stat.pid, stat.comm, stat.starttime);
    Some(One { process, parent: stat.ppid, what, tie })
}
