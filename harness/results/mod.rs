//! What is said over all files of a run: who made them, that they are as they were, and what follows from them.

mod bundle;
mod envelope;
mod folder;
mod junit;
mod manifest;
mod statement;
mod verify;

pub use bundle::{BundleError, Bundled, bundle};
pub use envelope::{Envelope, KeyError, PublicKey, Signer};
pub use folder::{GateResult, GateState, Outcome, State, Verdict, gates};
pub use junit::{JunitError, junit};
pub use manifest::{Entry, MANIFEST, Manifest, Standing, seal};
pub(crate) use manifest::{files, of_the_run};
pub use statement::{STATEMENT, Statement};
pub use verify::{Seal, Verification, VerifyError, verify};
