//! A head start for controller 0 of k1s-ha-min, in a lane.
//!
//! `WorkerBee` starts the three controllers half a second apart and then applies to controller 0, whichever of them won
//! the lease. On a machine of few cores the three reach the lease within a tenth of a second of each other, in any
//! order, and the apply ends in a 409 as often as not. On larger machines controller 0 wins, as it started first; with
//! a larger share of the CPU until the lease is held it wins on small ones too. Nothing else about it is changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::attest::containerd::Containerd;
use crate::ledger::cgroup_mounts;

/// The share of controller 0 among the containers of its project, of which each other one has 1.
const TIMES: u32 = 20;
/// The interval at which the container is searched for: it is there half a second before the next one.
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits for the container and raises its share. Runs until it is done, or dropped.
pub(super) async fn give(address: &Path, namespace: &str, container: &str) {
    let Ok(containerd) = Containerd::connect(address).await else { return };
    loop {
        let id = containerd.id_of(namespace, container).await.ok().flatten();
        // A machine without a CPU controller to raise it in has no better start to give.
        if id.is_some_and(|id| raise(&PathBuf::from(namespace).join(id))) {
            return;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Writes the share in whichever version of cgroups holds the CPU controller.
fn raise(group: &Path) -> bool {
    let shares = [("cpu.shares", 1024 * TIMES), ("cpu.weight", 100 * TIMES)];
    cgroup_mounts().iter().any(|mount| {
        let folder = mount.join(group);
        shares.iter().any(|(file, share)| {
            let file = folder.join(file);
            file.exists() && std::fs::write(file, share.to_string()).is_ok()
        })
    })
}
