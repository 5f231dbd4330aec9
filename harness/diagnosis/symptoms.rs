//! The red checks that no component's end explains: grouped by what they speak of, with what the logs say about it.

use std::path::PathBuf;

use super::clues::{Clues, EXCERPT};
use super::{Cause, Fault, Red, fault, named, reason};
use crate::checks::CONTRADICTS;
use crate::failure::Kind;

/// Checks that see a component itself, the most telling first: what they say leads before what others see from outside.
const LEADING: [&str; 6] = [
    "attest::component-exits",
    "attest::containers",
    "attest::readiness",
    "attest::lease-renewal",
    "attest::leader",
    "attest::state-backend",
];
/// The first of them look at the component itself, and at nothing else.
const AT_ITSELF: usize = 3;
/// Checks by which `WorkerBee` says that something does not work, without what.
const FROM_OUTSIDE: [&str; 5] = ["ok", "profile-start", "components-running", "profile-status-after", "projects-after"];

/// How the line begins with which a command of `WorkerBee`'s says why it ended.
const WORKERBEE: &str = "workerbee: ";

/// Checks on `WorkerBee`'s MCP daemon, and on the ingress and the CA that it makes: one that does not run lacks all.
const ON_THE_DAEMON: [&str; 3] = ["mcp-", "ingress-", "ca-"];

/// Checks on who leads.
const ON_THE_LEADER: [&str; 5] =
    ["attest::leader", "attest::leadership", "attest::lease-renewal", "attest::authority", "ha-leader-observed"];

/// What is said of a thing, and the check that sees more of it: what `WorkerBee` says, and the harness observed; that pods are
/// not ready, and the loop that has not come to them.
const LOOKS: [(&str, &str); 11] = [
    ("attest::resources", "attest::loop"),
    ("profile-start", "attest::readiness"),
    ("components-running", "attest::containers"),
    ("ha-leader-observed", "attest::leader"),
    ("images-built", "attest::images"),
    ("manifest-deploy", "attest::resources"),
    ("workload-status", "attest::resources"),
    ("control-plane-urls", "attest::routes"),
    ("https-probes", "attest::routes"),
    ("websocket-probe", "attest::websocket"),
    ("exports", "attest::exports"),
];

/// What `WorkerBee` says when all looks have been made. Where each of them saw the profile alive, it is alone with it.
const AFTER_THE_LOOKS: [&str; 2] = ["profile-status-after", "projects-after"];

/// The subject that a group of red checks has in common.
#[derive(PartialEq)]
enum Subject {
    /// The failure that kept the gate from going on: all checks that it did not reach report the same.
    Stopped,
    /// containerd itself: without it nothing else can be right.
    Containerd,
    /// `WorkerBee`'s MCP daemon, with its ingress.
    Daemon,
    /// An error of `WorkerBee`'s, by the answer that has it.
    Error(PathBuf),
    Component(String),
    /// Who leads among the controllers: seen by each of them, by the key and by its lease.
    Leader,
    /// The same evidence, and the same to be done about it.
    Evidence(Option<PathBuf>, String),
}

impl Subject {
    /// Is true of what a component of the profile does, who leads among them included.
    fn is_of_components(&self) -> bool {
        matches!(self, Self::Component(_) | Self::Leader)
    }
}

/// The causes of these, in the order in which the gate met them; those that leave the question why come last.
pub(super) fn causes(open: &[&Red], clues: &Clues<'_>, has_died: bool) -> Vec<Cause> {
    let mut groups: Vec<(Subject, Vec<&Red>)> = Vec::new();
    for red in open {
        let subject = subject(red, clues);
        match groups.iter_mut().find(|(known, _)| *known == subject) {
            Some((_, reds)) => reds.push(red),
            None => groups.push((subject, vec![red])),
        }
    }
    absorb(&mut groups, has_died);
    look(&mut groups);
    follow(&mut groups);
    let is_red =
        |beginning: &str| open.iter().any(|red| red.check.as_deref().is_some_and(|check| check.starts_with(beginning)));
    let contradicts = |red: &Red| {
        let check = red.check.as_deref().unwrap_or_default();
        let look = LOOKS.iter().find(|(told, _)| *told == check);
        (red.failure.what.contains(CONTRADICTS) && look.is_some_and(|(_, look)| !is_red(look)))
            || (AFTER_THE_LOOKS.contains(&check) && !has_died && !is_red("attest::"))
    };
    let cause = |(subject, reds): &(Subject, Vec<&Red>)| {
        let mut cause = cause(subject, reds, clues);
        if lead(reds).is_some_and(contradicts) {
            // The harness has looked, and found what WorkerBee's answer lacks.
            cause.fault = Fault::WorkerBee;
        }
        cause
    };
    let mut causes: Vec<Cause> = groups.iter().map(cause).collect();
    // What is itself wrong may be why something else does not work; that this does not work is why of nothing.
    causes.sort_by_key(|cause| cause.is_open() && !cause.stops_the_gate);
    causes
}

