//! The harness's own tests: nothing in them is provisioned, and a stand-in takes `WorkerBee`'s place.
// A test that cannot be set up must stop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod calls;
mod checks;
mod ci;
mod command;
mod diagnosis;
mod fuzz;
mod init;
mod k1s_root;
mod matrix;
mod mcp;
mod report;
mod reproduce;
mod results;
mod resume;
mod settings;
#[path = "../support/mod.rs"]
mod support;
#[path = "../tampered/mod.rs"]
mod tampered;
mod trials;
