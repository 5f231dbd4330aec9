//! The record of what `init` has written: so that it can be told from the user's own, and removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use toml_edit::DocumentMut;

use super::edit::Edit;
use super::error::InitError;
use super::merge::{Added, unmerge};

/// The record, within the root of the repository's package or workspace.
const FILE: &str = ".config/k1s-gates-init.json";

/// The files that were written, each with what was written of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// The version of the harness that wrote it.
    version: String,
    files: BTreeMap<PathBuf, Written>,
}

/// The part of a file that was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Written {
    /// All of it; the digest of what it was.
    File(String),
    /// Keys and tables of a file of the user's.
    Toml(Added),
    /// Lines of a file of the user's.
    Lines(Vec<String>),
}

/// The digest of a text.
fn digest(text: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(text))
}

/// The text of a file; none when there is no such file.
pub(super) fn text(file: &Path) -> Result<Option<String>, InitError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(InitError::file(file)(error)),
    }
}

/// The folder with the record that a folder belongs to.
pub(super) fn root_of(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|root| root.join(FILE).is_file()).map(Path::to_owned)
}

impl Record {
    /// The record of a root; none when nothing was written there.
    pub(super) fn read(root: &Path) -> Result<Option<Self>, InitError> {
        let file = root.join(FILE);
        let Some(text) = text(&file)? else { return Ok(None) };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|error| InitError::Record { file, what: error.to_string() })
    }

    pub(super) fn write(&mut self, root: &Path) -> Result<(), InitError> {
        env!("CARGO_PKG_VERSION").clone_into(&mut self.version);
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        Edit::new(root.join(FILE), None, Some(text)).carry_out()
    }

    /// A file that is to be the harness's as a whole. One that its user has changed since stays as it is.
    pub(super) fn file(&mut self, root: &Path, file: PathBuf, wanted: String) -> Result<Edit, InitError> {
        let before = text(&file)?;
        let name = file.strip_prefix(root).unwrap_or(&file).to_owned();
        let known = match self.files.get(&name) {
            Some(Written::File(digest)) => Some(digest.clone()),
            _ => None,
        };
        if let Some(before) = before.as_ref().filter(|before| **before != wanted) {
            let Some(known) = known else { return Err(InitError::InTheWay(file)) };
            if digest(before) != known {
                let mut edit = Edit::new(file, Some(before.clone()), Some(before.clone()));
                edit.kept.push("it was changed since init wrote it".into());
                return Ok(edit);
            }
        }
        self.files.insert(name, Written::File(digest(&wanted)));
        Ok(Edit::new(file, before, Some(wanted)))
    }

    /// Remembers what is added to a file of the user's.
    pub(super) fn toml(&mut self, root: &Path, file: &Path, added: Added) {
        if added == Added::default() {
            return;
        }
        let name = file.strip_prefix(root).unwrap_or(file).to_owned();
        match self.files.entry(name).or_insert_with(|| Written::Toml(Added::default())) {
            Written::Toml(known) => known.extend(added),
            other => *other = Written::Toml(added),
        }
    }

    /// Is true when a file was written as a whole.
    pub(super) fn has_made(&self, root: &Path, file: &Path) -> bool {
        matches!(self.files.get(file.strip_prefix(root).unwrap_or(file)), Some(Written::File(_)))
    }

    /// A line at the end of a file of the user's, unless one of these is there already.
    pub(super) fn line(&mut self, root: &Path, file: PathBuf, line: &str, same: &[&str]) -> Result<Edit, InitError> {
        let before = text(&file)?;
        let has =
            before.iter().flat_map(|text| text.lines()).any(|known| known == line || same.contains(&known.trim()));
        if has {
            return Ok(Edit::new(file, before.clone(), before));
        }
        let own = before.clone().unwrap_or_default();
        let gap = if own.is_empty() || own.ends_with('\n') { "" } else { "\n" };
        let name = file.strip_prefix(root).unwrap_or(&file).to_owned();
        self.files.insert(name, Written::Lines(vec![line.to_owned()]));
        Ok(Edit::new(file, before, Some(format!("{own}{gap}{line}\n"))))
    }

    /// The edits that take all of it away, and what was changed since and is left.
    pub(super) fn undone(&self, root: &Path) -> Result<(Vec<Edit>, Vec<String>), InitError> {
        let (mut edits, mut left) = (Vec::new(), Vec::new());
        for (name, written) in &self.files {
            let file = root.join(name);
            let Some(before) = text(&file)? else { continue };
            let after = match written {
                Written::File(known) if digest(&before) == *known => None,
                Written::File(_) => {
                    left.push(format!("{}: it was changed since init wrote it", name.display()));
                    continue;
                }
                Written::Toml(added) => {
                    let Ok(mut document) = before.parse::<DocumentMut>() else {
                        left.push(format!("{}: it is no TOML any more", name.display()));
                        continue;
                    };
                    let changed = unmerge(&mut document, added).into_iter();
                    left.extend(changed.map(|key| format!("{}: {key} was changed since", name.display())));
                    Some(document.to_string())
                }
                Written::Lines(lines) => {
                    let rest =
                        before.split_inclusive('\n').filter(|line| !lines.iter().any(|own| own == line.trim_end()));
                    Some(rest.collect())
                }
            };
            // A file with nothing else in it was made for it.
            let after = after.filter(|text: &String| !text.trim().is_empty());
            edits.push(Edit::new(file, Some(before), after));
        }
        let own = root.join(FILE);
        edits.push(Edit::new(own.clone(), text(&own)?, None));
        Ok((edits, left))
    }
}
