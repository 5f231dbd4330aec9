//! The seals: each part that the stack has built is compared with what it was then, as a lane executes it as root.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::error::StackError;
use super::{Stack, digest};

impl Stack {
    /// Compares each part that was built with its digest, side by side; 0.3 GB.
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

    /// Refuses parts that others than the user and root may change.
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

/// The user who called sudo, if anybody did.
fn caller() -> u32 {
    std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// A stack that has built one tool, in `folder`.
    fn stack(folder: &Path) -> std::io::Result<(Stack, PathBuf)> {
        let tool = folder.join("bin/nerdctl");
        std::fs::create_dir(folder.join("bin"))?;
        std::fs::write(&tool, "as it was built")?;
        let stack = Stack {
            workerbee: PathBuf::new(),
            k1s_root: PathBuf::new(),
            nerdctl: tool.clone(),
            images: PathBuf::new(),
            image_list: Vec::new(),
            path: Vec::new(),
            versions: BTreeMap::new(),
            seals: BTreeMap::from([(tool.clone(), digest::of(&tool)?)]),
        };
        Ok((stack, tool))
    }

    #[test]
    fn a_tool_that_was_changed_or_is_gone_is_refused() -> Outcome {
        let folder = tempfile::tempdir()?;
        let (stack, tool) = stack(folder.path())?;
        stack.check_seals()?;
        std::fs::write(&tool, "as somebody else wants it")?;
        assert!(matches!(stack.check_seals(), Err(StackError::Changed { path }) if path == tool));
        std::fs::remove_file(&tool)?;
        assert!(matches!(stack.check_seals(), Err(StackError::Io { .. })));
        Ok(())
    }

    #[test]
    fn a_tool_that_others_may_change_is_refused() -> Outcome {
        let folder = tempfile::tempdir()?;
        let (stack, tool) = stack(folder.path())?;
        let bin = folder.path().join("bin");
        for (open, mode) in [(&tool, 0o757), (&bin, 0o777)] {
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(mode))?;
            assert!(matches!(stack.check_seals(), Err(StackError::OfOthers { path }) if path == *open));
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(stack.check_seals()?)
    }
}
