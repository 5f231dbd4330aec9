//! The residue of a run on the host.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use k1s_profile_gates::workerbee::naming;
use procfs::process::all_processes;
use walkdir::WalkDir;

/// The parts of the host that no run may change: mounts, links, firewall rules, listeners.
#[derive(Debug)]
pub(crate) struct Host(BTreeSet<String>);

impl Host {
    pub(crate) fn look() -> Self {
        let mut seen = BTreeSet::new();
        let mounts = procfs::process::Process::myself().and_then(|own| own.mountinfo()).unwrap();
        seen.extend(mounts.into_iter().map(|one| format!("mount {} of {}", one.mount_point.display(), one.fs_type)));
        let links = std::fs::read_dir("/sys/class/net").unwrap().flatten();
        seen.extend(links.map(|link| format!("link {}", link.file_name().display())));
        for program in ["iptables-save", "ip6tables-save"] {
            let output = Command::new(program).output().unwrap_or_else(|error| panic!("{program}: {error}"));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // Without its comments, which hold the time, and the counters of packets.
            let rules = text.lines().filter(|line| !line.starts_with('#'));
            seen.extend(rules.map(|line| format!("{program} {}", line.split(" [").next().unwrap_or(line))));
        }
        let sockets = procfs::net::tcp().unwrap().into_iter().chain(procfs::net::tcp6().unwrap_or_default());
        let listeners = sockets.filter(|socket| socket.state == procfs::net::TcpState::Listen);
        seen.extend(listeners.map(|socket| format!("listener {}", socket.local_address)));
        Self(seen)
    }

    /// Lists what has come and what has gone since.
    fn changes(&self) -> Vec<String> {
        let now = Self::look();
        let come = now.0.difference(&self.0).map(|one| format!("come: {one}"));
        come.chain(self.0.difference(&now.0).map(|one| format!("gone: {one}"))).collect()
    }
}

/// Everything that is left and that the kernel or the supervisor removes, in words.
pub(crate) fn look(folder: &Path, project: &str, before: &Host) -> Vec<String> {
    let processes = processes(folder, project).into_iter();
    let mut left: Vec<String> = processes.map(|(pid, line)| format!("process {pid}: {line}")).collect();
    left.extend(before.changes());
    let named = elsewhere(folder, project).into_iter().chain(files(&folder.join("tmp")));
    left.extend(named.map(|path| format!("file {}", path.display())));
    left
}

/// Lists the residue that a sweep has to remove when the supervisor could not: empty cgroups, the ledger, the files of
/// the run's sockets.
pub(crate) fn for_the_sweep(folder: &Path, project: &str) -> Vec<String> {
    let mut left: Vec<String> = cgroups(project).iter().map(|path| format!("cgroup {}", path.display())).collect();
    let files = ["runtime", "state"].into_iter().flat_map(|name| files(&folder.join(name)));
    left.extend(files.map(|path| format!("file {}", path.display())));
    left
}

/// Evidence that was being written.
pub(crate) fn unfinished(run_dir: &Path) -> Vec<String> {
    let parts = files(run_dir).into_iter();
    let parts = parts.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".part-")));
    parts.map(|path| format!("file {}", path.display())).collect()
}

/// The processes that work in the run's folder or in its lanes, or are in containers of its projects.
pub(crate) fn processes(folder: &Path, project: &str) -> Vec<(i32, String)> {
    let own = std::process::id().cast_signed();
    let marks = [folder.display().to_string(), format!("/run/k1s-gates/{project}")];
    let of_the_run = all_processes().unwrap().flatten().filter_map(|process| {
        let line = process.cmdline().unwrap_or_default().join(" ");
        let environment = process.environ().unwrap_or_default();
        let bears = |word: &str| marks.iter().any(|mark| word.contains(mark));
        let marked = bears(&line) || environment.values().any(|value| bears(&value.to_string_lossy()));
        let contained = process.cgroups().is_ok_and(|groups| {
            groups.into_iter().any(|group| namespaces(project).iter().any(|name| group.pathname.contains(name)))
        });
        let alive = process.stat().is_ok_and(|stat| stat.state != 'Z');
        ((marked || contained) && alive && process.pid != own).then_some((process.pid, line))
    });
    of_the_run.collect()
}

/// The names of cgroups and of containerd namespaces.
fn namespaces(project: &str) -> [String; 2] {
    let state_root = Path::new("/run/k1s-gates").join(project).join("state");
    [naming::namespace(&state_root, project), naming::system_namespace(&state_root)]
}

fn cgroups(project: &str) -> Vec<PathBuf> {
    let names = namespaces(project);
    let folders = WalkDir::new("/sys/fs/cgroup").max_depth(3).into_iter().flatten().filter(|entry| {
        entry.file_type().is_dir() && names.iter().any(|name| entry.file_name().to_string_lossy() == *name)
    });
    folders.map(walkdir::DirEntry::into_path).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(folder).into_iter().flatten().filter(|entry| !entry.file_type().is_dir());
    entries.map(walkdir::DirEntry::into_path).collect()
}

/// Whatever bears the project's name outside of the run's folder.
fn elsewhere(folder: &Path, project: &str) -> Vec<PathBuf> {
    let [namespace, system] = namespaces(project);
    let places = ["/run", "/tmp", "/var/tmp", "/var/lib/cni", "/var/lib/nerdctl", "/var/lib/containers", "/etc/cni"];
    let entries = places.into_iter().flat_map(|place| {
        let entries = WalkDir::new(place).max_depth(4).into_iter();
        entries.filter_entry(|entry| !entry.path().starts_with(folder)).flatten()
    });
    let named = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy();
        name == project || name.contains(&namespace) || name.contains(&system)
    });
    named.map(walkdir::DirEntry::into_path).collect()
}