fn subject(red: &Red, clues: &Clues<'_>) -> Subject {
    let failure = &red.failure;
    if failure.kind == Kind::Containerd || fault::is_of_containerd(&red.text()) {
        return Subject::Containerd;
    }
    let stopped = clues.evidence.record.failure.as_ref();
    if red.check.is_none() || stopped.is_some_and(|stopped| stopped.what == failure.what) {
        return Subject::Stopped;
    }
    let file = failure.evidence.as_ref().map(|file| clues.relative(file));
    if let Some(file) = file.as_ref().filter(|file| clues.error_in(file).is_some()) {
        return Subject::Error(file.clone());
    }
    if red.check.as_deref().is_some_and(|check| ON_THE_DAEMON.iter().any(|beginning| check.starts_with(beginning))) {
        let never_ran = stopped.is_some_and(|stopped| stopped.kind == Kind::Daemon);
        return if never_ran { Subject::Stopped } else { Subject::Daemon };
    }
    let of_a_profile = !red.check.as_deref().is_some_and(|check| check.starts_with("cleanup::"));
    let of_the_leader = red.check.as_deref().is_some_and(|check| ON_THE_LEADER.contains(&check));
    match named::component(&red.text(), clues.profile).filter(|_| of_a_profile) {
        // Which controller is named says who led, not what is broken.
        Some(component) if of_the_leader && component.starts_with("controller") => Subject::Leader,
        None if of_the_leader => Subject::Leader,
        Some(component) => Subject::Component(component),
        None => Subject::Evidence(file, failure.remedy.clone()),
    }
}

/// Moves red checks that saw a failure from outside alone into the group of the one component that does not work;
/// without containerd, moves all into its group.
fn absorb(groups: &mut Vec<(Subject, Vec<&Red>)>, has_died: bool) {
    if let Some(at) = groups.iter().position(|(subject, _)| *subject == Subject::Containerd) {
        let (subject, mut reds) = groups.remove(at);
        reds.extend(groups.drain(..).flat_map(|(_, reds)| reds));
        groups.push((subject, reds));
        return;
    }
    if has_died {
        return;
    }
    let is_component = |(subject, _): &(Subject, Vec<&Red>)| subject.is_of_components();
    let at_itself = |(_, reds): &(Subject, Vec<&Red>)| {
        reds.iter().any(|red| LEADING[..AT_ITSELF].iter().any(|check| red.check.as_deref() == Some(check)))
    };
    let seen: Vec<bool> = groups.iter().map(|group| is_component(group) && at_itself(group)).collect();
    let others: Vec<bool> = groups.iter().map(is_component).collect();
    let only = |which: &[bool]| (which.iter().filter(|is| **is).count() == 1).then(|| which.iter().position(|is| *is));
    let Some(Some(main)) = only(&seen).or_else(|| only(&others)) else { return };
    let (subject, mut reds) = groups.remove(main);
    let from_outside = |(subject, reds): &(Subject, Vec<&Red>)| match subject {
        Subject::Evidence(..) => reds.iter().all(|red| is_silent(red) || is_from_outside(red)),
        Subject::Component(_) => reds.iter().all(|red| is_silent(red)),
        _ => false,
    };
    let (outside, rest): (Vec<_>, Vec<_>) = groups.drain(..).partition(from_outside);
    reds.extend(outside.into_iter().flat_map(|(_, reds)| reds));
    *groups = rest;
    groups.insert(main.min(groups.len()), (subject, reds));
}

