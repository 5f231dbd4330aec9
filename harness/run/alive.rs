//! Whether a run is alive: its supervisor holds a lock on the run's folder, which the kernel lets go when it ends,
//! whatever ends it. The folder itself is locked: nothing is left in it.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// Held by a supervisor for as long as it lives.
#[derive(Debug)]
pub(super) struct Alive {
    _folder: File,
}

impl Alive {
    /// Shared, as runs may be told to use one folder; waits for who looks.
    pub(super) fn hold(run_dir: &Path) -> std::io::Result<Self> {
        let folder = File::open(run_dir)?;
        flock(&folder, FlockOperation::LockShared)?;
        Ok(Self { _folder: folder })
    }
}

/// Whether a supervisor of a run in that folder lives.
pub fn is_alive(run_dir: &Path) -> bool {
    // Let go again as soon as this is answered.
    File::open(run_dir).is_ok_and(|folder| flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err())
}

/// Waits a moment for a run to be over: nextest ends before its supervisor has sealed the folder.
pub fn let_end(run_dir: &Path) {
    const MOMENT: Duration = Duration::from_secs(5);
    let begin = Instant::now();
    while is_alive(run_dir) && begin.elapsed() < MOMENT {
        std::thread::sleep(Duration::from_millis(50));
    }
}
