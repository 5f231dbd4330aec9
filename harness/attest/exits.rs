//! The components of a profile that ended while their gate observed them, and which of them stay ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::events::TaskEvent;
use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Kind, Mismatch};
use crate::plan::Gate;

/// For how long a component may be restarted, or its container removed by who made it, before its end is final.
const SETTLING: Duration = Duration::from_millis(700);
/// So many ends of one component are a crash loop, whatever restarts it.
const LOOP: usize = 3;
/// The most that is kept: a crash loop of a whole night is told by its beginning.
const KEPT: usize = 50;
/// The most signals that Linux has: above it a status is the program's own.
const SIGNALS: u32 = 64;

/// The ends of a gate's components, as far as they were observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Exits {
    /// The reason why containerd's events cannot be followed at present; none when they can.
    pub problem: Option<String>,
    /// The components that were seen to start.
    pub started: BTreeSet<String>,
    /// The ends, in the order in which they came.
    pub exits: Vec<Exit>,
}

/// The end of a component's main process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// The component, such as `controller-0`.
    pub component: String,
    /// Its container's id.
    pub container: String,
    /// 128 and the signal's number when a signal ended it. None when it still runs after a process of it was killed for
    /// want of memory.
    pub status: Option<u32>,
    /// The time, by the machine's clock.
    pub at: Option<Timestamp>,
    /// Seconds since the gate began to observe, by a clock that nobody sets.
    pub seconds: f64,
    /// The time that it had run; none when its start was not observed.
    pub ran_for_seconds: Option<f64>,
    /// True when the kernel killed one of its processes for want of memory.
    pub out_of_memory: bool,
    /// True when it was started again.
    pub restarted: bool,
    /// True when its container was removed: whoever removes it has ended it.
    pub removed: bool,
}

/// A component's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) component: String,
    /// True when containerd restarts it (`containerd.io/restart.…`).
    pub(super) is_restarted: bool,
}

/// The events so far.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) seen: Exits,
    /// By id. None for a container that is no component: k1s's own apps come and go.
    pub(super) known: BTreeMap<String, Option<Known>>,
    began: Instant,
    last: Instant,
    running_since: BTreeMap<String, Instant>,
    killed_for_memory: BTreeSet<String>,
}

impl Tally {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            seen: Exits::default(),
            known: BTreeMap::new(),
            began: now,
            last: now,
            running_since: BTreeMap::new(),
            killed_for_memory: BTreeSet::new(),
        }
    }

    /// Takes in an event. Those of containers that are no components change nothing.
    pub(super) fn note(&mut self, event: &TaskEvent, now: Instant) {
        self.last = now;
        match event {
            TaskEvent::Started(id) => self.started(id, Some(now)),
            TaskEvent::Exited { container, status, at } => self.exited(container, Some(*status), *at, now),
            TaskEvent::OutOfMemory(id) => {
                // It comes before the end of the main process or after it, or alone.
                let its = |exit: &&mut Exit| exit.container == *id && !exit.restarted;
                if let Some(exit) = self.seen.exits.iter_mut().rev().find(its) {
                    exit.out_of_memory = true;
                } else {
                    self.killed_for_memory.insert(id.clone());
                    self.exited(id, None, None, now);
                }
            }
            TaskEvent::Removed(id) => {
                self.seen.exits.iter_mut().filter(|exit| exit.container == *id).for_each(|exit| exit.removed = true);
            }
        }
    }

    /// A task that was found: its start or its end may have been missed.
    pub(super) fn found(&mut self, id: &str, exit_status: Option<u32>, now: Instant) {
        let is_known =
            self.seen.exits.iter().any(|exit| exit.container == id && exit.status.is_some() && !exit.restarted);
        match exit_status {
            Some(status) if !is_known => self.exited(id, Some(status), None, now),
            None if !self.running_since.contains_key(id) => self.started(id, None),
            _ => {}
        }
    }

    fn started(&mut self, id: &str, since: Option<Instant>) {
        let Some(Some(known)) = self.known.get(id) else { return };
        self.seen.started.insert(known.component.clone());
        self.killed_for_memory.remove(id);
        self.seen.exits.iter_mut().filter(|exit| exit.container == *id).for_each(|exit| exit.restarted = true);
        if let Some(since) = since {
            self.running_since.insert(id.to_owned(), since);
        }
    }

    fn exited(&mut self, id: &str, status: Option<u32>, at: Option<Timestamp>, now: Instant) {
        let Some(Some(known)) = self.known.get(id) else { return };
        let ran_for = self.running_since.get(id).map(|since| now.saturating_duration_since(*since).as_secs_f64());
        let exit = Exit {
            component: known.component.clone(),
            container: id.to_owned(),
            status,
            at,
            seconds: now.saturating_duration_since(self.began).as_secs_f64(),
            ran_for_seconds: ran_for,
            out_of_memory: self.killed_for_memory.contains(id),
            restarted: false,
            removed: false,
        };
        let open = |known: &&mut Exit| known.container == id && known.status.is_none() && !known.restarted;
        let has_room = self.seen.exits.len() < KEPT;
        match self.seen.exits.iter_mut().find(open) {
            // A process of it was killed for want of memory, and then it ended.
            Some(known) => *known = exit,
            None if has_room => self.seen.exits.push(exit),
            None => {}
        }
    }

    /// The ends that nothing will undo, in the order in which they came.
    pub(super) fn final_ends(&self, now: Instant) -> impl Iterator<Item = &Exit> {
        let ends_of = move |component: &str| self.seen.deaths().filter(|exit| exit.component == component).count();
        let settled = move |exit: &Exit| now.saturating_duration_since(self.began).as_secs_f64() - exit.seconds;
        let comes_back = move |exit: &Exit| {
            let known = self.known.get(&exit.container).and_then(Option::as_ref);
            exit.restarted || known.is_some_and(|known| known.is_restarted)
        };
        let is_final = move |exit: &&Exit| {
            let for_good = exit.out_of_memory || !comes_back(exit) || ends_of(&exit.component) >= LOOP;
            for_good && settled(exit) >= SETTLING.as_secs_f64()
        };
        self.seen.deaths().filter(is_final)
    }

    /// For how long nothing has happened.
    pub(super) fn quiet_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last)
    }
}

