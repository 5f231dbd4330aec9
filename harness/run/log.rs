//! What a gate's process prints: kept line by line, without secrets.

use std::io::{PipeReader, Read as _};
use std::path::PathBuf;

use tokio::sync::oneshot;

use crate::evidence::Store;

/// The most that is kept: a process that prints without end has said enough by then.
const LIMIT: usize = 1024 * 1024;

/// Follows a process's output until nobody can write to it any more. What is returned tells when.
pub(super) fn follow(mut output: PipeReader, store: Store, file: PathBuf) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    // A thread of its own, which the end of the supervisor does not wait for.
    std::thread::spawn(move || {
        let mut text = Vec::new();
        // The log is a help; that it cannot be written is said by the evidence, which cannot be either.
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
        let _ = sender.send(());
    });
    receiver
}
