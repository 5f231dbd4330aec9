//! What the harness sees for itself, beside what `WorkerBee` says.

pub mod containerd;
pub mod leader;
mod subject;

pub use subject::Subject;