/// Moves what `WorkerBee` says of a thing to what the harness has seen of it, which says more.
fn look(groups: &mut Vec<(Subject, Vec<&Red>)>) {
    for (told, look) in LOOKS {
        let is = |red: &Red, name: &str| red.check.as_deref() == Some(name);
        let group = |name: &str| groups.iter().position(|(_, reds)| reds.iter().any(|red| is(red, name)));
        let (Some(from), Some(to)) = (group(told), group(look)) else { continue };
        let is_open = |at: usize| groups[at].0.is_of_components() || matches!(groups[at].0, Subject::Evidence(..));
        if from == to || !is_open(from) || !is_open(to) {
            continue;
        }
        let (moved, rest): (Vec<&Red>, Vec<&Red>) =
            std::mem::take(&mut groups[from].1).into_iter().partition(|red| is(red, told));
        // That the whole of it is not ok only follows.
        let only_follows = rest.iter().all(|red| is_from_outside(red) || red.failure.kind == Kind::Follows);
        let (more, rest) = if only_follows { (rest, Vec::new()) } else { (Vec::new(), rest) };
        groups[from].1 = rest;
        groups[to].1.extend(moved.into_iter().chain(more));
    }
    groups.retain(|(_, reds)| !reds.is_empty());
}

fn is_silent(red: &Red) -> bool {
    red.failure.kind == Kind::Silence
}

fn is_from_outside(red: &Red) -> bool {
    FROM_OUTSIDE.iter().any(|check| red.check.as_deref() == Some(check))
}

/// What only follows from another failure goes with the group that has the same evidence, or else with the first.
fn follow(groups: &mut Vec<(Subject, Vec<&Red>)>) {
    let follows = |red: &&&Red| red.failure.kind == Kind::Follows;
    let following: Vec<&Red> = groups.iter().flat_map(|(_, reds)| reds.iter().filter(follows)).copied().collect();
    let is_told = |reds: &[&Red]| reds.iter().any(|red| red.failure.kind != Kind::Follows);
    if following.is_empty() || !groups.iter().any(|(_, reds)| is_told(reds)) {
        return;
    }
    for (_, reds) in groups.iter_mut() {
        reds.retain(|red| red.failure.kind != Kind::Follows);
    }
    groups.retain(|(_, reds)| !reds.is_empty());
    for red in following {
        let same =
            |(_, reds): &(Subject, Vec<&Red>)| reds.iter().any(|one| one.failure.evidence == red.failure.evidence);
        let at = groups.iter().position(same).unwrap_or_default();
        groups[at].1.push(red);
    }
}

/// The red that says most.
fn lead<'a>(reds: &[&'a Red]) -> Option<&'a Red> {
    let place = |red: &&&Red| {
        let check = red.check.as_deref().unwrap_or_default();
        LEADING.iter().position(|known| check.starts_with(known)).unwrap_or(LEADING.len())
    };
    reds.iter().min_by_key(place).copied()
}

fn cause(subject: &Subject, reds: &[&Red], clues: &Clues<'_>) -> Cause {
    let Some(lead) = lead(reds) else { return Cause::new("nothing is red", Fault::Harness) };
    let check = lead.check.as_deref().unwrap_or_default();
    let failure = &lead.failure;
    let mut cause = Cause::new(told(&failure.what, check), Fault::K1s);
    cause.evidence = failure.evidence.iter().map(|file| clues.relative(file)).collect();
    match subject {
        Subject::Containerd => below("containerd.log", &mut cause, clues),
        Subject::Stopped if failure.kind == Kind::Daemon => below("mcp-daemon.log", &mut cause, clues),
        Subject::Error(file) => {
            let (code, message) = clues.error_in(file).unwrap_or_default();
            let code = if code.is_empty() { "an error without a code".to_owned() } else { code };
            cause.what = format!("WorkerBee answered with {code}");
            cause.why = Some(telling_line(&message));
            let component = named::component(&message, clues.profile);
            if let Some(component) = component {
                of_component(&component, false, &mut cause, clues);
            }
        }
        Subject::Component(component) => of_component(component, is_silent(lead), &mut cause, clues),
        Subject::Leader => {
            if let Some(component) = named::component(&lead.text(), clues.profile) {
                of_component(&component, is_silent(lead), &mut cause, clues);
            }
        }
        Subject::Stopped | Subject::Daemon | Subject::Evidence(..) => {}
    }
    let seen = named::shortened(failure.seen.lines().next().unwrap_or_default());
    let is_words = !seen.is_empty() && !seen.starts_with(['{', '[']) && !seen.contains("an object of");
    if cause.why.is_none() && is_words && !cause.what.contains(&seen) {
        cause.why = Some(seen);
    }
    let why = cause.why.as_deref().unwrap_or_default();
    let by_why = if subject.is_of_components() { fault::by_its_own_words } else { fault::by_words };
    let by_why = by_why(why, clues.in_lane);
    cause.fault = fault::of_failure(failure, &lead.text(), clues.in_lane)
        .or(by_why)
        .unwrap_or_else(|| fault::of_check(check, clues.profile.is_some(), clues.in_lane));
    for red in reds {
        cause.takes(red);
    }
    // The check that leads is named first: the others follow.
    if let Some(at) = cause.checks.iter().position(|known| known == check) {
        cause.checks[..=at].rotate_right(1);
    }
    cause
}

