//! The files of a run's folder, opened below the folder's own descriptor: no link leads out of it, and nothing but a
//! regular file is read. What is written belongs to whom the folder belongs to, and is for nobody else to read.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::process::geteuid;
use walkdir::WalkDir;

use super::layout::UNFINISHED;
use crate::trust;

/// The largest file that is read as a whole: evidence is far smaller.
const LIMIT: u64 = 256 * 1024 * 1024;

/// A folder that this process writes to, held open.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// To whom the lanes, which run as root, give what they write.
    owner: Option<(Uid, Gid)>,
}

/// A file that is written and has no name yet. Without one it goes away.
#[derive(Debug)]
pub(crate) struct Staged {
    folder: OwnedFd,
    temporary: OsString,
    name: OsString,
    is_published: bool,
}

impl Folder {
    /// Opens a folder for writing, and makes it when it is not there.
    pub(crate) fn make(path: &Path) -> io::Result<Self> {
        let fd = trust::make(path)?;
        let about = rustix::fs::fstat(&fd)?;
        let owner = geteuid().is_root().then(|| (Uid::from_raw(about.st_uid), Gid::from_raw(about.st_gid)));
        Ok(Self { fd, owner })
    }

    /// Takes from all others the right to look into it.
    pub(crate) fn make_private(&self) -> io::Result<()> {
        rustix::fs::chmodat(&self.fd, ".", Mode::RWXU, AtFlags::empty()).map_err(Into::into)
    }

    /// Makes a folder in it, and those above that.
    pub(crate) fn make_inside(&self, folder: &Path) -> io::Result<()> {
        self.inside(folder).map(drop)
    }

    /// Writes all of a file, under another name.
    pub(crate) fn stage(&self, file: &Path, bytes: &[u8]) -> io::Result<Staged> {
        let name = file.file_name().ok_or_else(|| io::Error::other("a file without a name"))?.to_owned();
        let folder = self.inside(file.parent().unwrap_or(Path::new("")))?;
        let mut drawn = [0; 8];
        getrandom::fill(&mut drawn).map_err(io::Error::other)?;
        let temporary = OsString::from(format!("{UNFINISHED}{}", base16ct::lower::encode_string(&drawn)));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut opened = File::from(rustix::fs::openat(&folder, &temporary, flags, mode)?);
        let staged = Staged { folder, temporary, name, is_published: false };
        // Whatever the umask was.
        rustix::fs::fchmod(&opened, mode)?;
        self.give(&opened)?;
        opened.write_all(bytes)?;
        opened.sync_data()?;
        Ok(staged)
    }

    /// Moves a file or a folder within it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let of = |path: &Path| -> io::Result<(OwnedFd, OsString)> {
            let name = path.file_name().ok_or_else(|| io::Error::other("a path without a name"))?;
            Ok((self.inside(path.parent().unwrap_or(Path::new("")))?, name.to_owned()))
        };
        let ((old, old_name), (new, new_name)) = (of(from)?, of(to)?);
        rustix::fs::renameat(&old, old_name, &new, new_name).map_err(Into::into)
    }

    fn inside(&self, folder: &Path) -> io::Result<OwnedFd> {
        let mut at = self.fd.try_clone()?;
        let mut shown = PathBuf::new();
        for name in inner(folder)? {
            shown.push(&name);
            match rustix::fs::mkdirat(&at, &name, Mode::RWXU) {
                Ok(()) => {
                    rustix::fs::chmodat(&at, &name, Mode::RWXU, AtFlags::empty())?;
                    let made = trust::enter(&at, &name, &shown)?;
                    if let Some((user, group)) = self.owner {
                        let flags = AtFlags::EMPTY_PATH;
                        rustix::fs::chownat(&made, "", Some(user), Some(group), flags)?;
                    }
                    at = made;
                }
                Err(Errno::EXIST) => at = trust::enter(&at, &name, &shown)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(at)
    }

    /// Lanes run as root; what they leave belongs to whom the folder belongs to.
    fn give(&self, file: &File) -> io::Result<()> {
        let Some((user, group)) = self.owner else { return Ok(()) };
        rustix::fs::fchown(file, Some(user), Some(group)).map_err(Into::into)
    }
}

impl Staged {
    /// Gives it its name.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        rustix::fs::renameat(&self.folder, &self.temporary, &self.folder, &self.name)?;
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_published {
            let _ = rustix::fs::unlinkat(&self.folder, &self.temporary, AtFlags::empty());
        }
    }
}

