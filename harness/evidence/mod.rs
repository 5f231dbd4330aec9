//! Evidence: what a gate leaves in the run's folder.

mod record;
mod redact;
mod shape;
mod store;

pub(crate) use record::outline;
pub use record::{Conflict, Evidence, Observation, Phase, Progress, Reading, Record, exit};
pub use redact::Redactor;
pub use shape::shape;
pub use store::{Store, StoreError};
