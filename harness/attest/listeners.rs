//! Sockets that wait for others, in the network that the harness is in: a lane's, or the host's.

use std::net::SocketAddr;

use procfs::ProcResult;

/// The port of Caddy's admin endpoint, which loads another configuration, unless Caddy was told to listen elsewhere. It
/// shares that port with every other Caddy (`SO_REUSEPORT`), and the kernel picks one of them for each connection.
pub(crate) const CADDY_ADMIN: u16 = 2019;

/// A socket that waits for others.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) protocol: &'static str,
    pub(super) address: SocketAddr,
    pub(super) inode: u64,
}

/// All of them.
pub(super) fn all() -> ProcResult<Vec<Listener>> {
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

/// Counts the servers that share a TCP port at one address: more than one only where they allow each other to.
pub(crate) fn servers_at(port: u16) -> ProcResult<usize> {
    Ok(sharing(&all()?, port))
}

fn sharing(listeners: &[Listener], port: u16) -> usize {
    let there = listeners.iter().filter(|one| one.protocol == "tcp" && one.address.port() == port);
    let mut addresses: Vec<SocketAddr> = there.map(|one| one.address).collect();
    addresses.sort_unstable();
    addresses.chunk_by(|one, next| one == next).map(<[SocketAddr]>::len).max().unwrap_or_default()
}

/// Returns a warning when more than one server listens where `WorkerBee` has its ingress loaded anew: a reload reaches
/// any one of them, and the wrong one then serves the other's sites.
pub fn shared_admin() -> Option<String> {
    let servers = servers_at(CADDY_ADMIN).ok().filter(|servers| *servers > 1)?;
    Some(format!(
        "{servers} servers share port {CADDY_ADMIN}, Caddy's admin endpoint: what WorkerBee tells its ingress reaches \
         any of them. Give it a port of its own: CADDY_ADMIN in an image that WORKERBEE_CADDY_IMAGE names"
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::net::TcpListener;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(&[], 0)]
    #[case::one(&[("tcp", "127.0.0.1:2019")], 1)]
    #[case::two(&[("tcp", "127.0.0.1:2019"), ("tcp", "127.0.0.1:8765"), ("tcp", "127.0.0.1:2019")], 2)]
    #[case::at_another_address(&[("tcp", "127.0.0.1:2019"), ("tcp", "[::1]:2019")], 1)]
    #[case::of_another_protocol(&[("tcp", "127.0.0.1:2019"), ("udp", "127.0.0.1:2019")], 1)]
    #[case::elsewhere(&[("tcp", "127.0.0.1:2020")], 0)]
    fn who_shares_a_port_is_counted(#[case] sockets: &[(&'static str, &str)], #[case] servers: usize) {
        let listeners: Vec<Listener> = sockets
            .iter()
            .map(|(protocol, address)| Listener { protocol, address: address.parse().unwrap(), inode: 1 })
            .collect();
        assert_eq!(sharing(&listeners, CADDY_ADMIN), servers);
    }

    #[test]
    fn who_listens_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(servers_at(port).unwrap(), 1);
        drop(listener);
        assert_eq!(servers_at(port).unwrap(), 0);
    }
}
