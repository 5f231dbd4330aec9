//! Digests of what the stack has built.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

/// SHA-256 of a file, or of all files below a folder with their names. Links count by where they lead, byte code and
/// locks not at all.
pub(super) fn of(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    if path.is_dir() {
        for entry in WalkDir::new(path).min_depth(1).sort_by_file_name() {
            let entry = entry?;
            let inside = entry.path().strip_prefix(path).unwrap_or(entry.path());
            if entry.file_type().is_dir() || counts_not(inside) {
                continue;
            }
            hash.update(inside.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(one(entry.path())?);
        }
    } else {
        hash.update(one(path)?);
    }
    Ok(base16ct::lower::encode_string(&hash.finalize()))
}

fn counts_not(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "__pycache__")
        || path.extension().is_some_and(|extension| extension == "lock")
}

fn one(file: &Path) -> io::Result<Vec<u8>> {
    let about = fs::symlink_metadata(file)?;
    if about.is_symlink() {
        return Ok(fs::read_link(file)?.into_os_string().into_encoded_bytes());
    }
    let mut hash = Sha256::new();
    if about.is_file() {
        let (mut file, mut piece) = (File::open(file)?, vec![0; 1 << 16]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                read => hash.update(&piece[..read]),
            }
        }
    }
    Ok(hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn content_names_and_links_count_and_byte_code_does_not() -> Outcome {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("bin/__pycache__"))?;
        fs::write(at("bin/tool"), "one")?;
        std::os::unix::fs::symlink("tool", at("bin/other"))?;
        let before = of(folder.path())?;
        fs::write(at("bin/__pycache__/tool.pyc"), "byte code")?;
        fs::write(at("images.lock"), "")?;
        assert_eq!(of(folder.path())?, before);
        fs::write(at("bin/tool"), "two")?;
        let changed = of(folder.path())?;
        assert_ne!(changed, before);
        fs::rename(at("bin/tool"), at("bin/tools"))?;
        assert_ne!(of(folder.path())?, changed);
        assert_ne!(of(&at("bin/tools"))?, of(&at("bin/other"))?);
        Ok(())
    }
}
