//! The processes that the kernel killed for want of memory while the gate ran: its own records.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// The most records that are read: more than the kernel's buffer holds.
const RECORDS: usize = 200_000;
/// Words of a record that tells of it.
const WORDS: [&str; 3] = ["Killed process", "oom-kill", "Out of memory"];

/// The records since so long ago; none where they cannot be read, as in a container without the right to.
pub(super) fn killed(since: Duration) -> Vec<String> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let Ok(mut log) = OpenOptions::new().read(true).custom_flags(flags).open(Path::new("/dev/kmsg")) else {
        return Vec::new();
    };
    let Some(now) = uptime() else { return Vec::new() };
    let mut record = [0; 8192];
    let mut kept = Vec::new();
    for _ in 0..RECORDS {
        match log.read(&mut record) {
            Ok(read @ 1..) => kept.extend(line(&String::from_utf8_lossy(&record[..read]), now.saturating_sub(since))),
            // Overwritten while it was read: the next one is there.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::PIPE) => {}
            _ => break,
        }
    }
    kept
}

/// The clock that the kernel's records go by.
fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(text.split(' ').next()?.parse().ok()?).ok()
}

/// The text of a record (`priority,number,microseconds,flags;text`) that tells of it and is not older.
fn line(record: &str, from: Duration) -> Option<String> {
    let (head, text) = record.split_once(';')?;
    let at = Duration::from_micros(head.split(',').nth(2)?.parse().ok()?);
    let text = text.lines().next().unwrap_or_default();
    (at >= from && WORDS.iter().any(|words| text.contains(words))).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("3,1,5000000,-;Memory cgroup out of memory: Killed process 7 (python) anon-rss:9kB\n K=v\n", true)]
    #[case("3,1,4000000,-;Out of memory: Killed process 7 (python)\n", false)]
    #[case("6,1,6000000,-;eth0: link up\n", false)]
    #[case("no record", false)]
    fn a_record_that_tells_of_it(#[case] record: &str, #[case] tells: bool) {
        assert_eq!(line(record, Duration::from_secs(5)).is_some(), tells);
    }
}
