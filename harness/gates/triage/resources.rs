//! The resources that the machine has left, and what the containers take of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use procfs::process::Process;
use serde::Serialize;

use super::super::session::Session;
use super::capture::Observed;
use crate::failure::Failure;
use crate::lane::Environment;
use crate::workerbee::naming;

pub(super) const SHOWS: &str = "load, memory, pressure, room on disk, and the memory of each container";
/// Below this share of what there is, it is said.
const SCARCE: u64 = 20;

/// The resources that were found.
#[derive(Debug, Serialize)]
pub(super) struct Resources {
    load: String,
    /// `/proc/meminfo`.
    memory: BTreeMap<String, String>,
    /// `/proc/pressure`, where the kernel has it.
    pressure: BTreeMap<String, String>,
    disks: Vec<Disk>,
    containers: Vec<Usage>,
    /// The reason why the containers are not known.
    containers_unknown: Option<String>,
}

/// The file system of a folder.
#[derive(Debug, Serialize)]
struct Disk {
    folder: PathBuf,
    bytes: u64,
    bytes_available: u64,
    files: u64,
    files_available: u64,
}

/// The main process of a container.
#[derive(Debug, Serialize)]
struct Usage {
    id: String,
    pid: u32,
    resident_kb: Option<u64>,
    threads: Option<u64>,
}

/// Looks.
pub(super) async fn observe(session: &Session<'_>, environment: &Environment) -> Result<Observed<Resources>, Failure> {
    let text = |file: &str| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let lines = text("/proc/meminfo");
    let pair = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let memory: BTreeMap<String, String> = lines.lines().filter_map(pair).collect();
    let pressure = ["cpu", "io", "memory"].map(|kind| (kind.to_owned(), text(&format!("/proc/pressure/{kind}"))));
    let folders = [environment.state_root.clone(), session.store.root().to_owned()];
    let disks: Vec<Disk> = folders.into_iter().filter_map(disk).collect();
    let (containers, containers_unknown) = match usage(session, environment).await {
        Ok(containers) => (containers, None),
        Err(failure) => (Vec::new(), Some(failure.what)),
    };
    let mut found = Vec::new();
    let kilobytes = |name: &str| memory.get(name)?.split(' ').next()?.parse::<u64>().ok();
    if let (Some(all), Some(left)) = (kilobytes("MemTotal"), kilobytes("MemAvailable"))
        && left < all / SCARCE
    {
        found.push(format!("{left} kB of {all} kB of memory are available"));
    }
    for disk in &disks {
        // Some file systems count no files.
        if disk.bytes_available < disk.bytes / SCARCE || (disk.files > 0 && disk.files_available < disk.files / SCARCE)
        {
            found.push(format!(
                "{}: {} of {} bytes, {} of {} files are available",
                disk.folder.display(),
                disk.bytes_available,
                disk.bytes,
                disk.files_available,
                disk.files
            ));
        }
    }
    let pressure = pressure.into_iter().collect();
    Ok((Resources { load: text("/proc/loadavg"), memory, pressure, disks, containers, containers_unknown }, found))
}

fn disk(folder: PathBuf) -> Option<Disk> {
    let seen = rustix::fs::statvfs(&folder).ok()?;
    Some(Disk {
        folder,
        bytes: seen.f_blocks * seen.f_frsize,
        bytes_available: seen.f_bavail * seen.f_frsize,
        files: seen.f_files,
        files_available: seen.f_favail,
    })
}

async fn usage(session: &Session<'_>, environment: &Environment) -> Result<Vec<Usage>, Failure> {
    let namespace = naming::namespace(&environment.state_root, &session.spec.project);
    let tasks = session.containerd().await?.tasks(&namespace).await?;
    let of = |task: crate::attest::containerd::Task| {
        let status = i32::try_from(task.pid).ok().and_then(|pid| Process::new(pid).ok()?.status().ok());
        let (resident_kb, threads) = status.map_or((None, None), |status| (status.vmrss, Some(status.threads)));
        Usage { id: task.id, pid: task.pid, resident_kb, threads }
    };
    Ok(tasks.into_iter().map(of).collect())
}
