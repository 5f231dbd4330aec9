//! The errors because of which nothing was written.

use std::io;
use std::path::{Path, PathBuf};

/// The reason why `init` could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    /// A folder that no test target belongs into.
    #[error(
        "{} is neither a k1s checkout (src/ae, pyproject.toml) nor the folder of a Rust package (Cargo.toml)\n  \
         remedy: name the folder of one of these",
        .0.display()
    )]
    NoPlace(PathBuf),
    /// A manifest without a package.
    #[error(
        "{} is a workspace without a package of its own\n  remedy: name the folder of the member that the gates are to \
         belong to",
        .0.display()
    )]
    NoPackage(PathBuf),
    /// A file that cannot be merged.
    #[error("{} cannot be merged: {what}\n  remedy: {remedy}; nothing was written", file.display())]
    Unmergeable {
        /// The file.
        file: PathBuf,
        /// The part of the file that is in the way.
        what: String,
        /// The advice on what to do.
        remedy: String,
    },
    /// A file of the user's own in the place of one of the harness's.
    #[error(
        "{} is there already, and `k1s-gates init` has not written it\n  remedy: move it away, or set the gates up by hand \
         (docs/consumer.md); nothing was written",
        .0.display()
    )]
    InTheWay(PathBuf),
    /// No source of the harness.
    #[error(
        "there is no telling where cargo finds the harness: {} is not there\n  remedy: name it with --git or --path",
        .0.display()
    )]
    NoSource(PathBuf),
    /// Nothing to remove.
    #[error("nothing in {} was written by `k1s-gates init`: there is no .config/k1s-gates-init.json", .0.display())]
    NothingWritten(PathBuf),
    /// A record that cannot be read.
    #[error("{} cannot be read: {what}\n  remedy: restore it from your repository", file.display())]
    Record {
        /// The record.
        file: PathBuf,
        /// The reason.
        what: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl InitError {
    /// The failure of an operation on a file.
    pub(super) fn file(file: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let file = file.to_owned();
        move |source| Self::File { file, source }
    }
}
