//! The trials: every check of every gate under its own name, run by libtest-mimic.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::checks::Check;
use crate::evidence::{Evidence, Redactor};
use crate::failure::Failure;
use crate::plan::{Gate, Transport, Transports, UnknownTransport};
use crate::run::{Outcome, Verdict};
use crate::{gates, ledger, run};

/// The gates, with the checks of the harness and of its consumer.
#[derive(Debug, Default)]
pub struct Harness {
    /// The consumer's own.
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

impl Harness {
    /// Every check that comes with the harness.
    pub fn new() -> Self {
        Self::default()
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
    pub fn names(&self, transports: Transports) -> Vec<String> {
        self.wanted(transports).into_iter().map(|one| one.name).collect()
    }

    fn wanted(&self, transports: Transports) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for gate in Gate::ALL {
            for transport in transports.each().iter().copied() {
                let own = self.checks.iter().filter(|(at, _)| *at == gate).map(|(_, check)| check.clone());
                let checks = gates::checks_of_run(gate, transport, transports).into_iter().chain(own);
                let name = transports.name(gate, transport);
                wanted.extend(checks.map(|check| Wanted {
                    name: format!("{name}::{}", check.name),
                    gate,
                    transport,
                    check,
                }));
            }
        }
        wanted
    }

    /// Runs what the command line asks for. The whole of a test target's `main`.
    pub fn main(self) -> ExitCode {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        if let Some(code) = run::role(&arguments) {
            return code;
        }
        let arguments = Arguments::from_args();
        match self.trials(&arguments) {
            Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
            Err(error) => {
                eprintln!("Error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn trials(&self, arguments: &Arguments) -> Result<Vec<Trial>, Wrong> {
        let wanted = self.wanted(Transports::from_env()?);
        let mut names: Vec<&String> = wanted.iter().map(|one| &one.name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Wrong::Harness(HarnessError::Duplicate(twice[0].clone())));
        }
        // libtest passes when a name matches nothing; under nextest that would be a trial that passes unseen.
        let unknown = |name: &&String| arguments.exact && !arguments.list && !names.contains(name);
        if let Some(name) = arguments.filter.as_ref().filter(unknown) {
            return Err(Wrong::NoSuchTrial(name.clone()));
        }
        Ok(wanted.into_iter().map(trial).collect())
    }
}

/// A trial to be.
struct Wanted {
    name: String,
    gate: Gate,
    transport: Transport,
    check: Check,
}

/// Why there are no trials.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error(transparent)]
    Harness(#[from] HarnessError),
    #[error(transparent)]
    Transport(#[from] UnknownTransport),
    #[error("there is no trial `{0}`; `--list` prints those that there are")]
    NoSuchTrial(String),
}

fn trial(wanted: Wanted) -> Trial {
    let Wanted { name, gate, transport, check } = wanted;
    Trial::test(name, move || {
        // Both ways at once: each has a gate of its own.
        let asked = std::thread::scope(|both| {
            let other = check.is_parity().then(|| both.spawn(move || run::evidence(gate, Transport::Mcp)));
            let own = run::evidence(gate, transport);
            match other.map(std::thread::ScopedJoinHandle::join) {
                Some(Ok(Err(failure))) => Err(failure),
                _ => own,
            }
        });
        let judged = asked.and_then(|evidence| {
            let judged = judge(&check, &evidence);
            let outcome = judged.clone().map_or_else(Outcome::Failed, |()| Outcome::Passed);
            run::tell(gate, transport, Verdict::new(&check, outcome, evidence.readings()));
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
        eprintln!("flaky: the gate's first run ended in a conflict, kept in {}; this is its rerun", kept.display());
    }
    for noticed in &evidence.record.noticed {
        eprintln!("flaky: {noticed}");
    }
    check.judge(evidence).map_err(|mut failure| {
        for noticed in &evidence.record.noticed {
            let _ = write!(failure.seen, "; noticed in this gate: {noticed}");
        }
        if let Some(conflict) = &evidence.record.conflict {
            let _ = write!(failure.seen, "; the gate met a conflict: {conflict}");
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
