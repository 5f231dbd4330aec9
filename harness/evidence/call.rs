//! One call of `WorkerBee`, by whichever way, as the record of its gate keeps it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::folder;
use super::problem::McpProblem;
use crate::failure::Kind;
use crate::plan::Transport;

/// The most of an answer that is read and kept. `WorkerBee`'s longest is 0.1 MB.
pub(crate) const OUTPUT_LIMIT: u64 = 16 * 1024 * 1024;

/// Where an MCP result has what `WorkerBee` says of the call, and in that what its command line would print.
const ENVELOPE: &str = "/structuredContent";
const DATA: &str = "/structuredContent/data";

/// One call, as the record of its gate keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// By which way it was made.
    pub transport: Transport,
    /// The command line, or the tool and its arguments; without secrets.
    pub command: Vec<String>,
    /// The raw answer, in the run's folder: standard output, or the result of the tool.
    pub file: PathBuf,
    /// Where in that the answer is which both ways have in common (RFC 6901).
    pub base: String,
    /// Raw standard error, when there was any.
    pub stderr: Option<PathBuf>,
    /// The exit status; none when it was killed or never started, and none of MCP's.
    pub exit: Option<i32>,
    /// How long it took.
    pub seconds: f64,
    /// Why there is no JSON, when there is none.
    pub problem: Option<CallProblem>,
}

/// Why a call gave no JSON to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum CallProblem {
    /// The executable could not be started.
    #[error("could not start {}: {error}", bin.display())]
    NotStarted {
        /// The executable.
        bin: PathBuf,
        /// What the system said.
        error: String,
    },
    /// It did not end in time; a process was killed with its group.
    #[error("no answer within {limit_seconds} s; last words: {}", words(last))]
    TimedOut {
        /// The limit of the operation.
        limit_seconds: u64,
        /// The end of its standard error, or the last state that was seen.
        last: String,
    },
    /// The harness ended it, for nothing could come of it any more; a process was killed with its group.
    #[error("ended by the harness before its limit: {why}; last words: {}", words(last))]
    Ended {
        /// What had happened.
        why: String,
        /// The end of its standard error, or the last state that was seen.
        last: String,
    },
    /// It printed more than the harness reads.
    #[error("{bytes} bytes of output, of which the first {limit} are kept")]
    TooLong {
        /// What it printed.
        bytes: u64,
        /// What is kept.
        limit: u64,
    },
    /// It printed nothing.
    #[error("no output; standard error: {}", words(stderr))]
    Empty {
        /// The end of its standard error.
        stderr: String,
    },
    /// Its output is no JSON.
    #[error("the output is not JSON: {error}; it starts with: {start}")]
    NotJson {
        /// Where the parser stopped.
        error: String,
        /// The start of the output.
        start: String,
    },
    /// The evidence could not be written.
    #[error("the evidence could not be kept: {error}")]
    NotKept {
        /// What the system said.
        error: String,
    },
    /// What only MCP can get wrong.
    #[error("{problem}")]
    Mcp {
        /// What it is.
        problem: McpProblem,
    },
}

impl CallProblem {
    /// The same in a few words.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::NotStarted { .. } => "it could not be started",
            Self::TimedOut { .. } => "it did not end in time",
            Self::Ended { .. } => "the harness ended it",
            Self::TooLong { .. } => "it printed too much",
            Self::Empty { .. } => "it printed nothing",
            Self::NotJson { .. } => "it printed no JSON",
            Self::NotKept { .. } => "what it printed could not be kept",
            Self::Mcp { problem } => problem.cause(),
        }
    }

    /// What kind of failure it is: `WorkerBee`'s answer is missing for something that it has no part in, or for itself.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::NotStarted { .. } => Kind::Environment,
            Self::NotKept { .. } => Kind::Host,
            _ => Kind::Finding,
        }
    }

    /// What there should have been.
    pub fn expected(&self, call: &Call) -> String {
        match (self, call.transport) {
            (Self::Mcp { problem }, _) => problem.expected(),
            (_, Transport::Cli) => "JSON on standard output".to_owned(),
            (_, Transport::Mcp) => "the result of the tool".to_owned(),
        }
    }

    /// What to do about it.
    pub fn remedy(&self, call: &Call) -> String {
        match (self, call.transport) {
            (Self::Mcp { problem }, _) => problem.remedy(),
            (Self::Ended { .. }, _) => {
                "see the component's log in RUN_DIR/triage; K1S_GATES_FAIL_FAST=off waits for WorkerBee's own answer"
                    .to_owned()
            }
            (_, Transport::Cli) => format!("run it by hand: {}", call.command.join(" ")),
            (_, Transport::Mcp) => {
                format!("call the tool by hand, and see the daemon's log: {}", call.command.join(" "))
            }
        }
    }
}

