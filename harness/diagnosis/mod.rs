//! The diagnosis of a gate: what broke first, why, and which checks are red only because of it.
//!
//! A pure function of the evidence: the same from a folder that was copied, or out of a bundle. It says no more than the
//! evidence does. What broke is told by containerd's events, `WorkerBee`'s errors and the checks; why, by the log of the
//! component, the kernel, or what was answered. Where neither says it, the cause is not found, and what was read is named.

mod cause;
mod clues;
mod deaths;
mod fault;
mod log;
mod named;
mod reason;
mod symptoms;

pub use cause::{Cause, Diagnosis, Explained};
pub use fault::Fault;

use std::path::{Path, PathBuf};

use crate::evidence::{Evidence, Redactor};
use crate::failure::Failure;
use clues::Clues;

/// A check that is red; without a name, what kept the gate from going on.
#[derive(Debug, Clone)]
pub struct Red {
    /// The check.
    pub check: Option<String>,
    /// Its failure.
    pub failure: Failure,
}

impl Red {
    /// What it says of what happened.
    fn text(&self) -> String {
        format!("{} {}", self.failure.what, self.failure.seen)
    }

    fn clean(&self) -> Self {
        Self { check: self.check.clone(), failure: Redactor::default().failure(&self.failure) }
    }
}

/// Derives the causes of what is red: ends of components first, then what is itself wrong, then what leaves open why.
pub fn of(evidence: &Evidence, red: &[Red]) -> Diagnosis {
    if red.is_empty() {
        return Diagnosis::default();
    }
    // First without secrets: lines are taken out of what they say, and a line of it may no longer tell what stands in it.
    let red: Vec<Red> = red.iter().map(Red::clean).collect();
    let clues = Clues::of(evidence);
    let mut causes = deaths::causes(&clues);
    let mut open: Vec<&Red> = Vec::new();
    for one in &red {
        let names = |cause: &Cause| {
            deaths::explains(cause, one, &clues) && named::component(&one.text(), clues.profile) == cause.component
        };
        let by_name = causes.iter().position(names);
        let at = by_name.or_else(|| causes.iter().position(|cause| deaths::explains(cause, one, &clues)));
        match at.and_then(|at| causes.get_mut(at)) {
            Some(cause) => cause.takes(one),
            None => open.push(one),
        }
    }
    let has_died = !causes.is_empty();
    causes.extend(symptoms::causes(&open, &clues, has_died));
    // An end that turned nothing red explains nothing: it is no cause.
    causes.retain(|cause| !cause.checks.is_empty() || cause.stops_the_gate);
    Diagnosis { causes, read: clues.read() }
}

/// The same of a gate that left no record: what its process said is all that there is.
pub fn of_no_record(failure: &Failure, run_dir: &Path) -> Diagnosis {
    let failure = Redactor::default().failure(failure);
    let mut cause = Cause::new(&failure.what, Fault::K1s);
    // What a step of the stack printed is quoted line by line.
    let said: Vec<String> = failure.seen.lines().map(|line| log::plain(line.trim_start_matches([' ', '|']))).collect();
    let is_error = |line: &&String| ["ERROR: ", "Error: "].iter().any(|word| line.starts_with(word));
    let error = said.iter().rev().find(is_error);
    cause.why = error.or(said.first()).filter(|seen| !seen.is_empty()).cloned();
    // What the first line says already is not said twice.
    let known = error.and_then(|error| error.strip_prefix("ERROR: ")).unwrap_or_default();
    let ends = ["; the end of its log:".to_owned(), format!(": {known}")];
    let shorter = ends.iter().find_map(|end| cause.what.strip_suffix(end.as_str())).map(str::to_owned);
    if let Some(what) = error.and(shorter) {
        cause.what = what;
    }
    let said = format!("{} {}", failure.what, failure.seen);
    // Before WorkerBee has answered anything, nothing of k1s was tried.
    cause.fault = fault::of_failure(&failure, &said, true).unwrap_or(Fault::Host);
    let inside = |file: &PathBuf| file.strip_prefix(run_dir).unwrap_or(file).to_owned();
    cause.evidence = failure.evidence.iter().map(inside).collect();
    cause.stops_the_gate = true;
    Diagnosis { causes: vec![cause], read: Vec::new() }
}

/// The checks of a gate that are red, by its own evidence: all but those that only their trial can judge.
pub fn red(evidence: &Evidence) -> Vec<Red> {
    let record = &evidence.record;
    let checks = crate::suite::checks_of_run(record.key.gate, record.key.transport, record.transports);
    let judged = checks.into_iter().filter(|check| !check.judged_by_trial_only());
    let red = judged.filter_map(|check| Some(Red { failure: check.judge(evidence).err()?, check: Some(check.name) }));
    let red: Vec<Red> = red.collect();
    evidence.readings();
    let stopped = record.failure.clone().map(|failure| Red { check: None, failure });
    stopped.into_iter().chain(red).collect()
}
