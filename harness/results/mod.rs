//! The results over all files of a run: who made them, that they are as they were, and what follows from them.

mod bundle;
mod bundled_k1s;
mod folder;
mod judgement;
mod junit;
mod manifest;
mod memory;
mod merge;
mod owners;
mod seal;
mod statement;
mod tested;
mod verify;

pub use bundle::{BundleError, Bundled, bundle};
pub use bundled_k1s::K1sError;
pub use folder::GateResult;
pub use judgement::{JudgeError, Judged, Judgement, NotJudged, Now, Then, Trend, judge};
pub use junit::{JunitError, junit};
pub use manifest::{Entry, Manifest, Standing, gates};
pub use memory::Memory;
pub use merge::{MergeError, Merged, merge};
pub(crate) use owners::Owners;
pub use seal::seal;
pub use statement::Statement;
pub use verify::{Seal, Verification, VerifyError, verify};
