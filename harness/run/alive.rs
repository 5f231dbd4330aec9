//! Whether a run is alive: its supervisor holds a lock on the run's folder, which the kernel lets go when it ends,
//! whatever ends it. The folder itself is locked: nothing is left in it.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// How long a run may take to its end after nextest's: its supervisor seals the folder.
const MOMENT: Duration = Duration::from_secs(5);

/// Held by a supervisor for as long as it lives.
#[derive(Debug)]
pub(super) struct Alive {
    _folder: File,
}

impl Alive {
    /// Takes the folder for one supervisor alone. None when another one that lives has it and does not end in a moment.
    pub(super) fn hold(run_dir: &Path) -> std::io::Result<Option<Self>> {
        let folder = File::open(run_dir)?;
        let begin = Instant::now();
        // Tried again in any case: who looks whether the run is alive holds the folder for an instant.
        while flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err() {
            if begin.elapsed() > MOMENT {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(Self { _folder: folder }))
    }
}

/// Whether a supervisor of a run in that folder lives.
pub fn is_alive(run_dir: &Path) -> bool {
    // Let go again as soon as this is answered. Shared: two that look are not in each other's way.
    File::open(run_dir).is_ok_and(|folder| flock(&folder, FlockOperation::NonBlockingLockShared).is_err())
}

/// Waits a moment for a run to be over: nextest ends before its supervisor has sealed the folder.
pub fn wait_until_sealed(run_dir: &Path) {
    let begin = Instant::now();
    while is_alive(run_dir) && begin.elapsed() < MOMENT {
        std::thread::sleep(Duration::from_millis(50));
    }
}
