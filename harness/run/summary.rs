//! The run's summary: one line per gate, and how often each was run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::protocol::GateKey;
use super::settings::Settings;
use crate::evidence::{Evidence, Store};
use crate::failure::Failure;
use crate::gates;

/// What `run.json` and `summary.txt` say.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    run_dir: PathBuf,
    started: String,
    project_base: String,
    mode: super::settings::Mode,
    lanes: usize,
    versions: BTreeMap<String, String>,
    gates: BTreeMap<String, GateSummary>,
}

#[derive(Debug, Default, Serialize)]
struct GateSummary {
    /// How often the gate was run: once, unless something is wrong.
    runs: u32,
    project: String,
    seconds: f64,
    passed: Vec<String>,
    failed: BTreeMap<String, String>,
    failure: Option<String>,
    /// Why a gate that passed is not to be trusted blindly: a conflict on its first run.
    flaky: Option<String>,
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

impl Summary {
    pub(super) fn new(settings: &Settings, lanes: usize) -> Self {
        Self {
            run_dir: settings.run_dir.clone(),
            started: jiff::Timestamp::now().to_string(),
            project_base: settings.base.clone(),
            mode: settings.mode.clone(),
            lanes,
            versions: BTreeMap::new(),
            gates: BTreeMap::new(),
        }
    }

    pub(super) fn ran(&mut self, key: GateKey, seconds: f64, failure: Option<&Failure>) {
        let gate = self.gate(key);
        gate.runs += 1;
        gate.seconds = seconds;
        gate.failure = failure.map(ToString::to_string);
    }

    /// The verdicts of a gate's checks: the trials come to the same, but not every trial may have been asked for.
    pub(super) fn record(&mut self, run_dir: &Path, file: &Path) {
        let Ok(evidence) = Evidence::load(run_dir, file) else { return };
        let record = &evidence.record;
        self.versions.extend(record.versions.clone());
        let key = GateKey { gate: record.gate, attempt: record.attempt };
        let gate = self.gate(key);
        gate.project.clone_from(&record.project);
        if let Some(kept) = &record.rerun_of {
            gate.runs += 1;
            gate.flaky =
                Some(format!("409 Conflict in the first project ({}); this is a rerun in a fresh one", kept.display()));
        }
        // A snapshot is compared by its trial alone: only that knows whose snapshots are meant.
        for check in gates::checks(record.gate).into_iter().filter(|check| check.name != "snapshot") {
            match check.judge(&evidence) {
                Ok(()) => gate.passed.push(check.name),
                Err(failure) => {
                    let (what, seen) = (first_line(&failure.what), first_line(&failure.seen));
                    drop(gate.failed.insert(check.name, format!("{what}; seen: {seen}")));
                }
            }
        }
    }

    fn gate(&mut self, key: GateKey) -> &mut GateSummary {
        let name =
            if key.attempt > 1 { format!("{} (attempt {})", key.gate, key.attempt) } else { key.gate.to_string() };
        self.gates.entry(name).or_default()
    }

    /// Written anew after every gate, so that a run that is killed has one too.
    pub(super) fn write(&self, store: &Store) {
        // What cannot be written here could not be written by the gates either, and they say so.
        let _ = store.write_json(Path::new("run.json"), self);
        let _ = store.write(Path::new("summary.txt"), self.text().as_bytes());
    }

    fn text(&self) -> String {
        let mut text = format!(
            "run_dir={}\nproject_base={}\nstarted={}\n",
            self.run_dir.display(),
            self.project_base,
            self.started
        );
        for (name, version) in &self.versions {
            let _ = writeln!(text, "{name}={version}");
        }
        for (name, gate) in &self.gates {
            let ok = gate.failure.is_none() && gate.failed.is_empty() && !gate.passed.is_empty();
            let _ = writeln!(
                text,
                "{name} project={} ok={ok} checks={}/{} seconds={:.1}",
                gate.project,
                gate.passed.len(),
                gate.passed.len() + gate.failed.len(),
                gate.seconds
            );
            if let Some(flaky) = &gate.flaky {
                let _ = writeln!(text, "  flaky: {flaky}");
            }
            for (check, what) in &gate.failed {
                let _ = writeln!(text, "  failed {check}: {what}");
            }
            if let Some(failure) = &gate.failure {
                let _ = writeln!(text, "  failed: {}", failure.lines().next().unwrap_or_default());
            }
        }
        text
    }
}
