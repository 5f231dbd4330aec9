//! The evidence that a diagnosis reads: the ends of components, logs, and `WorkerBee`'s answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::log::Log;
use crate::attest::exits::Exits;
use crate::attest::logs::{Logs, ROTATED};
use crate::evidence::layout::triage_folder;
use crate::evidence::{Evidence, folder};
use crate::plan::Profile;

/// So many lines of a log stand beside its cause.
pub(super) const EXCERPT: usize = 20;

/// The evidence of a gate, as far as it tells of causes.
pub(super) struct Clues<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) profile: Option<Profile>,
    /// True when the gate ran in a lane, on the stack that the harness provides.
    pub(super) in_lane: bool,
    pub(super) exits: Exits,
    /// The logs of containers, by component or by the app's name.
    pub(super) logs: BTreeMap<String, Log>,
    /// The number of lines that the log of each component had when the gate looked at it.
    seen_lines: BTreeMap<String, usize>,
    /// The logs of what they stand on, by file name.
    pub(super) below: BTreeMap<&'static str, Log>,
    /// The run's folder when the gate ran.
    was_in: Option<PathBuf>,
}

const BELOW: [&str; 3] = ["mcp-daemon.log", "containerd.log", "kernel.log"];

impl<'a> Clues<'a> {
    pub(super) fn of(evidence: &'a Evidence) -> Self {
        let run_dir = &evidence.run_dir;
        let own = evidence.file.parent().and_then(|folder| folder.strip_prefix(run_dir).ok()).unwrap_or(Path::new(""));
        let triage = triage_folder(own);
        let spec: Value = read(run_dir, &own.join("spec.json")).unwrap_or_default();
        let exits = evidence.observation::<Exits>("component-exits").map(|(exits, _)| exits).unwrap_or_default();
        let looked_at = evidence.observation::<Logs>("logs").map(|(seen, _)| seen.logs).unwrap_or_default();
        evidence.readings();
        let files = std::fs::read_dir(run_dir.join(&triage).join("logs")).into_iter().flatten().flatten();
        let log = |file: std::fs::DirEntry| {
            let name = file.file_name().into_string().ok()?.strip_suffix(".log")?.to_owned();
            let log = Log::read(run_dir, &triage.join("logs").join(file.file_name()))?;
            Some((name, log))
        };
        Self {
            evidence,
            profile: evidence.record.key.gate.profile(),
            in_lane: spec["settings"]["mode"].as_str() != Some("external") && !spec["settings"]["mode"].is_object(),
            exits,
            logs: files.filter_map(log).collect(),
            seen_lines: looked_at.into_iter().map(|log| (log.container, log.lines)).collect(),
            below: BELOW.into_iter().filter_map(|name| Some((name, Log::read(run_dir, &triage.join(name))?))).collect(),
            was_in: spec["settings"]["run_dir"].as_str().map(PathBuf::from),
        }
    }

    /// The log of a component. Where it was rotated away, that which it was rotated to.
    pub(super) fn log(&self, component: &str) -> Option<&Log> {
        let log = self.logs.get(component);
        let is_empty = log.is_none_or(|log| log.lines.iter().all(|line| line.trim().is_empty()));
        let rotated = || self.logs.get(&format!("{component}{ROTATED}"));
        if is_empty { rotated().or(log) } else { log }
    }

    /// Says that a component's log has lost lines since the gate looked at it, when it has.
    pub(super) fn loss(&self, component: &str) -> Option<String> {
        let had = *self.seen_lines.get(component)?;
        let log = self.logs.get(component);
        let has = log.map_or(0, |log| log.entries);
        // A part of a log has fewer lines than the whole, and what was redacted may have a few less.
        let is_whole = log.is_none_or(|log| log.is_whole);
        (2 * has < had && is_whole).then(|| format!("its log was cut off meanwhile: it had {had} lines, and has {has}"))
    }

    /// A file as it is called in the run's folder, wherever that is now.
    pub(super) fn relative(&self, file: &Path) -> PathBuf {
        let folders = [Some(self.evidence.run_dir.as_path()), self.was_in.as_deref()];
        let inside = folders.into_iter().flatten().find_map(|folder| file.strip_prefix(folder).ok());
        inside.unwrap_or(file).to_owned()
    }

    /// The answer to a call that has one, with an error of `WorkerBee`'s in it.
    pub(super) fn error_in(&self, file: &Path) -> Option<(String, String)> {
        let file = self.relative(file);
        let call = self.evidence.record.calls.values().find(|call| self.evidence.moved(&call.file) == file)?;
        let answer = read::<Value>(&self.evidence.run_dir, &file)?;
        let error = call.answer(&answer)?.get("error").filter(|error| error.is_object())?.clone();
        let text = |member: &str| error.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some((text("code"), text("message")))
    }

    /// The logs that were read.
    pub(super) fn read(&self) -> Vec<PathBuf> {
        self.logs.values().chain(self.below.values()).map(|log| log.file.clone()).collect()
    }
}

fn read<T: serde::de::DeserializeOwned>(run_dir: &Path, file: &Path) -> Option<T> {
    serde_json::from_slice(&folder::read(run_dir, &run_dir.join(file)).ok()?).ok()
}
