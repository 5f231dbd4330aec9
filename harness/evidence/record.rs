//! The record of one gate: its calls, the harness's own observations, its phases.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{Call, Ending};
use super::folder;
use super::layout::{GATES, INTERRUPTED, RECORD, gate_folder, moved};
use crate::failure::{Failure, Kind};
use crate::plan::{Gate, GateKey, Transport, Transports, WorkerBeeVersion};
use crate::tree::Identity;

/// The record of one gate, `gates/<gate>/record.json` in the run's folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The gate, and which run of it.
    #[serde(flatten)]
    pub key: GateKey,
    /// The transports over which the gates of its run ask.
    pub transports: Transports,
    /// The part of the run that ran it, from 1: a run that was resumed has several.
    pub part: usize,
    /// Its own project.
    pub project: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took in all.
    pub seconds: f64,
    /// `WorkerBee`'s calls, by what they were for.
    pub calls: BTreeMap<String, Call>,
    /// The harness's own observations, by name.
    pub observations: BTreeMap<String, Observation>,
    /// The phases, with the time that each took.
    pub phases: Vec<Phase>,
    /// The probes that were observed, side by side, with the time that each took; one that waited for another began later.
    #[serde(default)]
    pub probes: Vec<Phase>,
    /// The conflict that ended this gate in its project and need not in another one.
    pub conflict: Option<Conflict>,
    /// Irregularities that no check judges: a gate that passed is called flaky for them.
    pub noticed: Vec<String>,
    /// The folder of the run of this gate that ended in a conflict, when this is the rerun in a fresh project.
    pub rerun_of: Option<PathBuf>,
    /// True when its project stays, as its user asked for (`K1S_GATES_KEEP=failed`): then nothing was stopped or
    /// purged.
    pub project_kept: bool,
    /// The failure that kept the gate from going on, if one did.
    pub failure: Option<Failure>,
    /// The k1s under test.
    pub k1s_root: Option<Identity>,
    /// The user id of the process that called `WorkerBee`.
    #[serde(default)]
    pub user: u32,
    /// Versions of what it ran on.
    pub versions: BTreeMap<String, String>,
    /// The settings of the harness's in its lane that change how `WorkerBee` and k1s behave, each with what it does.
    #[serde(default)]
    pub interventions: BTreeMap<String, String>,
}

impl Record {
    /// Is true when a file in the run's folder is this gate's own, besides those of its folder.
    pub fn owns(&self, file: &Path) -> bool {
        projects_of(file).any(|project| project == self.project) || self.files_of_calls().any(|known| known == file)
    }

    /// The files in the run's folder that its calls left.
    pub(crate) fn files_of_calls(&self) -> impl Iterator<Item = &Path> {
        self.calls
            .values()
            .flat_map(|call| std::iter::once(&call.file).chain(call.stderr.as_ref()))
            .map(PathBuf::as_path)
    }
}

/// The projects of which a file in the run's folder may be, by its name: what a gate keeps beside its calls' output has
/// its project's name, and a dash, before its own.
pub(crate) fn projects_of(file: &Path) -> impl Iterator<Item = &str> {
    let apart = file.starts_with(GATES) || file.starts_with(INTERRUPTED);
    let name = file.file_name().and_then(|name| name.to_str()).filter(|_| !apart).unwrap_or_default();
    name.match_indices('-').map(|(end, _)| &name[..end])
}

/// A conflict: what ends a gate in one project and need not in another.
///
/// A 409 on apply: `WorkerBee` always applies to controller 0, and k1s answers so when another one holds the lease, or
/// when a compare-and-swap in etcd was lost. On a shared host also a port that another start has taken meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Conflict {
    /// Its cause.
    pub cause: Cause,
    /// Of a 409: who held the lease, another than controller 0 when any did at any time.
    pub leader: Option<String>,
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let leader = self.leader.as_deref().unwrap_or("nobody that was seen");
        match self.cause {
            Cause::PortTaken => write!(f, "{}: a port that WorkerBee had picked was taken by others first", self.cause),
            cause => write!(f, "409 Conflict, {cause}: {leader} held the lease"),
        }
    }
}

