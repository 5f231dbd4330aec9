//! The kernel's records of processes that start, become programs, work and end, from one ring per processor.
//!
//! Work is sampled. The kernel could also tell what a thread has used when it ends (`inherit_stat`), but writes that from
//! whichever processor it ends on into the rings of all of them, which are made for one writer each: in a crowd records
//! were torn and lost.

use std::fs;

use perf_event::events::Software;
use perf_event::{Builder, SampleFlag, Sampler};

use super::account::{Account, Event};

/// Nanoseconds of a thread's own time between two samples of it.
pub(super) const PERIOD: u64 = 250_000;
/// Bytes of a ring, locked into memory: half a second's samples are a tenth of a megabyte.
const RING: usize = 4 * 1024 * 1024;
/// Each process that starts costs an event for each processor; on machines with more the measurement would itself be
/// what costs.
const MOST: usize = 32;

/// Kinds of records, as `linux/perf_event.h` numbers them.
const LOST: u32 = 2;
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const SAMPLE: u32 = 9;
/// Set where a process has got its name by starting a program.
const BY_EXEC: u16 = 1 << 13;
/// Bytes at the end of each record that is no sample: the process, the thread, the time.
const TRAILER: usize = 16;

/// A ring for each processor.
pub(super) struct Processors {
    rings: Vec<Sampler>,
    pub(super) lost: u64,
}

impl Processors {
    /// Counts this thread, and all processes and threads that come from it.
    pub(super) fn watch() -> std::io::Result<Self> {
        let online = online(&fs::read_to_string("/sys/devices/system/cpu/online")?);
        if online.is_empty() || online.len() > MOST {
            return Err(std::io::Error::other(format!("{} processors, of {MOST} at most", online.len())));
        }
        let ring = |processor: usize| {
            let mut builder = Builder::new(Software::TASK_CLOCK);
            builder.observe_self().one_cpu(processor).enabled(true).include_kernel();
            builder.inherit(true).comm(true).comm_exec(true).task(true);
            builder.sample_period(PERIOD).sample(SampleFlag::TID | SampleFlag::TIME).sample_id_all(true);
            builder.build()?.sampled(RING)
        };
        let rings: std::io::Result<Vec<Sampler>> = online.into_iter().map(ring).collect();
        Ok(Self { rings: rings?, lost: 0 })
    }

    /// Takes what the kernel has written since this was last called.
    pub(super) fn empty(&mut self, account: &mut Account) {
        for ring in &mut self.rings {
            while let Some(record) = ring.next_record() {
                let bytes = record.to_contiguous();
                match event(record.ty(), record.misc(), &bytes) {
                    Some(event) => account.add(event),
                    None if record.ty() == LOST => self.lost += word(&bytes, 8).unwrap_or(1),
                    None => {}
                }
            }
        }
    }
}

/// Reads a record without its header. Its time is at its end.
fn event(kind: u32, misc: u16, bytes: &[u8]) -> Option<Event> {
    let at = word(bytes, bytes.len().checked_sub(8)?)?;
    let (pid, second) = (half(bytes, 0)?, half(bytes, 4)?);
    match kind {
        COMM if misc & BY_EXEC != 0 => {
            let name = bytes.get(8..bytes.len().checked_sub(TRAILER)?)?;
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            Some(Event::Program { at, pid, name: String::from_utf8_lossy(name).into_owned() })
        }
        FORK => Some(Event::Fork { at, pid, parent: second }),
        EXIT => Some(Event::End { at, pid, thread: half(bytes, 8)? }),
        SAMPLE => Some(Event::Work { at, pid, thread: second }),
        _ => None,
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// The numbers in a list such as `0-3,8`.
fn online(list: &str) -> Vec<usize> {
    let range = |item: &str| {
        let (from, to) = item.split_once('-').unwrap_or((item, item));
        Some(from.parse::<usize>().ok()?..=to.parse::<usize>().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn processors_are_listed() {
        assert_eq!(online("0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(online("0\n"), [0]);
        assert!(online("what\n").is_empty());
    }

    #[test]
    fn the_kernel_tells_of_a_process() {
        // Not every kernel lets everybody measure: then a bill says so.
        let Ok(mut processors) = Processors::watch() else { return };
        let work = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        let ended = Command::new("sh").args(["-c", work]).status();
        assert!(ended.is_ok_and(|status| status.success()));
        let mut account = Account::default();
        processors.empty(&mut account);
        let bill = account.bill();
        let shell = bill.programs.iter().find(|program| program.name == "sh");
        assert!(shell.is_some_and(|shell| shell.starts == 1 && shell.seconds > 0.0), "{bill:?}");
    }

    #[test]
    fn records_are_read_and_torn_ones_are_not() {
        let bytes = |parts: &[&[u8]]| parts.concat();
        let (one, two, time) = (1_u32.to_ne_bytes(), 2_u32.to_ne_bytes(), 9_u64.to_ne_bytes());
        let trailer = bytes(&[&two, &two, &time]);
        let comm = bytes(&[&two, &two, b"nerdctl\0", &trailer]);
        let program = Event::Program { at: 9, pid: 2, name: "nerdctl".into() };
        assert_eq!(event(COMM, BY_EXEC, &comm), Some(program));
        assert_eq!(event(COMM, 0, &comm), None, "a thread that names itself");
        let sample = bytes(&[&two, &one, &time]);
        assert_eq!(event(SAMPLE, 0, &sample), Some(Event::Work { at: 9, pid: 2, thread: 1 }));
        let task = bytes(&[&two, &one, &two, &one, &time, &trailer]);
        assert_eq!(event(FORK, 0, &task), Some(Event::Fork { at: 9, pid: 2, parent: 1 }));
        assert_eq!(event(EXIT, 0, &task), Some(Event::End { at: 9, pid: 2, thread: 2 }));
        for length in 0..8 {
            assert_eq!(event(SAMPLE, 0, &sample[..length]), None);
        }
        assert_eq!(event(COMM, BY_EXEC, &comm[..12]), None);
    }
}
