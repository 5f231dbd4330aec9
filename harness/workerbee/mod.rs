//! `WorkerBee` as the harness knows it: its command line, its JSON, its names.

pub mod cli;
pub mod naming;
pub mod reply;
