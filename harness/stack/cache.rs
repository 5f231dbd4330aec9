//! The cache folder: one run at a time changes it, everything else only reads.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::FlockOperation;
use serde::Serialize;

use super::error::StackError;
use super::privilege::Privilege;

/// Where the stack is kept.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// Held while the cache is changed; the lock ends with it.
#[derive(Debug)]
pub(super) struct Held(File);

impl Held {
    /// The lock as the standard input of a recipe, which reads as empty: a recipe that outlives this process still holds
    /// it, and no other run removes its folder under its feet.
    pub(super) fn stdin(&self) -> Stdio {
        self.0.try_clone().map_or_else(|_| Stdio::null(), Stdio::from)
    }
}

impl Cache {
    pub(super) fn new(folder: &Path) -> Self {
        // The recipes run in folders of their own: a relative path would mean something else there.
        Self { folder: std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf()) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is remembered of the user's tools.
    pub(super) fn tools(&self) -> PathBuf {
        self.folder.join("tools.json")
    }

    /// Everything that the recipe of a step printed.
    pub(super) fn log(&self, step: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{step}.log"))
    }

    /// Makes the folder and waits until this process alone may change it.
    pub(super) fn hold(&self, waiting: &mut dyn FnMut(&Path)) -> Result<Held, StackError> {
        let logs = self.folder.join("logs");
        fs::create_dir_all(&logs).map_err(StackError::io("create", &logs))?;
        // Backups leave such folders out; `make clean-cache` removes no others.
        let tag = self.folder.join("CACHEDIR.TAG");
        fs::write(&tag, "Signature: 8a477f597d28d172789f06886806bc55\n").map_err(StackError::io("write", &tag))?;
        let path = self.folder.join("lock");
        let open = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = open.map_err(StackError::io("open", &path))?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            waiting(&path);
            rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))
                .map_err(io::Error::from)
                .map_err(StackError::io("lock", &path))?;
        }
        Ok(Held(file))
    }
}

/// Writes JSON so that a reader sees all of it or none.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StackError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            // Root may have prepared what a user asks for.
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(StackError::io("write", path))
}

/// Removes what an interrupted run left, also when parts of it are root's.
pub(super) fn remove(folder: &Path, privilege: Privilege) -> Result<(), StackError> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if let Some(mount) = mounted_below(&mounts, folder) {
        return Err(StackError::Mounted(mount));
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && privilege == Privilege::Sudo => {
            let status = Command::new("sudo").args(["-n", "rm", "-rf", "--"]).arg(folder).stdin(Stdio::null()).status();
            match status {
                Ok(status) if status.success() => Ok(()),
                Ok(_) => Err(error),
                Err(error) => Err(error),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
    .map_err(StackError::io("remove", folder))
}

/// The last mount below a folder: the one to undo first.
fn mounted_below(mounts: &str, folder: &Path) -> Option<PathBuf> {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    points.map(|point| PathBuf::from(point.replace("\\040", " "))).rfind(|point| point.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_below_a_folder_is_found() {
        let mounts = "proc /proc proc rw 0 0\nnone /a\\040b/step/dev none rw 0 0\nnone /a\\040b/step2 none rw 0 0\n";
        assert_eq!(mounted_below(mounts, Path::new("/a b/step")), Some("/a b/step/dev".into()));
        assert_eq!(mounted_below(mounts, Path::new("/a b/other")), None);
    }

    #[test]
    fn a_second_run_waits_for_the_first() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let cache = Cache::new(&folder.path().join("cache"));
        let first = cache.hold(&mut |_| unreachable!("nobody else holds it"))?;
        let mut first = Some(first);
        // The first ends as soon as the second says that it waits.
        cache.hold(&mut |_| drop(first.take()))?;
        assert!(first.is_none());
        Ok(())
    }
}
