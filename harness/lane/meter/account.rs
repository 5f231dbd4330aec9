//! From the kernel's records to the processor time of each program.

use std::collections::BTreeMap;
use std::fs;

use crate::evidence::{Bill, Program};

/// The name of the harness's own processes in the bill.
const HARNESS: &str = "the harness";

/// An event in the life of a process, with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// It came from another one, whose program it has.
    Fork { at: u64, pid: u32, parent: u32 },
    /// It has become this program.
    Program { at: u64, pid: u32, name: String },
    /// One of its threads has ended, after so much processor time on one of the processors.
    Ended { at: u64, pid: u32, nanoseconds: u64 },
}

impl Event {
    fn at(&self) -> u64 {
        match self {
            Self::Fork { at, .. } | Self::Program { at, .. } | Self::Ended { at, .. } => *at,
        }
    }
}

/// All records of a measurement. They come from several rings, so they are put in order at the end.
#[derive(Debug, Default)]
pub(super) struct Account {
    events: Vec<Event>,
    /// Processes that live: their number, name and nanoseconds so far.
    living: Vec<(u32, String, u64)>,
}

impl Account {
    pub(super) fn add(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn tells_of_an_end(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Ended { .. }))
    }

    /// Adds what lives in this PID namespace. The kernel tells of a thread's time when it ends.
    pub(super) fn count_the_living(&mut self) {
        let numbered = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
        for pid in fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(numbered) {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            let used = |thread: fs::DirEntry| {
                fs::read_to_string(thread.path().join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok()
            };
            self.living.push((pid, name.trim_end().to_owned(), threads.filter_map(used).sum()));
        }
    }

    /// Adds up what each program has used.
    pub(super) fn bill(mut self) -> Bill {
        self.events.sort_by_key(Event::at);
        let own = fs::read_to_string("/proc/self/comm").unwrap_or_default().trim_end().to_owned();
        // Not by its own name, which is another one after each build.
        let called = |name: String| if name == own { HARNESS.to_owned() } else { name };
        let mut names: BTreeMap<u32, String> = BTreeMap::from([(std::process::id(), HARNESS.to_owned())]);
        let mut programs: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for event in self.events {
            match event {
                Event::Fork { pid, parent, .. } => {
                    match names.get(&parent).cloned() {
                        Some(name) => names.insert(pid, name),
                        None => names.remove(&pid),
                    };
                }
                Event::Program { pid, name, .. } => {
                    let name = called(name);
                    programs.entry(name.clone()).or_default().0 += 1;
                    names.insert(pid, name);
                }
                Event::Ended { pid, nanoseconds, .. } => {
                    let name = names.get(&pid).map_or("?", String::as_str);
                    programs.entry(name.to_owned()).or_default().1 += nanoseconds;
                }
            }
        }
        for (pid, name, nanoseconds) in self.living {
            let name = names.get(&pid).cloned().unwrap_or_else(|| called(name));
            programs.entry(name).or_default().1 += nanoseconds;
        }
        let program = |(name, (starts, nanoseconds))| Program { name, starts, seconds: seconds(nanoseconds) };
        let mut programs: Vec<Program> = programs.into_iter().map(program).collect();
        programs.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        let sum = |programs: &[Program], of: &dyn Fn(&Program) -> bool| {
            programs.iter().filter(|program| of(program)).map(|program| program.seconds).sum()
        };
        Bill {
            program_seconds: sum(&programs, &|_| true),
            harness_seconds: sum(&programs, &|program| program.name == HARNESS),
            programs,
            ..Bill::default()
        }
    }
}

pub(super) fn seconds(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_that_of_the_program_that_a_process_was_last() {
        let mut account = Account::default();
        let program = |at, pid, name: &str| Event::Program { at, pid, name: name.into() };
        // As two rings give them: not in order.
        for event in [
            Event::Ended { at: 9, pid: 7, nanoseconds: 2_000_000_000 },
            Event::Ended { at: 6, pid: 8, nanoseconds: 500_000_000 },
            Event::Fork { at: 1, pid: 7, parent: 1 },
            program(2, 7, "env"),
            program(3, 7, "python3"),
            Event::Fork { at: 4, pid: 8, parent: 7 },
            // The number is given again.
            Event::Fork { at: 10, pid: 8, parent: 99 },
            Event::Ended { at: 11, pid: 8, nanoseconds: 250_000_000 },
        ] {
            account.add(event);
        }
        account.living.push((12, "containerd".into(), 1_000_000_000));
        let bill = account.bill();
        let seen: Vec<(&str, u64, f64)> =
            bill.programs.iter().map(|one| (one.name.as_str(), one.starts, one.seconds)).collect();
        assert_eq!(seen, [("python3", 1, 2.5), ("containerd", 0, 1.0), ("?", 0, 0.25), ("env", 1, 0.0)]);
        assert!((bill.program_seconds - 3.75).abs() < 1e-9);
    }
}
