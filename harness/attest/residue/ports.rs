//! Ports: listening sockets, and what the firewall forwards to containers without one.

use super::command::unreadable;
use super::processes::Processes;
use super::{Thing, firewall};
use crate::attest::listeners;
use crate::failure::Failure;

pub(super) fn scan(
    firewall: Result<&[Thing], &Failure>,
    processes: Result<&Processes, &Failure>,
) -> Result<Vec<Thing>, Failure> {
    let processes = processes.map_err(Clone::clone)?;
    let forwarded = firewall::forwarded(firewall.map_err(Clone::clone)?);
    let listeners = listeners::all().map_err(|error| unreadable("/proc/net", &error.to_string()))?;
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
