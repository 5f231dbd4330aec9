//! The checks that `WorkerBee` itself reports, under its own names.

use serde::de::DeserializeOwned;

use super::{Check, otherwise};
use crate::evidence::Evidence;
use crate::failure::{Failure, Kind};
use crate::workerbee::reply::{Reply, ReportedError};

/// How a check begins whose good report is not backed by its own answer.
pub(crate) const CONTRADICTS: &str = "WorkerBee says ok, its answer does not";
/// The name of the check over a whole answer.
pub const WORKERBEE_OK: &str = "ok";

/// One of `WorkerBee`'s own checks. One that it does not report is as red as one that it reports red.
pub fn reported(label: &'static str, name: &str) -> Check {
    let wanted = name.to_owned();
    Check::new(name, move |evidence| verdict(evidence, label, &wanted)).expecting(wants(name))
}

/// One of `WorkerBee`'s own checks together with what it stands on: `WorkerBee` finds an empty list good.
pub fn backed<T: DeserializeOwned>(
    label: &'static str,
    name: &'static str,
    pointer: &'static str,
    expected: &'static str,
    judge: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static,
) -> Check {
    Check::new(name, move |evidence: &Evidence| {
        verdict(evidence, label, name)?;
        let part: T = evidence.reply(label, pointer)?;
        judge(&part).map_err(|wrong| {
            otherwise(evidence, label, pointer, &format!("{name}: {CONTRADICTS}: {wrong}")).expected(expected)
        })
    })
    .expecting(expected)
}

fn wants(name: &str) -> String {
    format!("one check `{name}` with \"ok\": true")
}

/// The verdict that `WorkerBee` reports for `name` in the answer to `label`.
pub fn verdict(evidence: &Evidence, label: &str, name: &str) -> Result<(), Failure> {
    let reply: Reply = evidence.reply(label, "")?;
    let file = evidence.path(evidence.call(label)?);
    let found: Vec<_> = reply.checks.iter().filter(|check| check.name == name).collect();
    let answered = reply.error.is_none();
    let seen = match found.as_slice() {
        [check] if check.ok => return Ok(()),
        [_] => format!("\"ok\": false{}", details(&reply)),
        [] => match (names(&reply).join(", "), error_text(&reply)) {
            (_, Some(error)) => error,
            (names, None) if names.is_empty() => "no checks at all".to_owned(),
            (names, None) => format!("no check of that name among {names}"),
        },
        many => format!("{} checks of that name", many.len()),
    };
    let what = if reply.error.is_some() { "was never reported" } else { "is not green" };
    // What WorkerBee leaves out of an answer, or says twice, is its own.
    let kind = if found.len() == 1 || !answered { Kind::Finding } else { Kind::WorkerBee };
    let failure = failed(&reply, &format!("WorkerBee's check `{name}` {what}"));
    Err(failure.of(kind).expected(wants(name)).seen(seen).evidence(file))
}

/// `WorkerBee` reports checks, and none that nobody knows: a new one must be looked at before it counts as passed.
pub fn no_unknown_checks(label: &'static str, known: &'static [&'static str]) -> Check {
    Check::new("no-unknown-checks", move |evidence| {
        let reply: Reply = evidence.reply(label, "")?;
        let unknown: Vec<&str> = names(&reply).into_iter().filter(|name| !known.contains(name)).collect();
        if unknown.is_empty() && !reply.checks.is_empty() {
            return Ok(());
        }
        let seen = if unknown.is_empty() {
            error_text(&reply).unwrap_or_else(|| "no checks at all".to_owned())
        } else {
            format!("unknown: {}", unknown.join(", "))
        };
        Err(failed(&reply, "WorkerBee's list of checks is not the known one")
            .expected(format!("some of {} and no other", known.join(", ")))
            .seen(seen)
            .evidence(evidence.path(evidence.call(label)?)))
    })
    .expecting(format!("some of {} and no other", known.join(", ")))
}

/// A failure that carries what `WorkerBee` advises, when it advises anything.
pub(super) fn failed(reply: &Reply, what: &str) -> Failure {
    let error = reply.error.as_ref();
    let remedy = error.and_then(|error| error.remediation.clone()).unwrap_or_else(|| {
        "read the evidence file; RUN_DIR/triage holds an index per failed gate, with container logs".to_owned()
    });
    Failure::new(format!("{what}{}", error.map(cause).unwrap_or_default()))
        .seen(error_text(reply).unwrap_or_default())
        .remedy(remedy)
}

/// The code, and of a failed command within `WorkerBee` the end of what that printed.
fn cause(error: &ReportedError) -> String {
    let said = said(error);
    let line: String = said.lines().last().unwrap_or_default().chars().take(200).collect();
    format!(": {} {line}", error.code.as_deref().unwrap_or("an error without a code")).trim_end().to_owned()
}

/// The message; of a failed command, which `WorkerBee` gives whole, what it printed.
fn said(error: &ReportedError) -> String {
    let message = error.message.as_deref().unwrap_or_default();
    serde_json::from_str::<serde_json::Value>(message)
        .ok()
        .and_then(|command| {
            let part = |name: &str| command.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty());
            Some(part("stdout").or_else(|| part("stderr"))?.to_owned())
        })
        .unwrap_or_else(|| message.to_owned())
}

/// `WorkerBee`'s error in words, with its code.
pub(super) fn error_text(reply: &Reply) -> Option<String> {
    let error = reply.error.as_ref()?;
    let code = error.code.as_deref().unwrap_or("an error without a code");
    let message: String = said(error).chars().take(600).collect();
    Some(format!("WorkerBee says {code}: {message}"))
}

fn names(reply: &Reply) -> Vec<&str> {
    reply.checks.iter().map(|check| check.name.as_str()).collect()
}

/// Returns the errors elsewhere in the answer that explain a red check.
pub(super) fn details(reply: &Reply) -> String {
    let errors = ["/started/readiness/errors", "/profile_start/readiness/errors"].iter().find_map(|pointer| {
        let rest = serde_json::Value::Object(reply.rest.clone());
        rest.pointer(pointer).and_then(|errors| errors.as_array().cloned())
    });
    errors
        .filter(|errors| !errors.is_empty())
        .map(|errors| format!("; readiness errors: {}", serde_json::Value::from(errors)))
        .unwrap_or_default()
}
