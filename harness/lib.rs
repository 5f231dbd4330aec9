//! Validation gates for k1s profiles: the `WorkerBee` runbook as an integration-test harness.
//!
//! A *gate* is one expensive operation against a `WorkerBee` project of its own; a *check* is one verdict over what a
//! gate found, and one trial of the test target. A consumer's whole test target is
//!
//! ```no_run
//! fn main() -> std::process::ExitCode { k1s_profile_gates::main() }
//! ```
//!
//! and with a check of its own, which is a function over the evidence of a gate and one line to register it,
//!
//! ```
//! use k1s_profile_gates::{Evidence, Failure, Harness};
//! use serde_json::Value;
//!
//! /// Red unless the profile has three controllers, and controller 0 leads.
//! fn three_controllers(evidence: &Evidence) -> Result<(), Failure> {
//!     // A part of what WorkerBee answered, by a JSON pointer; the answer that is not there is a failure by itself.
//!     let components: Vec<Value> = evidence.reply("validate", "/status/components")?;
//!     let controllers = components.iter().filter(|one| one["role"] == "controller").count();
//!     // What the harness observed for itself, with the file that shows it.
//!     let (leader, file): (Value, _) = evidence.observation("leader")?;
//!     match (controllers, leader["leader"]["controller"].as_str()) {
//!         (3, Some("k1s-ha-min-controller-0")) => Ok(()),
//!         seen => Err(Failure::new("not three controllers that controller 0 leads")
//!             .expected("3, led by k1s-ha-min-controller-0")
//!             .seen(format!("{seen:?}"))
//!             .evidence(file)
//!             .remedy("see the controllers' logs in the gate's triage")),
//!     }
//! }
//!
//! fn harness() -> Result<Harness, k1s_profile_gates::HarnessError> {
//!     Harness::new().check("startup::k1s-ha-min", "three-controllers", three_controllers)
//! }
//!
//! // The whole of a test target's `main`: Ok(harness()?.main()). Its trial is startup::k1s-ha-min::three-controllers.
//! # let harness = harness().unwrap();
//! # assert!(harness.names(Default::default()).contains(&"startup::k1s-ha-min::three-controllers".to_owned()));
//! // A check is a pure function: it can be tried on what a run has left, without WorkerBee.
//! let recorded = Evidence::of_gate("examples/recorded".as_ref(), "startup::k1s-ha-min".parse()?)?;
//! three_controllers(&recorded)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The map of the library, each imports only those before it:
//!
//! - [`config`]: what a user sets, by variables and by `k1s-gates.toml`.
//! - [`plan`]: the gates, their profiles and projects. [`stack`]: what the harness provides where the user brings nothing.
//! - [`evidence`]: the run's folder, records, redaction, shapes.
//! - [`workerbee`]: its command line, its MCP server, its JSON, its names.
//! - [`checks`]: the building blocks of checks. [`attest`]: what the harness sees for itself.
//! - [`ledger`]: what is about to be created, written down before, and its removal after a killed run.
//! - [`lane`]: a run's settings, and the sandbox of a gate.
//! - `gates`: what each gate does and what is checked of it, one file each.
//! - [`parity`]: what is said on the command line against what is said through MCP.
//! - `suite`: the checks of a gate in a run. [`summary`]: what is known of a run, gate by gate.
//! - [`results`]: what is said over a whole run: manifest, statement, JUnit, bundle. [`report`]: the page that people read.
//! - [`run`]: the supervisor that a run's trials share.
//! - [`compare`]: two runs side by side. [`doctor`]: what the machine lacks for a run, each with its remedy.
//! - [`tree`]: which k1s is under test, and what is in it.

pub mod attest;
pub mod checks;
pub mod compare;
pub mod config;
pub mod diagnosis;
pub mod doctor;
pub mod evidence;
mod failure;
mod gates;
pub mod lane;
#[cfg(test)]
mod layers;
pub mod ledger;
pub mod parity;
pub mod plan;
mod process;
pub mod report;
pub mod results;
pub mod run;
pub mod signing;
pub mod stack;
mod suite;
pub mod summary;
pub mod tree;
mod trials;
mod trust;
pub mod workerbee;

pub use checks::Check;
pub use evidence::Evidence;
pub use failure::{Failure, Kind};
pub use trials::{Harness, HarnessError};

/// Everything that is checked of a gate by one way, in the order of its trials: to judge evidence that is there already.
pub fn checks_of(gate: plan::Gate, transport: plan::Transport) -> Vec<Check> {
    gates::checks(gate, transport)
}

/// The same of a gate in a run: one that asks both ways compares what it was told.
pub fn checks_of_run(gate: plan::Gate, transport: plan::Transport, transports: plan::Transports) -> Vec<Check> {
    suite::checks_of_run(gate, transport, transports)
}

/// Runs the gates as the command line asks: the whole of a test target's `main`.
pub fn main() -> std::process::ExitCode {
    Harness::new().main()
}
