//! The content of one file as a digest, whatever kind of file it is: nothing here waits for a writer or an end.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

/// The largest file that is read, in bytes: no source is longer, and some files have no end.
const LARGEST: u64 = 1 << 28;

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// This digest.
    Digest(String),
    /// Not read, and why; what is known of it all the same counts as its content.
    Unread {
        /// The reason.
        why: String,
        /// The text that counts in place of its content; none when it does not count.
        counts: Option<String>,
    },
}

/// The content of a regular file; links are followed.
pub(super) fn of(file: &Path) -> Content {
    let unread = |why: String| Content::Unread { counts: Some(why.clone()), why };
    // Opening a device can do something, and opening a FIFO waits for its writer: both are told before.
    let about = match std::fs::metadata(file) {
        Ok(about) => about,
        Err(error) => return unread(error.to_string()),
    };
    if let Some(kind) = special(&about) {
        return Content::Unread { why: kind.to_owned(), counts: None };
    }
    if about.len() > LARGEST {
        return large(&about);
    }
    // It may have become something else since.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(file, flags, Mode::empty()).map(File::from).map_err(std::io::Error::from);
    let read = opened.and_then(|opened| {
        let kind = special(&opened.metadata()?);
        let mut digest = Sha256::new();
        let length = if kind.is_some() { 0 } else { copy(opened.take(LARGEST + 1), &mut digest)? };
        Ok((kind, length, digest))
    });
    match read {
        Err(error) => unread(error.to_string()),
        Ok((Some(kind), ..)) => Content::Unread { why: kind.to_owned(), counts: None },
        Ok((None, length, _)) if length > LARGEST => large(&about),
        Ok((None, _, digest)) => Content::Digest(hexadecimal(digest)),
    }
}

fn copy(mut from: impl std::io::Read, digest: &mut Sha256) -> std::io::Result<u64> {
    let (mut buffer, mut length) = (vec![0; 1 << 16], 0);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(read) => {
                digest.update(&buffer[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn large(about: &std::fs::Metadata) -> Content {
    let counts = format!("{} bytes of {}.{:09}", about.len(), about.mtime(), about.mtime_nsec());
    Content::Unread { why: format!("larger than {} MB: its size and time count", LARGEST >> 20), counts: Some(counts) }
}

/// Names the kind of a file that has no content of its own.
fn special(about: &std::fs::Metadata) -> Option<&'static str> {
    let kind = about.file_type();
    let kinds = [
        (kind.is_fifo(), "a FIFO"),
        (kind.is_socket(), "a socket"),
        (kind.is_char_device() || kind.is_block_device(), "a device"),
        (kind.is_dir(), "a folder"),
    ];
    kinds.into_iter().find_map(|(is, name)| is.then_some(name))
}

/// The digest of a file's content, of a link where it leads to; or why there is none, which may change too.
pub(crate) fn digest(file: &Path) -> String {
    if let Ok(target) = std::fs::read_link(file) {
        return format!("link to {}", name_of(&target));
    }
    match of(file) {
        Content::Digest(digest) => digest,
        Content::Unread { why, counts } => counts.unwrap_or(why),
    }
}

pub(crate) fn hexadecimal(digest: Sha256) -> String {
    base16ct::lower::encode_string(&digest.finalize())
}

/// A path as text: bytes that are no UTF-8 are written out, so that two names stay two.
pub(crate) fn name_of(path: &Path) -> String {
    let mut name = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        name.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(name, "\\x{byte:02x}");
        }
    }
    name
}
