//! The mounts of a lane: what is the lane's own, what of the host is brought back, and what of it does not reach in.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};

use crate::failure::Failure;
use crate::ledger::cgroup_mounts;

/// The folders that a lane covers with its own.
const COVERED: [&str; 2] = ["/run", "/var/lib"];
/// The folders below /var/lib that CNI, podman, nerdctl and containerd write to.
const WRITTEN: [&str; 6] = ["buildkit", "cni", "containerd", "containers", "nerdctl", "docker"];
/// The host's own configuration of the tools that a lane runs. Where one is empty, the tool's own defaults hold.
const CONFIGURATIONS: [&str; 6] =
    ["/etc/nerdctl", "/etc/containerd", "/etc/cni", "/etc/containers", "/etc/docker", "/etc/buildkit"];
/// Without a policy podman uses no image.
const POLICY: &str = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
/// Short names of images are those of Docker's registry, as on Debian.
const REGISTRIES: &str = "unqualified-search-registries = [\"docker.io\"]\n";
/// The links below /run at which systems without /usr/bin have their tools.
const SYSTEMS: [&str; 2] = ["/run/current-system", "/run/booted-system"];

/// An address for documentation (RFC 5737) on the lane's loopback, with nothing behind it. Not 127.0.0.1: containers
/// have a loopback of their own.
pub(super) const NAMESERVER: &str = "192.0.2.53";

const PRIVILEGED: &str = "a container needs CAP_SYS_ADMIN and no seccomp profile for lanes (docker run --privileged …): \
    run on the host, or use the external mode";
const CGROUPS: &str = "in a container: docker run --privileged, or -v /sys/fs/cgroup:/sys/fs/cgroup:rw; \
    else: sudo mount -o remount,rw <the mount>";

/// Lays out the mounts of this process's own mount namespace; `needed` are the host's folders that the lane reads and
/// writes, wherever they are. Names are refused or asked of the host's own server.
pub(super) fn lay(needed: &[PathBuf], names_are_refused: bool) -> Result<(), Failure> {
    let step = |what: &'static str| move |error: io::Error| unprepared(what, &error);
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(|error| unprepared("make all mounts private", &error.into()))?;
    refuse_cgroups()?;
    let held = hold(needed).map_err(step("open the folders that it needs"))?;
    let systems: Vec<(&str, PathBuf)> =
        SYSTEMS.into_iter().filter_map(|link| Some((link, fs::read_link(link).ok()?))).collect();
    // /run holds containerd's, runc's and podman's state, the network namespaces and the lane itself.
    tmpfs("/run").map_err(step("mount a private /run"))?;
    for folder in ["/run/lock", "/run/netns", "/run/lib/upper", "/run/lib/work", "/run/lib/etc"] {
        fs::create_dir_all(folder).map_err(step("make the lane's folders"))?;
    }
    cover_var_lib().map_err(step("lay a private layer over /var/lib"))?;
    for (link, target) in systems {
        std::os::unix::fs::symlink(target, link).map_err(step("find the system's tools again"))?;
    }
    for (folder, opened) in held {
        let bound = || -> io::Result<()> {
            fs::create_dir_all(&folder)?;
            Ok(mount_bind_recursive(format!("/proc/self/fd/{}", opened.as_raw_fd()), &folder)?)
        };
        bound().map_err(|error| unprepared(&format!("bring back {}", folder.display()), &error))?;
    }
    hide_configurations().map_err(step("keep the host's configuration of containers out"))?;
    if names_are_refused {
        refuse_names().map_err(step("put its own resolver's configuration in place"))?;
    }
    Ok(())
}

/// The folders, opened, that a lane would cover. Of one by way of a link both places count.
fn hold(needed: &[PathBuf]) -> io::Result<Vec<(PathBuf, OwnedFd)>> {
    let places = needed.iter().flat_map(|folder| [Some(folder.clone()), folder.canonicalize().ok()]).flatten();
    let mut places: Vec<PathBuf> = places.filter(|folder| is_covered(folder) && folder.is_dir()).collect();
    places.sort();
    places.dedup();
    let mut held: Vec<(PathBuf, OwnedFd)> = Vec::new();
    for folder in places {
        // What lies in one that is brought back comes with it.
        if !held.iter().any(|(outer, _)| folder.starts_with(outer)) {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = rustix::fs::open(&folder, flags, Mode::empty())?;
            held.push((folder, opened));
        }
    }
    Ok(held)
}

/// Is true when a folder lies below one that a lane covers. The covered folder itself is never brought back.
fn is_covered(folder: &Path) -> bool {
    COVERED.iter().any(|covered| folder.starts_with(covered) && folder != Path::new(covered))
}

fn tmpfs(target: &str) -> io::Result<()> {
    mount("lane", target, "tmpfs", MountFlags::empty(), c"mode=755").map_err(Into::into)
}

