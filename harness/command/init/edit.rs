//! One file, as it is and as it is to be.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::error::InitError;

/// A change of one file.
#[derive(Debug)]
pub(super) struct Edit {
    /// The file.
    pub(super) file: PathBuf,
    /// Its text; none when it is not there.
    pub(super) before: Option<String>,
    /// The new text of the file; none when it is to be removed.
    pub(super) after: Option<String>,
    /// The user's values that stay although `init` would set others.
    pub(super) kept: Vec<String>,
}

impl Edit {
    pub(super) fn new(file: PathBuf, before: Option<String>, after: Option<String>) -> Self {
        Self { file, before, after, kept: Vec::new() }
    }

    /// Is true when the file already is as it is to be.
    pub(super) fn is_nothing(&self) -> bool {
        self.before == self.after
    }

    /// The change for people.
    pub(super) fn shown(&self, root: &Path) -> String {
        let name = self.file.strip_prefix(root).unwrap_or(&self.file).display();
        let word = match (&self.before, &self.after) {
            _ if self.is_nothing() => "unchanged",
            (None, _) => "create",
            (_, None) => "remove",
            _ => "change",
        };
        let mut text = format!("{word:<9} {name}\n");
        if let (false, Some(after)) = (self.is_nothing(), &self.after) {
            let before = self.before.as_deref().unwrap_or_default();
            lines(&mut text, '+', after, before);
            lines(&mut text, '-', before, after);
        }
        for kept in &self.kept {
            let _ = writeln!(text, "    kept as it is: {kept}");
        }
        text
    }

    /// Makes the file as it is to be.
    pub(super) fn carry_out(&self) -> Result<(), InitError> {
        if self.is_nothing() {
            return Ok(());
        }
        let failed = || InitError::file(&self.file);
        let Some(after) = &self.after else {
            std::fs::remove_file(&self.file).map_err(failed())?;
            remove_empty(self.file.parent());
            return Ok(());
        };
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder).map_err(failed())?;
        }
        std::fs::write(&self.file, after).map_err(failed())
    }
}

/// The lines of one text that another lacks, in their order. Nothing is ever moved, so that is the whole difference.
fn lines(text: &mut String, sign: char, of: &str, lacking_in: &str) {
    let mut others = lacking_in.lines().peekable();
    for line in of.lines() {
        if others.peek() == Some(&line) {
            others.next();
        } else if !lacking_in.lines().any(|other| other == line) || others.peek().is_none() {
            let _ = writeln!(text, "    {sign} {line}");
        }
    }
}

/// The folders that were made for a file, from the inside to the outside. One with something in it stays.
fn remove_empty(folder: Option<&Path>) {
    let mut folder = folder;
    while let Some(empty) = folder.filter(|folder| !folder.join(".git").exists()) {
        if std::fs::remove_dir(empty).is_err() {
            return;
        }
        folder = empty.parent();
    }
}