/// The cause of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Another controller held the lease.
    NotLeader,
    /// Controller 0 held it all along: a compare-and-swap in etcd was lost.
    ResourceVersionConflict,
    /// The leader could not be read.
    Unknown,
    /// No 409: `WorkerBee` picks ports by looking for free ones, and another process on the host was quicker.
    PortTaken,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotLeader => "not-leader",
            Self::ResourceVersionConflict => "resource-version-conflict",
            Self::Unknown => "unknown",
            Self::PortTaken => "port-taken",
        })
    }
}

/// One look of the harness's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// The result, as JSON in the run's folder.
    Seen(PathBuf),
    /// The reason why it could not be made.
    Failed(Failure),
}

/// A part of a gate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Phase {
    /// The name of what was done.
    pub name: String,
    /// Seconds after the gate began.
    pub at: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// The progress of a gate, `gates/<gate>/progress.json` in the run's folder until the record is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    /// Its own project.
    pub project: String,
    /// When it began.
    pub started: String,
    /// The phase that it is in now.
    pub doing: String,
    /// Seconds after the gate began.
    pub since: f64,
    /// The phases that it has finished.
    pub phases: Vec<Phase>,
}

/// A finished gate, as its checks see it.
#[derive(Debug)]
pub struct Evidence {
    /// The run's folder.
    pub run_dir: PathBuf,
    /// The record's own file.
    pub file: PathBuf,
    /// The record.
    pub record: Record,
    /// The parts of it that were read since the last question.
    read: Mutex<Vec<Reading>>,
}

/// A part of the evidence that a check has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reading {
    /// The file, in the run's folder.
    pub file: PathBuf,
    /// The part of it (RFC 6901, empty for all).
    pub pointer: String,
}

