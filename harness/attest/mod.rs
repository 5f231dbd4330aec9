//! What the harness sees for itself, beside what `WorkerBee` says.

pub mod containerd;
pub mod leader;
pub mod residue;
mod subject;

pub use subject::Subject;
