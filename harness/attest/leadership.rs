//! The leaders of k1s-ha-min over time: the lease key, watched from before the profile starts until all observations
//! are made.
//!
//! `WorkerBee` applies to controller 0 whoever leads, and k1s answers a controller that does not lead with a 409. By
//! the time that the 409 is seen another one may lead: so what counts is who led all along.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::AbortHandle;

use super::leader;
use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Failure, Mismatch};
use crate::plan::{Component, Gate, Profile};

/// The interval at which the key is read.
const PACE: Duration = Duration::from_millis(250);
/// How long a renewal is waited for: more than k1s's interval, less than the lifetime of its lease.
const RENEWAL: Duration = Duration::from_secs(9);
/// The longest lifetime of a lease, in seconds: so long nobody replaces a leader that died. k1s's is 15.
const LIFETIME: i64 = 30;

/// As often at the least: an honest gate reads it dozens of times, from the start of its profile to the last look.
const LEAST: usize = 8;

/// The observation of the key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Leadership {
    /// The number of times that etcd answered.
    pub looks: usize,
    /// The leaders in order, each with the time from which it led.
    pub changes: Vec<Change>,
    /// The lease of who led last.
    pub lease: Renewals,
}

/// The lease that is kept alive, and its renewals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Renewals {
    /// Seconds that it lasts when nobody renews it; none when the key had no lease.
    pub granted: Option<i64>,
    /// Seconds that it had left when it was last read.
    pub left: Option<i64>,
    /// The times at which it was found to have more left than before.
    pub renewed: Vec<f64>,
}

/// From then on somebody else led, or nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Seconds after the validation began.
    pub seconds: f64,
    /// The controller's id; none when there was no key.
    pub leader: Option<String>,
}

/// The leader's key over time, as a watch has read it from before the profile was up.
pub static PROBE: Probe<Leadership> = Probe {
    name: "leadership",
    of: Gate::elects_leader,
    moment: Moment::Last,
    after: After::These(&["logs", "containers"]),
    observe: Observe::Ask(|scene| {
        Box::pin(async move {
            let watch = scene.leadership.as_ref().ok_or_else(|| {
                Failure::new("nobody watched who leads")
                    .expected("a watch from before the profile was up")
                    .seen("none")
                    .to_be_reported()
            })?;
            watch.until_renewed().await;
            Ok(watch.so_far())
        })
    }),
    checks: &[
        Rule::new(
            "attest::leadership",
            "one controller that leads from the profile's start until all observations are made",
            "see the controllers' logs at that time: a leader that cannot renew its lease for 15 s loses it",
            |seen, case| seen.judge(case.profile),
        ),
        Rule::new(
            "attest::lease-renewal",
            "a leader that renews its lease, which lasts half a minute at most",
            "see the leader's log: it renews its lease every 5 s",
            |seen, _| judge_lease(seen),
        ),
    ],
    triage: &[],
};

/// The watch; it ends when this is dropped.
pub struct Watch {
    seen: Arc<Mutex<Leadership>>,
    task: AbortHandle,
}

impl Watch {
    /// Begins to read the key.
    pub fn begin(state_root: &Path, project: &str, profile: Profile) -> Self {
        let seen = Arc::<Mutex<Leadership>>::default();
        let (state_root, project) = (state_root.to_owned(), project.to_owned());
        let kept = Arc::clone(&seen);
        let begin = Instant::now();
        let task = tokio::spawn(async move {
            loop {
                // An etcd that does not answer yet, or no more, says nothing about who leads.
                if let Some(leader) = leader::now(&state_root, &project, profile).await {
                    let seconds = begin.elapsed().as_secs_f64();
                    kept.lock().unwrap_or_else(PoisonError::into_inner).note(seconds, leader);
                }
                tokio::time::sleep(PACE).await;
            }
        });
        Self { seen, task: task.abort_handle() }
    }

    /// Waits until the leader's lease is seen to be renewed, when that is still to be seen. By the time that a profile is
    /// up it mostly has been: the leader does it every five seconds.
    pub async fn until_renewed(&self) {
        let begin = Instant::now();
        while self.so_far().lease.renewed.is_empty() && begin.elapsed() < RENEWAL {
            tokio::time::sleep(PACE).await;
        }
    }

