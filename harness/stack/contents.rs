//! The list of what the stack has made in its cache folder, written down before it is made: nothing else in there is
//! ever removed, and a folder that holds something else already never becomes a cache.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::cache::{self, LOCK, LOGS, TAG, TOOLS};
use super::error::StackError;

/// The list's name in the cache folder.
pub(super) const CONTENTS: &str = "k1s-gates-stack.json";

/// The prefix of the names of files that are being written.
const UNFINISHED: &str = ".tmp";

/// The text of the tag by which backups know a cache.
pub(super) const SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";

/// The names in the cache folder that are the stack's.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    names: BTreeSet<String>,
}

impl Contents {
    /// Reads the list of what is the stack's in a folder. A folder that is not there or empty may become a cache; any
    /// other without a list is somebody's own.
    pub(super) fn of(folder: &Path) -> Result<Self, StackError> {
        let list = folder.join(CONTENTS);
        match fs::read(&list) {
            Ok(bytes) => {
                let read: Self =
                    serde_json::from_slice(&bytes).map_err(|error| StackError::io("read", &list)(error.into()))?;
                // A name that leads elsewhere was not written by the stack.
                let is_name = |name: &String| {
                    let mut parts = Path::new(name).components();
                    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
                };
                Ok(Self { names: read.names.into_iter().filter(is_name).collect() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::adopted(folder),
            Err(error) => Err(StackError::io("read", &list)(error)),
        }
    }

    /// Of a cache that an earlier version of the stack has made, which kept no list.
    fn adopted(folder: &Path) -> Result<Self, StackError> {
        let names = match fs::read_dir(folder) {
            Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let names = names.map_err(StackError::io("read", folder))?;
        let names: BTreeSet<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let is_tagged = || fs::read(folder.join(TAG)).is_ok_and(|text| text == SIGNATURE.as_bytes());
        let others: Vec<String> = names.iter().filter(|name| !is_of_the_stack(folder, name)).cloned().collect();
        if names.is_empty() || (is_tagged() && others.is_empty()) {
            return Ok(Self { names });
        }
        let others = if others.is_empty() { names.into_iter().collect() } else { others };
        Err(StackError::NotACache { folder: folder.to_owned(), others })
    }

    /// Returns the names of what is the stack's in the folder.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Writes the list, unless there is one: another process may be further already.
    pub(super) fn begin(&mut self, folder: &Path, names: [&str; 5]) -> Result<(), StackError> {
        self.names.extend(names.map(str::to_owned));
        let list = folder.join(CONTENTS);
        let written = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            match file.persist_noclobber(&list) {
                Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
                _ => Ok(()),
            }
        };
        written().map_err(StackError::io("write", &list))
    }

    /// Adds a name, before there is anything of it; by whoever holds the cache.
    pub(super) fn add(&mut self, folder: &Path, name: &str) -> Result<(), StackError> {
        if self.names.insert(name.to_owned()) {
            cache::write_json(&folder.join(CONTENTS), self)?;
        }
        Ok(())
    }
}

/// The names that earlier versions have made: files and folders of the cache itself, and one folder for each step.
fn is_of_the_stack(folder: &Path, name: &str) -> bool {
    let is_step = || {
        let Some((step, key)) = name.rsplit_once('-') else { return false };
        let is_key = key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_known = ["go", "nerdctl", "sops", "workerbee", "k1s", "images", "nextest"].contains(&step);
        is_key && is_known && folder.join(name).is_dir()
    };
    [TAG, LOGS, LOCK, TOOLS, "packages"].contains(&name) || name.starts_with(UNFINISHED) || is_step()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_folder_of_somebodys_own_never_becomes_a_cache() -> Outcome {
        let folder = tempfile::tempdir()?;
        let cache = folder.path();
        assert_eq!(Contents::of(&cache.join("new"))?, Contents::default());
        assert_eq!(Contents::of(cache)?, Contents::default());
        for name in ["thesis.odt", ".hidden", "go-0123456789ab", "images-of-mine"] {
            fs::write(cache.join(name), "")?;
            // Not for a tag either: an earlier version wrote one into whatever was named.
            for tagged in [false, true] {
                if tagged {
                    fs::write(cache.join(TAG), SIGNATURE)?;
                }
                let refused = Contents::of(cache).err().ok_or("adopted")?.to_string();
                assert!(refused.contains(name) && refused.contains("K1S_GATES_CACHE"), "{refused}");
            }
            fs::remove_file(cache.join(name))?;
            fs::remove_file(cache.join(TAG))?;
        }
        Ok(())
    }

    #[test]
    fn a_cache_of_an_earlier_version_is_known_by_all_that_is_in_it() -> Outcome {
        let folder = tempfile::tempdir()?;
        let cache = folder.path();
        for name in ["logs", "packages", "k1s-de8176f034e9"] {
            fs::create_dir(cache.join(name))?;
        }
        fs::write(cache.join("tools.json"), "{}")?;
        assert!(Contents::of(cache).is_err(), "without its tag");
        fs::write(cache.join(TAG), SIGNATURE)?;
        let mut contents = Contents::of(cache)?;
        assert_eq!(contents.names().count(), 5);
        contents.begin(cache, [CONTENTS, TAG, LOCK, LOGS, TOOLS])?;
        contents.add(cache, "sops-0123456789ab")?;
        Contents::default().begin(cache, [CONTENTS; 5])?;
        fs::write(cache.join("thesis.odt"), "")?;
        assert_eq!(Contents::of(cache)?, contents, "what was written down stands");
        Ok(())
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_none_of_the_stacks() -> Outcome {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join(CONTENTS), r#"{"names": ["../x", "/etc", "a/b", "..", ".", "", "logs"]}"#)?;
        assert_eq!(Contents::of(folder.path())?.names().collect::<Vec<_>>(), ["logs"]);
        fs::write(folder.path().join(CONTENTS), "no JSON")?;
        assert!(Contents::of(folder.path()).is_err());
        Ok(())
    }
}
