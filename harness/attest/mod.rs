//! The harness's own observations, made besides what `WorkerBee` reports.

pub mod answers;
pub mod app;
pub mod containerd;
pub mod containers;
pub mod controllers;
pub mod echo;
mod ended;
pub mod etcd;
pub mod events;
mod exec;
pub mod exit_watch;
pub mod exits;
pub mod exports;
pub mod images;
pub mod ingress;
pub mod known;
pub mod leader;
pub mod leadership;
pub mod life;
pub mod listeners;
pub mod logs;
pub mod nodes;
pub mod objects;
pub mod plain;
mod poll;
pub mod probe;
pub mod processes;
pub(crate) mod provoked;
pub mod rbac;
pub mod readiness;
pub mod refusals;
pub mod residue;
pub mod resources;
pub mod routes;
mod scene;
pub(crate) mod schedule;
pub mod seed;
pub mod state;
pub mod streams;
mod subject;
pub mod tls;
pub mod versions;
pub mod websocket;

use std::time::Duration;

pub use ended::Ended;
pub use scene::{Aside, Scene};
pub use subject::Subject;

use crate::failure::Failure;
use probe::AnyProbe;

/// The list of probes, in the order of their checks: a new probe is a file, and a line here.
pub static PROBES: &[&dyn AnyProbe] = &[
    &containers::PROBE,
    &processes::PROBE,
    &readiness::PROBE,
    &state::PROBE,
    &versions::PROBE,
    &leader::PROBE,
    &leadership::PROBE,
    &routes::PROBE,
    &websocket::PROBE,
    &echo::PROBE,
    &resources::PROBE,
    &seed::PROBE,
    &images::PROBE,
    &exports::PROBE,
    &life::READY,
    &life::CHANGES,
    &life::SICK,
    &life::JOB,
    &controllers::PROBE,
    &refusals::PROBE,
    &answers::PROBE,
    &objects::PROBE,
    &rbac::PROBE,
    &streams::PROBE,
    &nodes::PROBE,
    &logs::PROBE,
    &exits::PROBE,
];

/// A client for what runs on this machine: whatever proxy the environment names has no part in it.
fn client(limit: Duration) -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder().no_proxy().timeout(limit).build().map_err(|error| {
        Failure::new("no HTTP client can be made")
            .expected("a client for plain HTTP")
            .seen(error.to_string())
            .to_be_reported()
    })
}
