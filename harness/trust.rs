//! Folders that nobody else can change or replace: where the harness, which may be root, reads, writes and executes.
//!
//! A folder is opened name by name from the root. Each one on the way must belong to root or to whoever started this
//! process, and others must not be able to put something else in its place: a folder that all may write to is passed
//! through only when it is sticky, as /tmp is. A link counts like the folder that it lies in.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;
use walkdir::WalkDir;

use crate::failure::Failure;

/// How many links a path may lead over, as in the kernel.
const LINKS: usize = 40;

/// The users whose folders this process uses.
#[derive(Debug, Default)]
struct Trust {
    users: Vec<u32>,
    accounts: OnceCell<Accounts>,
}

/// A folder that this process must not use.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} {why}; {remedy}", path.display())]
pub(crate) struct Untrusted {
    path: PathBuf,
    why: String,
    pub(crate) remedy: String,
}

impl Untrusted {
    /// The folder or file, and why it is refused.
    pub(crate) fn seen(&self) -> String {
        format!("{} {}", self.path.display(), self.why)
    }

    /// The same as a failure; `what` says what the folder was to be used for.
    pub(crate) fn failure(&self, what: &str) -> Failure {
        Failure::new(format!("{what}: {}", self.seen()))
            .expected("a folder of your own, below folders that nobody but you and root can change")
            .seen(self.seen())
            .remedy(&self.remedy)
    }

    /// The reason that an operation was refused for, if this is why.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// Opens a folder, if nobody else can change or replace it.
pub(crate) fn open(folder: &Path) -> io::Result<OwnedFd> {
    let found = Trust::of_this_process().walk(folder, false)?;
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", folder.display())))
}

/// The same; the folder is made when it is not there, for this user alone.
pub(crate) fn make(folder: &Path) -> io::Result<OwnedFd> {
    let made = Trust::of_this_process().walk(folder, true)?;
    made.ok_or_else(|| io::Error::other(format!("{} could not be made", folder.display())))
}

/// Refuses a folder that [`open`] or [`make`] would refuse; one that is not there is judged by those above it.
pub(crate) fn examine(folder: &Path) -> io::Result<()> {
    Trust::of_this_process().walk(folder, false).map(drop)
}

/// Refuses a folder that [`open`] would refuse, and one in which somebody else can change a file or a folder. Those that
/// `passed_over` names are not entered.
pub(crate) fn examine_all(folder: &Path, passed_over: fn(&Path) -> bool) -> io::Result<()> {
    let trust = Trust::of_this_process();
    trust.walk(folder, false)?;
    let inside = WalkDir::new(folder).min_depth(1).into_iter().filter_entry(|entry| !passed_over(entry.path()));
    for entry in inside {
        let entry = entry?;
        let about = entry.metadata()?;
        trust.judge_owner(about.uid(), entry.path())?;
        // The mode of a link says nothing.
        if !entry.path_is_symlink() {
            trust.judge_mode(about.mode(), about.gid(), entry.path(), false)?;
        }
    }
    Ok(())
}

/// Opens a folder within one that is trusted. No link is followed.
pub(crate) fn enter(at: &OwnedFd, name: &OsStr, shown: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inside = rustix::fs::openat(at, name, flags, Mode::empty())?;
    let about = rustix::fs::fstat(&inside)?;
    Trust::of_this_process().judge(&about, shown, false)?;
    Ok(inside)
}

impl Trust {
    fn of_this_process() -> Self {
        let own = geteuid();
        let mut users = vec![0, own.as_raw()];
        if own.is_root() {
            // Whoever became root by sudo: the lanes of a user's run are root's that way.
            let caller: Option<u32> = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
            users.extend(caller);
        }
        users.dedup();
        Self { users, ..Self::default() }
    }

    /// The folder, opened; none when it is not there and is not to be made.
    fn walk(&self, folder: &Path, make: bool) -> io::Result<Option<OwnedFd>> {
        let whole = std::path::absolute(folder)?;
        let path_only = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = || rustix::fs::open("/", path_only, Mode::empty());
        let (mut at, mut passed, mut links) = (root()?, PathBuf::from("/"), 0);
        let mut todo = names(&whole);
        todo.reverse();
        while let Some(name) = todo.pop() {
            self.judge(&rustix::fs::fstat(&at)?, &passed, true)?;
            let here = passed.join(&name);
            let about = match rustix::fs::statat(&at, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(about) => about,
                Err(Errno::NOENT) if !make => return Ok(None),
                Err(Errno::NOENT) => {
                    let mode = if todo.is_empty() { Mode::RWXU } else { Mode::from_raw_mode(0o755) };
                    match rustix::fs::mkdirat(&at, &name, mode) {
                        // Somebody was quicker: what is there now is judged like all else.
                        Ok(()) | Err(Errno::EXIST) => todo.push(name),
                        Err(error) => return Err(named(error, &here)),
                    }
                    continue;
                }
                Err(error) => return Err(named(error, &here)),
            };
            if FileType::from_raw_mode(about.st_mode) == FileType::Symlink {
                self.judge_owner(about.st_uid, &here)?;
                links += 1;
                if links > LINKS {
                    return Err(named(Errno::LOOP, &here));
                }
                let target = rustix::fs::readlinkat(&at, &name, Vec::new()).map_err(|error| named(error, &here))?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    (at, passed) = (root()?, PathBuf::from("/"));
                }
                let mut inner = names(&target);
                inner.reverse();
                todo.extend(inner);
                continue;
            }
            at = rustix::fs::openat(&at, &name, path_only, Mode::empty()).map_err(|error| named(error, &here))?;
            if name.as_bytes() == b".." {
                passed.pop();
            } else {
                passed = here;
            }
        }
        self.judge(&rustix::fs::fstat(&at)?, &passed, false)?;
        Ok(Some(at))
    }

