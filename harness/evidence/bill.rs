//! Where a gate's processor time went: by program, against what the kernel counted for the lane as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The processor time of one gate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bill {
    /// Seconds that the kernel counted for the lane's and its containers' cgroups (`cpu.stat`, `cpuacct.usage`).
    pub cgroup_seconds: Option<f64>,
    /// Seconds of all programs together.
    pub program_seconds: f64,
    /// Seconds of the harness's own processes in the lane, which are part of it.
    pub harness_seconds: f64,
    /// Each program, the costliest first.
    pub programs: Vec<Program>,
    /// Why it is not the whole bill.
    pub incomplete: Vec<String>,
}

/// The processes of one program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// The name of its process, of which the kernel keeps 15 characters.
    pub name: String,
    /// How many processes were started with it.
    pub starts: u64,
    /// Seconds of processor time, those of forks that never became another program among them.
    pub seconds: f64,
}

impl Bill {
    /// How far the programs' sum is from the kernel's, as a share of the latter.
    pub fn gap(&self) -> Option<f64> {
        let whole = self.cgroup_seconds.filter(|seconds| *seconds > 0.0)?;
        (!self.programs.is_empty()).then(|| (self.program_seconds - whole).abs() / whole)
    }

    /// How many processes were started.
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
        Bill { cgroup_seconds, program_seconds: seconds, programs, ..Bill::default() }
    }

    #[test]
    fn bills_add_up_by_program() {
        let sum = Bill::sum([&bill(Some(2.0), "a", 1.0), &bill(Some(3.0), "b", 2.0), &bill(Some(1.0), "a", 3.0)]);
        let sum = sum.unwrap_or_default();
        let seen: Vec<_> = sum.programs.iter().map(|one| (one.name.as_str(), one.starts, one.seconds)).collect();
        assert_eq!((sum.cgroup_seconds, sum.starts(), seen), (Some(6.0), 3, vec![("a", 2, 4.0), ("b", 1, 2.0)]));
        assert_eq!(sum.gap(), Some(0.0));
        assert_eq!(Bill::sum([]), None);
    }

    #[test]
    fn what_was_not_measured_has_no_gap() {
        assert_eq!(bill(None, "a", 1.0).gap(), None);
        assert_eq!(Bill { cgroup_seconds: Some(1.0), ..Bill::default() }.gap(), None);
        let sum = Bill::sum([&bill(None, "a", 1.0), &bill(Some(1.0), "a", 1.0)]);
        assert_eq!(sum.and_then(|sum| sum.cgroup_seconds), None, "half a sum is none");
    }
}
