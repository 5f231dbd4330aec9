//! Triage: what a person would look at first when a gate fails, looked at while it is still there.

mod capture;
mod daemon;
mod first;
mod kernel;
mod logs;
mod resources;

use std::path::Path;
use std::time::Instant;

use super::session::Session;
use crate::evidence::layout::{INDEX, RECORD, triage_folder};
use crate::evidence::{Evidence, Red, Triage};
use crate::failure::{Failure, Kind};

/// Looks around if anything is wrong by now, before the gate stops what it started.
pub(super) async fn before_the_stop(session: &mut Session<'_>) {
    take(session, None, "before anything was stopped").await;
}

/// The same at the end of a gate: for one that could not go on, that starts nothing, or whose end went wrong. Of a
/// triage that was taken before, what is red is said anew.
pub(super) async fn at_the_end(session: &mut Session<'_>, failure: Option<&Failure>) {
    take(session, failure, "at the end of the gate").await;
}

/// Never fails: what cannot be looked at or kept must not keep the gate from cleaning up.
async fn take(session: &mut Session<'_>, failure: Option<&Failure>, moment: &str) {
    let mut red: Vec<(Option<String>, Failure)> = failure.map(|failure| (None, failure.clone())).into_iter().collect();
    red.extend(red_by_now(session).into_iter().map(|(check, failure)| (Some(check), failure)));
    // A project that was there before is somebody's: neither are its logs read, nor are its secrets known.
    let foreign = session.key.gate.profile().is_some() && !session.owns_project;
    if red.is_empty() || foreign || session.environment().is_err() {
        return;
    }
    let folder = triage_folder(&session.spec.folder());
    let known = session.triage.take();
    let mut triage = if let Some(triage) = known { triage } else { capture_all(session, &folder, moment).await };
    triage.red = red.into_iter().map(|(check, failure)| told(session, &triage, check, &failure)).collect();
    let _ = session.store.write_json(&folder.join(INDEX), &triage);
    let text = folder.join(INDEX).with_extension("txt");
    let _ = match session.store.redactor().value(&triage) {
        Some(clean) => session.store.write_clean(&text, clean.to_string().as_bytes()),
        None => session.store.write(&text, triage.to_string().as_bytes()),
    };
    session.triage = Some(triage);
}

async fn capture_all(session: &mut Session<'_>, folder: &Path, moment: &str) -> Triage {
    let begin = Instant::now();
    session.doing("triage");
    let items = capture::all(session, folder).await;
    session.phase("triage", begin);
    let (gate, project) = (session.key.gate.to_string(), session.spec.project.clone());
    Triage { gate, project, taken: moment.to_owned(), red: Vec::new(), items }
}

fn told(session: &Session<'_>, triage: &Triage, check: Option<String>, failure: &Failure) -> Red {
    let root = session.store.root();
    let inside = |file: &Path| file.strip_prefix(root).unwrap_or(file).to_owned();
    let there = failure.evidence.as_deref().filter(|file| root.join(file).is_file());
    Red {
        first: first::of(triage, check.as_deref(), failure),
        // First without secrets: a line of it may no longer tell what stands in it.
        what: session.store.redactor().text(&failure.what).lines().next().unwrap_or_default().to_owned(),
        evidence: there.map(inside),
        check,
    }
}

/// The checks that are red by now, of those whose evidence is all there.
fn red_by_now(session: &Session<'_>) -> Vec<(String, Failure)> {
    let mut record = session.record.clone();
    record.failure = Some(Failure::new("not observed yet").of(Kind::NotYet));
    let evidence = Evidence::so_far(session.store.root(), &session.spec.folder().join(RECORD), record);
    // A comparison with snapshots leaves files for review: its trial alone makes it.
    let checks =
        super::checks(session.key.gate, session.key.transport).into_iter().filter(|check| !check.is_snapshot());
    let red = checks.filter_map(|check| Some((check.judge(&evidence).err()?, check.name)));
    red.filter(|(failure, _)| failure.kind != Kind::NotYet).map(|(failure, check)| (check, failure)).collect()
}
