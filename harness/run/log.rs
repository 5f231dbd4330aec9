//! The output of a gate's process: kept line by line, without secrets.

use std::io::{PipeReader, Read as _};
use std::path::PathBuf;

use tokio::sync::{oneshot, watch};

use crate::evidence::Store;

/// The most that is kept: a process that prints without end has said enough by then.
const LIMIT: usize = 1024 * 1024;

/// The number of lines that count as last words.
const LAST: usize = 8;

/// Follows a process's output until nobody can write to it any more: then tells its last words, which may be all that
/// is left of it when the folder is full. `at_work` is dropped with the last line written.
pub(super) fn follow(
    mut output: PipeReader,
    store: Store,
    file: PathBuf,
    at_work: watch::Receiver<()>,
) -> oneshot::Receiver<String> {
    let (sender, receiver) = oneshot::channel();
    // A thread of its own, which the end of the supervisor does not wait for.
    std::thread::spawn(move || {
        let mut text = Vec::new();
        // The log is a help; that it cannot be written is said by the last words.
        let _ = store.write(&file, &text);
        let mut part = [0; 8192];
        while let Ok(read @ 1..) = output.read(&mut part) {
            let room = LIMIT.saturating_sub(text.len());
            text.extend_from_slice(&part[..read.min(room)]);
            // Whole lines: of half a secret nobody can tell that it is one.
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            if room > 0 && whole > 0 {
                let _ = store.write(&file, &text[..whole]);
            }
        }
        let _ = store.write(&file, &text);
        drop(at_work);
        let _ = sender.send(last_words(&store.redact(&text)));
    });
    receiver
}

/// The last lines, as one.
pub(super) fn last_words(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<&str> = text.lines().rev().take(LAST).map(str::trim).collect();
    lines.reverse();
    lines.join(" | ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use super::*;
    use crate::evidence::Redactor;

    #[tokio::test]
    async fn what_is_printed_in_parts_is_kept_without_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Redactor::default()).unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let ended = follow(reader, store, Path::new("gate.log").to_owned(), watch::channel(()).1);
        for part in ["first\n-----BEGIN PRIVATE", " KEY-----\nS3c", "ret\n-----END PRIVATE KEY-----\nTOK", "EN=S3cret"]
        {
            writer.write_all(part.as_bytes()).unwrap();
        }
        drop(writer);
        assert_eq!(ended.await.unwrap(), "first | *** | TOKEN=***");
        let text = std::fs::read_to_string(folder.path().join("gate.log")).unwrap();
        assert_eq!(text, "first\n***\nTOKEN=***");
    }
}