impl Evidence {
    /// Reads a record.
    pub fn load(run_dir: &Path, file: &Path) -> Result<Self, Failure> {
        let unreadable = |error: String| {
            Failure::new("the gate left no readable record")
                .expected("the record of the gate")
                .seen(error)
                .evidence(file)
                .remedy("read the gate's log in the same folder")
        };
        let bytes = folder::read(run_dir, file).map_err(|error| unreadable(error.to_string()))?;
        let record = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { run_dir: run_dir.to_owned(), file: file.to_owned(), record, read: Mutex::default() })
    }

    /// The evidence that a run has left of a gate, asked on the command line: its first attempt.
    pub fn of_gate(run_dir: &Path, gate: Gate) -> Result<Self, Failure> {
        let run_dir = std::path::absolute(run_dir).unwrap_or_else(|_| run_dir.to_owned());
        let file = gate_folder(GateKey::first(gate, Transport::Cli)).join(RECORD);
        Self::load(&run_dir, &run_dir.join(file))
    }

    /// A record that is still being filled, as its checks would see it now.
    pub(crate) fn so_far(run_dir: &Path, file: &Path, record: Record) -> Self {
        Self { run_dir: run_dir.to_owned(), file: run_dir.join(file), record, read: Mutex::default() }
    }

    /// Takes the list of what was read since this was last asked: the evidence of the check that has just judged.
    pub fn readings(&self) -> Vec<Reading> {
        std::mem::take(&mut *self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds what was read of other evidence for the same verdict.
    pub(crate) fn note_all(&self, readings: &[Reading]) {
        for reading in readings {
            self.note(&reading.file, &reading.pointer);
        }
    }

    /// The same gate at the same attempt, asked the other way.
    pub(crate) fn counterpart(&self) -> Result<Self, Failure> {
        let key = self.record.key;
        let file = gate_folder(GateKey { transport: key.transport.other(), ..key }).join(RECORD);
        Self::load(&self.run_dir, &self.run_dir.join(file))
    }

    fn note(&self, file: &Path, pointer: &str) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = Reading { file: file.to_owned(), pointer: pointer.to_owned() };
        // The part that was looked at says more than the whole that it was taken from.
        read.retain(|known| known.file != reading.file || !reading.pointer.starts_with(&known.pointer));
        if !read.iter().any(|known| known.file == reading.file && known.pointer.starts_with(&reading.pointer)) {
            read.push(reading);
        }
    }

    /// The record's own file in the run's folder: every verdict rests on it, as it says which file is whose.
    pub(crate) fn own_file(&self) -> &Path {
        self.file.strip_prefix(&self.run_dir).unwrap_or(&self.file)
    }

    /// Returns the present place of a file in the run's folder.
    pub(crate) fn moved(&self, file: &Path) -> PathBuf {
        let folder = self.file.parent().and_then(|folder| folder.strip_prefix(&self.run_dir).ok());
        let folder = folder.filter(|folder| folder.starts_with(GATES));
        folder.and_then(|folder| moved(file, folder)).unwrap_or_else(|| file.to_owned())
    }

    /// A file of this gate, wherever its folder is now: that of a run that ended in a conflict was set aside.
    fn locate(&self, file: &Path, pointer: &str) -> PathBuf {
        let file = self.moved(file);
        self.note(&file, pointer);
        self.run_dir.join(file)
    }

    /// The call that was made for `label`; a call that was not made is a failure, with what kept the gate from it.
    pub fn call(&self, label: &str) -> Result<&Call, Failure> {
        self.record.calls.get(label).ok_or_else(|| self.not_reached(&format!("the call `{label}`")))
    }

    /// The file of a call, for messages; the record when the call left none.
    pub fn path(&self, call: &Call) -> PathBuf {
        let file = self.locate(&call.file, "");
        if file.is_file() { file } else { self.file.clone() }
    }

    /// All that the file of a call holds.
    fn whole(&self, label: &str) -> Result<Value, Failure> {
        let call = self.call(label)?;
        let file = self.path(call);
        if let Some(problem) = &call.problem {
            let status = call.exit.map(|code| format!("exit {code}; ")).unwrap_or_default();
            return Err(Failure::new(format!("WorkerBee gave no answer to `{label}`: {}", problem.cause()))
                .expected(problem.expected(call))
                .seen(format!("{status}{problem}"))
                .evidence(file)
                .remedy(problem.remedy(call))
                .of(problem.kind()));
        }
        let unreadable = |error: String| {
            Failure::new(format!("the evidence of `{label}` cannot be read"))
                .expected("the JSON that WorkerBee printed")
                .seen(error)
                .evidence(&file)
                .remedy("the file was changed or removed after the gate: run the gate again")
        };
        let bytes =
            folder::read(&self.run_dir, &self.locate(&call.file, "")).map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))
    }

    /// The answer to a call, wherever its way has it.
    pub fn json(&self, label: &str) -> Result<Value, Failure> {
        let whole = self.whole(label)?;
        let call = self.call(label)?;
        call.answer(&whole).cloned().ok_or_else(|| Self::lacks(label, &call.base, &whole, &self.path(call)))
    }

    /// Judges how a call ended.
    pub fn ending(&self, label: &str) -> Result<Ending, Failure> {
        Ok(self.call(label)?.ending(&self.whole(label)?))
    }

    /// The project that MCP's result around the answer to a call says it is about.
    pub(crate) fn said_of(&self, label: &str) -> Option<String> {
        let whole = self.whole(label).ok().filter(|_| self.record.calls[label].transport == Transport::Mcp)?;
        Some(whole.pointer("/structuredContent/project")?.as_str()?.to_owned())
    }

    fn lacks(label: &str, pointer: &str, seen: &Value, file: &Path) -> Failure {
        Failure::new(format!("WorkerBee's answer to `{label}` has no {pointer}"))
            .expected(format!("a member at {pointer}"))
            .seen(outline(seen))
            .evidence(file)
            .remedy("see what WorkerBee answered; a new version may have renamed it")
    }

    /// The answer to a call as a type; `pointer` selects a part of it (RFC 6901, empty for all).
    pub fn reply<T: DeserializeOwned>(&self, label: &str, pointer: &str) -> Result<T, Failure> {
        let json = self.json(label)?;
        let call = self.call(label)?;
        let file = self.path(call);
        let part = json.pointer(pointer).ok_or_else(|| Self::lacks(label, pointer, &json, &file))?;
        self.locate(&call.file, &format!("{}{pointer}", call.base));
        T::deserialize(part).map_err(|error| {
            Failure::new(format!("WorkerBee's answer to `{label}` does not have the expected shape"))
                .expected(format!("the shape of {}", WorkerBeeVersion::supported()))
                .seen(error.to_string())
                .evidence(&file)
                .remedy("compare the file with the snapshot of this gate")
        })
    }

    /// Reads the observation `name`, and returns it with the file that holds it.
    pub fn observation<T: DeserializeOwned>(&self, name: &str) -> Result<(T, PathBuf), Failure> {
        let file = match self.record.observations.get(name) {
            Some(Observation::Seen(file)) => self.locate(file, ""),
            Some(Observation::Failed(failure)) if failure.evidence.is_none() => {
                return Err(failure.clone().evidence(&self.file));
            }
            Some(Observation::Failed(failure)) => return Err(failure.clone()),
            None => return Err(self.not_reached(&format!("the observation `{name}`"))),
        };
        let read = folder::read(&self.run_dir, &file).map_err(|error| error.to_string());
        let seen = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
        match seen {
            Ok(seen) => Ok((seen, file)),
            Err(error) => Err(Failure::new(format!("the observation `{name}` cannot be read"))
                .expected("the JSON that the gate wrote")
                .seen(error)
                .evidence(if file.is_file() { &file } else { &self.file })
                .remedy("the file was changed or removed after the gate: run the gate again")),
        }
    }

    fn not_reached(&self, what: &str) -> Failure {
        match &self.record.failure {
            Some(failure) if failure.evidence.is_none() => failure.clone().evidence(&self.file),
            Some(failure) => failure.clone(),
            None if self.record.project_kept => Failure::new(format!("{what} was left out: the project is kept"))
                .expected(what)
                .seen("K1S_GATES_KEEP=failed, and a gate that failed")
                .evidence(&self.file)
                .remedy(kept_project_hint(&self.record.project)),
            None => Failure::new(format!("{what} is missing from the gate's evidence"))
                .expected(what)
                .seen("nothing under that name")
                .evidence(&self.file)
                .of(Kind::Missing)
                .remedy("the harness did not run it: report this with the record attached"),
        }
    }
}

/// Names the commands that inspect a kept project and remove it.
pub fn kept_project_hint(project: &str) -> String {
    format!("`k1s-gates enter {project}` to inspect it, `k1s-gates release {project}` to remove it")
}

/// JSON in one line: its members by name and, where they are short, by value.
pub(crate) fn outline(json: &Value) -> String {
    let text = match json {
        Value::Object(members) if json.to_string().len() > 200 => {
            let members: Vec<String> = members.iter().map(|(name, value)| format!("{name} {}", brief(value))).collect();
            format!("an object of {}", members.join(", "))
        }
        other => other.to_string(),
    };
    if text.chars().count() > 500 { format!("{}…", text.chars().take(500).collect::<String>()) } else { text }
}

fn brief(value: &Value) -> String {
    match value {
        Value::Object(_) if value.to_string().len() > 40 => "{…}".to_owned(),
        Value::Array(items) if value.to_string().len() > 40 => format!("[{} items]", items.len()),
        Value::String(text) if text.len() > 80 => "\"…\"".to_owned(),
        other => other.to_string(),
    }
}
