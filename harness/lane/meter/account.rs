//! From the kernel's records to the processor time of each program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::processors::PERIOD;
use crate::evidence::{Bill, Program};

/// The name of the harness's own processes in the bill.
const HARNESS: &str = "the harness";

/// An event in the life of a process, with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// It came from another one, whose program it has; or, of a process that is there, another thread of it.
    Fork { at: u64, pid: u32, parent: u32 },
    /// It has become this program.
    Program { at: u64, pid: u32, name: String },
    /// One of its threads has worked for another period.
    Work { at: u64, pid: u32, thread: u32 },
    /// One of its threads has ended.
    End { at: u64, pid: u32, thread: u32 },
}

impl Event {
    fn at(&self) -> u64 {
        match self {
            Self::Fork { at, .. } | Self::Program { at, .. } | Self::Work { at, .. } | Self::End { at, .. } => *at,
        }
    }
}

/// All records of a measurement. They come from several rings, so they are put in order at the end.
#[derive(Debug, Default)]
pub(super) struct Account {
    events: Vec<Event>,
}

impl Account {
    pub(super) fn add(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Adds up what each program has used.
    pub(super) fn bill(mut self) -> Bill {
        self.events.sort_by_key(Event::at);
        let own = fs::read_to_string("/proc/self/comm").unwrap_or_default().trim_end().to_owned();
        // Not by its own name, which is another one after each build.
        let called = |name: String| if name == own { HARNESS.to_owned() } else { name };
        let mut names: BTreeMap<u32, String> = BTreeMap::from([(std::process::id(), HARNESS.to_owned())]);
        let mut programs: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        // The threads that have worked for a period, and have not ended.
        let mut working = BTreeSet::new();
        for event in self.events {
            match event {
                // Another thread of its parent's process has the same number.
                Event::Fork { pid, parent, .. } if pid == parent => {}
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
                Event::Work { pid, thread, .. } => {
                    working.insert(thread);
                    add(&mut programs, &names, pid, PERIOD);
                }
                // Since its last sample it has worked for half a period more, by and large.
                Event::End { pid, thread, .. } if working.remove(&thread) => {
                    add(&mut programs, &names, pid, PERIOD / 2);
                }
                Event::End { .. } => {}
            }
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

fn add(programs: &mut BTreeMap<String, (u64, u64)>, names: &BTreeMap<u32, String>, pid: u32, nanoseconds: u64) {
    let name = names.get(&pid).map_or("?", String::as_str);
    programs.entry(name.to_owned()).or_default().1 += nanoseconds;
}

pub(super) fn seconds(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_that_of_the_program_that_a_process_was_then() {
        let mut account = Account::default();
        let program = |at, pid, name: &str| Event::Program { at, pid, name: name.into() };
        let work = |at, pid| Event::Work { at, pid, thread: pid };
        // As two rings give them: not in order.
        for event in [
            Event::End { at: 9, pid: 7, thread: 7 },
            work(8, 7),
            work(6, 8),
            Event::Fork { at: 1, pid: 7, parent: 1 },
            program(2, 7, "env"),
            program(3, 7, "python3"),
            Event::Fork { at: 4, pid: 8, parent: 7 },
            // Another thread, which has done next to nothing.
            Event::Fork { at: 5, pid: 8, parent: 8 },
            Event::End { at: 7, pid: 8, thread: 9 },
            // The number is given again.
            Event::Fork { at: 10, pid: 8, parent: 99 },
            work(11, 8),
        ] {
            account.add(event);
        }
        let bill = account.bill();
        let period = seconds(PERIOD);
        let seen: Vec<(&str, u64, f64)> =
            bill.programs.iter().map(|one| (one.name.as_str(), one.starts, one.seconds / period)).collect();
        assert_eq!(seen, [("python3", 1, 2.5), ("?", 0, 1.0), ("env", 1, 0.0)]);
        assert!((bill.program_seconds / period - 3.5).abs() < 1e-9);
    }
}
