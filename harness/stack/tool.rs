//! Tools that the user brought: where they are, and which version they are.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::StackError;
use super::{cache, version};
use crate::process::within;

/// The folders of system tools, used also when the user's PATH leaves these out.
pub(super) const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The folders of a PATH, without those of the cache: what the stack built is not the user's.
pub(super) fn folders(path: &OsStr, cache: &Path) -> Vec<PathBuf> {
    let real = fs::canonicalize(cache).unwrap_or_else(|_| cache.to_path_buf());
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute() && !folder.starts_with(cache) && !folder.starts_with(&real))
        .collect()
}

/// The first executable file of that name.
pub(super) fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path))
}

/// Is true when there is a file that may be run.
pub(super) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0)
}

/// How long a tool may take to say which version it is.
const ANSWER: Duration = Duration::from_mins(1);

/// Asks a tool for its version; `None` when it does not run or says none.
pub(super) fn ask(tool: &Path, arguments: &[&str]) -> Option<String> {
    ask_within(tool, arguments, ANSWER)
}

/// The same with a limit of the caller's: a tool that hangs has no version either.
pub(super) fn ask_within(tool: &Path, arguments: &[&str], limit: Duration) -> Option<String> {
    // sops would ask the network for a newer one.
    let mut command = Command::new(tool);
    command.args(arguments).env("SOPS_DISABLE_VERSION_CHECK", "true").stdin(Stdio::null());
    let output = within(&mut command, limit).ok()?;
    output.status.success().then(|| version::in_text(&String::from_utf8_lossy(&output.stdout)))?
}

/// The memory of the user's tools, so that asking for the stack starts no process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    tools: BTreeMap<PathBuf, Remembered>,
    #[serde(skip)]
    changed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    size: u64,
    modified: (i64, i64),
    /// `None`: it is there, but does not run.
    version: Option<String>,
}

impl Memory {
    /// Reads what an earlier run remembered; nothing when there was none.
    pub(super) fn load(file: &Path) -> Self {
        fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Keeps what was learned, together with what other runs have learned meanwhile. What is gone is forgotten.
    pub(super) fn save(&mut self, file: &Path) -> Result<(), StackError> {
        if std::mem::take(&mut self.changed) {
            let mut all = Self::load(file);
            all.tools.append(&mut self.tools);
            all.tools.retain(|tool, _| tool.exists());
            self.tools = all.tools;
            cache::write_json(file, self)?;
        }
        Ok(())
    }

    /// The version of a tool that was asked before and has not changed since.
    pub(super) fn version(&self, tool: &Path) -> Option<&str> {
        self.remembered(tool)?.version.as_deref()
    }

    /// Is true when the tool was asked before, whatever it said.
    pub(super) fn knows(&self, tool: &Path) -> bool {
        self.remembered(tool).is_some()
    }

    /// Asks the tool for its version, unless it is known.
    pub(super) fn learn(&mut self, tool: &Path, arguments: &[&str]) {
        let Ok(file) = fs::metadata(tool) else { return };
        if !self.knows(tool) {
            let version = ask(tool, arguments);
            let remembered = Remembered { size: file.size(), modified: (file.mtime(), file.mtime_nsec()), version };
            self.tools.insert(tool.to_path_buf(), remembered);
            self.changed = true;
        }
    }

    fn remembered(&self, tool: &Path) -> Option<&Remembered> {
        let (file, known) = (fs::metadata(tool).ok()?, self.tools.get(tool)?);
        (known.size == file.size() && known.modified == (file.mtime(), file.mtime_nsec())).then_some(known)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn script(path: &Path, text: &str) -> std::io::Result<()> {
        fs::write(path, format!("#!/bin/sh\n{text}\n"))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
    }

    #[test]
    fn a_tool_is_asked_once_until_it_changes() -> Outcome {
        let folder = tempfile::tempdir()?;
        let (tool, file) = (folder.path().join("tool"), folder.path().join("tools.json"));
        script(&tool, "echo tool 1.2.3")?;
        let mut memory = Memory::load(&file);
        assert!(!memory.knows(&tool));
        memory.learn(&tool, &["--version"]);
        memory.save(&file)?;
        assert_eq!(Memory::load(&file).version(&tool), Some("1.2.3"));

        script(&tool, "echo a longer tool 1.3.0")?;
        let mut memory = Memory::load(&file);
        assert_eq!(memory.version(&tool), None);
        memory.learn(&tool, &[]);
        assert_eq!(memory.version(&tool), Some("1.3.0"));
        Ok(())
    }

    #[test]
    fn a_tool_that_is_gone_is_forgotten() -> Outcome {
        let folder = tempfile::tempdir()?;
        let (gone, here, file) =
            (folder.path().join("gone"), folder.path().join("here"), folder.path().join("tools.json"));
        let learn = |tool: &Path| -> Outcome {
            script(tool, "echo 1.2.3")?;
            let mut memory = Memory::load(&file);
            memory.learn(tool, &[]);
            Ok(memory.save(&file)?)
        };
        learn(&gone)?;
        fs::remove_file(&gone)?;
        learn(&here)?;
        assert_eq!(Memory::load(&file).tools.into_keys().collect::<Vec<_>>(), [here]);
        Ok(())
    }

    #[test]
    fn a_tool_that_does_not_run_is_remembered_as_such() -> Outcome {
        let folder = tempfile::tempdir()?;
        let tool = folder.path().join("shim");
        script(&tool, "echo 1.2.3; exit 127")?;
        let mut memory = Memory::default();
        memory.learn(&tool, &[]);
        assert!(memory.knows(&tool) && memory.version(&tool).is_none());
        Ok(())
    }

    #[test]
    fn what_the_stack_built_is_not_taken_for_the_users() -> Outcome {
        let folder = tempfile::tempdir()?;
        let built = folder.path().join("sops-0123/bin");
        let path = std::env::join_paths([&built, Path::new("/usr/bin"), Path::new("")])?;
        assert_eq!(folders(&path, folder.path()), [Path::new("/usr/bin")]);
        Ok(())
    }
}
