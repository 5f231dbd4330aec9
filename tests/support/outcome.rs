//! The outcome of a gate in which something was broken on purpose: the program that nextest would start, and what it
//! printed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use k1s_profile_gates::plan::{Gate, Transport};
use k1s_profile_gates::summary::{Summary, Verdict};
use k1s_profile_gates::{Evidence, results, run};
use serde_json::Value;

use super::ladder::ladder;

/// A message that lacks what was expected, the evidence's file or the remedy.
const INCOMPLETE: &str = "incomplete";

/// A gate in which something is broken.
pub(crate) struct Attempt<'a> {
    pub(crate) gate: Gate,
    pub(crate) transport: Transport,
    /// The prefix of its project's name: attempts run side by side.
    pub(crate) base: String,
    /// Variables of the run.
    pub(crate) env: Vec<(&'a str, String)>,
    /// The checks that go red, and words that the message of each must have. All others stay green.
    pub(crate) red: Vec<(&'a str, &'a str)>,
}

impl Attempt<'_> {
    /// The name of the gate's folder.
    fn folder(&self) -> String {
        let slug = self.gate.slug();
        if self.transport == Transport::Mcp { format!("{slug}.mcp") } else { slug }
    }
}

/// The outcome of the gate's trials.
pub(crate) struct Outcome {
    passed: BTreeSet<String>,
    /// The message of each red check.
    pub(crate) failed: BTreeMap<String, String>,
    /// The defects of the gate's triage.
    triage: Vec<String>,
    /// The texts about the whole run, by the file that holds them.
    pub(crate) told: BTreeMap<&'static str, String>,
    /// The red checks, by the party that the evidence puts at fault.
    pub(crate) faults: BTreeMap<String, Vec<String>>,
    /// The causes by which it does.
    causes: String,
}

/// Runs the gate, with its evidence in a folder of the attempt's.
pub(crate) fn of(folder: &Path, attempt: &Attempt<'_>) -> Outcome {
    let run_dir = folder.join("run");
    let mut command = Command::new(ladder());
    // Not on standard output, where what a trial prints may end up in the middle of another one's line.
    let log = folder.join("verdicts");
    command.arg(format!("{}::", attempt.gate)).arg("--logfile").arg(&log);
    by_itself(&mut command);
    let output = command
        .env("RUN_DIR", &run_dir)
        .env("WB_PROJECT_BASE", &attempt.base)
        .env("INSTA_UPDATE", "no")
        .env_remove("WORKERBEE_CONTAINERD_STATE_ROOT")
        .env_remove("K1S_GATES_TRANSPORT")
        .envs(attempt.env.iter().map(|(name, value)| (*name, value)))
        .output()
        .unwrap();
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    let verdicts = |end: &str| -> BTreeSet<String> {
        let names = said.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(end)?.split(" ...").next());
        let own = names.filter_map(|name| name.trim().strip_prefix(&format!("{}::", attempt.gate)));
        own.map(str::to_owned).collect()
    };
    let (passed, red) = (verdicts("ok"), verdicts("FAILED"));
    // The program prints the messages of trials that run side by side, without their names.
    let record = run_dir.join("gates").join(attempt.folder()).join("record.json");
    let evidence = Evidence::load(&run_dir, &record).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    let message = |name: &String| {
        let check = k1s_profile_gates::checks_of(attempt.gate, attempt.transport)
            .into_iter()
            .find(|check| check.name == *name)?;
        let failure = check.judge(&evidence).err()?;
        let is_complete = !failure.expected.is_empty()
            && !failure.remedy.is_empty()
            && failure.evidence.as_ref().is_some_and(|file| file.exists());
        // What names the cause is what was seen: what is expected and advised is the same whatever happened.
        let seen = format!("{}\n{}", failure.what, failure.seen);
        Some(if is_complete { seen } else { format!("{INCOMPLETE}: {failure}") })
    };
    // The supervisor writes its last words a moment after the program: into a folder that must still be there.
    while run::is_alive(&run_dir) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let failed = red.into_iter().map(|name| (name.clone(), message(&name).unwrap_or_default())).collect();
    let triage = triage(&run_dir, attempt, &failed);
    Outcome { passed, failed, triage, told: told(&run_dir), faults: faults(&run_dir), causes: causes(&run_dir) }
}

/// The causes in a run's summary.
fn causes(run_dir: &Path) -> String {
    let summary = Summary::load(run_dir).unwrap();
    format!("{:#?}", summary.gates.values().map(|gate| &gate.diagnosis).collect::<Vec<_>>())
}

/// The red checks of a run, by the party at fault.
fn faults(run_dir: &Path) -> BTreeMap<String, Vec<String>> {
    let summary = Summary::load(run_dir).unwrap();
    let red = summary.gates.values().flat_map(|gate| &gate.checks).filter(|verdict| verdict.failure().is_some());
    let fault = |verdict: &Verdict| verdict.fault.map_or("nobody".to_owned(), |fault| fault.to_string());
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for verdict in red {
        faults.entry(fault(verdict)).or_default().push(verdict.check.clone());
    }
    faults
}