/// Returns the message of a check, without the check's own name before it.
fn told(what: &str, check: &str) -> String {
    let what = what.lines().next().unwrap_or_default();
    let what = what.strip_prefix(check).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(what);
    named::shortened(what)
}

/// The line of an error's message that says most: of a traceback its last one, which names the exception.
fn telling_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = if text.contains("Traceback (most recent call last)") { lines.next_back() } else { lines.next() };
    named::shortened(&the_end_first(&super::log::plain(line.unwrap_or_default())))
}

/// Python names a command that failed by all of its arguments, and says behind them how: `Command '['a', 'b']' timed out`.
fn the_end_first(line: &str) -> String {
    let parts = line.split_once("Command '[").and_then(|(_, rest)| rest.rsplit_once("]' "));
    parts.map_or_else(
        || line.to_owned(),
        |(arguments, how)| {
            let words: Vec<&str> = arguments.split(", ").map(|word| word.trim_matches('\'')).collect();
            format!("a command that WorkerBee started {}: {}", how.trim_end_matches('.'), words.join(" "))
        },
    )
}

/// Adds to a cause what the log of a component that goes on says about it.
fn of_component(component: &str, is_silent: bool, cause: &mut Cause, clues: &Clues<'_>) {
    cause.component = Some(component.to_owned());
    if named::component(&cause.what, clues.profile).as_deref() != Some(component) {
        cause.what = format!("{component}: {}", cause.what);
    }
    let Some(log) = clues.log(component) else { return };
    let last = || log.lines.iter().rev().find(|line| !line.trim().is_empty());
    let said = match (reason::of_trouble(&log.lines), is_silent) {
        (Some(reason), _) => Some(format!("the log of {component} has {reason}")),
        (None, true) => {
            last().map(|last| format!("it has not ended, and its log goes no further than `{}`", last.trim()))
        }
        (None, false) => None,
    };
    if let Some(said) = said {
        let known = cause.why.take().map(|why| format!("{why}; ")).unwrap_or_default();
        cause.why = Some(format!("{known}{said}"));
    }
    cause.evidence.push(log.file.clone());
    cause.excerpt = log.end(EXCERPT);
}

/// The same of what the components stand on.
fn below(log: &'static str, cause: &mut Cause, clues: &Clues<'_>) {
    let Some(log) = clues.below.get(log) else { return };
    let of = log.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let trouble = reason::of_trouble(&log.lines).map(|reason| format!("the log of {of} has {reason}"));
    // WorkerBee catches its own exceptions, and ends with what it makes of them.
    let last = log.lines.iter().rev().find(|line| !line.trim().is_empty());
    let last =
        last.and_then(|line| line.strip_prefix(WORKERBEE)).map(|said| format!("the log of {of} ends with `{said}`"));
    cause.why = trouble.or(last);
    cause.evidence.push(log.file.clone());
    cause.excerpt = log.end(EXCERPT);
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::timed_out(
        "Command '['/x/python', '-m', 'ae.cli', 'apply']' timed out after 60.0 seconds",
        "a command that WorkerBee started timed out after 60.0 seconds: /x/python -m ae.cli apply"
    )]
    #[case::failed(
        "Command '['nerdctl', 'run']' returned non-zero exit status 1.",
        "a command that WorkerBee started returned non-zero exit status 1: nerdctl run"
    )]
    #[case::no_command("409 Client Error: Conflict", "409 Client Error: Conflict")]
    #[case::cut_off("Command '['nerdctl', 'run", "Command '['nerdctl', 'run")]
    fn how_a_command_failed_stands_before_its_arguments(#[case] said: &str, #[case] expected: &str) {
        assert_eq!(telling_line(said), expected);
    }
}
