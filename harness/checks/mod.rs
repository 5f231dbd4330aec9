//! Checks: one verdict each over what a gate found. Pure, and each able to fail.

mod reported;
mod snapshot;

pub(crate) use reported::CONTRADICTS;
pub use reported::{WORKERBEE_OK, backed, no_unknown_checks, reported, verdict};
pub use snapshot::snapshot;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::evidence::call::Call;
use crate::evidence::{Evidence, outline};
use crate::failure::{Failure, Kind, Mismatch};

/// A rule over a gate's evidence.
type Judge = dyn Fn(&Evidence) -> Result<(), Failure> + Send + Sync;

/// What a check judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judges {
    /// The evidence of its gate alone.
    Evidence,
    /// The shape of an answer, against a file of the user's.
    Shape,
    /// What `WorkerBee` says both ways.
    BothWays,
}

/// One verdict over a gate's evidence; one trial.
#[derive(Clone)]
pub struct Check {
    /// Its name within the gate.
    pub name: String,
    /// The expected result, in words; empty when only its failure names it.
    pub expected: String,
    judges: Judges,
    judge: Arc<Judge>,
}

impl Check {
    /// A check by name and rule.
    pub fn new(
        name: impl Into<String>,
        judge: impl Fn(&Evidence) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), expected: String::new(), judges: Judges::Evidence, judge: Arc::new(judge) }
    }

    /// Says what it wants to see, for reports of a check that passed.
    #[must_use]
    pub fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Says that it judges something else than the evidence of its gate.
    #[must_use]
    pub(crate) fn judging(mut self, judges: Judges) -> Self {
        self.judges = judges;
        self
    }

    /// Is true when it compares with files of the user's: its trial alone knows which.
    pub(crate) fn is_snapshot(&self) -> bool {
        self.judges == Judges::Shape
    }

    /// Is true when it compares `WorkerBee`'s answers over both transports.
    pub(crate) fn is_parity(&self) -> bool {
        self.judges == Judges::BothWays
    }

    /// Is true when only its trial can judge it: the trial knows whose snapshots are meant, and waits for both
    /// transports.
    pub(crate) fn judged_by_trial_only(&self) -> bool {
        self.is_snapshot() || self.is_parity()
    }

    /// Its verdict.
    pub fn judge(&self, evidence: &Evidence) -> Result<(), Failure> {
        (self.judge)(evidence)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

/// A rule over what the harness saw for itself when it looked at `name`.
pub fn observed<T: DeserializeOwned>(
    check: &str,
    name: &'static str,
    expected: impl Into<String>,
    remedy: &'static str,
    judge: impl Fn(&T) -> Result<(), Mismatch> + Send + Sync + 'static,
) -> Check {
    let (named, expected) = (check.to_owned(), expected.into());
    let words = expected.clone();
    let check = Check::new(check, move |evidence| {
        let (json, file): (Value, _) = evidence.observation(name)?;
        // A file of the harness's own: of another shape it was written by another version, or by nobody.
        let sight = T::deserialize(&json).map_err(|error| Mismatch::from(error.to_string()).of(Kind::Missing));
        sight.and_then(|sight| judge(&sight)).map_err(|wrong| {
            Failure::new(format!("{named}: {}", wrong.what))
                .expected(&expected)
                .seen(outline(wrong.seen.as_ref().unwrap_or(&json)))
                .evidence(file)
                .remedy(wrong.remedy.unwrap_or(remedy))
                .of(wrong.kind)
        })
    });
    check.expecting(words)
}

/// A call ended well by all that its way has to say so: one sign without the other is no success.
pub fn succeeded(name: &str, label: &'static str) -> Check {
    Check::new(name, move |evidence| {
        let reply: crate::workerbee::reply::Reply = evidence.reply(label, "")?;
        let ending = evidence.ending(label)?;
        if ending.well {
            return Ok(());
        }
        // One sign says that all is well, and another that it is not.
        let kind = if reply.ok == Some(true) { Kind::WorkerBee } else { Kind::Finding };
        let call = evidence.call(label)?;
        let error = reported::error_text(&reply).map(|error| format!("; {error}"));
        let error = error.unwrap_or_else(|| reported::details(&reply));
        Err(reported::failed(&reply, &format!("`{label}` did not succeed"))
            .of(kind)
            .expected(Call::good_end(call.transport))
            .seen(format!("{}{error}", ending.seen))
            .evidence(evidence.path(call)))
    })
    .expecting("a call that ended well by all signs: exit status 0 or no error of MCP's, and each \"ok\": true")
}

/// A rule over a part of a call's answer: `judge` returns what it saw when it is not as expected.
pub fn part<T: DeserializeOwned>(
    name: &str,
    label: &'static str,
    pointer: &'static str,
    expected: &'static str,
    judge: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static,
) -> Check {
    let named = name.to_owned();
    Check::new(name, move |evidence| {
        // The error that WorkerBee gave instead of an answer says more than the member that it therefore lacks.
        let reply: crate::workerbee::reply::Reply = evidence.reply(label, "")?;
        let file = evidence.path(evidence.call(label)?);
        if reply.error.is_some() {
            return Err(reported::failed(&reply, &format!("{named}: WorkerBee failed"))
                .expected(expected)
                .evidence(file));
        }
        let part: T = evidence.reply(label, pointer)?;
        judge(&part)
            .map_err(|wrong| otherwise(evidence, label, pointer, &format!("{named}: {wrong}")).expected(expected))
    })
    .expecting(expected)
}

/// The same of a call whose end no other check judges: an answer that is good and a call that was not is no success.
pub fn part_of_success<T: DeserializeOwned>(
    name: &str,
    label: &'static str,
    pointer: &'static str,
    expected: &'static str,
    judge: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static,
) -> Check {
    let answer = part(name, label, pointer, expected, judge);
    Check::new(name, move |evidence| answer.judge(evidence).and_then(|()| ended_fairly(evidence, label)))
        .expecting(expected)
}

/// A call whose answer need not have an `ok` of its own ended well all the same.
pub(crate) fn ended_fairly(evidence: &Evidence, label: &str) -> Result<(), Failure> {
    let ending = evidence.ending(label)?;
    if ending.fair {
        return Ok(());
    }
    let call = evidence.call(label)?;
    Err(Failure::new(format!("`{label}` did not end well, whatever it answered"))
        .expected("exit status 0 or no error of MCP's, and no \"ok\": false")
        .seen(ending.seen)
        .evidence(evidence.path(call))
        .remedy("read the evidence file, and the call's errors beside it"))
}

/// A part of an answer is not as expected: what is wrong with it, and the part itself.
pub(crate) fn otherwise(evidence: &Evidence, label: &str, pointer: &str, what: &str) -> Failure {
    let part = evidence.reply(label, pointer).map_or_else(|failure| failure.seen, |part| outline(&part));
    let place = evidence.call(label).map_or_else(|_| pointer.to_owned(), |call| format!("{}{pointer}", call.base));
    let place = if place.is_empty() { "the answer" } else { &place };
    let file = evidence.call(label).map_or_else(|_| evidence.file.clone(), |call| evidence.path(call));
    Failure::new(what)
        .seen(format!("{place} is {part}"))
        .evidence(file)
        .remedy(format!("read {place} in the evidence file"))
}
