//! The gates as a program.

use std::path::{Path, PathBuf};

/// Built by cargo together with the tests, in a folder beside theirs.
pub(crate) fn ladder() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let ladder = own.parent().and_then(Path::parent).unwrap().join("examples/ladder");
    assert!(ladder.is_file(), "not built: run the tests without --test or --tests, or cargo build --example ladder");
    ladder
}
