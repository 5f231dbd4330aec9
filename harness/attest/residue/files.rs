//! Files: CNI's of the project's network, and those of its folder.

use std::path::Path;

use super::command::{Printed, as_root, unreadable};
use super::{Owner, Thing};
use crate::failure::Failure;

/// nerdctl's folder for CNI's configuration, in the project's folder.
const CONFIGURATION: &str = "containerd-cni-net.d";

pub(super) fn networks(owner: &Owner) -> Result<Vec<Thing>, Failure> {
    let own = owner.folder.join(CONFIGURATION).display().to_string();
    let files = find(&[&own, "/etc/cni/net.d", "/var/lib/cni"])?;
    let content = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let tie = |file: &str| owner.tie(file).or_else(|| owner.tie(&content(file)));
    Ok(files.into_iter().map(|file| Thing::new(&file, tie(&file))).collect())
}

pub(super) fn state(owner: &Owner) -> Result<Vec<Thing>, Failure> {
    let folder = owner.folder.display().to_string();
    let of_namespace = ["/run/nerdctl", "/run/containerd/runc"].map(|place| format!("{place}/{}", owner.namespace));
    let files = find(&[&folder, &of_namespace[0], &of_namespace[1], "/var/lib/nerdctl"])?;
    let configuration = owner.folder.join(CONFIGURATION);
    let things = files.into_iter().filter(|file| !Path::new(file).starts_with(&configuration));
    // Paths as in the state root, whose place is the user's.
    let root = owner.folder.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let place = |file: &str| Path::new(file).strip_prefix(root).unwrap_or(Path::new(file)).display().to_string();
    Ok(things.map(|file| Thing::new(place(&file), owner.tie(&file))).collect())
}

/// Everything below some folders that is no folder. A folder that is not there holds nothing.
fn find(roots: &[&str]) -> Result<Vec<String>, Failure> {
    let arguments: Vec<&str> = roots.iter().copied().chain(["!", "-type", "d", "-print"]).collect();
    let printed = as_root("find", &arguments)?;
    found(&printed).map_err(|wrong| unreadable("find", &wrong))
}

/// Ended otherwise than by itself, find has not seen all. What others have written beside it says nothing of it.
fn found(printed: &Printed) -> Result<Vec<String>, String> {
    let own = printed.stderr.lines().filter(|line| line.starts_with("find:"));
    let wrong = own.clone().find(|line| !line.ends_with("No such file or directory"));
    match (wrong, printed.status.code()) {
        (Some(wrong), _) => Err(wrong.to_owned()),
        (None, Some(0)) => Ok(printed.stdout.lines().map(str::to_owned).collect()),
        (None, Some(1)) if own.count() > 0 => Ok(printed.stdout.lines().map(str::to_owned).collect()),
        (None, _) => Err(format!("{}; {}", printed.status, printed.stderr.trim())),
    }
}

/// Is true for leftovers of a network that stay by design.
pub(super) fn network_stays(thing: &Thing) -> bool {
    let path = Path::new(&thing.what);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new("/"));
    // CNI's `host-local` keeps its lock and where it would go on; an address that is in use has a file of its own.
    let of_host_local =
        folder.starts_with("/var/lib/cni/networks") && (name == "lock" || name.starts_with("last_reserved_ip."));
    // nerdctl makes its locks and its default network in each folder of configuration that it is told of.
    let of_nerdctl = folder.ends_with(CONFIGURATION)
        && [".nerdctl.lock", ".cni-concurrency.lock", "nerdctl-bridge.conflist"].contains(&name.as_ref());
    of_host_local || of_nerdctl
}

/// Is true for leftovers in the project's folder that stay by design: `WorkerBee`'s `profile stop --purge` removes the
/// project's `profiles` folder, the profile's route and no other file (`profiles.py`, `K1sProfileRunner.stop`).
pub(super) fn state_stays(thing: &Thing) -> bool {
    let parts: Vec<&str> = thing.what.split('/').collect();
    match parts.as_slice() {
        // The project's lock, the key of its secrets, what it built and exported; and of nerdctl's, which process held a
        // port: it forgets to remove that when the process ends.
        ["projects", _, ".lock"]
        | ["projects", _, "secrets", "age", "keys.txt"]
        | ["projects", _, "artifacts", ..]
        | ["", "run", "nerdctl", _, _, "port-reserver.pid"] => true,
        // The routes of applications, `<namespace>--<service>.caddy`.
        ["projects", _, "caddy", route] => route.contains("--"),
        // nerdctl's copies of `hosts` from before it changed them.
        ["projects", _, "containerd-data", "filesystem-ops", copy] => {
            copy.contains("-hosts-") && copy.ends_with("-backup")
        }
        // Volumes that k1s made for applications.
        ["projects", _, "containerd-data", _, "volumes", _, volume, ..] => volume.starts_with("ae-"),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use rstest::rstest;

    use super::super::command::plain;
    use super::*;

    #[rstest]
    #[case::good("echo /a; echo /b", Ok(2))]
    #[case::no_folder("echo /a; echo \"find: '/x': No such file or directory\" >&2; exit 1", Ok(1))]
    #[case::warned("echo 'sudo: unable to resolve host x: Name or service not known' >&2; echo /a", Ok(1))]
    #[case::forbidden("echo /a; echo \"find: '/x': Permission denied\" >&2; exit 1", Err("Permission denied"))]
    #[case::killed("echo /a; kill -KILL $$", Err("signal: 9"))]
    #[case::killed_below_sudo("echo /a; exit 137", Err("exit status: 137"))]
    #[case::without_a_word("exit 1", Err("exit status: 1"))]
    fn a_find_that_has_not_seen_all_is_no_look(#[case] script: &str, #[case] expected: Result<usize, &str>) {
        match (found(&plain("sh", &["-c", script]).unwrap()), expected) {
            (Ok(files), Ok(number)) => assert_eq!(files.len(), number),
            (Err(wrong), Err(why)) => assert!(wrong.contains(why), "{wrong}"),
            (found, _) => panic!("{found:?}"),
        }
    }
}