/// CNI and podman write under /var/lib: over it lies a layer of the lane's own.
fn cover_var_lib() -> io::Result<()> {
    let options = c"lowerdir=/var/lib,upperdir=/run/lib/upper,workdir=/run/lib/work";
    match mount("lane", "/var/lib", "overlay", MountFlags::empty(), options) {
        // The kernel stacks overlays two high: in a container within a container there is no room for one more. Nor is
        // there where the kernel has none.
        Err(Errno::INVAL | Errno::NODEV | Errno::LOOP) => replace_var_lib(),
        laid => laid.map_err(Into::into),
    }
}

/// The same without an overlay: all that no tool of a lane writes to is brought back, to be read.
fn replace_var_lib() -> io::Result<()> {
    let mut folders = Vec::new();
    let mut links = Vec::new();
    for entry in fs::read_dir("/var/lib")? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if WRITTEN.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if kind.is_dir() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            folders.push((rustix::fs::open(&path, flags, Mode::empty())?, path));
        } else if kind.is_symlink() {
            links.push((fs::read_link(&path)?, path));
        }
    }
    tmpfs("/var/lib")?;
    for (opened, path) in folders {
        fs::create_dir(&path)?;
        mount_bind_recursive(format!("/proc/self/fd/{}", opened.as_raw_fd()), &path)?;
        mount_remount(&path, MountFlags::BIND | MountFlags::RDONLY, c"")?;
    }
    links.into_iter().try_for_each(|(target, path)| std::os::unix::fs::symlink(target, path))
}

/// Of what the user has told nerdctl, containerd, CNI and podman for themselves, nothing holds in a lane.
fn hide_configurations() -> io::Result<()> {
    for folder in CONFIGURATIONS.map(Path::new).into_iter().filter(|folder| folder.is_dir()) {
        let own = Path::new("/run/lib/etc").join(folder.file_name().unwrap_or_default());
        fs::create_dir_all(&own)?;
        if folder.ends_with("containers") {
            fs::write(own.join("policy.json"), POLICY)?;
            fs::write(own.join("registries.conf"), REGISTRIES)?;
        }
        mount_bind(&own, folder)?;
    }
    Ok(())
}

/// A name server that refuses at once.
///
/// There is no way out of a lane, so a query to the host's server would wait out its timeout. gRPC asks for an IPv6
/// address even of a name in /etc/hosts: the controllers of k1s-ha-min would get their lease seconds late, in any order.
fn refuse_names() -> io::Result<()> {
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

/// runc makes a folder for each container where cgroups are mounted: better known now than after `WorkerBee`'s timeout.
fn refuse_cgroups() -> Result<(), Failure> {
    let mounts = cgroup_mounts();
    let refused = |seen: String| {
        Failure::new(format!("no container can be started: {seen}"))
            .expected("cgroups that can be written to, for runc")
            .seen(seen)
            .remedy(CGROUPS)
    };
    if mounts.is_empty() {
        return Err(refused("cgroups are not mounted".to_owned()));
    }
    let why_not =
        |mount: &PathBuf| try_in(mount).err().map(|error| format!("{} cannot be written to: {error}", mount.display()));
    mounts.iter().find_map(why_not).map_or(Ok(()), |seen| Err(refused(seen)))
}

/// The folder by which lanes try out whether they can make one. One name for all: none is left for good by a lane that was
/// killed, and numbers of processes are the same in every lane.
const PROBE: &str = "k1s-gates-probe";

/// Makes a folder and removes it. Another lane may do the same at the same time, so either may find it there or gone.
fn try_in(mount: &Path) -> io::Result<()> {
    let probe = mount.join(PROBE);
    match fs::create_dir(&probe) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    match fs::remove_dir(&probe) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A lane that could not be made ready.
pub(super) fn unprepared(what: &str, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            "in a container: docker run --privileged, or --security-opt systempaths=unconfined; else mount it read-write"
        }
        _ => PRIVILEGED,
    };
    Failure::new(format!("the lane could not {what}: {error}"))
        .expected("root in a mount, PID and network namespace of its own")
        .seen(error.to_string())
        .remedy(remedy)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn lanes_try_out_a_folder_side_by_side() {
        let mount = tempfile::tempdir().unwrap();
        // What a lane has left that was killed.
        fs::create_dir(mount.path().join(PROBE)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..500).for_each(|_| try_in(mount.path()).unwrap()));
            }
        });
        assert!(!mount.path().join(PROBE).exists());
        let file = mount.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(try_in(&file).is_err());
    }

    #[rstest]
    #[case("/run/user/0/ci", true)]
    #[case("/var/lib/jenkins/workspace", true)]
    #[case("/run", false)]
    #[case("/var/lib", false)]
    #[case("/running", false)]
    #[case("/var/library/x", false)]
    #[case("/home/me/run", false)]
    #[case("/", false)]
    fn what_is_covered_lies_below(#[case] folder: &str, #[case] covered: bool) {
        assert_eq!(is_covered(Path::new(folder)), covered);
    }
}
