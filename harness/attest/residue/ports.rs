//! Ports: listening sockets, and what the firewall forwards to containers without one.

use std::net::SocketAddr;

use procfs::ProcResult;

use super::command::unreadable;
use super::processes::Processes;
use super::{Thing, firewall};
use crate::failure::Failure;

/// A socket that waits for others.
struct Listener {
    protocol: &'static str,
    address: SocketAddr,
    inode: u64,
}

pub(super) fn look(
    firewall: Result<&[Thing], &Failure>,
    processes: Result<&Processes, &Failure>,
) -> Result<Vec<Thing>, Failure> {
    let processes = processes.map_err(Clone::clone)?;
    let forwarded = firewall::forwarded(firewall.map_err(Clone::clone)?);
    let listeners = listeners().map_err(|error| unreadable("/proc/net", &error.to_string()))?;
    let mut things: Vec<Thing> = listeners
        .into_iter()
        .map(|listener| {
            let is_forwarded = forwarded.contains(&(listener.protocol.to_owned(), listener.address.port()));
            let tie = if processes.sockets.contains(&listener.inode) {
                Some("a process of the project listens".to_owned())
            } else {
                is_forwarded.then(|| "forwarded to a container of the project".to_owned())
            };
            Thing::new(format!("{} {}", listener.protocol, listener.address), tie)
        })
        .collect();
    things.extend(forwarded.into_iter().map(|(protocol, port)| {
        Thing::new(format!("{protocol} {port} forwarded"), Some("by a rule of the project's".to_owned()))
    }));
    Ok(things)
}

fn listeners() -> ProcResult<Vec<Listener>> {
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
