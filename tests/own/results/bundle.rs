//! A run in one file, and what is refused to be in it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use k1s_profile_gates::results::{BundleError, bundle, verify};
use rstest::rstest;

use crate::support::sealed::RunDir;

fn packed(file: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(std::fs::File::open(file).unwrap()).unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert!(header.entry_type().is_file());
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.mode().unwrap()), (0, 0, 0o644));
        let path = entry.path().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(path, bytes);
    }
    files
}

#[test]
fn a_bundle_is_the_folder_and_the_same_each_time() {
    let run = RunDir::honest();
    let (first, second) = (run.beside("first.tar.zst"), run.beside("second.tar.zst"));
    let bundled = bundle(&run.path(), Some(&first), false).unwrap();
    std::fs::File::open(run.path().join("run.json")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(run.command("bundle", &["-o", second.to_str().unwrap(), "--json"]).status.success());
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());

    let files = packed(&first);
    assert_eq!(files.len(), bundled.files);
    assert_eq!(files[Path::new("run/run.json")], b"{}\n");
    // Whoever unpacks it can verify it.
    let copy = run.beside("copy");
    for (path, bytes) in files {
        let path = copy.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    assert!(verify(&copy.join("run"), None).unwrap().is_sound());
}

#[rstest]
#[case::in_json(
    "notes.json",
    r#"{"env": {"API_TOKEN": "S3cret"}}"#,
    "notes.json holds what looks like a secret (Token) at /env/API_TOKEN"
)]
#[case::in_a_log(
    "gates/inventory/more.log",
    "one\nnats://a:S3cret@b\n",
    "gates/inventory/more.log holds what looks like a secret (Password) at line 2"
)]
fn a_secret_is_named_and_nothing_packed(#[case] file: &str, #[case] content: &str, #[case] message: &str) {
    let run = RunDir::honest();
    run.write(file, content);
    let output = run.command("bundle", &["-o", "bundle.tar.zst"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains(message) && !text.contains("S3cret"), "{text}");
    assert!(!run.beside("bundle.tar.zst").exists());
}

#[test]
fn what_is_no_file_is_refused() {
    let run = RunDir::honest();
    std::os::unix::fs::symlink("/etc/passwd", run.path().join("link")).unwrap();
    let refused = bundle(&run.path(), Some(&run.beside("b.tar.zst")), false);
    assert!(matches!(&refused, Err(BundleError::NotAFile(file)) if file == Path::new("link")), "{refused:?}");
    std::fs::remove_file(run.path().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(run.path().join("s")).unwrap();
    assert!(matches!(bundle(&run.path(), Some(&run.beside("b.tar.zst")), false), Err(BundleError::NotAFile(_))));
}

#[rstest]
#[case::into_itself("run/b.tar.zst", "in the folder that is packed")]
#[case::into_itself_by_a_detour("run/gates/../b.tar.zst", "in the folder that is packed")]
#[case::into_nowhere("none/b.tar.zst", "No such file")]
fn a_bundle_is_not_put_anywhere(#[case] file: &str, #[case] why: &str) {
    let run = RunDir::honest();
    let output = run.command("bundle", &["-o", file]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(verify(&run.path(), None).unwrap().added.is_empty());
}

#[test]
fn a_folder_that_is_none_is_refused() {
    let run = RunDir::honest();
    assert!(matches!(bundle(&run.beside("none"), None, false), Err(BundleError::Io { .. })));
    std::fs::create_dir(run.beside("empty")).unwrap();
    let file = run.beside("b.tar.zst");
    assert!(matches!(bundle(&run.beside("empty"), Some(&file), false), Err(BundleError::Empty(_))));
}
