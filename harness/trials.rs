//! The trials: every check of every gate under its own name, run by libtest-mimic.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::checks::Check;
use crate::evidence::{Evidence, Redactor};
use crate::failure::Failure;
use crate::plan::Gate;
use crate::run::{Outcome, Verdict};
use crate::{gates, ledger, run};

/// The gates, with the checks of the harness and of its consumer.
#[derive(Debug)]
pub struct Harness {
    checks: Vec<(Gate, Check)>,
}

/// A check that would hide another one or that names no gate.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// Two checks of one name.
    #[error("two trials are called `{0}`: give your check another name")]
    Duplicate(String),
    /// A gate that does not exist.
    #[error(transparent)]
    UnknownGate(#[from] crate::plan::UnknownGate),
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

impl Harness {
    /// Every check that comes with the harness.
    pub fn new() -> Self {
        let checks =
            Gate::ALL.into_iter().flat_map(|gate| gates::checks(gate).into_iter().map(move |check| (gate, check)));
        Self { checks: checks.collect() }
    }

    /// Adds a check of the consumer's own to a gate, such as `startup::k1s-ha-min`. It sees the gate's evidence.
    pub fn check(
        mut self,
        gate: &str,
        name: &str,
        judge: impl Fn(&Evidence) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Result<Self, HarnessError> {
        self.checks.push((gate.parse()?, Check::new(name, judge)));
        Ok(self)
    }

    /// The names of all trials, in the order of the runbook.
    pub fn names(&self) -> Vec<String> {
        self.checks.iter().map(|(gate, check)| trial_name(*gate, check)).collect()
    }

    /// Runs what the command line asks for. The whole of a test target's `main`.
    pub fn main(self) -> ExitCode {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        if let Some(code) = run::role(&arguments) {
            return code;
        }
        match self.trials(&Arguments::from_args()) {
            Ok((arguments, trials)) => libtest_mimic::run(&arguments, trials).exit_code(),
            Err(error) => {
                eprintln!("Error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn trials(self, arguments: &Arguments) -> Result<(Arguments, Vec<Trial>), Wrong> {
        let mut names = self.names();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Wrong::Harness(HarnessError::Duplicate(twice[0].clone())));
        }
        // libtest passes when a name matches nothing; under nextest that would be a trial that passes unseen.
        let unknown = |name: &&String| arguments.exact && !arguments.list && !names.contains(name);
        if let Some(name) = arguments.filter.as_ref().filter(unknown) {
            return Err(Wrong::NoSuchTrial(name.clone()));
        }
        Ok((arguments.clone(), self.checks.into_iter().map(|(gate, check)| trial(gate, check)).collect()))
    }
}

#[derive(Debug)]
enum Wrong {
    Harness(HarnessError),
    NoSuchTrial(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Harness(error) => error.fmt(f),
            Self::NoSuchTrial(name) => write!(f, "there is no trial `{name}`; `--list` prints those that there are"),
        }
    }
}

fn trial_name(gate: Gate, check: &Check) -> String {
    format!("{gate}::{}", check.name)
}

fn trial(gate: Gate, check: Check) -> Trial {
    let check = Arc::new(check);
    Trial::test(trial_name(gate, &check), move || {
        let judged = run::evidence(gate).and_then(|evidence| {
            let judged = judge(&check, &evidence);
            let outcome = judged.clone().map_or_else(Outcome::Failed, |()| Outcome::Passed);
            run::tell(gate, Verdict::new(&check, outcome, evidence.readings()));
            judged
        });
        judged.map_err(|failure| {
            // On standard error for nextest, which takes JUnit's message from the line that starts with `Error: `.
            // Whatever a failure quotes: a secret ends here, if nowhere before.
            let text = Redactor::default().redact(failure.to_string().as_bytes());
            eprintln!("{}", String::from_utf8_lossy(&text));
            Failed::without_message()
        })
    })
}

fn judge(check: &Check, evidence: &Evidence) -> Result<(), Failure> {
    if let Some(kept) = &evidence.record.rerun_of {
        eprintln!("flaky: the gate's first run ended in a 409 Conflict, kept in {}; this is its rerun", kept.display());
    }
    check.judge(evidence).map_err(|mut failure| {
        if let Some(conflict) = &evidence.record.conflict {
            let _ = write!(failure.seen, "; the gate met a 409 Conflict, {conflict}");
        }
        if evidence.record.project_kept {
            let how = ledger::how_to_look(&evidence.record.project);
            if failure.remedy != how {
                let _ = write!(failure.remedy, "; the project is kept: {how}");
            }
        }
        failure
    })
}
