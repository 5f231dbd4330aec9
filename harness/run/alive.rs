//! The sign that a run is alive: its supervisor holds a lock on the run's folder, which the kernel releases when the
//! supervisor ends for whatever reason. The folder itself is locked: no file is left in it.

use std::fs::File;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// How long a run may take to end after nextest: its supervisor seals the folder.
const MOMENT: Duration = Duration::from_secs(5);

/// Held by a supervisor for as long as it lives.
#[derive(Debug)]
#[expect(dead_code, reason = "held for as long as the supervisor lives")]
pub(super) enum Alive {
    /// The folder, locked.
    Folder(File),
    /// A name for it in the network namespace, where the folder's file system knows no locks.
    Name(UnixListener),
}

/// Is true when a lock was refused because it is held, and not because there are none: some file systems know none.
pub(super) fn is_supported(error: Errno) -> bool {
    ![Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::NOLCK, Errno::INVAL].contains(&error)
}

/// Returns the socket that stands for the lock of a folder that cannot be locked.
fn name_of(folder: &File) -> std::io::Result<SocketAddr> {
    let about = folder.metadata()?;
    SocketAddr::from_abstract_name(format!("k1s-profile-gates/run/{}-{}", about.dev(), about.ino()))
}

fn open(run_dir: &Path) -> std::io::Result<File> {
    File::options().read(true).custom_flags(OFlags::DIRECTORY.bits().cast_signed()).open(run_dir)
}

impl Alive {
    /// Takes the folder for one supervisor alone. None when another one that lives has it and does not end in a moment.
    pub(super) fn hold(run_dir: &Path) -> std::io::Result<Option<Self>> {
        let folder = open(run_dir)?;
        let begin = Instant::now();
        // Tried again in any case: who looks whether the run is alive holds the folder for an instant.
        while let Err(error) = flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            if !is_supported(error) {
                return match UnixListener::bind_addr(&name_of(&folder)?) {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(None),
                    bound => bound.map(|name| Some(Self::Name(name))),
                };
            }
            if begin.elapsed() > MOMENT {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(Self::Folder(folder)))
    }
}

/// Is true when a supervisor of a run in that folder lives.
pub fn is_alive(run_dir: &Path) -> bool {
    // Let go again as soon as this is answered. Shared: two that look are not in each other's way.
    open(run_dir).is_ok_and(|folder| match flock(&folder, FlockOperation::NonBlockingLockShared) {
        Ok(()) => false,
        Err(error) if is_supported(error) => true,
        Err(_) => name_of(&folder).and_then(|name| UnixStream::connect_addr(&name)).is_ok(),
    })
}

/// Waits a moment for a run to be over: nextest ends before its supervisor has sealed the folder.
pub fn wait_until_sealed(run_dir: &Path) {
    let begin = Instant::now();
    while is_alive(run_dir) && begin.elapsed() < MOMENT {
        std::thread::sleep(Duration::from_millis(50));
    }
}
