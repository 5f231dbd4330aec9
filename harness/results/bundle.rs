//! The bundle: a run's folder in one file, to attach to an issue. What it packs is looked through once more.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::WalkDir;

use super::bundled_k1s::{self, Entry, K1sError, Tree};
use crate::evidence::{Kind, Place, REPORT, Redactor, folder};
use crate::trust;

/// zstd's level: JSON and logs of a few MB are packed in a blink.
const LEVEL: i32 = 15;
/// The mode of evidence in it.
const MODE: u32 = 0o644;

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bundled {
    /// The file that was written.
    pub file: PathBuf,
    /// How many files it holds.
    pub files: usize,
    /// The size of these files, in bytes.
    pub content: u64,
    /// The size of the bundle, in bytes.
    pub size: u64,
    /// The places of the k1s that look like a secret: what is tested is packed as it is.
    pub suspects: Vec<(PathBuf, Kind, Place)>,
}

/// The reason why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file holds what looks like a secret.
    #[error(
        "{} holds what looks like a secret ({kind:?}) at {place}: it was not written by the harness, or by an older \
         one; remove it, or replace what stands there by `***`",
        file.display()
    )]
    Secret {
        /// The file, in the run's folder.
        file: PathBuf,
        /// The kind of the secret.
        kind: Kind,
        /// Its place in the file.
        place: Place,
    },
    /// It is no regular file: packed, it could lead out of the folder.
    #[error("{} is no regular file: evidence is nothing else; remove it", .0.display())]
    NotAFile(PathBuf),
    /// The k1s cannot be packed.
    #[error(transparent)]
    K1s(#[from] K1sError),
    /// There is nothing to pack.
    #[error("{} holds no files: name the run's folder (RUN_DIR)", .0.display())]
    Empty(PathBuf),
    /// The bundle would be packed into itself.
    #[error("{} is in the folder that is packed: name a file outside of it", .0.display())]
    Inside(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> BundleError + '_ {
    move |source| BundleError::Io { path: path.to_owned(), source }
}

/// Packs a run's folder into `file`, or into `<name of the folder>.tar.zst` here, and with it the k1s that it tested where
/// that is wanted. The same folder makes the same bytes.
pub fn bundle(run_dir: &Path, file: Option<&Path>, with_k1s: bool) -> Result<Bundled, BundleError> {
    let root = run_dir.canonicalize().map_err(io(run_dir))?;
    trust::open(&root).map_err(io(run_dir))?;
    let name = root.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
    let file = file.map_or_else(|| PathBuf::from(format!("{name}.tar.zst")), Path::to_owned);
    let target = std::path::absolute(&file).map_err(io(&file))?;
    let folder = target.parent().unwrap_or(Path::new("/")).canonicalize().map_err(io(&target))?;
    if folder.starts_with(&root) {
        return Err(BundleError::Inside(file));
    }
    let files = files(&root)?;
    if files.is_empty() {
        return Err(BundleError::Empty(run_dir.to_owned()));
    }
    let k1s = with_k1s.then(|| Tree::of(&root)).transpose()?;
    let mut temporary = tempfile::Builder::new().prefix(".part-").tempfile_in(&folder).map_err(io(&target))?;
    let mut archive = Archive::of(temporary.as_file()).map_err(io(&target))?;
    let redactor = Redactor::default();
    let inside = Path::new(&name);
    // One at a time: a run's folder may be larger than what this process may hold.
    for path in &files {
        let bytes = folder::read(&root, &root.join(path)).map_err(io(&root.join(path)))?;
        if let Some((kind, place)) = scan(&redactor, path, &bytes) {
            return Err(BundleError::Secret { file: path.clone(), kind, place });
        }
        archive.add(&inside.join(path), &bytes, MODE).map_err(io(&target))?;
    }
    let mut suspects = Vec::new();
    let beside = PathBuf::from(bundled_k1s::folder_of(&name));
    let mut count = files.len();
    if let Some(tree) = &k1s {
        count += tree.names().len();
        for name in tree.names() {
            let path = beside.join(name);
            match tree.entry(name)? {
                Entry::Link { to } => archive.link(&path, &to).map_err(io(&target))?,
                Entry::File { bytes, mode } => {
                    suspects.extend(bundled_k1s::suspects(&redactor, &path, &bytes));
                    archive.add(&path, &bytes, mode).map_err(io(&target))?;
                }
            }
        }
    }
    let content = archive.finish().map_err(io(&target))?;
    temporary.flush().map_err(io(&target))?;
    let size = temporary.as_file().metadata().map_err(io(&target))?.len();
    temporary.persist(&target).map_err(|error| io(&target)(error.error))?;
    Ok(Bundled { file, files: count, content, size, suspects })
}

/// Every file by its path in the folder, sorted.
fn files(root: &Path) -> Result<Vec<PathBuf>, BundleError> {
    let mut files = Vec::new();
    for entry in WalkDir::new(root).min_depth(1) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            BundleError::Io { path, source: error.into() }
        })?;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_owned();
        if entry.file_type().is_dir() {
            continue;
        }
        if !entry.file_type().is_file() {
            return Err(BundleError::NotAFile(path));
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

/// The first secret in a file. The page is made of texts that were redacted one by one: so they are looked through.
fn scan(redactor: &Redactor, path: &Path, bytes: &[u8]) -> Option<(Kind, Place)> {
    if path != Path::new(REPORT) {
        return redactor.scan(bytes).into_iter().next();
    }
    let mut lines = 0;
    bytes.split(|byte| b"<>".contains(byte)).find_map(|text| {
        let before = lines;
        lines += memchr::memchr_iter(b'\n', text).count();
        let (kind, place) = redactor.scan(unescaped(text).as_bytes()).into_iter().next()?;
        Some((kind, if let Place::Line(line) = place { Place::Line(before + line) } else { Place::Line(before + 1) }))
    })
}

/// A text of the page as it was before it was put there.
fn unescaped(text: &[u8]) -> String {
    const ESCAPES: [(&str, &str); 4] = [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    let text = String::from_utf8_lossy(text).into_owned();
    ESCAPES.iter().fold(text, |text, (escaped, sign)| text.replace(escaped, sign))
}

/// A bundle that is being written. Nothing of when and by whom goes in: no times, no owners, one mode.
struct Archive<'a> {
    tar: tar::Builder<zstd::Encoder<'static, &'a std::fs::File>>,
    content: u64,
}

impl<'a> Archive<'a> {
    fn of(target: &'a std::fs::File) -> std::io::Result<Self> {
        let tar = tar::Builder::new(zstd::Encoder::new(target, LEVEL)?);
        Ok(Self { tar, content: 0 })
    }

    fn add(&mut self, path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
        let mut header = plain(tar::EntryType::Regular, mode);
        header.set_size(bytes.len() as u64);
        self.content += bytes.len() as u64;
        self.tar.append_data(&mut header, path, bytes)
    }

    fn link(&mut self, path: &Path, to: &Path) -> std::io::Result<()> {
        let mut header = plain(tar::EntryType::Symlink, 0o777);
        header.set_size(0);
        self.tar.append_link(&mut header, path, to)
    }

    /// Ends it; the size of all contents, in bytes.
    fn finish(self) -> std::io::Result<u64> {
        self.tar.into_inner()?.finish()?;
        Ok(self.content)
    }
}

/// A header that says nothing of when and by whom.
fn plain(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
