//! The events that end a process of the run: a signal, or the end of another process.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Signals that ask for an end: it is put in order, whichever it is.
pub(super) fn end_by_signal() -> std::io::Result<JoinSet<()>> {
    let mut signals = JoinSet::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut asked = signal(kind)?;
        signals.spawn(async move { asked.recv().await.unwrap_or_default() });
    }
    Ok(signals)
}

/// The end of a process. A pidfd becomes readable then: no polling, and no other process by a reused number.
pub(super) fn end_of(process: OwnedFd) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        wait_for_end_of(&process);
        let _ = sender.send(());
    });
    receiver
}

/// Waits for it in this thread.
pub(super) fn wait_for_end_of(process: &OwnedFd) {
    while poll(&mut [PollFd::new(process, PollFlags::IN)], None) == Err(Errno::INTR) {}
}
