//! Mounts in this mount namespace, which is that of containerd.

use procfs::process::Process;

use super::command::unreadable;
use super::{Owner, Thing};
use crate::failure::Failure;

pub(super) fn scan(owner: &Owner) -> Result<Vec<Thing>, Failure> {
    let mounts = Process::myself().and_then(|own| own.mountinfo());
    let mounts = mounts.map_err(|error| unreadable("/proc/self/mountinfo", &error.to_string()))?;
    let thing = |mount: procfs::process::MountInfo| {
        let point = mount.mount_point.display().to_string();
        let tie = owner.tie(&point).or_else(|| owner.tie(&mount.root));
        Thing::new(format!("{point} ({})", mount.fs_type), tie)
    };
    Ok(mounts.into_iter().map(thing).collect())
}

/// Is true for a mount that may be new after a purge and is no residue: the root file system of `WorkerBee`'s ingress,
/// which all projects share and which may have been restarted meanwhile (`WorkerBee` does that when it does not
/// answer).
pub(super) fn stays(thing: &Thing) -> bool {
    let of_the_system = |part: &str| {
        let parts: Vec<&str> = part.split('-').collect();
        matches!(parts.as_slice(), ["workerbee", _, "system"])
    };
    thing.what.split('/').any(of_the_system)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ingress("workerbee-7a3a04a7b599-system", true)]
    #[case::project("workerbee-7a3a04a7b599-demo", false)]
    #[case::project_with_a_dash("workerbee-7a3a04a7b599-my-system", false)]
    fn only_the_ingress_stays(#[case] namespace: &str, #[case] so: bool) {
        let task = "/run/containerd/io.containerd.runtime.v2.task";
        assert_eq!(stays(&Thing::new(format!("{task}/{namespace}/8f1f13d912ac/rootfs (overlay)"), None)), so);
    }
}