/// A quotation of nothing is no message.
fn words(text: &str) -> &str {
    if text.is_empty() { "empty" } else { text }
}

/// How a call ended: well, or in words how not.
pub struct Ending {
    /// Whether it ended well, by all that its way has to say so.
    pub well: bool,
    /// Whether it ended well as far as it says so: not every answer has an `ok` of its own.
    pub fair: bool,
    /// What was seen of that.
    pub seen: String,
}

impl Call {
    /// A call that is still to be made.
    pub(crate) fn new(transport: Transport, command: Vec<String>, file: &str) -> Self {
        let (file, base) = (PathBuf::from(file), String::new());
        Self { transport, command, file, base, stderr: None, exit: None, seconds: 0.0, problem: None }
    }

    /// The exit status in words; of MCP, which has none, the way.
    pub fn status(&self) -> String {
        match (self.transport, self.exit) {
            (Transport::Mcp, _) => "MCP".to_owned(),
            (Transport::Cli, Some(code)) => format!("exit {code}"),
            (Transport::Cli, None) => "exit none, ended by a signal".to_owned(),
        }
    }

    /// Where a result of MCP's has the answer: its data, or what says why there is none.
    pub(crate) fn base_of(result: &Value) -> &'static str {
        let data = result.pointer(DATA).is_some_and(Value::is_object);
        if data && result.pointer(ENVELOPE).is_some_and(|envelope| envelope["ok"] == true) { DATA } else { ENVELOPE }
    }

    /// The answer in what the file holds.
    pub fn answer<'a>(&self, whole: &'a Value) -> Option<&'a Value> {
        whole.pointer(&self.base)
    }

    /// The answer in the file, below the folder that the call was kept in; none where there is no JSON.
    pub fn answer_in(&self, kept_in: &Path) -> Option<Value> {
        let whole = serde_json::from_slice(&folder::read(kept_in, &self.file).ok()?).ok()?;
        self.answer(&whole).cloned()
    }

    /// What a good end is, in words.
    pub fn good_end(transport: Transport) -> &'static str {
        match transport {
            Transport::Cli => "exit status 0 and \"ok\": true",
            Transport::Mcp => "no error of MCP's, and \"ok\": true both of the call and of its data",
        }
    }

    /// How it ended, by what the file holds. The one place that knows what each way calls a success: MCP's result may be
    /// no error, and its envelope ok, around data that is not; and an answer that is ok may hold a part that is not.
    pub fn ending(&self, whole: &Value) -> Ending {
        let ok = |value: Option<&Value>| match value {
            Some(value) => format!("\"ok\": {value}"),
            None => "no \"ok\"".to_owned(),
        };
        let answer = self.answer(whole);
        let verdict = answer.and_then(|answer| answer.get("ok"));
        let has_error =
            |place: Option<&Value>| place.and_then(|place| place.get("error")).is_some_and(|it| !it.is_null());
        let (done, seen) = match self.transport {
            Transport::Cli => (self.exit == Some(0), format!("{}, {}", self.status(), ok(verdict))),
            Transport::Mcp => {
                let error = whole["isError"].as_bool().unwrap_or_default();
                let envelope = whole.pointer(ENVELOPE);
                let said = envelope.and_then(|envelope| envelope.get("ok"));
                let done = !error && said == Some(&Value::Bool(true)) && self.base == DATA && !has_error(envelope);
                let data = if self.base == DATA { format!(", of the data {}", ok(verdict)) } else { String::new() };
                (done, format!("isError {error}, {}{data}", ok(said)))
            }
        };
        let is_ok = verdict == Some(&Value::Bool(true));
        let fair = done && (is_ok || verdict.is_none()) && !has_error(answer);
        let denied = answer.and_then(|answer| denied(answer, ""));
        let seen = match &denied {
            Some(place) if fair && is_ok => format!("{seen}, but not \"ok\": true at {place}"),
            _ if fair || !has_error(answer) => seen,
            _ => format!("{seen}, and an error"),
        };
        Ending { well: fair && is_ok && denied.is_none(), fair, seen }
    }
}

/// Members whose `ok` is not the call's: `WorkerBee`'s checks, each of which is judged by itself; how the command reached
/// containerd; what was tried before it went well; and what is said of the routes of all projects.
const ASIDE: [&str; 6] =
    ["checks", "containerd_privilege", "containerd_helper", "attempts", "route_reconciliation", "projects"];

/// Where a part of an answer is not ok.
fn denied(value: &Value, at: &str) -> Option<String> {
    match value {
        Value::Object(members) => {
            members.iter().filter(|(name, _)| !ASIDE.contains(&name.as_str())).find_map(|(name, value)| {
                let at = format!("{at}/{name}");
                if name == "ok" && *value != Value::Bool(true) { Some(at) } else { denied(value, &at) }
            })
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(number, item)| denied(item, &format!("{at}/{number}")))
        }
        _ => None,
    }
}