    /// `passed`: whether the way only leads through it. In a sticky folder nobody can replace what is another's.
    fn judge(&self, about: &Stat, shown: &Path, passed: bool) -> io::Result<()> {
        self.judge_owner(about.st_uid, shown)?;
        self.judge_mode(about.st_mode, about.st_gid, shown, passed)
    }

    fn judge_mode(&self, mode: u32, group: u32, shown: &Path, passed: bool) -> io::Result<()> {
        let bits = Mode::from_raw_mode(mode);
        if passed && bits.contains(Mode::SVTX) {
            return Ok(());
        }
        let others = if bits.contains(Mode::WOTH) {
            "everybody".to_owned()
        } else if bits.contains(Mode::WGRP) {
            let accounts = self.accounts.get_or_init(Accounts::of_this_machine);
            let Some(others) = self.others_in(group, accounts) else { return Ok(()) };
            format!("its group ({others})")
        } else {
            return Ok(());
        };
        let why = format!("can be written to by {others}, with its mode {:04o}", mode & 0o7777);
        let remedy = format!("name another folder, or take the right from the others: chmod go-w {}", shown.display());
        Err(refused(shown, why, remedy))
    }

    fn judge_owner(&self, owner: u32, shown: &Path) -> io::Result<()> {
        if self.users.contains(&owner) {
            return Ok(());
        }
        let own = geteuid().as_raw();
        let why = format!("belongs to user {owner}, and this process is user {own}'s");
        let shown_as = shown.display();
        let remedy = format!(
            "name a folder of your own, work as that user (sudo -u '#{owner}' …), or take it over: chown {own} {shown_as}"
        );
        Err(refused(shown, why, remedy))
    }

    /// Names another user in a group; none when it is as good as private.
    fn others_in(&self, group: u32, accounts: &Accounts) -> Option<String> {
        if !accounts.groups.iter().any(|(id, _)| *id == group) {
            return Some(format!("group {group}, of which /etc/group says nothing"));
        }
        let members = accounts.groups.iter().filter(|(id, _)| *id == group).flat_map(|(_, members)| members);
        let primary = accounts.users.iter().filter(|user| user.group == group).map(|user| &user.name);
        let is_trusted =
            |name: &&String| accounts.users.iter().any(|user| user.name == **name && self.users.contains(&user.id));
        let other = members.chain(primary).find(|name| !is_trusted(name));
        other.map(|name| format!("group {group}, with the user {name}"))
    }
}

fn refused(path: &Path, why: String, remedy: String) -> io::Error {
    let untrusted = Untrusted { path: path.to_owned(), why, remedy };
    io::Error::new(io::ErrorKind::PermissionDenied, untrusted)
}