/// The ends of components, as a watch has followed them until the stop.
pub static PROBE: Probe<Exits> = Probe {
    name: "component-exits",
    of: Gate::starts_profile,
    moment: Moment::Stop,
    after: After::Nobody,
    observe: Observe::Watch,
    checks: &[Rule::new(
        "attest::component-exits",
        "every component of the profile running, by containerd's events, until the gate stops it",
        "see the component's log in RUN_DIR/triage",
        |seen, _| seen.judge(),
    )],
    triage: &[],
};

impl Exits {
    /// The ends that are no work of who made the container.
    pub fn deaths(&self) -> impl DoubleEndedIterator<Item = &Exit> {
        self.exits.iter().filter(|exit| !exit.removed)
    }

    /// None ended while it was observed.
    pub fn judge(&self) -> Result<(), Mismatch> {
        if let Some(exit) = self.deaths().next() {
            return Err(Mismatch::new(exit.to_string(), &self.deaths().collect::<Vec<_>>()));
        }
        match &self.problem {
            Some(problem) => {
                let what = format!("containerd's events were not followed to the end: {problem}");
                Err(Mismatch::new(what, self).of(Kind::Containerd))
            }
            None if self.started.is_empty() => Err("no component was seen to start".into()),
            None => Ok(()),
        }
    }
}

impl Exit {
    /// Describes how it ended, without naming the component.
    pub fn how(&self) -> String {
        let killed = if self.out_of_memory { " (out of memory)" } else { "" };
        match (self.status, self.signal()) {
            (None, _) => "had a process killed by the kernel (out of memory)".to_owned(),
            (Some(status), Some(signal)) => format!("was ended by {signal} (status {status}){killed}"),
            (Some(status), None) => format!("exited with status {status}{killed}"),
        }
    }

    /// The signal that ended it, when one did.
    pub fn signal(&self) -> Option<String> {
        let number = self.status?.checked_sub(128).filter(|number| (1..=SIGNALS).contains(number))?;
        let known = NAMES.iter().find(|(known, _)| *known == number);
        Some(known.map_or_else(|| format!("signal {number}"), |(_, name)| format!("SIG{name}")))
    }
}

impl Display for Exit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.component, self.how())?;
        self.ran_for_seconds.map_or(Ok(()), |seconds| write!(f, " after {seconds:.1} s"))
    }
}