    /// Returns what was observed so far.
    pub fn so_far(&self) -> Leadership {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Leadership {
    fn note(&mut self, seconds: f64, led: Option<leader::Led>) {
        self.looks += 1;
        let (leader, lifetime) = led.map_or((None, None), |(leader, lifetime)| (Some(leader), lifetime));
        let before = self.changes.last().and_then(|change| change.leader.as_ref());
        if leader.as_ref() != before {
            self.changes.push(Change { seconds, leader });
            self.lease = Renewals::default();
        }
        self.lease.note(seconds, lifetime);
    }

    /// The first who led that is not controller 0, or else the last who led.
    pub fn to_blame(&self) -> Option<&str> {
        let mut leaders = self.changes.iter().filter_map(|change| change.leader.as_deref());
        leaders.clone().find(|leader| !leader.ends_with("controller-0")).or_else(|| leaders.next_back())
    }

    /// One of the profile's controllers led, and the same one all along.
    pub fn judge(&self, profile: Profile) -> Result<(), Mismatch> {
        let first = self.changes.first().ok_or_else(|| Mismatch::new("nobody led at any time", &self.looks))?;
        if self.looks < LEAST {
            let what = format!("the key was read {} times, which tells of a moment and not of all along", self.looks);
            return Err(what.into());
        }
        let controllers: Vec<String> = profile
            .components()
            .iter()
            .filter(|component| matches!(component, Component::Controller(_)))
            .map(|component| format!("{profile}-{component}"))
            .collect();
        let is_known = |change: &Change| change.leader.as_ref().is_none_or(|leader| controllers.contains(leader));
        if let Some(change) = self.changes.iter().find(|change| !is_known(change)) {
            let leader = change.leader.as_deref().unwrap_or_default();
            return Err(Mismatch::new(format!("{leader} led, which is no controller of {profile}"), &self.changes));
        }
        match self.changes.get(1) {
            None if first.leader.is_some() => Ok(()),
            None => Err("nobody led at any time".into()),
            Some(change) => {
                let name = |change: &Change| change.leader.clone().unwrap_or_else(|| "nobody".to_owned());
                let what =
                    format!("leadership moved from {} to {} after {:.1} s", name(first), name(change), change.seconds);
                Err(Mismatch::new(what, &self.changes))
            }
        }
    }
}

impl Renewals {
    fn note(&mut self, seconds: f64, lifetime: Option<(i64, i64)>) {
        let Some((left, granted)) = lifetime else { return };
        if self.left.is_some_and(|before| left > before) {
            self.renewed.push(seconds);
        }
        (self.left, self.granted) = (Some(left), Some(granted));
    }
}

/// The leader keeps its lease alive, and one that died would soon be replaced.
pub fn judge_lease(seen: &Leadership) -> Result<(), Mismatch> {
    let lease = &seen.lease;
    match lease.granted {
        Some(granted) if granted > LIFETIME => {
            let what = format!(
                "the leader's lease lasts {granted} s, and a dead leader as long; at most {LIFETIME} s are good"
            );
            Err(Mismatch::new(what, lease)
                .remedy("see where the leader takes the lifetime of its lease from: AE_CONTROLPLANE_LEASE_TTL_SECONDS"))
        }
        _ if lease.renewed.is_empty() => Err(Mismatch::new("the leader's lease was never renewed", lease)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_kept_and_a_time_before_the_first_leader_is_none() {
        let mut seen = Leadership::default();
        let leaders = [None, None, Some("a"), Some("a"), None, Some("b")];
        for (second, leader) in (0_u32..).zip(leaders) {
            seen.note(f64::from(second), leader.map(|leader| (leader.to_owned(), None)));
        }
        let kept: Vec<_> = seen.changes.iter().map(|change| (change.seconds, change.leader.as_deref())).collect();
        assert_eq!(kept, [(2.0, Some("a")), (4.0, None), (5.0, Some("b"))]);
        assert_eq!(seen.looks, 6);
    }

    #[test]
    fn another_than_controller_0_is_to_blame_whenever_it_led() {
        let mut seen = Leadership::default();
        assert_eq!(seen.to_blame(), None);
        seen.note(1.0, Some(("k1s-ha-min-controller-0".into(), None)));
        assert_eq!(seen.to_blame(), Some("k1s-ha-min-controller-0"));
        seen.note(2.0, Some(("k1s-ha-min-controller-2".into(), None)));
        seen.note(3.0, Some(("k1s-ha-min-controller-0".into(), None)));
        assert_eq!(seen.to_blame(), Some("k1s-ha-min-controller-2"));
    }

    #[test]
    fn a_lease_that_has_more_left_than_before_was_renewed() {
        let lease = |lefts: &[i64]| {
            let mut seen = Leadership::default();
            for (second, left) in (0_u32..).zip(lefts) {
                seen.note(f64::from(second), Some(("a".to_owned(), Some((*left, 15)))));
            }
            seen
        };
        assert_eq!(lease(&[15, 14, 13, 14, 13]).lease.renewed, [3.0]);
        assert!(judge_lease(&lease(&[15, 14, 14, 13])).is_err());
        assert!(judge_lease(&lease(&[14, 15])).is_ok());
        assert!(judge_lease(&Leadership::default()).is_err());
    }
}
