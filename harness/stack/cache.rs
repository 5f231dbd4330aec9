//! The cache folder: one run at a time changes it, everything else only reads.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode};
use serde::Serialize;

use super::contents::{CONTENTS, Contents, SIGNATURE};
use super::error::StackError;
use super::privilege::Privilege;
use crate::process::done_within;
use crate::trust;

/// How long root's `rm` of a folder of the cache may take.
const REMOVAL: Duration = Duration::from_mins(10);

/// What nobody else may do with what is made in the cache.
const OTHERS_WRITE: Mode = Mode::WGRP.union(Mode::WOTH);

/// The tag by which backups know a cache.
pub(super) const TAG: &str = "CACHEDIR.TAG";
/// Held by whoever changes the cache.
pub(super) const LOCK: &str = "lock";
/// The folder of what recipes printed.
pub(super) const LOGS: &str = "logs";
/// The file that remembers the user's tools.
pub(super) const TOOLS: &str = "tools.json";

/// The folder of the stack.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// Held while the cache is changed; the lock ends with it.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    /// Steps that run side by side write into one list.
    list: Mutex<()>,
}

impl Held {
    /// The lock as the standard input of a recipe, which reads as empty: a recipe that outlives this process still holds
    /// it, and no other run removes its folder under its feet.
    pub(super) fn stdin(&self) -> Stdio {
        self.file.try_clone().map_or_else(|_| Stdio::null(), Stdio::from)
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

    /// Returns the file that remembers the user's tools.
    pub(super) fn tools(&self) -> PathBuf {
        self.folder.join(TOOLS)
    }

    /// Everything that the recipe of a step printed.
    pub(super) fn log(&self, step: &str) -> PathBuf {
        self.folder.join(LOGS).join(format!("{step}.log"))
    }

    /// Makes the folder and waits until this process alone may change it.
    pub(super) fn hold(&self, waiting: &mut dyn FnMut(&Path)) -> Result<Held, StackError> {
        self.examine()?;
        let mut contents = Contents::of(&self.folder)?;
        // What others could write to would be refused later.
        let umask = rustix::process::umask(OTHERS_WRITE);
        rustix::process::umask(umask | OTHERS_WRITE);
        fs::create_dir_all(&self.folder).map_err(StackError::io("create", &self.folder))?;
        contents.begin(&self.folder, [CONTENTS, TAG, LOCK, LOGS, TOOLS])?;
        let logs = self.folder.join(LOGS);
        fs::create_dir_all(&logs).map_err(StackError::io("create", &logs))?;
        // Backups leave such folders out.
        let tag = self.folder.join(TAG);
        fs::write(&tag, SIGNATURE).map_err(StackError::io("write", &tag))?;
        self.lock(waiting)
    }

    fn lock(&self, waiting: &mut dyn FnMut(&Path)) -> Result<Held, StackError> {
        let path = self.folder.join(LOCK);
        let open = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = open.map_err(StackError::io("open", &path))?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            waiting(&path);
            rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))
                .map_err(io::Error::from)
                .map_err(StackError::io("lock", &path))?;
        }
        Ok(Held { file, list: Mutex::new(()) })
    }

    /// Refuses a folder that could not become a cache, and one that somebody else can change.
    pub(super) fn examine(&self) -> Result<(), StackError> {
        trust::examine(&self.folder).map_err(StackError::io("read", &self.folder))?;
        Contents::of(&self.folder).map(drop)
    }

    /// Writes down that something of that name is about to be made.
    pub(super) fn own(&self, held: &Held, name: &str) -> Result<(), StackError> {
        let _alone = held.list.lock().unwrap_or_else(PoisonError::into_inner);
        Contents::of(&self.folder)?.add(&self.folder, name)
    }

    /// Removes all that the stack has made, and the folder when nothing else is in it. Returns what stays.
    pub(super) fn clean(
        &self,
        privilege: Privilege,
        waiting: &mut dyn FnMut(&Path),
    ) -> Result<Vec<PathBuf>, StackError> {
        let contents = Contents::of(&self.folder)?;
        let entries = || fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        if entries().next().is_none() {
            return Ok(Vec::new());
        }
        let _held = self.lock(waiting)?;
        // The list last: cut short, the rest can be removed by it.
        for name in contents.names().filter(|name| *name != CONTENTS) {
            remove(&self.folder.join(name), privilege)?;
        }
        remove(&self.folder.join(CONTENTS), privilege)?;
        let _ = fs::remove_dir(&self.folder);
        Ok(entries().collect())
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
    // A link, or a file, goes itself.
    let is_folder = fs::symlink_metadata(folder).is_ok_and(|about| about.is_dir());
    let removed = if is_folder { fs::remove_dir_all(folder) } else { fs::remove_file(folder) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && privilege == Privilege::Sudo => {
            done_within(Command::new("sudo").args(["-n", "rm", "-rf", "--"]).arg(folder), REMOVAL)
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
    fn steps_side_by_side_are_all_written_down() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let cache = Cache::new(&folder.path().join("cache"));
        let held = cache.hold(&mut |_| ())?;
        let names: Vec<String> = (0..32).map(|number| format!("step-{number}")).collect();
        std::thread::scope(|scope| {
            let (cache, held) = (&cache, &held);
            let owned: Vec<_> = names.iter().map(|name| scope.spawn(move || cache.own(held, name))).collect();
            owned.into_iter().try_for_each(|one| one.join().unwrap_or(Ok(())))
        })?;
        let listed = Contents::of(cache.folder())?;
        assert_eq!(names.iter().filter(|name| !listed.names().any(|one| one == name.as_str())).count(), 0);
        Ok(())
    }

    #[test]
    fn what_the_stack_has_made_is_removed_and_nothing_else() -> Result<(), Box<dyn std::error::Error>> {
        let top = tempfile::tempdir()?;
        let cache = Cache::new(&top.path().join("cache"));
        let held = cache.hold(&mut |_| ())?;
        for (name, is_owned) in [("k1s-0123456789ab", true), ("link", true), ("thesis", false)] {
            if is_owned {
                cache.own(&held, name)?;
            }
            if name != "link" {
                fs::create_dir_all(cache.folder().join(name).join("inner"))?;
            }
        }
        // In the place of something that was the stack's.
        fs::create_dir(top.path().join("elsewhere"))?;
        std::os::unix::fs::symlink("../elsewhere", cache.folder().join("link"))?;
        drop(held);
        let thesis = cache.folder().join("thesis");
        assert_eq!(cache.clean(Privilege::None, &mut |_| ())?, std::slice::from_ref(&thesis));
        assert!(thesis.join("inner").is_dir() && top.path().join("elsewhere").is_dir());
        // Now it is somebody's own.
        assert!(matches!(cache.clean(Privilege::None, &mut |_| ()), Err(StackError::NotACache { .. })));
        assert!(matches!(cache.hold(&mut |_| ()), Err(StackError::NotACache { .. })));
        assert!(!cache.folder().join(TAG).exists());
        fs::remove_dir_all(&thesis)?;
        assert_eq!(cache.clean(Privilege::None, &mut |_| ())?, Vec::<PathBuf>::new());
        drop(cache.hold(&mut |_| ())?);
        assert_eq!(cache.clean(Privilege::None, &mut |_| ())?, Vec::<PathBuf>::new());
        assert!(!cache.folder().exists(), "with nothing else in it, the folder goes too");
        Ok(())
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
