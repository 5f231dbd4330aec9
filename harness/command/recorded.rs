//! A run that is over, for commands that read it: its folder, or a bundle of it.

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The most that a bundle may hold.
const LIMIT: u64 = 4 * 1024 * 1024 * 1024;

/// A run's folder; that of a bundle goes with it.
pub(crate) struct Recorded {
    pub(crate) dir: PathBuf,
    _unpacked: Option<TempDir>,
}

impl Recorded {
    /// Opens a run's folder, or unpacks a bundle.
    pub(crate) fn open(named: &Path) -> Result<Self, Box<dyn Error>> {
        if !named.is_file() {
            return Ok(Self { dir: std::path::absolute(named)?, _unpacked: None });
        }
        let folder = unpack(named)?;
        let mut entries = std::fs::read_dir(folder.path())?;
        let only = entries.next().ok_or("the bundle is empty")??;
        Ok(Self { dir: only.path(), _unpacked: Some(folder) })
    }
}

fn unpack(bundle: &Path) -> Result<TempDir, Box<dyn Error>> {
    let unreadable = |error: std::io::Error| format!("{} is no bundle that can be read: {error}", bundle.display());
    let folder = tempfile::tempdir()?;
    let file = File::open(bundle).map_err(unreadable)?;
    let content = zstd::Decoder::new(file).map_err(unreadable)?.take(LIMIT);
    // What would lead out of the folder is not unpacked.
    tar::Archive::new(content).unpack(folder.path()).map_err(unreadable)?;
    Ok(folder)
}
