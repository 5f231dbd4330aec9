//! Evidence: what a gate leaves in the run's folder.

mod bill;
pub mod call;
pub(crate) mod folder;
pub(crate) mod layout;
mod problem;
mod record;
mod redact;
mod redactions;
mod shape;
mod store;
mod triage;

pub use bill::{Bill, Program};
pub use layout::{MANIFEST, REPORT, STATEMENT};
pub use problem::McpProblem;
pub use record::{Cause, Conflict, Evidence, Observation, Phase, Progress, Reading, Record, kept_project_hint};
pub(crate) use record::{outline, projects_of};
pub use redact::{Kind, Learned, LearnedSecret, Place, Redaction, RedactionKey, Redactor};
pub use redactions::Redactions;
pub use shape::shape;
pub(crate) use store::pretty;
pub use store::{Store, StoreError};
pub(crate) use triage::{Item, Red, Triage};
