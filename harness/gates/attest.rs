//! The harness's own observations of a live profile: `attest::…`, by the list of probes.

use std::time::Instant;

use serde_json::Value;

use super::session::Session;
use crate::attest::exit_watch::ExitWatch;
use crate::attest::leadership::Watch;
use crate::attest::schedule::{self, Made};
use crate::attest::{PROBES, Scene, Subject};
use crate::checks::Check;
use crate::failure::Failure;
use crate::plan::{Gate, Profile};

/// Observes, and keeps what was seen. What cannot be observed is red by its own check: the others are observed all the
/// same.
pub(super) async fn observe(
    session: &mut Session<'_>,
    profile: Profile,
    answer: &Value,
    leadership: Option<Watch>,
) -> Result<(), Failure> {
    let begin = Instant::now();
    session.doing("attestations");
    let subject = Subject {
        address: session.environment()?.address.clone(),
        state_root: session.environment()?.state_root.clone(),
        project: session.spec.project.clone(),
        profile,
        k1s: session.record.versions.get("k1s").cloned().unwrap_or_default(),
        answer: answer.clone(),
        ended: session.exits.as_ref().map(ExitWatch::ended).unwrap_or_default(),
        images: session.spec.stack.as_ref().map(|stack| stack.image_list.clone()).unwrap_or_default(),
    };
    let scene = Scene::open(subject, session.key.gate, session.shares_its_host(), leadership).await;
    for stage in schedule::STAGES {
        for Made { probe, seen, begin, took } in Box::pin(schedule::observe(&scene, stage)).await {
            session.took(probe.name(), begin, took);
            // Of a component that has ended nothing is known to be mended.
            let cured = seen.iter().filter(|_| !scene.subject.ended.any()).flat_map(|seen| &seen.cured);
            session.record.noticed.extend(cured.cloned());
            session.observe_json(probe.name(), seen.map(|seen| seen.json))?;
        }
        keep_aside(session, &scene)?;
    }
    session.phase("attestations", begin);
    Ok(())
}

/// Keeps what probes tell besides their observations.
fn keep_aside(session: &mut Session<'_>, scene: &Scene) -> Result<(), Failure> {
    let told = scene.told();
    session.record.versions.extend(told.versions);
    session.record.noticed.extend(told.noticed);
    for (file, lines) in told.files {
        session.keep(&session.own(file), &lines)?;
    }
    Ok(())
}

/// The checks over it.
pub(super) fn checks(gate: Gate) -> Vec<Check> {
    PROBES.iter().flat_map(|probe| probe.checks(gate)).collect()
}
