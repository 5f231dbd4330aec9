//! Evidence: what a gate leaves in the run's folder.

mod record;
mod redact;
mod redactions;
mod shape;
mod store;
mod triage;

pub(crate) use record::outline;
pub use record::{Cause, Conflict, Evidence, Observation, Phase, Progress, Reading, Record};
pub use redact::{Kind, Learned, LearnedSecret, Place, Redaction, RedactionKey, Redactor};
pub(crate) use redactions::REDACTIONS;
pub use redactions::Redactions;
pub use shape::shape;
pub(crate) use store::UNFINISHED;
pub use store::{Store, StoreError};
pub(crate) use triage::{INDEX, Item, Red, Triage, triage_folder};
