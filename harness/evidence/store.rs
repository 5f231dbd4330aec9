//! The run's folder: files appear whole or not at all, and without secrets.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::folder::{Folder, Staged};
use super::layout::UNFINISHED;
use super::redact::Redactor;
use super::redactions::Redactions;

/// A folder that evidence is written to.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    folder: Arc<Folder>,
    redactor: Redactor,
    redactions: Arc<Mutex<Redactions>>,
    /// The file that lists the redactions, written each time that there are others.
    log: Option<PathBuf>,
}

/// Evidence that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {}: {source}", path.display())]
pub struct StoreError {
    path: PathBuf,
    source: std::io::Error,
}

impl Store {
    /// A store in `root`, which is made when it is not there.
    pub fn open(root: &Path, redactor: Redactor) -> Result<Self, StoreError> {
        let folder = Folder::make(root).map_err(|source| StoreError { path: root.to_owned(), source })?;
        Ok(Self { root: root.to_owned(), folder: Arc::new(folder), redactor, redactions: Arc::default(), log: None })
    }

    /// The same store, which also keeps a file of what it redacted where: one file per process, so that no two write
    /// the same one.
    #[must_use]
    pub fn logging_redactions(self, file: PathBuf) -> Self {
        Self { log: Some(file), ..self }
    }

    /// Returns the redactions in the files that this store wrote.
    pub fn redactions(&self) -> Redactions {
        self.redactions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what an earlier part of the run knew of files that are kept.
    pub(crate) fn remember(&self, earlier: Redactions) {
        let mut redactions = self.redactions.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, replaced) in earlier.files {
            redactions.files.entry(file).or_insert(replaced);
        }
    }

    /// The redactor: what it learns, the store knows.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The folder, held open.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes as the store would write them.
    pub fn redact(&self, bytes: &[u8]) -> Vec<u8> {
        self.redactor.redact(bytes)
    }

    /// Writes a file under the folder, secrets replaced, atomically.
    pub fn write(&self, file: &Path, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let (clean, replaced) = self.redactor.redacted(bytes);
        let path = self.put(file, &clean)?;
        let mut redactions = self.redactions.lock().unwrap_or_else(PoisonError::into_inner);
        if redactions.note(file, replaced)
            && let Some(log) = &self.log
        {
            self.put(log, &pretty(&*redactions).map_err(|source| StoreError { path: self.root.join(log), source })?)?;
        }
        Ok(path)
    }

    /// Writes a text made of parts that are redacted: as a whole it could lose its form.
    pub(crate) fn write_clean(&self, file: &Path, clean: &[u8]) -> Result<PathBuf, StoreError> {
        self.put(file, clean)
    }

    /// Writes bytes that hold no secrets any more.
    fn put(&self, file: &Path, clean: &[u8]) -> Result<PathBuf, StoreError> {
        let staged = self.stage(file, clean)?;
        self.publish(staged, file)
    }

    /// Writes files that belong together: what kills this process in between must not find one without the other.
    pub(crate) fn put_together(&self, files: &[(&Path, &[u8])]) -> Result<(), StoreError> {
        let staged: Vec<Staged> =
            files.iter().map(|(file, clean)| self.stage(file, clean)).collect::<Result<_, _>>()?;
        staged.into_iter().zip(files).try_for_each(|(staged, (file, _))| self.publish(staged, file).map(drop))
    }

    /// Writes all of a file, under another name.
    fn stage(&self, file: &Path, clean: &[u8]) -> Result<Staged, StoreError> {
        self.folder.stage(file, clean).map_err(|source| StoreError { path: self.root.join(file), source })
    }

    /// Gives a file that is written its name.
    fn publish(&self, staged: Staged, file: &Path) -> Result<PathBuf, StoreError> {
        let path = self.root.join(file);
        staged.publish().map(|()| path.clone()).map_err(|source| StoreError { path, source })
    }

    /// Removes what processes that were killed had begun to write: for when all that write here have ended.
    pub(crate) fn remove_unfinished(&self) {
        let files = walkdir::WalkDir::new(&self.root).into_iter().flatten().filter(|entry| entry.file_type().is_file());
        for file in files.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
            let _ = std::fs::remove_file(file.path());
        }
    }

    /// A value of names and digests alone as indented JSON: a digest that looked like a secret would be none any more.
    pub(crate) fn plain_json(&self, file: &Path, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        pretty(value).map_err(|source| StoreError { path: self.root.join(file), source })
    }

    /// Writes a value as indented JSON.
    pub fn write_json(&self, file: &Path, value: &impl Serialize) -> Result<PathBuf, StoreError> {
        let bytes = pretty(value).map_err(|source| StoreError { path: self.root.join(file), source })?;
        self.write(file, &bytes)
    }
}

/// Indented JSON, as a file holds it.
pub(crate) fn pretty(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
