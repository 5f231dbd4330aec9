//! Sockets that wait for others, in the network that the harness is in: a lane's, or the host's.

use std::net::SocketAddr;

use procfs::ProcResult;

/// Where Caddy is told to load another configuration, unless it is told to listen elsewhere. It shares that port with
/// every other Caddy (`SO_REUSEPORT`), and the kernel picks one of them for each connection.
const ADMIN: u16 = 2019;

/// A socket that waits for others.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) protocol: &'static str,
    pub(super) address: SocketAddr,
    pub(super) inode: u64,
}

/// All of them.
pub(super) fn look() -> ProcResult<Vec<Listener>> {
    use procfs::net::{TcpState, tcp, tcp6, udp, udp6};
    // Without IPv6 in the kernel its files are not there.
    let mut found = Vec::new();
    for entry in tcp()?.into_iter().chain(tcp6().unwrap_or_default()) {
        if entry.state == TcpState::Listen {
            found.push(Listener { protocol: "tcp", address: entry.local_address, inode: entry.inode });
        }
    }
    for entry in udp()?.into_iter().chain(udp6().unwrap_or_default()) {
        if entry.remote_address.port() == 0 {
            found.push(Listener { protocol: "udp", address: entry.local_address, inode: entry.inode });
        }
    }
    Ok(found)
}

/// What is to be told when more than one server listens where `WorkerBee` has its ingress loaded anew: each reload
/// reaches either of them, and one that reaches the wrong one makes it serve the other's sites.
pub fn shared_admin() -> Option<String> {
    told(&look().ok()?)
}

fn told(listeners: &[Listener]) -> Option<String> {
    let admins = listeners.iter().filter(|one| one.protocol == "tcp" && one.address.port() == ADMIN);
    let mut addresses: Vec<SocketAddr> = admins.map(|one| one.address).collect();
    addresses.sort_unstable();
    let servers = addresses.chunk_by(|one, next| one == next).map(<[SocketAddr]>::len).max().unwrap_or_default();
    (servers > 1).then(|| {
        format!(
            "{servers} servers share port {ADMIN}, Caddy's admin endpoint: what WorkerBee tells its ingress reaches any \
             of them. Give it a port of its own: CADDY_ADMIN in an image that WORKERBEE_CADDY_IMAGE names"
        )
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::net::TcpListener;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(&[], false)]
    #[case::one(&[("tcp", "127.0.0.1:2019")], false)]
    #[case::two(&[("tcp", "127.0.0.1:2019"), ("tcp", "127.0.0.1:2019")], true)]
    #[case::at_another_address(&[("tcp", "127.0.0.1:2019"), ("tcp", "[::1]:2019")], false)]
    #[case::of_another_protocol(&[("tcp", "127.0.0.1:2019"), ("udp", "127.0.0.1:2019")], false)]
    #[case::elsewhere(&[("tcp", "127.0.0.1:2019"), ("tcp", "127.0.0.1:2020")], false)]
    fn an_admin_endpoint_is_one_servers(#[case] sockets: &[(&'static str, &str)], #[case] shared: bool) {
        let listeners: Vec<Listener> = sockets
            .iter()
            .map(|(protocol, address)| Listener { protocol, address: address.parse().unwrap(), inode: 1 })
            .collect();
        assert_eq!(told(&listeners).is_some(), shared);
    }

    #[test]
    fn who_listens_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = || look().unwrap().iter().any(|one| one.protocol == "tcp" && one.address == address);
        assert!(seen());
        drop(listener);
        assert!(!seen());
    }
}
