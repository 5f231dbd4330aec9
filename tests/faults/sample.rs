//! The choice of the faults that are run: none unless they are asked for, all, or a few that a seed draws.

use std::collections::BTreeSet;

use crate::fault::Fault;

/// `all`, or how many are drawn.
const ASKED_FOR: &str = "K1S_GATES_FAULTS";
/// Draws the same ones again.
const SEED: &str = "K1S_GATES_FAULTS_SEED";

/// The numbers of those that are run. nextest lists the trials before it runs them, in a process each: all of them must
/// draw the same, so the seed comes from outside.
pub(crate) fn chosen(faults: &[Fault]) -> BTreeSet<usize> {
    let Ok(asked_for) = std::env::var(ASKED_FOR) else { return BTreeSet::new() };
    if asked_for == "all" {
        return (0..faults.len()).collect();
    }
    let count: usize =
        asked_for.parse().unwrap_or_else(|_| panic!("{ASKED_FOR}={asked_for}: neither `all` nor a number"));
    let seed = std::env::var(SEED).unwrap_or_else(|_| panic!("{ASKED_FOR}={asked_for} needs {SEED}"));
    let seed = seed.parse().unwrap_or_else(|_| panic!("{SEED}={seed} is no number"));
    // Only what is known to be caught says something about the gates of the day.
    let is_caught = |fault: &Fault| !fault.red.is_empty() && !fault.to_be_run;
    let in_reach: Vec<usize> = (0..faults.len()).filter(|number| is_caught(&faults[*number])).collect();
    fastrand::Rng::with_seed(seed).choose_multiple(in_reach, count).into_iter().collect()
}
