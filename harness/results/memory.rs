//! What a run's seals have read of its folder: it is sealed anew with each step of a gate, and what has not changed since
//! is neither read nor judged again.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::manifest::digest;
use crate::summary::Verdict;

/// What the kernel tells of a file without reading it. Its change time is nobody's to set.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Path) -> io::Result<Self> {
        let about = std::fs::symlink_metadata(file)?;
        Ok(Self {
            file: (about.dev(), about.ino()),
            size: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    }
}

/// The digests of a run's files, and the verdicts over its gates' records, as they were when they were last read.
#[derive(Debug, Default)]
pub struct Memory {
    digests: HashMap<PathBuf, (Stamp, String)>,
    verdicts: HashMap<PathBuf, (Stamp, Vec<Verdict>)>,
}

impl Memory {
    /// Returns the digest and the size of a file of the run's folder.
    pub(super) fn digest(&mut self, run_dir: &Path, file: &Path) -> io::Result<(String, u64)> {
        let stamp = Stamp::of(&run_dir.join(file))?;
        if let Some((known, sha256)) = self.digests.get(file)
            && *known == stamp
        {
            return Ok((sha256.clone(), stamp.size));
        }
        let (sha256, size) = digest(run_dir, file)?;
        self.digests.insert(file.to_owned(), (stamp, sha256.clone()));
        Ok((sha256, size))
    }

    /// Returns the verdicts over the evidence of a gate whose record is this file. A gate writes its record last.
    pub(super) fn verdicts(&mut self, record: &Path, judge: impl FnOnce() -> Vec<Verdict>) -> Vec<Verdict> {
        let Ok(stamp) = Stamp::of(record) else { return judge() };
        match self.verdicts.get(record) {
            Some((known, verdicts)) if *known == stamp => verdicts.clone(),
            _ => {
                let verdicts = judge();
                self.verdicts.insert(record.to_owned(), (stamp, verdicts.clone()));
                verdicts
            }
        }
    }

    /// Forgets all of it: the last seal of a run is over what is there then, and takes no stamp's word for it.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::fs::{self, File, FileTimes};

    use super::*;

    #[test]
    fn what_has_changed_is_read_again_whatever_its_times_say() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("answer.json");
        fs::write(&file, "before").unwrap();
        let times = fs::metadata(&file).unwrap();
        let mut memory = Memory::default();
        let before = memory.digest(folder.path(), Path::new("answer.json")).unwrap();
        assert_eq!(memory.digest(folder.path(), Path::new("answer.json")).unwrap(), before);
        // The kernel's clock ticks every few milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(30));
        fs::write(&file, "behind").unwrap();
        let back = FileTimes::new().set_modified(times.modified().unwrap());
        File::options().write(true).open(&file).unwrap().set_times(back).unwrap();
        let after = memory.digest(folder.path(), Path::new("answer.json")).unwrap();
        assert!(after.0 != before.0 && after.1 == before.1, "{after:?}");
    }

    #[test]
    fn a_gate_is_judged_once_until_its_record_changes_or_the_run_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("record.json");
        let (mut memory, mut judged) = (Memory::default(), 0);
        let mut judge = |memory: &mut Memory| {
            memory.verdicts(&record, || {
                judged += 1;
                Vec::new()
            });
            judged
        };
        assert_eq!((judge(&mut memory), judge(&mut memory)), (1, 2), "without a record each time");
        fs::write(&record, "{}").unwrap();
        assert_eq!((judge(&mut memory), judge(&mut memory)), (3, 3));
        fs::write(&record, "{ }").unwrap();
        assert_eq!((judge(&mut memory), judge(&mut memory)), (4, 4));
        memory.forget();
        assert_eq!(judge(&mut memory), 5);
    }
}