const NAMES: [(u32, &str); 13] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (11, "SEGV"),
    (13, "PIPE"),
    (15, "TERM"),
    (31, "SYS"),
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ID: &str = "c0ffee";

    fn tally(is_restarted: bool) -> (Tally, Instant) {
        let now = Instant::now();
        let mut tally = Tally::new(now);
        tally.known.insert(ID.to_owned(), Some(Known { component: "controller-0".to_owned(), is_restarted }));
        tally.known.insert("app".to_owned(), None);
        (tally, now)
    }

    fn exited(id: &str, status: u32) -> TaskEvent {
        TaskEvent::Exited { container: id.to_owned(), status, at: None }
    }

    fn started(id: &str) -> TaskEvent {
        TaskEvent::Started(id.to_owned())
    }

    fn oom() -> TaskEvent {
        TaskEvent::OutOfMemory(ID.to_owned())
    }

    fn removed() -> TaskEvent {
        TaskEvent::Removed(ID.to_owned())
    }

    /// Events a tenth of a second apart; what is final, and what is said, five seconds later.
    fn after(events: &[TaskEvent], is_restarted: bool) -> (Option<String>, Vec<String>) {
        let (mut tally, begin) = tally(is_restarted);
        let mut now = begin;
        for event in events {
            now += Duration::from_millis(100);
            tally.note(event, now);
        }
        let last = tally.final_ends(now + Duration::from_secs(5)).next().map(ToString::to_string);
        (last, tally.seen.deaths().map(ToString::to_string).collect())
    }

    #[rstest]
    #[case::exits_with_1(&[started(ID), exited(ID, 1)], Some("controller-0 exited with status 1 after 0.1 s"))]
    #[case::exits_with_0(&[started(ID), exited(ID, 0)], Some("controller-0 exited with status 0 after 0.1 s"))]
    #[case::a_start_that_was_missed(&[exited(ID, 2)], Some("controller-0 exited with status 2"))]
    #[case::a_signal(&[started(ID), exited(ID, 139)], Some("controller-0 was ended by SIGSEGV (status 139) after 0.1 s"))]
    #[case::a_status_beyond_signals(&[started(ID), exited(ID, 255)], Some("controller-0 exited with status 255 after 0.1 s"))]
    #[case::memory_first(
        &[started(ID), oom(), exited(ID, 137)],
        Some("controller-0 was ended by SIGKILL (status 137) (out of memory) after 0.2 s")
    )]
    #[case::memory_last(
        &[started(ID), exited(ID, 137), oom()],
        Some("controller-0 was ended by SIGKILL (status 137) (out of memory) after 0.1 s")
    )]
    #[case::memory_of_a_child_alone(
        &[started(ID), oom()],
        Some("controller-0 had a process killed by the kernel (out of memory) after 0.1 s")
    )]
    #[case::an_app_of_k1s(&[started("app"), exited("app", 1)], None)]
    #[case::removed_by_who_made_it(&[started(ID), exited(ID, 137), removed()], None)]
    #[case::nothing(&[started(ID)], None)]
    fn what_is_final(#[case] events: &[TaskEvent], #[case] says: Option<&str>) {
        let (last, deaths) = after(events, false);
        assert_eq!(last.as_deref(), says);
        assert_eq!(deaths, says.into_iter().map(str::to_owned).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_restarted_is_final_when_it_loops() {
        let once = [started(ID), exited(ID, 1), started(ID)];
        assert_eq!(after(&once, true).0, None);
        assert_eq!(after(&once, true).1.len(), 1);
        // Between an end and the restart that is to come, too.
        assert_eq!(after(&once[..2], true).0, None);
        let thrice: Vec<TaskEvent> = once.iter().cycle().take(8).cloned().collect();
        assert!(after(&thrice, true).0.is_some());
        // Somebody restarts what containerd does not.
        assert_eq!(after(&once, false).0, None);
    }

    #[test]
    fn an_end_is_not_final_at_once() {
        let (mut tally, begin) = tally(false);
        tally.note(&started(ID), begin);
        tally.note(&exited(ID, 1), begin);
        assert_eq!(tally.final_ends(begin).next(), None);
        assert!(tally.final_ends(begin + SETTLING).next().is_some());
    }

    #[test]
    fn what_was_missed_is_found() {
        let (mut tally, begin) = tally(false);
        tally.found(ID, Some(3), begin);
        tally.found(ID, Some(3), begin);
        tally.found("app", Some(3), begin);
        assert_eq!(tally.seen.exits.len(), 1);
        assert_eq!(tally.seen.exits[0].status, Some(3));
    }

    #[test]
    fn how_long_it_ran_is_not_told_by_the_machines_clock() {
        let (mut tally, begin) = tally(false);
        tally.note(&started(ID), begin);
        let long_ago = Timestamp::from_second(0).ok();
        let exit = TaskEvent::Exited { container: ID.to_owned(), status: 1, at: long_ago };
        tally.note(&exit, begin + Duration::from_secs(2));
        assert_eq!((tally.seen.exits[0].ran_for_seconds, tally.seen.exits[0].at), (Some(2.0), long_ago));
    }

    #[test]
    fn a_crash_loop_does_not_fill_the_evidence() {
        let events: Vec<TaskEvent> = [started(ID), exited(ID, 1)].into_iter().cycle().take(1000).collect();
        assert_eq!(after(&events, true).1.len(), KEPT);
    }
}
