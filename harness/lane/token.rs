//! The start token: one profile start at a time.
//!
//! Two reasons (both measured): on a shared host two starts pick the same ports, and on a loaded machine another
//! controller than the one that `WorkerBee` applies to may win the lease of k1s-ha-min.

use std::fs::File;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

/// The name under which runs on one host find each other.
const NAME: &str = "k1s-profile-gates/start";
/// The interval at which the host's token is asked for: a start takes seconds.
const INTERVAL: Duration = Duration::from_millis(100);

/// Held from before a profile starts until it is up. Let go when dropped, and by the kernel when its holder dies.
#[derive(Debug)]
pub(crate) struct StartToken {
    _held: Held,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held for as long as the token is")]
enum Held {
    Folder(File),
    Name(UnixListener),
}

impl StartToken {
    /// Waits for the token of a folder. The folder itself is locked: nothing is left in it.
    pub(crate) async fn of_folder(folder: &Path) -> std::io::Result<Self> {
        let path = folder.to_owned();
        let taken = tokio::task::spawn_blocking(move || {
            let file = File::open(path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok::<_, std::io::Error>(file)
        });
        Ok(Self { _held: Held::Folder(taken.await.map_err(std::io::Error::other)??) })
    }

    /// Waits for the token of this host. A name in the network namespace, which is just where ports are shared: whoever's
    /// run it is and whatever its state root, with no file that another user could not open.
    pub(crate) async fn of_host() -> std::io::Result<Self> {
        let name = SocketAddr::from_abstract_name(NAME)?;
        loop {
            match UnixListener::bind_addr(&name) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => tokio::time::sleep(INTERVAL).await,
                bound => return Ok(Self { _held: Held::Name(bound?) }),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_host_has_one_token() {
        let first = StartToken::of_host().await.unwrap();
        let second = tokio::spawn(StartToken::of_host());
        tokio::time::sleep(3 * INTERVAL).await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap().is_ok());
    }
}
