//! The seals: each part that the stack has built is compared with what it was then, as a lane executes it as root.

use std::ffi::OsStr;
use std::path::Path;

use super::error::StackError;
use super::{Stack, digest, step};
use crate::trust;

impl Stack {
    /// Compares each part that was built with its digest, side by side; 0.3 GB.
    pub fn check_seals(&self) -> Result<(), StackError> {
        self.check_owners()?;
        std::thread::scope(|scope| {
            let checks: Vec<_> =
                self.seals.iter().map(|(path, sealed)| scope.spawn(move || check(path, sealed))).collect();
            checks.into_iter().try_for_each(|one| one.join().unwrap_or(Ok(())))
        })
    }

    /// The same for the programs that [`Self::path`] brings, which are small.
    pub fn check_tools(&self) -> Result<(), StackError> {
        self.check_owners()?;
        let is_tool = |path: &Path| self.path.iter().any(|folder| path.starts_with(folder));
        self.seals.iter().filter(|(path, _)| is_tool(path)).try_for_each(|(path, sealed)| check(path, sealed))
    }

    /// Refuses parts that others than the user and root may change.
    pub(crate) fn check_owners(&self) -> Result<(), StackError> {
        let mut folders: Vec<&Path> = self.seals.keys().filter_map(|path| step::folder_of(path)).collect();
        folders.dedup();
        folders.into_iter().try_for_each(examine)
    }
}

/// Refuses a part that others than the user and root may change.
pub(super) fn examine(folder: &Path) -> Result<(), StackError> {
    trust::examine_all(folder, is_of_an_image).map_err(StackError::io("read", folder))
}

/// Is true of a layer in podman's storage: what is in it, such as a /tmp, has the modes that the image needs.
fn is_of_an_image(path: &Path) -> bool {
    path.file_name() == Some(OsStr::new("diff"))
}

/// Compares a part with the digest that it had when it was built.
pub(super) fn check(path: &Path, sealed: &str) -> Result<(), StackError> {
    let now = digest::of(path).map_err(StackError::io("read", path))?;
    if now == sealed { Ok(()) } else { Err(StackError::Changed { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// A stack that has built one tool, in `folder`.
    fn stack(folder: &Path) -> std::io::Result<(Stack, PathBuf)> {
        let tool = folder.join("part/bin/nerdctl");
        std::fs::create_dir_all(folder.join("part/bin"))?;
        std::fs::write(folder.join("part").join(step::PROVENANCE), "{}")?;
        std::fs::write(&tool, "as it was built")?;
        let stack = Stack {
            workerbee: PathBuf::new(),
            k1s_root: PathBuf::new(),
            nerdctl: tool.clone(),
            images: PathBuf::new(),
            image_list: Vec::new(),
            path: vec![folder.join("part/bin")],
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
        assert!(matches!(stack.check_tools(), Err(StackError::Changed { path }) if path == tool));
        std::fs::remove_file(&tool)?;
        assert!(matches!(stack.check_seals(), Err(StackError::Io { .. })));
        Ok(())
    }

    #[test]
    fn what_others_may_change_is_refused() -> Outcome {
        let folder = tempfile::tempdir()?;
        let (stack, tool) = stack(folder.path())?;
        let (part, bin) = (folder.path().join("part"), folder.path().join("part/bin"));
        let beside = part.join("pyvenv.cfg");
        std::fs::write(&beside, "")?;
        for (open, mode) in [(&tool, 0o757), (&bin, 0o777), (&part, 0o1777), (&beside, 0o646)] {
            let before = std::fs::metadata(open)?.permissions();
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(mode))?;
            for checked in [stack.check_seals(), stack.check_tools(), stack.check_owners()] {
                let told = checked.err().ok_or("not refused")?.to_string();
                let first = told.lines().next().unwrap_or_default();
                let whole = [&format!("{} ", open.display()), &format!("mode {mode:04o}"), "chmod go-w "];
                assert!(whole.iter().all(|part| first.contains(*part)), "{told}");
            }
            std::fs::set_permissions(open, before)?;
        }
        Ok(stack.check_seals()?)
    }
}
