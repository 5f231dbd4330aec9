//! Mounts in this mount namespace, which is that of containerd.

use procfs::process::Process;

use super::command::unreadable;
use super::{Owner, Thing};
use crate::failure::Failure;

pub(super) fn look(owner: &Owner) -> Result<Vec<Thing>, Failure> {
    let mounts = Process::myself().and_then(|own| own.mountinfo());
    let mounts = mounts.map_err(|error| unreadable("/proc/self/mountinfo", &error.to_string()))?;
    let thing = |mount: procfs::process::MountInfo| {
        let point = mount.mount_point.display().to_string();
        let tie = owner.tie(&point).or_else(|| owner.tie(&mount.root));
        Thing::new(format!("{point} ({})", mount.fs_type), tie)
    };
    Ok(mounts.into_iter().map(thing).collect())
}
