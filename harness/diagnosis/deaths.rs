//! Components that ended: the first things that can have broken, each with the reason that its log gives.

use super::clues::{Clues, EXCERPT};
use super::{Cause, Fault, Red, fault, named, reason};
use crate::attest::exits::Exit;
use crate::attest::logs::INSTALLING;

/// Checks that say something of their own when a component has died: they follow from it only where it kept the gate from
/// looking.
const OF_THEIR_OWN: [&str; 9] = [
    "cleanup::",
    "secrets::",
    "mcp-",
    "ingress-",
    "ca-",
    "runtime-",
    "agent::tools",
    "agent::session",
    "no-host-processes",
];

/// The ends that nothing earlier explains, in the order in which they came.
pub(super) fn causes(clues: &Clues<'_>) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    let mut dead: Vec<&str> = Vec::new();
    for exit in clues.exits.deaths() {
        if dead.contains(&exit.component.as_str()) {
            continue;
        }
        let cause = cause(exit, clues);
        let named = cause.why.as_deref().and_then(|why| named::component(why, clues.profile));
        let follows = named.is_some_and(|named| named != exit.component && dead.contains(&named.as_str()));
        let same = |known: &&mut Cause| known.why.is_some() && known.why == cause.why;
        match causes.iter_mut().find(same) {
            // Three controllers of one k1s have one fault.
            Some(known) => known.what = format!("{}, {} too", known.what, exit.component),
            None if follows => {}
            None => causes.push(cause),
        }
        dead.push(&exit.component);
    }
    causes
}

fn cause(exit: &Exit, clues: &Clues<'_>) -> Cause {
    let log = clues.log(&exit.component);
    let lines = log.map(|log| log.lines.as_slice()).unwrap_or_default();
    let signal = exit.signal();
    let why = match signal.as_deref() {
        _ if exit.out_of_memory => out_of_memory(clues),
        // Whoever is killed has no say in it.
        Some("SIGKILL" | "SIGTERM" | "SIGINT" | "SIGHUP") => None,
        _ => reason::of_an_end(lines).map(|reason| reason.to_string()).or_else(|| never_begun(exit, clues)),
    };
    let is_silent = lines.iter().all(|line| line.trim().is_empty());
    let is_told = why.as_deref().is_some_and(|why| !why.starts_with(reason::LAST_WORDS));
    let about_the_log = match clues.loss(&exit.component).filter(|_| !is_told) {
        Some(loss) => format!(", and {loss}"),
        None if is_silent && why.is_none() => ", without a word in its log".to_owned(),
        None => String::new(),
    };
    let mut cause = Cause::new(format!("{exit}{about_the_log}"), Fault::K1s);
    cause.fault = why.as_deref().and_then(|why| fault::by_its_own_words(why, clues.in_lane)).unwrap_or(Fault::K1s);
    cause.why = why;
    cause.component = Some(exit.component.clone());
    cause.at = exit.at;
    cause.evidence = log.map(|log| log.file.clone()).into_iter().collect();
    cause.excerpt = log.map(|log| log.end(EXCERPT)).unwrap_or_default();
    cause
}

/// The kernel's record of what it killed last.
fn out_of_memory(clues: &Clues<'_>) -> Option<String> {
    let log = clues.below.get("kernel.log")?;
    log.lines.iter().rev().find(|line| line.contains("Killed process")).cloned()
}

/// k1s's components are started by a shell that first installs the requirements, and says nothing of it: pip has a log of its
/// own.
fn never_begun(exit: &Exit, clues: &Clues<'_>) -> Option<String> {
    let log = clues.logs.get(&format!("{}{INSTALLING}", exit.component))?;
    let error = log.lines.iter().rev().find(|line| line.starts_with("ERROR: "))?;
    Some(format!("its requirements could not be installed: {error}"))
}

/// Is true when a check is red because of this end.
pub(super) fn explains(cause: &Cause, red: &Red, clues: &Clues<'_>) -> bool {
    let stopped = clues.evidence.record.failure.as_ref();
    let not_reached = stopped.is_some_and(|stopped| stopped.what == red.failure.what);
    if not_reached {
        // The failure with which the gate went on to its end names the component.
        return cause.component.as_deref().is_some_and(|name| named::word(&red.failure.what, name).is_some());
    }
    let Some(check) = &red.check else { return false };
    let is_apart = OF_THEIR_OWN.iter().any(|beginning| check.starts_with(beginning))
        || fault::of_failure(&red.failure, &red.text(), clues.in_lane).is_some();
    !is_apart
}
