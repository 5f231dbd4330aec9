//! JUnit from a run's evidence: one test case per check. What did not end is no pass.
//!
//! nextest writes a report of its own when it ends; this one can be had of a run that was killed, and says more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::folder::GateResult;
use super::manifest::{Manifest, gates};
use crate::diagnosis::Cause;
use crate::evidence::layout::GATE_LOG;
use crate::evidence::{Evidence, Redactor};
use crate::failure::{Failure, misleads};
use crate::suite::checks_of_run;
use crate::summary::{Outcome, Stage, Summary, Verdict};
use crate::tree::Identity;

/// The reason why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// The folder holds no gates.
    #[error("{} holds no gate of a run: name the run's folder (RUN_DIR)", .0.display())]
    NoGates(PathBuf),
    /// The folder cannot be read.
    #[error("{} cannot be read: {source}", run_dir.display())]
    Unreadable {
        /// The folder.
        run_dir: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The report cannot be serialized.
    #[error("the report cannot be written: {0}")]
    Unwritable(#[from] quick_junit::SerializeError),
}

/// The report, as XML. Gates that had not ended are errors, gates that had not begun are skipped.
pub fn junit(run_dir: &Path) -> Result<String, JunitError> {
    crate::trust::open(run_dir).map_err(|source| JunitError::Unreadable { run_dir: run_dir.to_owned(), source })?;
    let gates = gates(run_dir);
    if gates.is_empty() {
        return Err(JunitError::NoGates(run_dir.to_owned()));
    }
    let manifest = Manifest::read(run_dir).ok();
    let under_test = manifest.as_ref().and_then(|manifest| manifest.k1s_root.as_ref()).map(Identity::facts);
    let resumed = manifest.map(|manifest| manifest.resumed).unwrap_or_default();
    let fails_flaky = Summary::load(run_dir).is_ok_and(|summary| summary.fails_flaky);
    let mut report = Report::new("k1s-profile-gates");
    let last = |gate: &&GateResult| {
        let later = |other: &GateResult| other.key.replaces(gate.key);
        !gate.set_aside && !gates.iter().any(later)
    };
    for gate in gates.iter().filter(last) {
        let earlier: Vec<&GateResult> = gates
            .iter()
            .filter(|other| gate.key.replaces(other.key) || (other.set_aside && other.key == gate.key))
            .collect();
        let mut suite = suite(run_dir, gate, &earlier);
        if fails_flaky {
            suite.add_test_cases(flaky(gate, &earlier));
        }
        let part = gate.evidence.as_ref().map(|evidence| evidence.record.part).filter(|part| *part <= resumed.len());
        let tree = under_test.iter().flatten();
        suite.add_properties(tree.map(|(name, value)| Property::new(format!("k1s-root.{name}"), value)));
        suite.add_properties(part.map(|part| Property::new("kept", format!("from part {part} of the run"))));
        suite.add_properties(resumed.iter().map(|at| Property::new("resumed", at)));
        report.add_test_suite(suite);
    }
    // Readers that add up take no time for no number.
    report.set_time(seconds(at_work(gates.iter().filter_map(span).collect())));
    // quick-junit takes out what ends XML, but for two signs; all else is to be read as it stands.
    let read = |sign: char| if misleads(sign) { '\u{fffd}' } else { sign };
    Ok(report.to_string()?.chars().map(read).collect())
}

/// Redacts a text that is written about the evidence; the evidence itself is redacted already. Text by text, so that
/// XML stays XML.
fn clean(text: &str) -> String {
    Redactor::default().text(text)
}

fn property(name: &str, value: &str) -> Property {
    Property::new(clean(name), clean(value))
}

/// For how long any gate was at work: between the parts of a run that was resumed none is.
fn at_work(mut spans: Vec<(f64, f64)>) -> f64 {
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    let add =
        |(sum, until): (f64, f64), (begin, end): (f64, f64)| (sum + (end - begin.max(until)).max(0.0), until.max(end));
    spans.into_iter().fold((0.0, f64::MIN), add).0
}

/// Returns when a gate began and ended, in seconds since the epoch.
fn span(gate: &GateResult) -> Option<(f64, f64)> {
    let record = &gate.evidence.as_ref()?.record;
    let begin = record.started.parse::<jiff::Timestamp>().ok()?.as_millisecond();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch have 41 bits")]
    let begin = begin as f64 / 1000.0;
    Some((begin, begin + record.seconds))
}

fn suite(run_dir: &Path, gate: &GateResult, earlier: &[&GateResult]) -> TestSuite {
    let gate_name = gate.gate_name();
    let name = gate.key.name(&gate_name);
    let mut suite = TestSuite::new(&name);
    suite.set_time(Duration::ZERO);
    if let Some(evidence) = &gate.evidence {
        describe(&mut suite, evidence);
    }
    let conflicts = earlier.iter().filter_map(|again| again.evidence.as_ref()?.record.conflict.as_ref());
    suite.add_properties(conflicts.map(|conflict| property("flaky", &conflict.to_string())));
    let noticed = gate.evidence.iter().flat_map(|evidence| &evidence.record.noticed);
    suite.add_properties(noticed.map(|noticed| property("flaky", noticed)));
    let names: Vec<String> = match gate.verdicts.as_slice() {
        [] => {
            let checks = checks_of_run(gate.key.gate, gate.key.transport, gate.transports);
            checks.into_iter().map(|check| check.name).collect()
        }
        verdicts => verdicts.iter().map(|verdict| verdict.check.clone()).collect(),
    };
    let diagnosis = gate.diagnosis();
    suite.add_properties(diagnosis.causes.iter().map(|cause| Property::new("cause", cause.headline())));
    suite.add_properties(diagnosis.fault().map(|fault| Property::new("fault", fault.to_string())));
    for check in names {
        let verdict = gate.verdicts.iter().find(|verdict| verdict.check == check);
        let because = diagnosis.cause_of(Some(&check));
        let status = status(run_dir, gate, verdict, because);
        let mut case = TestCase::new(clean(&format!("{gate_name}::{check}")), status);
        // That of its suite, as nextest writes it: readers that group by class do not group once more.
        case.set_classname(&name).set_time(Duration::ZERO);
        if let Some((failure, verdict)) = verdict.and_then(|verdict| Some((verdict.failure()?, verdict))) {
            case.set_system_out(attachments(run_dir, failure, verdict));
        }
        for again in earlier {
            rerun(&mut case.status, again, &check);
        }
        suite.add_test_case(case);
    }
    suite
}

/// A case that fails, of a gate that passed and is not to be trusted: for those who want no run of such gates.
fn flaky(gate: &GateResult, earlier: &[&GateResult]) -> Option<TestCase> {
    let is_red = |gate: &GateResult| gate.verdicts.iter().any(|verdict| verdict.failure().is_some());
    let tried_again = earlier.iter().filter(|again| !again.set_aside && is_red(again));
    let tried_again =
        tried_again.map(|again| format!("red as {}, and green when it was tried again", again.gate_name()));
    let conflicts =
        earlier.iter().filter_map(|again| Some(again.evidence.as_ref()?.record.conflict.as_ref()?.to_string()));
    let noticed = gate.evidence.iter().flat_map(|evidence| evidence.record.noticed.clone());
    let why: Vec<String> = tried_again.chain(conflicts).chain(noticed).collect();
    if why.is_empty() || is_red(gate) {
        return None;
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(clean(&format!("flaky: {}", why[0]))).set_type("flaky").set_description(clean(&why.join("\n")));
    let mut case = TestCase::new(clean(&format!("{}::flaky", gate.gate_name())), status);
    case.set_classname(gate.key.name(&gate.gate_name())).set_time(Duration::ZERO);
    Some(case)
}

fn describe(suite: &mut TestSuite, evidence: &Evidence) {
    let record = &evidence.record;
    suite.set_time(seconds(record.seconds));
    if let Ok(started) = chrono_of(&record.started) {
        suite.set_timestamp(started);
    }
    let properties = [("iteration", record.key.iteration), ("attempt", record.key.attempt)]
        .map(|(name, number)| (name, number.to_string()));
    let properties =
        properties.into_iter().chain([("project", record.project.clone()), ("part", record.part.to_string())]);
    suite.add_properties(properties.map(|(name, value)| property(name, &value)));
    suite.add_properties(record.versions.iter().map(|(name, value)| property(&format!("version.{name}"), value)));
    let done = &record.interventions;
    suite.add_properties(done.iter().map(|(name, what)| property(&format!("intervention.{name}"), what)));
    // A phase may come several times, such as a question that is asked until it is answered well.
    let mut phases: BTreeMap<&str, f64> = BTreeMap::new();
    for phase in &record.phases {
        *phases.entry(&phase.name).or_default() += phase.seconds;
    }
    suite.add_properties(
        phases.into_iter().map(|(name, seconds)| property(&format!("seconds.{name}"), &format!("{seconds:.3}"))),
    );
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// quick-junit's times are chrono's.
fn chrono_of(text: &str) -> Result<chrono::DateTime<chrono::FixedOffset>, chrono::ParseError> {
    chrono::DateTime::parse_from_rfc3339(text)
}

fn status(run_dir: &Path, gate: &GateResult, verdict: Option<&Verdict>, cause: Option<&Cause>) -> TestCaseStatus {
    let of_gate = |message: String, kind: &str| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let log = run_dir.join(&gate.folder).join(GATE_LOG);
        status.set_description(format!("{message}\n  evidence: {}", log.display()));
        status.set_message(message).set_type(kind);
        status
    };
    match (gate.state, verdict.map(|verdict| &verdict.outcome)) {
        (Stage::Ended, Some(Outcome::Passed)) => TestCaseStatus::success(),
        (Stage::Ended, Some(Outcome::Failed(failure))) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let failure = Redactor::default().failure(failure);
            if let Some(cause) = cause {
                let check = verdict.map(|verdict| verdict.check.as_str()).unwrap_or_default();
                status.set_message(cause.headline()).set_description(cause.explain(check, &failure).to_string());
                status.set_type(format!("fault of {}", cause.fault));
            } else {
                status.set_message(one_line(&failure)).set_description(failure.to_string());
                status.set_type("check");
            }
            status
        }
        (Stage::Ended, Some(Outcome::Unjudged)) => {
            skipped("shapes are compared by the trial alone, and it was not asked for or did not end")
        }
        (Stage::Waiting, _) => skipped("the run ended before this gate began"),
        (Stage::Running, _) => of_gate("the run ended before this gate did".into(), "gate-cut-off"),
        (Stage::Failed | Stage::Ended, _) => of_gate("the gate left no readable record".into(), "gate-without-record"),
    }
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(why);
    status
}

/// Returns the line that readers show in a list.
fn one_line(failure: &Failure) -> String {
    let what = failure.what.lines().next().unwrap_or_default();
    let seen = failure.seen.lines().next().unwrap_or_default();
    let line = if seen.is_empty() { what.to_owned() } else { format!("{what}; seen: {seen}") };
    if line.chars().count() > 400 { line.chars().take(399).chain(['…']).collect() } else { line }
}

/// The variable with the folder of GitLab's project. Its reader takes paths within that; Jenkins' takes absolute ones.
const GITLAB: &str = "CI_PROJECT_DIR";

/// A file as the reader of this CI looks for it.
fn attached(file: &Path) -> PathBuf {
    let project = std::env::var_os(GITLAB).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let inside = project.and_then(|project| file.strip_prefix(project).map(Path::to_owned).ok());
    inside.unwrap_or_else(|| file.to_owned())
}

/// The files that show it, as GitLab and Jenkins (its plugin for attachments) look for them. GitLab takes the first.
fn attachments(run_dir: &Path, failure: &Failure, verdict: &Verdict) -> String {
    let mut files: Vec<PathBuf> = failure.evidence.clone().into_iter().collect();
    let read: BTreeSet<PathBuf> = verdict.read.iter().map(|reading| run_dir.join(&reading.file)).collect();
    files.extend(read.into_iter().filter(|file| failure.evidence.as_ref() != Some(file)));
    let line = |file: &PathBuf| format!("[[ATTACHMENT|{}]]", attached(file).display());
    files.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Adds what a check said in an earlier run of its gate: a flaky failure when it is green now.
fn rerun(status: &mut TestCaseStatus, earlier: &GateResult, check: &str) {
    let verdict = earlier.verdicts.iter().find(|verdict| verdict.check == check);
    let Some(failure) = verdict.and_then(Verdict::failure) else { return };
    let mut rerun = TestRerun::new(NonSuccessKind::Failure);
    let failure = Redactor::default().failure(failure);
    rerun.set_message(one_line(&failure)).set_type("check").set_description(failure.to_string());
    if !matches!(status, TestCaseStatus::Skipped { .. }) {
        status.add_rerun(rerun);
    }
}
