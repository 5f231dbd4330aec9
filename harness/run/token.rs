//! The start token: one profile start at a time.
//!
//! Two reasons (both measured): on a shared host two starts pick the same ports, and on a loaded machine another
//! controller than the one that `WorkerBee` applies to may win the lease of k1s-ha-min.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Held from before a profile starts until it is up. Let go when dropped, and by the kernel when its holder dies.
#[derive(Debug)]
pub(crate) struct StartToken {
    _folder: File,
}

impl StartToken {
    /// Waits for the token of a folder. The folder itself is locked: nothing is left in it.
    pub(crate) async fn take(folder: &Path) -> std::io::Result<Self> {
        let path = folder.to_owned();
        let taken = tokio::task::spawn_blocking(move || {
            let file = File::open(path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok::<_, std::io::Error>(file)
        });
        Ok(Self { _folder: taken.await.map_err(std::io::Error::other)?? })
    }
}
