//! The data of a report: the run's summary, and per gate its record, or as far as it got.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::layout::{first_line, seconds};
use crate::evidence::{Phase, Progress, Record, folder, layout};
use crate::summary::{GateSummary, NoRun, State, Summary};
use crate::workerbee::reply::ProfileStatus;

/// A run, read from its folder.
#[derive(Debug)]
pub struct RunReport {
    /// The folder, where it is now.
    pub dir: PathBuf,
    /// The summary of its gates.
    pub summary: Summary,
    /// The gates, in the order of the runbook.
    pub gates: Vec<GateReport>,
}

/// One gate of a run.
#[derive(Debug)]
pub struct GateReport {
    /// Its name, with the attempt when it was retried.
    pub name: String,
    /// Its state.
    pub state: State,
    /// True when its evidence is that of an earlier part of the run.
    pub kept: bool,
    /// Its summary.
    pub summary: GateSummary,
    /// Its record, when it has ended.
    pub record: Option<Record>,
    /// Its progress, or how far it was when it was cut short.
    pub progress: Option<Progress>,
    /// The record of its first run, when that ended in a conflict.
    pub conflict: Option<Record>,
}

impl RunReport {
    /// Reads a run. What a gate has left unreadable is as if it were not there: its checks have said so.
    pub fn load(dir: &Path) -> Result<Self, NoRun> {
        let summary = Summary::load(dir)?;
        let gates = summary.in_order().into_iter().map(|(name, gate)| {
            let file = |name: &str| dir.join(&gate.folder).join(name);
            let record: Option<Record> = gate.ended.and_then(|_| read(dir, &file(layout::RECORD)));
            let kept = record.as_ref().and_then(|record| record.rerun_of.as_ref()).and_then(|kept| kept.file_name());
            GateReport {
                name: name.to_owned(),
                state: summary.state(gate),
                kept: summary.is_kept(gate),
                summary: gate.clone(),
                conflict: kept.and_then(|kept| read(dir, &Path::new(layout::GATES).join(kept).join(layout::RECORD))),
                progress: gate.began.filter(|_| record.is_none()).and_then(|_| read(dir, &file(layout::PROGRESS))),
                record,
            }
        });
        let gates = gates.collect();
        Ok(Self { dir: dir.to_owned(), gates, summary })
    }

    /// A path of the evidence relative to the run's folder, wherever that is now.
    pub fn relative<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let inside = path.strip_prefix(&self.summary.run_dir).or_else(|_| path.strip_prefix(&self.dir));
        let inside = inside.ok().or_else(|| path.is_relative().then_some(path))?;
        let plain = inside.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        plain.then_some(inside)
    }

    /// Seconds from the start of the run until a moment of it, without those between its parts.
    pub(super) fn at(&self, moment: jiff::Timestamp) -> f64 {
        let since = |from: jiff::Timestamp, until: jiff::Timestamp| until.duration_since(from).as_secs_f64().max(0.0);
        let paused = self.summary.pauses().into_iter().map(|(from, until)| since(from, until.min(moment)));
        (since(self.summary.started, moment) - paused.sum::<f64>()).max(0.0)
    }

    /// Returns how long the run took; until its last sign of life when it has not ended.
    pub(super) fn seconds(&self) -> f64 {
        let ends = self.gates.iter().filter_map(|gate| gate.summary.ended);
        let last = ends.chain(self.gates.iter().filter_map(GateReport::last_sign)).map(|moment| self.at(moment));
        last.fold(0.0, f64::max)
    }
}

impl GateReport {
    /// Its name as an anchor.
    pub(super) fn anchor(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        format!("gate-{}", self.name.chars().map(plain).collect::<String>())
    }