fn named(error: Errno, path: &Path) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The names of a path in their order, `..` among them.
fn names(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

/// The accounts that this machine's own files know.
#[derive(Debug, Default)]
struct Accounts {
    users: Vec<User>,
    groups: Vec<(u32, Vec<String>)>,
}

#[derive(Debug)]
struct User {
    name: String,
    id: u32,
    group: u32,
}

impl Accounts {
    fn of_this_machine() -> Self {
        let text = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        Self::parse(&text("/etc/passwd"), &text("/etc/group"))
    }

    fn parse(passwd: &str, group: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            Some(User { name, id: fields.nth(1)?.parse().ok()?, group: fields.next()?.parse().ok()? })
        };
        let group_of = |line: &str| {
            let mut fields = line.split(':').skip(2);
            let id = fields.next()?.parse().ok()?;
            let members = fields.next().unwrap_or_default().split(',').filter(|name| !name.is_empty());
            Some((id, members.map(|name| name.trim().to_owned()).collect()))
        };
        Self { users: passwd.lines().filter_map(user).collect(), groups: group.lines().filter_map(group_of).collect() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use rstest::rstest;

    use super::*;

    fn folder(at: &Path, name: &str, mode: u32) -> PathBuf {
        let folder = at.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
        folder
    }

    fn why(folder: &Path) -> String {
        match (open(folder), examine(folder)) {
            (Ok(_), Ok(())) => String::new(),
            (Err(error), Err(_)) => {
                Untrusted::of(&error).map_or_else(|| error.to_string(), |refused| refused.why.clone())
            }
            (opened, examined) => format!("opened {opened:?}, examined {examined:?}"),
        }
    }

    #[rstest]
    #[case::own(0o700, 0o700, "")]
    #[case::readable(0o755, 0o755, "")]
    #[case::in_a_sticky_one(0o1777, 0o700, "")]
    #[case::sticky_itself(0o755, 0o1777, "can be written to by everybody")]
    #[case::open_to_all(0o755, 0o777, "can be written to by everybody")]
    #[case::replaceable(0o777, 0o700, "can be written to by everybody")]
    fn a_folder_is_ones_own_when_nobody_else_can_change_or_replace_it(
        #[case] parent: u32,
        #[case] own: u32,
        #[case] expected: &str,
    ) {
        let top = tempfile::tempdir().unwrap();
        let parent = folder(top.path(), "parent", parent);
        let own = folder(&parent, "own", own);
        // The way by a link is no other way.
        symlink(&own, top.path().join("link")).unwrap();
        for way in [own, top.path().join("link"), top.path().join("parent/../link")] {
            let why = why(&way);
            assert!(why.starts_with(expected) && why.is_empty() == expected.is_empty(), "{why}");
        }
    }

    #[test]
    fn a_folder_of_another_user_is_refused_wherever_it_is_on_the_way() {
        if !geteuid().is_root() {
            return;
        }
        let top = tempfile::tempdir().unwrap();
        let others = folder(top.path(), "others", 0o755);
        let own = folder(&others, "own", 0o700);
        chown(&others, Some(65534), None).unwrap();
        for refused in [&others, &own, &others.join("new")] {
            assert!(examine(refused).is_err_and(|error| error.to_string().contains("belongs to user 65534")));
            assert!(make(refused).is_err());
        }
        assert!(!others.join("new").exists());
        let link = top.path().join("link");
        symlink(top.path(), &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
        assert!(why(&link).contains("belongs to user 65534"));
        // It is the caller's when root was reached by sudo.
        let caller = Trust { users: vec![0, 65534], ..Trust::default() };
        assert!(caller.walk(&own, false).unwrap().is_some());
    }

    #[test]
    fn what_is_in_a_folder_counts_as_the_folder_does() {
        let top = tempfile::tempdir().unwrap();
        let inner = folder(top.path(), "a/b", 0o755);
        std::fs::write(inner.join("tool"), "").unwrap();
        symlink("/nowhere", inner.join("link")).unwrap();
        let why = |passed_over| examine_all(top.path(), passed_over).map_err(|error| error.to_string()).err();
        assert_eq!(why(|_| false), None);
        for open in [inner.join("tool"), inner] {
            let mode = std::fs::metadata(&open).unwrap().mode();
            std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o757)).unwrap();
            let told = why(|_| false).unwrap();
            assert!(told.contains("by everybody, with its mode 0757; ") && told.contains("chmod go-w"), "{told}");
            assert!(told.starts_with(open.to_str().unwrap()), "{told}");
            assert_eq!(why(|path| path.ends_with("b")), None);
            std::fs::set_permissions(&open, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        if geteuid().is_root() {
            std::os::unix::fs::lchown(top.path().join("a/b/link"), Some(65534), None).unwrap();
            assert!(why(|_| false).unwrap().contains("belongs to user 65534"));
        }
    }

    #[test]
    fn what_is_not_there_is_made_for_this_user_alone() {
        let top = tempfile::tempdir().unwrap();
        let new = top.path().join("a b/new\u{fc}");
        assert!(examine(&new).is_ok() && open(&new).is_err() && !new.exists());
        make(&new).unwrap();
        assert_eq!(std::fs::metadata(&new).unwrap().mode() & 0o777, 0o700);
        std::fs::write(top.path().join("file"), "").unwrap();
        assert!(make(&top.path().join("file")).is_err());
        symlink("loop", top.path().join("loop")).unwrap();
        assert!(make(&top.path().join("loop")).is_err());
    }

    #[rstest]
    #[case::private(1000, None)]
    #[case::empty(50, None)]
    #[case::with_a_member(2000, Some("mallory"))]
    #[case::primary_of_others(100, Some("mallory"))]
    #[case::unknown(4242, Some("/etc/group says nothing"))]
    fn a_group_is_as_good_as_its_members(#[case] group: u32, #[case] other: Option<&str>) {
        let accounts = Accounts::parse(
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nmallory:x:1001:100::/:/bin/sh\nbroken\n",
            "ann:x:1000:ann\nstaff:x:50:\ndocker:x:2000:ann,mallory\nusers:x:100:\n\n",
        );
        let found = Trust { users: vec![0, 1000], ..Trust::default() }.others_in(group, &accounts);
        match other {
            None => assert_eq!(found, None),
            Some(other) => assert!(found.as_deref().unwrap_or_default().contains(other), "{found:?}"),
        }
    }
}
