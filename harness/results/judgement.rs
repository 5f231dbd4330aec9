//! A run judged again: today's checks over the evidence that it has left, beside what was said of it then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::folder::{GateResult, gates_with};
use super::manifest::Manifest;
use super::memory::Memory;
use super::statement::{Statement, counted};
use super::tested::inputs;
use super::verify::{Seal, Verification, VerifyError, read_envelope, verify};
use crate::checks::Check;
use crate::evidence::layout::{RECORD, SUMMARY};
use crate::evidence::{Evidence, Redactor, folder};
use crate::failure::{Failure, Kind};
use crate::signing::PublicKey;
use crate::suite::checks_of_run;
use crate::summary::Stage;

/// The kind of input, and its name, under which a run has written down which program judged it.
const PROGRAM: (&str, &str) = ("harness", "test executable");

/// A run judged again.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Judgement {
    /// The version of the harness that judged the run when it was made; none when the run does not say.
    pub harness_then: Option<String>,
    /// The SHA-256 of the program that judged it then.
    pub program_then: Option<String>,
    /// The version of the harness that judges now.
    pub harness_now: String,
    /// The signature of the statement that says what was then.
    pub signature: Seal,
    /// The checks, in the order of the runbook; then those that are no longer there.
    pub checks: Vec<Judged>,
    /// Gates that left no evidence: they had not ended, or could not be run.
    pub without_evidence: BTreeSet<String>,
}

/// One check, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Judged {
    /// The name of its trial.
    pub check: String,
    /// Its verdict when the run was made.
    pub then: Then,
    /// Its verdict over the same evidence now.
    pub now: Now,
    /// True when it is red now and was green, or when it is new and the verdict over its gate was green.
    pub worse: bool,
}

/// The verdict of a check when the run was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// Green.
    Passed,
    /// Red.
    Failed,
    /// None: there was no such check, or it was not asked for.
    NotJudged,
}

/// The verdict of a check now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Now {
    /// Green.
    Passed,
    /// Red.
    Failed(Failure),
    /// None.
    NotJudged(NotJudged),
}

/// The reason why a check is not judged now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotJudged {
    /// This version has no such check: it was removed, renamed, or is a consumer's own.
    NoSuchCheck,
    /// It compares with files of the user's: only its trial knows which.
    ByItsTrialOnly,
    /// The evidence does not hold what the check reads: the harness that left it did not look, or wrote down something else.
    NotInEvidence(Failure),
}

/// How a run stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// Whatever was green is green.
    Held,
    /// Something is worse.
    Worse,
    /// Nothing is worse, but something that was green cannot be judged now.
    Unknown,
}

/// The reason why a run cannot be judged again.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// There is no manifest that this version can read.
    #[error(transparent)]
    Unverified(#[from] VerifyError),
    /// It is not as the run left it.
    #[error("the evidence is not as the run left it, and says nothing of it:\n  {}", .0.join("\n  "))]
    Modified(Vec<String>),
    /// A gate's record is of another form.
    #[error(
        "the record of `{gate}` cannot be read by this version ({}): {why}; it was written by {}: judge the run with that one",
        env!("CARGO_PKG_VERSION"),
        harness.as_deref().unwrap_or("a version that does not say its name")
    )]
    Record {
        /// The gate.
        gate: String,
        /// The version of the harness that wrote it.
        harness: Option<String>,
        /// The parser's error.
        why: String,
    },
    /// No gate left evidence.
    #[error("no gate of {} left evidence: there is nothing to judge", .0.display())]
    Nothing(PathBuf),
}

impl Judgement {
    /// How the run stands now.
    pub fn trend(&self) -> Trend {
        let lost =
            |one: &Judged| one.then == Then::Passed && matches!(one.now, Now::NotJudged(NotJudged::NotInEvidence(_)));
        match (self.checks.iter().any(|one| one.worse), self.checks.iter().any(lost)) {
            (true, _) => Trend::Worse,
            (false, true) => Trend::Unknown,
            (false, false) => Trend::Held,
        }
    }
}

/// Judges a run's evidence by the checks of this version. What the run says of itself is compared with that, and never
/// taken for it; and nothing is judged unless it is as the run left it.
pub fn judge(run_dir: &Path, key: Option<&PublicKey>) -> Result<Judgement, JudgeError> {
    let found = verify(run_dir, key)?;
    if !found.is_sound() {
        return Err(JudgeError::Modified(defects(&found)));
    }
    let manifest = Manifest::read(run_dir).map_err(|error| JudgeError::Modified(vec![error.to_string()]))?;
    let (_, statement) = read_envelope(run_dir).map_err(|why| JudgeError::Modified(vec![why]))?;
    let harness = version(run_dir);
    // Without the run's summary: what trials have told it are verdicts of then.
    let gates = gates_with(run_dir, &manifest.gates, None, &mut Memory::default());
    refuse_other_records(run_dir, &manifest, &gates, harness.as_deref())?;
    let then = Said::by(&statement);
    let mut without_evidence = BTreeSet::new();
    let mut checks = Vec::new();
    for gate in counted(&gates) {
        match &gate.evidence {
            Some(evidence) => checks.extend(of_gate(run_dir, gate, evidence, &then)),
            None => drop(without_evidence.insert(gate.key.name(&gate.gate_name()))),
        }
    }
    if checks.is_empty() {
        return Err(JudgeError::Nothing(run_dir.to_owned()));
    }
    let known: BTreeSet<String> = checks.iter().map(|one| one.check.clone()).chain(without_evidence.clone()).collect();
    let gone = then.verdicts.iter().filter(|(check, _)| !known.contains(**check));
    checks.extend(gone.map(|(check, then)| Judged {
        check: (*check).to_owned(),
        then: *then,
        now: Now::NotJudged(NotJudged::NoSuchCheck),
        worse: false,
    }));
    let (kind, name) = PROGRAM;
    let program = inputs(run_dir)
        .ok()
        .and_then(|inputs| inputs.get(kind)?.iter().find(|(known, _)| known == name).map(|(_, sha256)| sha256.clone()));
    Ok(Judgement {
        harness_then: harness,
        program_then: program,
        harness_now: env!("CARGO_PKG_VERSION").to_owned(),
        signature: found.signature,
        checks,
        without_evidence,
    })
}

