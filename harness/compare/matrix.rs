//! Runs of the same gates on several environments: what each environment made of them, and which checks differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::text::{BAD, GOOD, HEAD, part};
use super::{Comparison, Noise, Said, said};
use crate::diagnosis::Cause;
use crate::report::RunReport;

/// Runs of the same gates on several environments.
#[derive(Debug, Serialize)]
pub struct Matrix {
    /// The environments, in the order in which they were named.
    pub environments: Vec<Environment>,
    /// The checks whose verdicts differ between environments, or that one of them never came to.
    pub checks: Vec<Differing>,
    /// What differs of each run from the first one: versions, settings, shapes of evidence.
    pub drifts: Vec<Comparison>,
}

/// One environment, and the run on it.
#[derive(Debug, Serialize)]
pub struct Environment {
    /// Its letter in the table.
    pub letter: String,
    /// What it is, in words.
    pub name: String,
    /// The folder of the run.
    pub run_dir: PathBuf,
    /// The number of checks by verdict: `passed`, `failed`, `not judged`.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// What broke its gates, a line each, and each only once.
    pub causes: Vec<String>,
    /// Why there is no run on it; none when there is one.
    pub refused: Option<String>,
}

/// A check, and its verdict on each environment.
#[derive(Debug, Serialize)]
pub struct Differing {
    /// `<gate>::<check>`.
    pub check: String,
    /// `passed`, `failed`, `not judged` or `not run`, in the order of the environments.
    pub verdicts: Vec<&'static str>,
    /// Why it is red on the first of them that it is red on.
    pub why: Option<String>,
}

impl Matrix {
    /// Reads the runs: of each its environment in words, its folder, and what was said where there is no run in it.
    pub fn of(runs: &[(String, PathBuf, String)]) -> Self {
        let reports: Vec<Option<RunReport>> =
            runs.iter().map(|(_, run_dir, _)| RunReport::load(run_dir).ok()).collect();
        let verdicts: Vec<BTreeMap<String, Said>> =
            reports.iter().map(|report| report.as_ref().map(verdicts).unwrap_or_default()).collect();
        let environments = runs.iter().zip(&reports).zip(&verdicts).enumerate();
        let environments = environments.map(|(place, (((name, run_dir, said), report), verdicts))| Environment {
            letter: letter(place),
            name: name.clone(),
            run_dir: run_dir.clone(),
            verdicts: verdicts.values().fold(BTreeMap::new(), |mut counted, verdict| {
                *counted.entry(verdict.0).or_default() += 1;
                counted
            }),
            causes: report.as_ref().map(causes).unwrap_or_default(),
            refused: report.is_none().then(|| said.clone()),
        });
        let mut there = reports.iter().flatten();
        let first = there.next();
        let drifts = there.zip(first.into_iter().cycle());
        let drifts = drifts.map(|(later, first)| Comparison::between([first, later], Noise::default()));
        Self { environments: environments.collect(), checks: differing(&verdicts), drifts: drifts.collect() }
    }

    /// Is true when each environment has a run, and no check failed on any of them.
    pub fn is_good(&self) -> bool {
        let good = |one: &Environment| one.refused.is_none() && one.verdicts.keys().all(|verdict| *verdict == "passed");
        !self.environments.is_empty() && self.environments.iter().all(|one| good(one) && !one.verdicts.is_empty())
    }

    /// As text, for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut line = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        for one in &self.environments {
            let counted: Vec<String> =
                one.verdicts.iter().map(|(verdict, number)| format!("{number} {verdict}")).collect();
            line(format!("{HEAD}{}{HEAD:#}  {}", one.letter, one.name));
            match &one.refused {
                Some(why) => line(format!("   {BAD}no run{BAD:#}: {why}")),
                None => line(format!("   {}  {}", counted.join(", "), one.run_dir.display())),
            }
            one.causes.iter().for_each(|cause| line(format!("   {BAD}{cause}{BAD:#}")));
        }
        if self.checks.is_empty() {
            line(format!("\n{GOOD}Every check has the same verdict on all of them.{GOOD:#}"));
        } else {
            line(format!("\n{HEAD}Checks that differ{HEAD:#}"));
        }
        for check in &self.checks {
            let told = check.verdicts.iter().enumerate().map(|(place, verdict)| {
                let style = if *verdict == "passed" { GOOD } else { BAD };
                format!("{} {style}{verdict}{style:#}", letter(place))
            });
            line(format!("  {}: {}", check.check, told.collect::<Vec<_>>().join(", ")));
            check.why.iter().for_each(|why| line(format!("      {}", why.lines().next().unwrap_or_default())));
        }
        for drift in &self.drifts {
            let letter_of = |run_dir: &Path| {
                let found = self.environments.iter().find(|one| one.run_dir == run_dir);
                found.map(|one| one.letter.clone()).unwrap_or_default()
            };
            let [first, second] = drift.runs.each_ref().map(|side| letter_of(&side.run_dir));
            line(format!("\n{HEAD}{second} against {first}{HEAD:#}"));
            drift.parts.iter().map(part).for_each(&mut line);
            drift.shapes.iter().for_each(|shape| {
                line(format!("  {} {} has another shape in {} places", shape.gate, shape.of, shape.changes.len()));
            });
        }
        text
    }
}

fn letter(place: usize) -> String {
    let letters = u8::try_from(place).ok().filter(|place| *place < 26);
    letters.map_or_else(|| format!("{}", place + 1), |place| char::from(b'A' + place).to_string())
}

fn verdicts(run: &RunReport) -> BTreeMap<String, Said> {
    run.gates
        .iter()
        .flat_map(|gate| said(gate).into_iter().map(|(check, said)| (format!("{}::{check}", gate.name), said)))
        .collect()
}

/// The headlines of what broke its gates. One that broke several is told once.
fn causes(run: &RunReport) -> Vec<String> {
    let mut told = BTreeSet::new();
    let headlines = run.gates.iter().flat_map(|gate| &gate.summary.diagnosis.causes).map(Cause::headline);
    headlines.filter(|headline| told.insert(headline.clone())).collect()
}

fn differing(verdicts: &[BTreeMap<String, Said>]) -> Vec<Differing> {
    let names: BTreeSet<&String> = verdicts.iter().flat_map(BTreeMap::keys).collect();
    let of = |name: &&String| Differing {
        check: (*name).clone(),
        verdicts: verdicts.iter().map(|run| run.get(*name).map_or(NOT_RUN, |said| said.0)).collect(),
        why: verdicts.iter().find_map(|run| run.get(*name)?.1.clone()),
    };
    let differs = |one: &Differing| one.verdicts.iter().any(|verdict| *verdict != one.verdicts[0]);
    names.iter().map(of).filter(differs).collect()
}

/// The verdict of a check that an environment never came to.
const NOT_RUN: &str = "not run";
