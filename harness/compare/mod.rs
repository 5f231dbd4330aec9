//! Two runs side by side: checks that changed their verdict, timings that moved, evidence of another shape.

mod matrix;
mod page;
mod shapes;
mod text;
mod timing;

pub use matrix::{Differing, Environment, Matrix};
pub use shapes::{Change, Drift};
pub use timing::{Moved, Noise};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::plan::WorkerBeeVersion;
use crate::report::{GateReport, RunReport};
use crate::summary::{NoRun, Outcome};
use crate::tree::Identity;

/// The differences between two runs.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The two runs, the earlier one first as it was named.
    pub runs: [Side; 2],
    /// The difference of times that counts as noise.
    pub noise: Noise,
    /// Versions and settings that differ: what may explain the rest.
    pub parts: Vec<Part>,
    /// Gates that only one of the runs has.
    pub alone: Vec<Alone>,
    /// Checks with another verdict.
    pub verdicts: Vec<Turned>,
    /// Gates and phases that took another time, beyond noise.
    pub timings: Vec<Moved>,
    /// Answers and sights of another shape.
    pub shapes: Vec<Drift>,
}

/// One of the two runs.
#[derive(Debug, Serialize)]
pub struct Side {
    /// Its folder.
    pub run_dir: PathBuf,
    /// When it began.
    pub started: jiff::Timestamp,
    /// The version of `WorkerBee` in it.
    pub workerbee: String,
}

/// A version or a setting that differs; none where a run does not name it.
#[derive(Debug, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// In each run.
    pub values: [Option<String>; 2],
}

/// A gate that only one of the runs has.
#[derive(Debug, Serialize)]
pub struct Alone {
    /// The gate.
    pub gate: String,
    /// Its presence in the first run, and in the second.
    pub there: [bool; 2],
}

/// A check with another verdict.
#[derive(Debug, Serialize)]
pub struct Turned {
    /// `<gate>::<check>`.
    pub check: String,
    /// `passed`, `failed` or `not judged`, in each run.
    pub verdicts: [&'static str; 2],
    /// The reason why it is red now; none when it is green.
    pub why: Option<String>,
}

impl Comparison {
    /// Compares the runs in two folders.
    pub fn of(first: &Path, second: &Path, noise: Noise) -> Result<Self, NoRun> {
        Ok(Self::between([&RunReport::load(first)?, &RunReport::load(second)?], noise))
    }

    /// Compares two runs that were read.
    fn between(runs: [&RunReport; 2], noise: Noise) -> Self {
        let pairs = pairs(runs);
        Self {
            parts: parts(runs),
            alone: alone(runs),
            verdicts: pairs.iter().flat_map(verdicts).collect(),
            timings: pairs.iter().flat_map(|pair| timing::moved(pair, noise)).collect(),
            shapes: pairs.iter().flat_map(|pair| shapes::drift(runs, pair)).collect(),
            noise,
            runs: runs.map(|run| Side {
                workerbee: WorkerBeeVersion::of(&run.summary.versions).to_string(),
                started: run.summary.started,
                run_dir: run.dir.clone(),
            }),
        }
    }

    /// Is true when a gate, a verdict or a shape differs. Times prove nothing: they are shown, and do not count.
    pub fn differs(&self) -> bool {
        !self.alone.is_empty() || !self.verdicts.is_empty() || !self.shapes.is_empty()
    }

    /// As text, for a terminal.
    pub fn text(&self) -> String {
        text::render(self)
    }

    /// As a page of its own.
    pub fn page(&self) -> String {
        page::render(self)
    }
}

/// The gates that both runs have.
fn pairs(runs: [&RunReport; 2]) -> Vec<[&GateReport; 2]> {
    let [first, second] = runs;
    let same = |gate: &&GateReport, other: &&GateReport| gate.name == other.name;
    first.gates.iter().filter_map(|gate| Some([gate, second.gates.iter().find(|other| same(&gate, other))?])).collect()
}

fn parts(runs: [&RunReport; 2]) -> Vec<Part> {
    let sides = runs.map(|run| {
        let mut parts: BTreeMap<String, String> = run.summary.versions.clone();
        parts.extend(run.summary.environment.clone());
        let tree = run.summary.k1s_root.iter().flat_map(Identity::facts);
        parts.extend(tree.map(|(name, value)| (format!("k1s root, {name}"), value)));
        parts.insert("lanes".into(), run.summary.lanes.to_string());
        let resumes = run.summary.resumes();
        parts.extend((!resumes.is_empty()).then(|| ("resumed".to_owned(), resumes.join("; "))));
        let kept = run.gates.iter().filter(|gate| gate.kept);
        parts.extend(kept.map(|gate| (format!("{} kept from", gate.name), format!("part {}", gate.summary.part))));
        parts
    });
    let names: BTreeSet<&String> = sides.iter().flat_map(BTreeMap::keys).collect();
    let part = |name: &String| {
        let values = sides.each_ref().map(|side| side.get(name).cloned());
        (values[0] != values[1]).then(|| Part { name: name.clone(), values })
    };
    names.into_iter().filter_map(part).collect()
}

fn alone(runs: [&RunReport; 2]) -> Vec<Alone> {
    let has = |run: &RunReport, name: &str| run.gates.iter().any(|gate| gate.name == name);
    let names: BTreeSet<&str> = runs.iter().flat_map(|run| &run.gates).map(|gate| gate.name.as_str()).collect();
    let alone = |gate: &str| Alone { gate: gate.to_owned(), there: runs.map(|run| has(run, gate)) };
    names.into_iter().map(alone).filter(|gate| gate.there != [true, true]).collect()
}

/// A verdict, and why it is red.
type Said = (&'static str, Option<String>);

/// The verdicts of a gate, by check.
fn said(gate: &GateReport) -> BTreeMap<String, Said> {
    let unrun = gate.summary.failure.as_ref();
    let unrun = unrun.map(|failure| ("(the gate itself)".to_owned(), ("failed", Some(failure.what.clone()))));
    let checks = gate.summary.checks.iter().map(|verdict| {
        let said: Said = match &verdict.outcome {
            Outcome::Passed => ("passed", None),
            Outcome::Failed(failure) => ("failed", Some(failure.what.clone())),
            Outcome::Unjudged => (NOT_JUDGED, None),
        };
        (verdict.check.clone(), said)
    });
    checks.chain(unrun).collect()
}

fn verdicts(pair: &[&GateReport; 2]) -> Vec<Turned> {
    let sides = pair.map(said);
    let names: BTreeSet<&String> = sides.iter().flat_map(BTreeMap::keys).collect();
    let turned = |name: &String| {
        let [first, second] = sides.each_ref().map(|side| side.get(name).cloned().unwrap_or((NOT_JUDGED, None)));
        let check = format!("{}::{name}", pair[0].name);
        (first.0 != second.0).then_some(Turned { check, verdicts: [first.0, second.0], why: second.1 })
    };
    names.into_iter().filter_map(turned).collect()
}

const NOT_JUDGED: &str = "not judged";