/// Opens a regular file of the folder `root`, by its path in it or from the root of all.
pub(crate) fn open(root: &Path, file: &Path) -> io::Result<File> {
    let mut at = trust::open(root)?;
    let mut names = inner(file.strip_prefix(root).unwrap_or(file))?;
    let last = names.pop().ok_or_else(|| io::Error::other("the folder itself is no file"))?;
    let mut shown = root.to_owned();
    for name in names {
        shown.push(&name);
        at = trust::enter(&at, &name, &shown)?;
    }
    // A FIFO would be waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(&at, &last, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP => io::Error::other("it is a link: evidence is none"),
        error => error.into(),
    })?;
    match FileType::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode) {
        FileType::RegularFile => Ok(File::from(opened)),
        FileType::Directory => Err(Errno::ISDIR.into()),
        other => Err(io::Error::other(format!("it is no regular file but {other:?}"))),
    }
}

/// Reads a regular file of the folder `root`.
pub(crate) fn read(root: &Path, file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(root, file)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::other(format!("it has more than {LIMIT} bytes, which no evidence has")));
    }
    Ok(bytes)
}

/// The regular files in a folder, by their paths in it, sorted.
pub(crate) fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    drop(trust::open(root)?);
    let entries = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter().flatten();
    let files = entries.filter(|entry| entry.file_type().is_file());
    let mut files: Vec<PathBuf> =
        files.filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.to_owned())).collect();
    files.sort();
    Ok(files)
}

/// The names of a path that stays within its folder.
fn inner(path: &Path) -> io::Result<Vec<OsString>> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(Ok(name.to_owned())),
        Component::CurDir => None,
        _ => Some(Err(io::Error::other(format!("{} leads out of the run's folder", path.display())))),
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::link("link", "it is a link")]
    #[case::below_a_link("linked/secret", "Not a directory")]
    #[case::fifo("fifo", "no regular file")]
    #[case::device("device", "no regular file")]
    #[case::folder("folder", "Is a directory")]
    #[case::itself("", "the folder itself")]
    #[case::out("../secret", "leads out")]
    #[case::elsewhere("/etc/passwd", "leads out")]
    fn nothing_but_a_regular_file_of_the_folder_is_read(#[case] file: &str, #[case] why: &str) {
        let top = tempfile::tempdir().unwrap();
        std::fs::write(top.path().join("secret"), "S3cret").unwrap();
        let root = top.path().join("run");
        std::fs::create_dir_all(root.join("folder")).unwrap();
        symlink("../secret", root.join("link")).unwrap();
        symlink("..", root.join("linked")).unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), FileType::Fifo, mode, 0).unwrap();
        let zero = rustix::fs::makedev(1, 5);
        let device = rustix::fs::mknodat(rustix::fs::CWD, root.join("device"), FileType::CharacterDevice, mode, zero);
        if file == "device" && device.is_err() {
            return;
        }
        let error = read(&root, Path::new(file)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_file_appears_whole_for_its_owner_alone() {
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("run");
        let folder = Folder::make(&root).unwrap();
        drop(folder.stage(Path::new("a/b/lost"), b"lost").unwrap());
        let staged = folder.stage(Path::new("a/b/kept"), b"kept").unwrap();
        assert!(!root.join("a/b/kept").exists());
        staged.publish().unwrap();
        folder.rename(Path::new("a/b"), Path::new("c/d")).unwrap();
        assert_eq!(files(&root).unwrap(), [Path::new("c/d/kept")]);
        assert_eq!(read(&root, &root.join("c/d/kept")).unwrap(), b"kept");
        let mode = |path: &str| std::fs::metadata(root.join(path)).unwrap().mode() & 0o7777;
        assert_eq!(["", "a", "c/d", "c/d/kept"].map(mode), [0o700, 0o700, 0o700, 0o600]);
        assert!(folder.stage(Path::new("../x"), b"").is_err() && folder.stage(Path::new(""), b"").is_err());
    }

    #[test]
    fn no_link_in_the_folder_is_written_through() {
        let top = tempfile::tempdir().unwrap();
        let folder = Folder::make(&top.path().join("run")).unwrap();
        std::fs::write(top.path().join("victim"), "as it was").unwrap();
        symlink("../victim", top.path().join("run/file")).unwrap();
        symlink("..", top.path().join("run/out")).unwrap();
        folder.stage(Path::new("file"), b"evidence").unwrap().publish().unwrap();
        assert!(folder.stage(Path::new("out/victim"), b"evidence").is_err());
        assert_eq!(std::fs::read_to_string(top.path().join("victim")).unwrap(), "as it was");
        assert_eq!(read(&top.path().join("run"), Path::new("file")).unwrap(), b"evidence");
    }

    #[test]
    fn a_folder_of_somebody_elses_within_is_not_entered() {
        if !geteuid().is_root() {
            return;
        }
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("run");
        let folder = Folder::make(&root).unwrap();
        folder.stage(Path::new("gates/file"), b"").unwrap().publish().unwrap();
        chown(root.join("gates"), Some(65534), None).unwrap();
        assert!(read(&root, Path::new("gates/file")).is_err());
        assert!(folder.stage(Path::new("gates/other"), b"").is_err());
    }
}
