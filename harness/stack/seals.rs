//! What the stack has built, compared with what it was then: a lane executes it as root.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::error::StackError;
use super::{Stack, digest};

impl Stack {
    /// Compares all that was built with its digest, side by side; 0.3 GB.
    pub fn check_seals(&self) -> Result<(), StackError> {
        let check = |path: &PathBuf, sealed: &String| {
            let now = digest::of(path).map_err(StackError::io("read", path))?;
            if now == *sealed { Ok(()) } else { Err(StackError::Changed { path: path.clone() }) }
        };
        std::thread::scope(|scope| {
            let checks: Vec<_> =
                self.seals.iter().map(|(path, sealed)| scope.spawn(move || check(path, sealed))).collect();
            checks.into_iter().try_for_each(|one| one.join().unwrap_or(Ok(())))
        })?;
        self.check_owners()
    }

    /// Nobody but the user and root may change what root executes.
    fn check_owners(&self) -> Result<(), StackError> {
        for path in self.seals.keys() {
            for folder in path.ancestors().take(2) {
                let about = std::fs::metadata(folder).map_err(StackError::io("read", folder))?;
                let own = [0, rustix::process::geteuid().as_raw(), caller()].contains(&about.uid());
                if !own || about.mode() & 0o002 != 0 {
                    return Err(StackError::OfOthers { path: folder.to_path_buf() });
                }
            }
        }
        Ok(())
    }
}

/// Who called sudo, if anybody did.
fn caller() -> u32 {
    std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()).unwrap_or(0)
}