/// The verdicts of then, as the statement over the run has them.
struct Said<'a> {
    verdicts: BTreeMap<&'a str, Then>,
}

impl<'a> Said<'a> {
    fn by(statement: &'a Statement) -> Self {
        let result = &statement.predicate;
        let green = result.passed_tests.iter().chain(&result.warned_tests).map(|check| (check.as_str(), Then::Passed));
        let red = result.failed_tests.iter().map(|check| (check.as_str(), Then::Failed));
        Self { verdicts: green.chain(red).collect() }
    }

    fn of(&self, check: &str) -> Then {
        self.verdicts.get(check).copied().unwrap_or(Then::NotJudged)
    }

    /// Is true when some check of a gate was green and none red, those among them that are no longer there.
    fn is_green(&self, gate: &GateResult) -> bool {
        let (name, whole) = (gate.gate_name() + "::", gate.trial(""));
        let iteration = &whole[name.len()..];
        let of_gate = self.verdicts.iter().filter(|(check, _)| {
            let own = check.strip_prefix(&name).and_then(|check| check.strip_suffix(iteration));
            // Neither of the counterpart, whose name is longer, nor of another iteration.
            own.is_some_and(|check| !check.starts_with("mcp::") && !check.contains(" ("))
        });
        let verdicts: Vec<Then> = of_gate.map(|(_, then)| *then).collect();
        verdicts.contains(&Then::Passed) && !verdicts.contains(&Then::Failed)
    }
}

/// Today's checks of a gate.
fn of_gate(run_dir: &Path, gate: &GateResult, evidence: &Evidence, then: &Said<'_>) -> Vec<Judged> {
    let checks = checks_of_run(gate.key.gate, gate.key.transport, evidence.record.transports);
    let named: Vec<(String, Check)> = checks.into_iter().map(|check| (gate.trial(&check.name), check)).collect();
    let gate_was_green = then.is_green(gate);
    let judged = named.into_iter().map(|(name, check)| {
        let (then, now) = (then.of(&name), now(run_dir, &check, evidence));
        let was_green = then == Then::Passed || (then == Then::NotJudged && gate_was_green);
        let worse = was_green && matches!(now, Now::Failed(_));
        Judged { check: name, then, now, worse }
    });
    judged.collect()
}

fn now(run_dir: &Path, check: &Check, evidence: &Evidence) -> Now {
    if check.is_snapshot() {
        return Now::NotJudged(NotJudged::ByItsTrialOnly);
    }
    let shown = |failure: &Failure| {
        let mut failure = Redactor::default().failure(failure);
        // Where it is in the run's folder: of a bundle that is no longer anywhere.
        failure.evidence = failure.evidence.map(|file| file.strip_prefix(run_dir).map(Path::to_owned).unwrap_or(file));
        failure
    };
    let counterpart = if check.is_parity() { evidence.counterpart().err() } else { None };
    if let Some(missing) = counterpart {
        return Now::NotJudged(NotJudged::NotInEvidence(shown(&missing)));
    }
    match check.judge(evidence) {
        Ok(()) => Now::Passed,
        Err(failure) if failure.kind == Kind::Missing => Now::NotJudged(NotJudged::NotInEvidence(shown(&failure))),
        Err(failure) => Now::Failed(shown(&failure)),
    }
}

/// A record that is there, unchanged, and cannot be read is of another version.
fn refuse_other_records(
    run_dir: &Path,
    manifest: &Manifest,
    gates: &[GateResult],
    harness: Option<&str>,
) -> Result<(), JudgeError> {
    for gate in gates.iter().filter(|gate| gate.evidence.is_none()) {
        let record = gate.folder.join(RECORD);
        let is_listed = manifest.files.iter().any(|entry| Path::new(&entry.path) == record);
        let ended = manifest.gates.iter().any(|known| known.key() == Some(gate.key) && known.state == Stage::Ended);
        if !is_listed && !ended {
            continue;
        }
        let why = Evidence::load(run_dir, &run_dir.join(&record)).err().map(|failure| failure.seen).unwrap_or_default();
        let gate = gate.gate_name();
        return Err(JudgeError::Record { gate, harness: harness.map(str::to_owned), why });
    }
    Ok(())
}

/// Reads the version of the harness from a run's summary, whatever the form of the rest.
fn version(run_dir: &Path) -> Option<String> {
    let bytes = folder::read(run_dir, Path::new(SUMMARY)).ok()?;
    let summary: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    Some(format!("k1s-profile-gates {}", summary.get("harness")?.as_str()?))
}

/// Lists what is wrong with a run's folder.
fn defects(found: &Verification) -> Vec<String> {
    let named = |what: &'static str, files: &BTreeSet<String>| -> Vec<String> {
        files.iter().map(|file| format!("{what}: {file}")).collect()
    };
    let mut wrong = named("changed", &found.changed);
    wrong.extend(named("missing", &found.missing));
    wrong.extend(named("added", &found.added));
    wrong.extend(found.broken.iter().cloned());
    if let Seal::Bad { keyid } = &found.signature {
        wrong.push(format!("signed by the key {keyid}, and not by the given one"));
    }
    wrong
}
