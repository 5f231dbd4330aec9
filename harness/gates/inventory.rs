//! Inventory: which profiles `WorkerBee` offers.

use serde::Deserialize;
use serde_json::Value;

use super::session::Session;
use super::{daemon, k1s_root};
use crate::checks::{Check, WORKERBEE_OK, part, snapshot, succeeded};
use crate::failure::Failure;
use crate::plan::{Component, Profile, Transport};
use crate::workerbee::request::Request;

const LABEL: &str = "profile-list";

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let listed = list(session).await;
    // Whatever WorkerBee answered: the tree is there all the same.
    k1s_root::observe(session)?;
    listed
}

async fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    // The command line needs no daemon to list them.
    if session.key.transport == Transport::Mcp {
        daemon::require(session).await?;
    }
    session.inquire(LABEL, "profile-list.json", Request::ProfileList).await.map(drop)
}

pub(super) fn checks() -> Vec<Check> {
    vec![
        succeeded(WORKERBEE_OK, LABEL),
        part("runtime-containerd", LABEL, "/runtime_requirement", "\"containerd\"", |seen: &String| {
            if seen == "containerd" { Ok(()) } else { Err("another runtime than containerd".to_owned()) }
        }),
        part("no-host-processes", LABEL, "/host_k1s_processes", "false", |seen: &Value| {
            if *seen == Value::Bool(false) { Ok(()) } else { Err("k1s would run on the host".to_owned()) }
        }),
        part(
            "expected-profiles",
            LABEL,
            "/profiles",
            "the four profiles of the runbook, as they are known",
            |seen: &Vec<Offered>| {
                let wrong: Vec<String> =
                    Profile::ALL.into_iter().filter_map(|profile| differs(profile, seen)).collect();
                if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
            },
        ),
        k1s_root::check(),
        snapshot(LABEL),
    ]
}

#[derive(Debug, Deserialize)]
struct Offered {
    name: String,
    controllers: usize,
    etcd: bool,
    nats: bool,
    state_backend: String,
    transport_backend: String,
}

fn differs(profile: Profile, offered: &[Offered]) -> Option<String> {
    let found: Vec<&Offered> = offered.iter().filter(|offered| offered.name == profile.name()).collect();
    let [one] = found.as_slice() else { return Some(format!("{profile}: {} of that name", found.len())) };
    let components = profile.components();
    let controllers = components.iter().filter(|component| matches!(component, Component::Controller(_))).count();
    let (etcd, nats) = (components.contains(&Component::Etcd), components.contains(&Component::Nats));
    let state = if etcd { "etcd" } else { "sqlite" };
    let transport = if nats { "nats-js" } else { "http" };
    let same = (one.controllers, one.etcd, one.nats) == (controllers, etcd, nats)
        && (one.state_backend.as_str(), one.transport_backend.as_str()) == (state, transport);
    (!same).then(|| {
        let Offered { controllers, etcd, nats, state_backend, transport_backend, .. } = one;
        format!("{profile}: {controllers} controllers, etcd {etcd}, NATS {nats}, {state_backend}, {transport_backend}")
    })
}
