//! The machine's clock beside the monotonic one: whether it was set while a gate ran.
//!
//! Limits are counted on the monotonic clock. But leases, certificates and whatever `WorkerBee` and k1s count in seconds
//! since the epoch go by the machine's, and what is red after it was set may be so for that reason alone.

use std::time::{Duration, Instant, SystemTime};

/// The smallest change that counts as setting a clock, and not as the gradual correction by 0.5 ms in a second.
const STEP: Duration = Duration::from_secs(1);

/// Both clocks, as they were when they were last compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    machines: SystemTime,
    monotonic: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { machines: SystemTime::now(), monotonic: Instant::now() }
    }

    /// By how much the machine's clock was set since this was last asked, in words.
    pub(super) fn was_set(&mut self) -> Option<String> {
        let now = Self::start();
        let said = self.until(now);
        *self = now;
        said
    }

    fn until(self, now: Self) -> Option<String> {
        let passed = now.monotonic.saturating_duration_since(self.monotonic);
        let forth = now.machines.duration_since(self.machines + passed);
        let (way, by) = match &forth {
            Ok(forth) => ("forth", *forth),
            Err(back) => ("back", back.duration()),
        };
        (by >= STEP).then(|| format!("the machine's clock was set {way} by {:.1} s", by.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::on_time(60.0, None)]
    #[case::drawn_right(60.9, None)]
    #[case::forth(3660.0, Some("forth by 3600.0 s"))]
    #[case::back(-3540.0, Some("back by 3600.0 s"))]
    #[case::a_little(58.5, Some("back by 1.5 s"))]
    fn what_the_clock_did_in_a_minute(#[case] seconds: f64, #[case] said: Option<&str>) {
        let before = Clock::start();
        let by = Duration::from_secs_f64(seconds.abs());
        let machines = if seconds < 0.0 { before.machines - by } else { before.machines + by };
        let after = Clock { machines, monotonic: before.monotonic + Duration::from_mins(1) };
        let words = before.until(after);
        assert_eq!(words.is_some(), said.is_some(), "{words:?}");
        assert!(words.unwrap_or_default().contains(said.unwrap_or_default()));
    }
}
