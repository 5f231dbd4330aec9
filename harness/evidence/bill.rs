//! The processor time of a gate: by program, compared with what the kernel counted for the lane as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The processor time of one gate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bill {
    /// Seconds that the kernel counted for the lane's and its containers' cgroups (`cpu.stat`, `cpuacct.usage`).
    pub cgroup_seconds: Option<f64>,
    /// Seconds of all programs together.
    pub program_seconds: f64,
    /// Seconds that the kernel counted for the cgroups and told of no program: threads that ended before their first sample,
    /// and switches, which are no thread's. When it is more than a tenth of the whole, `incomplete` says so.
    pub untold_seconds: f64,
    /// Seconds of the harness's own processes in the lane, which are part of it.
    pub harness_seconds: f64,
    /// Each program, the costliest first.
    pub programs: Vec<Program>,
    /// The reasons why it is not the whole bill.
    pub incomplete: Vec<String>,
}

/// The processes of one program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// The name of its process, of which the kernel keeps 15 characters.
    pub name: String,
    /// The number of processes that were started with it.
    pub starts: u64,
    /// Seconds of processor time, those of forks that never became another program among them.
    pub seconds: f64,
}

/// The share that short threads and the switches between them may have. On a crowded machine it was 5 %.
const MOST_UNTOLD: f64 = 0.1;

impl Bill {
    /// The bill of these programs, beside the kernel's sum.
    pub(crate) fn beside(self, cgroup_seconds: Option<f64>) -> Self {
        let told = cgroup_seconds.filter(|_| !self.programs.is_empty());
        let untold_seconds = told.map_or(0.0, |whole| (whole - self.program_seconds).max(0.0));
        let mut incomplete = self.incomplete;
        if let Some(whole) = told.filter(|whole| untold_seconds > MOST_UNTOLD * whole) {
            let share = (whole - untold_seconds) / whole * 100.0;
            incomplete.push(format!("the programs' sum is {share:.0} % of the kernel's: not all of them were told of"));
        }
        Self { cgroup_seconds, untold_seconds, incomplete, ..self }
    }

    /// All of it.
    pub fn seconds(&self) -> f64 {
        self.cgroup_seconds.unwrap_or(self.program_seconds)
    }

    /// Returns the number of processes that were started.
    pub fn starts(&self) -> u64 {
        self.programs.iter().map(|program| program.starts).sum()
    }

    /// The bills of several gates as one.
    pub fn sum<'a>(bills: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut sum: Option<Self> = None;
        for bill in bills {
            let Some(sum) = &mut sum else {
                sum = Some(bill.clone());
                continue;
            };
            sum.cgroup_seconds = sum.cgroup_seconds.zip(bill.cgroup_seconds).map(|(one, other)| one + other);
            sum.program_seconds += bill.program_seconds;
            sum.untold_seconds += bill.untold_seconds;
            sum.harness_seconds += bill.harness_seconds;
            sum.incomplete.extend(
                bill.incomplete.iter().filter(|why| !sum.incomplete.contains(why)).cloned().collect::<Vec<_>>(),
            );
            for program in &bill.programs {
                match sum.programs.iter_mut().find(|known| known.name == program.name) {
                    Some(known) => {
                        known.starts += program.starts;
                        known.seconds += program.seconds;
                    }
                    None => sum.programs.push(program.clone()),
                }
            }
        }
        if let Some(sum) = &mut sum {
            sum.programs.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(cgroup_seconds: Option<f64>, name: &str, seconds: f64) -> Bill {
        let programs = vec![Program { name: name.into(), starts: 1, seconds }];
        Bill { program_seconds: seconds, programs, ..Bill::default() }.beside(cgroup_seconds)
    }

    #[test]
    fn bills_add_up_by_program() {
        let sum = Bill::sum([&bill(Some(2.0), "a", 1.0), &bill(Some(3.0), "b", 2.0), &bill(Some(3.0), "a", 3.0)]);
        let sum = sum.unwrap_or_default();
        let seen: Vec<_> = sum.programs.iter().map(|one| (one.name.as_str(), one.starts, one.seconds)).collect();
        assert_eq!((sum.cgroup_seconds, sum.starts(), seen), (Some(8.0), 3, vec![("a", 2, 4.0), ("b", 1, 2.0)]));
        assert!((sum.untold_seconds - 2.0).abs() < 1e-9 && (sum.seconds() - 8.0).abs() < 1e-9, "{sum:?}");
        assert_eq!(Bill::sum([]), None);
    }

    #[test]
    fn half_a_sum_is_none() {
        let sum = Bill::sum([&bill(None, "a", 1.0), &bill(Some(1.0), "a", 1.0)]).unwrap_or_default();
        assert_eq!(sum.cgroup_seconds, None);
        assert!((sum.seconds() - 2.0).abs() < 1e-9);
        assert!(bill(Some(1.1), "a", 1.0).incomplete.is_empty());
        assert!(bill(Some(2.0), "a", 1.0).incomplete.iter().any(|why| why.contains("50 %")));
        // The kernel's sum alone says nothing of where it went.
        assert!(Bill::default().beside(Some(1.0)).untold_seconds.abs() < 1e-9);
    }
}
