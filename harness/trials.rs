//! The trials: every check of every gate under its own name, run by libtest-mimic.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Once};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::checks::Check;
use crate::diagnosis::{self, Red};
use crate::evidence::{Evidence, Redactor, kept_project_hint};
use crate::failure::Failure;
use crate::plan::{Gate, Shard, Transport, Transports, chosen, of_shard};
use crate::run;
use crate::suite::checks_of_run;
use crate::summary::{Outcome, Verdict};
use crate::tree::{Identity, Trees};

/// Trials that wait side by side in one process: as many as hold several gates' at once.
const THREADS: usize = 256;

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
        self.wanted(transports, &Gate::ALL).into_iter().map(|one| one.name).collect()
    }

    fn wanted(&self, transports: Transports, gates: &[Gate]) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for gate in gates.iter().copied() {
            for transport in transports.each().iter().copied() {
                let own = self.checks.iter().filter(|(at, _)| *at == gate).map(|(_, check)| check.clone());
                let checks = checks_of_run(gate, transport, transports).into_iter().chain(own);
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
        let mut arguments = Arguments::from_args();
        // `cargo test`: trials wait for their gates, so that all gates are asked for at once.
        arguments.test_threads = arguments.test_threads.or(Some(THREADS));
        match self.trials(&arguments) {
            Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
            Err(error) => {
                eprintln!("Error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn trials(&self, arguments: &Arguments) -> Result<Vec<Trial>, TrialsError> {
        // A share of the gates, in the order of the runbook.
        let mut gates = of_shard(&chosen()?, Shard::from_env()?);
        gates.sort();
        let wanted = self.wanted(Transports::from_env()?, &gates);
        let mut names: Vec<&String> = wanted.iter().map(|one| &one.name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TrialsError::Harness(HarnessError::Duplicate(twice[0].clone())));
        }
        // libtest passes when a name matches nothing; under nextest that would be a trial that passes unseen.
        let unknown = |name: &&String| arguments.exact && !arguments.list && !names.contains(name);
        if let Some(name) = arguments.filter.as_ref().filter(unknown) {
            return Err(TrialsError::NoSuchTrial(name.clone()));
        }
        let of_gate = |gate: Gate| -> Arc<[Wanted]> { wanted.iter().filter(|one| one.gate == gate).cloned().collect() };
        let gates: BTreeMap<Gate, Arc<[Wanted]>> = Gate::ALL.into_iter().map(|gate| (gate, of_gate(gate))).collect();
        Ok(wanted.iter().map(|one| trial(one.clone(), Arc::clone(&gates[&one.gate]))).collect())
    }
}

/// A trial to be.
#[derive(Clone)]
struct Wanted {
    name: String,
    gate: Gate,
    transport: Transport,
    check: Check,
}

/// The reason why there are no trials.
#[derive(Debug, thiserror::Error)]
enum TrialsError {
    #[error(transparent)]
    Harness(#[from] HarnessError),
    #[error("{}", .0.to_string().trim_start_matches("Error: "))]
    Setting(#[from] Failure),
    #[error("there is no trial `{0}`; `--list` prints those that there are")]
    NoSuchTrial(String),
}

fn trial(wanted: Wanted, of_gate: Arc<[Wanted]>) -> Trial {
    let Wanted { name, gate, transport, check } = wanted;
    Trial::test(name, move || {
        let attempt = run::attempt();
        // A retry counts for the whole gate, and so needs all of its evidence.
        let both = check.is_parity() || (attempt > 1 && of_gate.iter().any(|one| one.check.is_parity()));
        let asked = evidence(gate, transport, both);
        name_the_tree(asked.as_ref().ok().and_then(|evidence| evidence.record.k1s_root.as_ref()));
        let judged = asked.map_err(|failure| clean(&failure).to_string()).and_then(|evidence| {
            let judged = judge(&check, &evidence);
            let outcome = judged.clone().map_or_else(Outcome::Failed, |()| Outcome::Passed);
            run::report_verdict(gate, transport, Verdict::new(&check, outcome, evidence.readings()));
            judged.map_err(|failure| explained(&check, &evidence, &failure))?;
            let whole = if attempt > 1 { whole_gate(&of_gate, &evidence, attempt) } else { Ok(()) };
            whole.map_err(|failure| clean(&failure).to_string())
        });
        judged.map_err(|failure| {
            // On standard error for nextest, which takes JUnit's message from the line that starts with `Error: `.
            eprintln!("{failure}");
            Failed::without_message()
        })
    })
}

/// Returns the message of a red trial: the cause first, and the check's own finding under it.
fn explained(check: &Check, evidence: &Evidence, failure: &Failure) -> String {
    let mut red = diagnosis::red(evidence);
    if !red.iter().any(|one| one.check.as_ref() == Some(&check.name)) {
        red.push(Red { check: Some(check.name.clone()), failure: failure.clone() });
    }
    let diagnosis = diagnosis::of(evidence, &red);
    let failure = clean(failure);
    let cause = diagnosis.cause_of(Some(&check.name)).and_then(|cause| Redactor::default().value(cause));
    cause.map_or_else(|| failure.to_string(), |cause| cause.explain(&check.name, &failure).to_string())
}

/// Whatever a failure quotes: a secret ends here, if nowhere before.
fn clean(failure: &Failure) -> Failure {
    Redactor::default().failure(failure)
}

/// The evidence of a gate over one transport; with `both`, its counterpart's is made sure of at the same time.
fn evidence(gate: Gate, transport: Transport, both: bool) -> Result<Evidence, Failure> {
    std::thread::scope(|scope| {
        let other = both.then(|| scope.spawn(move || run::evidence(gate, transport.other())));
        let own = run::evidence(gate, transport);
        match other.map(std::thread::ScopedJoinHandle::join) {
            Some(Ok(Err(failure))) => Err(failure),
            _ => own,
        }
    })
}

/// Judges all checks of a gate on the evidence of a retry.
///
/// nextest retries only the trials that were red. Judged alone, each of two attempts could be red in another check, and
/// every trial still be green once: a verdict put together from two halves.
fn whole_gate(of_gate: &[Wanted], evidence: &Evidence, attempt: u32) -> Result<(), Failure> {
    for Wanted { name, transport, check, .. } in of_gate {
        let counterpart =
            if *transport == evidence.record.key.transport { None } else { Some(evidence.counterpart()?) };
        let judged = judge(check, counterpart.as_ref().unwrap_or(evidence));
        judged.map_err(|failure| Failure {
            what: format!("this check is green at attempt {attempt}, but `{name}` is not: {}", failure.what),
            remedy: format!("a retry counts only when its whole gate is green; {}", failure.remedy),
            ..failure
        })?;
    }
    Ok(())
}

/// The first line of each process that judges: a verdict says of what it is one.
fn name_the_tree(named: Option<&Identity>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| match named {
        Some(tree) => eprintln!("k1s under test: {tree}"),
        None => eprintln!("k1s under test: {}", Trees::from_env().k1s),
    });
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
            let how = kept_project_hint(&evidence.record.project);
            if failure.remedy != how {
                let _ = write!(failure.remedy, "; the project is kept: {how}");
            }
        }
        failure
    })
}