    /// Its phases with the moment at which they are counted from: those of the record, or as far as it got.
    pub(super) fn phases(&self) -> Vec<(jiff::Timestamp, &Phase)> {
        let mut phases = Vec::new();
        for record in self.conflict.iter().chain(&self.record) {
            phases.extend(since(&record.started, &record.phases));
        }
        if let Some(progress) = &self.progress {
            phases.extend(since(&progress.started, &progress.phases));
        }
        phases
    }

    /// Its probes, with the time that each took.
    pub(super) fn probes(&self) -> &[Phase] {
        self.record.as_ref().map(|record| record.probes.as_slice()).unwrap_or_default()
    }

    /// Returns how long it has been running, or took; empty while it waits.
    pub fn elapsed(&self) -> String {
        let Some(began) = self.summary.began else { return String::new() };
        let ended = self.summary.ended.unwrap_or_else(jiff::Timestamp::now);
        seconds(ended.duration_since(began).as_secs_f64().max(0.0))
    }

    /// Describes its state in a line: what it is doing, or its result, and whether that is of an earlier part.
    pub fn standing(&self) -> String {
        let came = self.came();
        if self.kept { format!("{came} (kept from part {} of the run)", self.summary.part) } else { came }
    }

    fn came(&self) -> String {
        let red: Vec<&str> = self.summary.failures().map(|(check, _)| check).collect();
        match self.state {
            State::Waiting => "waiting for its turn".to_owned(),
            // Its first word comes a moment after its start; the last one is over a moment before its end.
            State::Running => self.doing().map_or("at work", |(_, doing)| doing).to_owned(),
            State::CutShort => format!("cut short at {}", self.doing().map_or("its start", |(_, doing)| doing)),
            State::Passed if self.summary.flaky.is_some() => "passed, flaky".to_owned(),
            State::Passed => "passed".to_owned(),
            State::Failed => match (&self.summary.failure, red.len()) {
                (Some(failure), _) => format!("failed: {}", first_line(&failure.what)),
                (None, 0) => "failed: no check was judged".to_owned(),
                (None, 1..=3) => format!("failed: {}", red.join(", ")),
                (None, many) => format!("failed: {} and {} more", red[..2].join(", "), many - 2),
            },
        }
    }

    /// Returns what it is doing, and since when.
    pub fn doing(&self) -> Option<(jiff::Timestamp, &str)> {
        let progress = self.progress.as_ref()?;
        let began: jiff::Timestamp = progress.started.parse().ok()?;
        Some((later(began, progress.since), &progress.doing))
    }

    fn last_sign(&self) -> Option<jiff::Timestamp> {
        self.doing().map(|(since, _)| since).or(self.summary.began)
    }

    /// Reads `WorkerBee`'s account of the profile while it was alive: components, leader, routes.
    pub(super) fn profile_status(&self, run: &RunReport) -> Option<ProfileStatus> {
        let record = self.record.as_ref()?;
        let answer = |label: &str| -> Option<serde_json::Value> {
            let call = record.calls.get(label)?;
            call.answer(&read(&run.dir, &call.file)?).cloned()
        };
        let whole = answer("profile-status-after").filter(|answer| !answer["components"].is_null());
        let part = || answer("validate").map(|mut answer| answer["status"].take());
        let status: ProfileStatus = serde_json::from_value(whole.or_else(part)?).ok()?;
        (!status.components.is_empty()).then_some(status)
    }
}

fn since<'a>(started: &str, phases: &'a [Phase]) -> impl Iterator<Item = (jiff::Timestamp, &'a Phase)> {
    let started = started.parse::<jiff::Timestamp>().ok();
    phases.iter().filter_map(move |phase| Some((later(started?, phase.at), phase)))
}

fn later(moment: jiff::Timestamp, seconds: f64) -> jiff::Timestamp {
    let span = jiff::SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    moment.checked_add(span).unwrap_or(moment)
}

fn read<T: DeserializeOwned>(run_dir: &Path, file: &Path) -> Option<T> {
    serde_json::from_slice(&folder::read(run_dir, file).ok()?).ok()
}
