//! Measures where a lane's processor time goes.
//!
//! Two sources, so that one vouches for the other: the kernel's sum over the cgroups of the lane and its containers, and
//! samples of what works in them, which the kernel writes into a ring per processor (`perf_event_open` with `inherit`).
//! Process accounting (`acct`) counts in hundredths of a second, rounded down from ticks of the clock: of 100 starts of
//! nerdctl it saw a quarter of the time.

mod account;
mod cgroup;
mod processors;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::evidence::Bill;
use account::Account;
use cgroup::Group;
use processors::Processors;

/// The interval at which the rings are emptied: they hold several times what is written meanwhile.
const EMPTIED: Duration = Duration::from_millis(500);

/// A measurement under way: of the process that started it and of all that come from it.
pub(super) struct Meter {
    group: Result<Group, String>,
    reader: Result<Reader, String>,
}

/// The thread that empties the rings, until the sender is dropped.
type Reader = (Sender<()>, JoinHandle<(Processors, Account)>);

impl Meter {
    /// Moves this process into a cgroup of that name and begins to count. To be called by the thread that starts all
    /// others. A kernel that refuses either is told of in the bill.
    pub(super) fn begin(name: &str) -> Self {
        let group = Group::enter(name).map_err(|error| format!("no cgroup for the lane: {error}"));
        let reader = Processors::watch().map_err(|error| format!("programs cannot be told apart: {error}"));
        let reader = reader.map(|processors| {
            let (stop, stopped) = channel();
            (stop, std::thread::spawn(move || read(processors, &stopped)))
        });
        Self { group, reader }
    }

    /// Ends the measurement. `containers` are the names of the cgroups that hold the lane's containers.
    pub(super) fn end(self, containers: &[String]) -> Bill {
        let mut incomplete = Vec::new();
        let read = self.reader.and_then(|(stop, reader)| {
            drop(stop);
            reader.join().map_err(|_| "the reader of the kernel's records ended early".to_owned())
        });
        let account = match read {
            Ok((mut processors, mut account)) => {
                processors.empty(&mut account);
                if processors.lost > 0 {
                    incomplete.push(format!("{} records of the kernel's were lost", processors.lost));
                }
                account
            }
            Err(why) => {
                incomplete.push(why);
                Account::default()
            }
        };
        let group = self.group.and_then(|group| group.seconds(containers).map_err(|error| error.to_string()));
        let cgroup_seconds = group.map_err(|why| incomplete.push(why)).ok();
        Bill { incomplete, ..account.bill() }.beside(cgroup_seconds)
    }
}

/// Empties the rings until the other end is dropped.
fn read(mut processors: Processors, stopped: &Receiver<()>) -> (Processors, Account) {
    let mut account = Account::default();
    while stopped.recv_timeout(EMPTIED) == Err(RecvTimeoutError::Timeout) {
        processors.empty(&mut account);
    }
    (processors, account)
}
