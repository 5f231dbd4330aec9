//! Byte code in a k1s root that Python takes for its source, unseen.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// The beginning of byte code: four bytes of the interpreter's own, then flags (PEP 552).
const HEADER: usize = 8;
/// The flags of byte code that is found by a hash of its source, which is never compared.
const UNCHECKED: u32 = 0b01;

/// The files below `src` whose byte code Python runs without a look at the source, which may be another by now.
///
/// Git ignores byte code, and so does the digest of a tree: an edited source would be named, and not be run.
pub(crate) fn unchecked_byte_code(root: &Path) -> Vec<PathBuf> {
    let files = WalkDir::new(root.join("src")).sort_by_file_name().into_iter().flatten();
    let files = files.filter(|entry| entry.file_type().is_file());
    let byte_code = files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pyc"));
    let unchecked = byte_code.filter(|entry| flags(entry.path()) == Some(UNCHECKED));
    unchecked.filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.to_owned())).collect()
}

fn flags(file: &Path) -> Option<u32> {
    let mut header = [0; HEADER];
    File::open(file).ok()?.read_exact(&mut header).ok()?;
    Some(u32::from_le_bytes(header[4..].try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_byte_code_that_is_never_compared_is_found() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let folder = root.path().join("src/ae/__pycache__");
        std::fs::create_dir_all(&folder)?;
        for (name, flags) in [("by_time", 0_u32), ("unchecked", 0b01), ("checked", 0b11)] {
            std::fs::write(folder.join(name).with_extension("pyc"), [[1; 4], flags.to_le_bytes()].concat())?;
        }
        std::fs::write(folder.join("cut.pyc"), [1, 2])?;
        assert_eq!(unchecked_byte_code(root.path()), [Path::new("src/ae/__pycache__/unchecked.pyc")]);
        Ok(())
    }
}