/// Without what nextest tells its own trials: this is a run by itself.
pub(crate) fn by_itself(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("NEXTEST")) {
        command.env_remove(name);
    }
}

/// Reads the texts about a whole run, by the file that holds them.
pub(crate) fn told(run_dir: &Path) -> BTreeMap<&'static str, String> {
    let mut told: BTreeMap<&str, String> = ["summary.txt", "run.json", "report.html"]
        .map(|file| (file, std::fs::read_to_string(run_dir.join(file)).unwrap_or_default()))
        .into();
    told.insert("JUnit", results::junit(run_dir).unwrap_or_default());
    told
}

/// A gate that failed has a triage: an index of files that are there and show something, and of what could not be taken.
fn triage(run_dir: &Path, attempt: &Attempt<'_>, failed: &BTreeMap<String, String>) -> Vec<String> {
    let folder = run_dir.join("triage").join(attempt.folder());
    // These are judged when the gate has ended.
    if failed.keys().all(|check| check == "snapshot" || check.starts_with("secrets::")) {
        return if folder.exists() { vec!["a triage of nothing".to_owned()] } else { Vec::new() };
    }
    let bytes = std::fs::read(folder.join("index.json")).map_err(|error| error.to_string());
    let index: Value = match bytes.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string())) {
        Ok(index) => index,
        Err(error) => return vec![format!("no triage: {error}")],
    };
    let mut wrong = Vec::new();
    let red: BTreeSet<&str> = index["red"].as_array().unwrap().iter().filter_map(|red| red["check"].as_str()).collect();
    wrong.extend(red.iter().filter(|check| !failed.contains_key(**check)).map(|check| format!("triage of {check}")));
    let items = index["items"].as_array().unwrap();
    let mut listed: BTreeSet<PathBuf> = ["index.json", "index.txt"].map(|name| folder.join(name)).into();
    for item in items {
        let files: Vec<PathBuf> =
            item["files"].as_array().unwrap().iter().map(|file| run_dir.join(file.as_str().unwrap())).collect();
        if files.is_empty() && item["problem"].is_null() {
            wrong.push(format!("triage without a file or a reason: {item}"));
        }
        listed.extend(files);
    }
    let there = walkdir::WalkDir::new(&folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let there: BTreeSet<PathBuf> = there.map(walkdir::DirEntry::into_path).collect();
    wrong.extend(
        listed
            .symmetric_difference(&there)
            .map(|file| format!("in the triage, or its index, alone: {}", file.display())),
    );
    let empty = there.iter().filter(|file| std::fs::metadata(file).unwrap().len() == 0);
    wrong.extend(empty.map(|file| format!("empty in the triage: {}", file.display())));
    println!("{}", std::fs::read_to_string(folder.join("index.txt")).unwrap_or_default());
    wrong
}

/// Rows run side by side, and so may whole test runs: their projects' names must differ.
pub(crate) fn base(first: char, number: usize) -> String {
    let digits = |value: usize| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[value % 36]);
    let process = usize::try_from(std::process::id()).unwrap();
    [first.to_string()]
        .into_iter()
        .chain([number / 36, number, process / 36, process].map(|value| digits(value).to_string()))
        .collect()
}

/// How the name of a check begins that a row may turn red and need not: where it depends on what k1s is just at.
pub(crate) const MAY: char = '?';

impl Outcome {
    /// Lists the red checks for which another party is put at fault: one line for each party.
    pub(crate) fn not_the_fault_of(&self, fault: &str) -> Vec<String> {
        let others = self.faults.iter().filter(|(seen, _)| *seen != fault);
        let told = |(seen, checks): (&String, &Vec<String>)| {
            format!("fault of {seen} instead of {fault}: {}\n{}", checks.join(", "), self.causes)
        };
        others.map(told).collect()
    }

    /// Lists what is not as it should be: one line each.
    pub(crate) fn differs_from(&self, attempt: &Attempt<'_>) -> Vec<String> {
        let mut wrong = self.triage.clone();
        let checks: BTreeSet<String> =
            k1s_profile_gates::checks_of(attempt.gate, attempt.transport).into_iter().map(|check| check.name).collect();
        let seen: BTreeSet<String> = self.passed.iter().chain(self.failed.keys()).cloned().collect();
        wrong.extend(checks.symmetric_difference(&seen).map(|name| format!("not judged, or unknown: {name}")));
        for (check, says) in attempt.red.iter().filter(|(check, _)| !check.starts_with(MAY)) {
            match self.failed.get(*check) {
                None => wrong.push(format!("stayed green: {check}")),
                Some(message) if message.starts_with(INCOMPLETE) => wrong.push(format!("{check}: {message}")),
                Some(message) if says.is_empty() || !message.contains(says) => {
                    wrong.push(format!("red, but does not say `{says}`: {check}: {message}"));
                }
                Some(_) => {}
            }
        }
        let expected: BTreeSet<&str> =
            attempt.red.iter().map(|(check, _)| check.strip_prefix(MAY).unwrap_or(check)).collect();
        wrong.extend(
            self.failed.keys().filter(|name| !expected.contains(name.as_str())).map(|name| format!("went red: {name}")),
        );
        wrong
    }
}
