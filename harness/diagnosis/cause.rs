//! A cause, and how it is told: in two lines first.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fault, Red};
use crate::failure::Failure;

/// The most of a line that people read first.
const LINE: usize = 300;

/// The largest number of logs that are named where none of them says why.
const NAMED: usize = 5;

/// Checks whose finding is that something does not work, or is not there: it leaves the question why. The finding of any other
/// is itself what k1s or `WorkerBee` did wrong.
const LEAVES_THE_QUESTION: [&str; 28] = [
    "attest::app",
    "attest::component-exits",
    "attest::containers",
    "attest::leader",
    "attest::leadership",
    "attest::loop",
    "attest::readiness",
    "attest::resources",
    "attest::routes",
    "attest::state-backend",
    "attest::streams",
    "attest::websocket",
    "attest::websocket-echo",
    "components-running",
    "control-plane-urls",
    "exports",
    "ha-leader-observed",
    "https-probes",
    "images-built",
    "ingress-healthy",
    "manifest-deploy",
    "mcp-running",
    "ok",
    "profile-start",
    "profile-status-after",
    "projects-after",
    "websocket-probe",
    "workload-status",
];

/// The diagnosis of a gate: what broke it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Diagnosis {
    /// The causes: ends of components, then what k1s or `WorkerBee` did wrong, then what leaves open why; otherwise in the
    /// order in which the gate met them. Several are independent of each other.
    pub causes: Vec<Cause>,
    /// The evidence that was read to find them.
    pub read: Vec<PathBuf>,
}

/// One thing that broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Cause {
    /// The event, such as `controller-0 exited with status 1 after 1.4 s`.
    pub what: String,
    /// The reason, as far as the evidence shows it: an exception with file and line, `WorkerBee`'s error, an answer.
    pub why: Option<String>,
    /// The component of the profile that it happened to, if it was one.
    pub component: Option<String>,
    /// The party at fault, as far as the evidence shows it.
    pub fault: Fault,
    /// The time, by the machine's clock.
    pub at: Option<Timestamp>,
    /// The files that show it, in the run's folder; the most telling one first.
    pub evidence: Vec<PathBuf>,
    /// The last lines of the component's log.
    pub excerpt: Vec<String>,
    /// The checks that are red because of it.
    pub checks: Vec<String>,
    /// True when it kept the gate from going on.
    pub stops_the_gate: bool,
}

impl Diagnosis {
    /// The cause of a red check; without a name, of what kept the gate from going on.
    pub fn cause_of(&self, check: Option<&str>) -> Option<&Cause> {
        let is_it = |cause: &&Cause| match check {
            Some(check) => cause.checks.iter().any(|known| known == check),
            None => cause.stops_the_gate,
        };
        self.causes.iter().find(is_it)
    }

    /// Returns the party at fault for the gate's red checks: k1s as soon as one cause is its own, for that must not be
    /// missed.
    pub fn fault(&self) -> Option<Fault> {
        self.causes.iter().map(|cause| cause.fault).min()
    }
}

impl Cause {
    pub(super) fn new(what: impl Into<String>, fault: Fault) -> Self {
        Self {
            what: what.into(),
            why: None,
            component: None,
            fault,
            at: None,
            evidence: Vec::new(),
            excerpt: Vec::new(),
            checks: Vec::new(),
            stops_the_gate: false,
        }
    }

    pub(super) fn takes(&mut self, red: &Red) {
        match &red.check {
            Some(check) => self.checks.push(check.clone()),
            None => self.stops_the_gate = true,
        }
    }

    /// Is true when nothing says why it happened.
    pub(super) fn is_open(&self) -> bool {
        let asks = self.checks.first().is_none_or(|check| LEAVES_THE_QUESTION.contains(&check.as_str()));
        self.why.is_none() && asks
    }

    /// Describes the event and its reason, in one line.
    pub fn headline(&self) -> String {
        let why = self.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let line = format!("{}{why}", self.what);
        let line = line.lines().next().unwrap_or_default();
        if line.chars().count() > LINE { line.chars().take(LINE - 1).chain(['…']).collect() } else { line.to_owned() }
    }

    /// Describes what follows from it, in one line; `read` is the evidence that was read where no cause was found.
    pub fn second_line(&self, read: &[PathBuf]) -> String {
        let shows = self.evidence.first().map(|file| format!("; see {}", file.display())).unwrap_or_default();
        let follows = match self.checks.len() {
            0 => "the gate could not go on".to_owned(),
            1 => format!("red: {}", self.checks[0]),
            many => format!("red: {} and {} more that follow from it", self.checks[0], many - 1),
        };
        let unknown = if self.is_open() { format!("cause not found, {}; ", looked_at(read)) } else { String::new() };
        format!("fault of {}; {unknown}{follows}{shows}", self.fault)
    }

    /// The failure of a check, as its trial says it: the cause first, the check's own finding under it.
    pub fn explain(&self, check: &str, failure: &Failure) -> Explained {
        // A check that is its own cause has said so already.
        let follows = self.checks.first().is_some_and(|first| first != check) || self.what != failure.what;
        Explained { headline: self.headline(), fault: self.fault, follows, failure: failure.clone() }
    }
}

fn looked_at(read: &[PathBuf]) -> String {
    match read {
        [] => "there was nothing to look at but the checks' own evidence".to_owned(),
        files => {
            let name = |file: &PathBuf| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            // Those of the profile's components and of what they stand on come first: an app's is the last that says why.
            let (apps, others): (Vec<String>, Vec<String>) =
                files.iter().map(name).partition(|name| name.starts_with("ae-"));
            let mut names: Vec<String> = others.into_iter().chain(apps).collect();
            let more = names.len().saturating_sub(NAMED);
            names.truncate(NAMED);
            let more = if more > 0 { format!(" and {more} more logs") } else { String::new() };
            format!("looked at: {}{more}", names.join(", "))
        }
    }
}

/// A red check with its cause. Its `Display` starts with `Error: `, the line that nextest takes as JUnit's message.
#[derive(Debug, Clone)]
pub struct Explained {
    headline: String,
    fault: Fault,
    follows: bool,
    failure: Failure,
}

impl Display for Explained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Error: {}\n  fault:    {}", self.headline, self.fault)?;
        let own = self.failure.to_string();
        let own = own.strip_prefix("Error: ").unwrap_or(&own);
        if self.follows {
            write!(f, "\n  follows:  {own}")
        } else {
            own.split_once('\n').map_or(Ok(()), |(_, parts)| write!(f, "\n{parts}"))
        }
    }
}

/// The causes as people read them: two lines each, then the last lines of the log.
impl Display for Diagnosis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for cause in &self.causes {
            writeln!(f, "{}\n  {}", cause.headline(), cause.second_line(&self.read))?;
            if let Some(at) = cause.at {
                writeln!(f, "  at {at}")?;
            }
            if cause.checks.len() > 1 {
                writeln!(f, "  follows from it: {}", cause.checks[1..].join(", "))?;
            }
            for line in &cause.excerpt {
                writeln!(f, "    | {line}")?;
            }
        }
        Ok(())
    }
}
