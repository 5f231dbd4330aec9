//! Times that moved beyond noise.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::GateReport;

/// The difference of times that counts as noise. Two runs are no statistics: a time has moved when it differs by more
/// than a part of the longer one *and* by more than some seconds. Other work on the machine counts too: beside a
/// compiler on two cores, the same gates have taken 1.6 times as long. So a time that moved is a hint, and no
/// difference between the runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Noise {
    /// Percent of the longer time.
    pub percent: f64,
    /// Seconds.
    pub seconds: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self { percent: 30.0, seconds: 2.0 }
    }
}

/// A time that moved.
#[derive(Debug, Serialize)]
pub struct Moved {
    /// The gate.
    pub gate: String,
    /// A phase of it; none for the whole.
    pub phase: Option<String>,
    /// Seconds in each run.
    pub seconds: [f64; 2],
}

impl Noise {
    /// Is true when two times differ by more than noise.
    pub fn exceeded(self, first: f64, second: f64) -> bool {
        let difference = (first - second).abs();
        difference > self.seconds && difference > first.max(second) * self.percent / 100.0
    }
}

/// The whole of a gate and its phases. Waiting says something of the other gates, not of this one.
pub(super) fn moved(pair: &[&GateReport; 2], noise: Noise) -> Vec<Moved> {
    let times = pair.map(|gate| {
        let mut times: BTreeMap<Option<String>, f64> = BTreeMap::new();
        if let Some(record) = &gate.record {
            let waits = |name: &str| name.starts_with("wait");
            let waited: f64 = record.phases.iter().filter(|phase| waits(&phase.name)).map(|phase| phase.seconds).sum();
            times.insert(None, record.seconds - waited);
            for phase in record.phases.iter().filter(|phase| !waits(&phase.name)) {
                *times.entry(Some(phase.name.clone())).or_default() += phase.seconds;
            }
        }
        times
    });
    let [first, second] = &times;
    let both = first.iter().filter_map(|(phase, seconds)| Some((phase.clone(), [*seconds, *second.get(phase)?])));
    both.filter(|(_, [first, second])| noise.exceeded(*first, *second))
        .map(|(phase, seconds)| Moved { gate: pair[0].name.clone(), phase, seconds })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::half_again(10.0, 15.0, true)]
    #[case::and_back(15.0, 10.0, true)]
    #[case::many_seconds_of_many(100.0, 120.0, false)]
    #[case::a_multiple_of_little(0.1, 1.0, false)]
    #[case::same(5.0, 5.0, false)]
    fn noise_is_both_a_part_and_some_seconds(#[case] first: f64, #[case] second: f64, #[case] moved: bool) {
        assert_eq!(Noise::default().exceeded(first, second), moved);
    }
}
