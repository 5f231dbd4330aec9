//! The source trees that a run stands on: which k1s is under test, which `WorkerBee` tests it, and what is in them.
//!
//! A run never guesses its tree in silence: how it was chosen is part of its [`Identity`], which each place that gives a
//! verdict names.

mod byte_code;
mod choice;
mod content;
mod git;
mod identity;
mod listing;

pub(crate) use byte_code::unchecked_byte_code;
pub use choice::{Choice, Origin, Reach, Trees};
pub(crate) use content::{digest, hexadecimal, name_of};
pub(crate) use identity::k1s_file;
pub use identity::{Identity, K1S_FILES, lacks};
pub use listing::Listing;

/// The kind of input that the files of the k1s root are.
pub(crate) const FILES: &str = "k1s root";
/// The kind of inputs that are in the k1s root and do not count: named, and never compared.
pub(crate) const PASSED_OVER: &str = "k1s root, passed over";
