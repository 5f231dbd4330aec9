//! The harness's own observations of a live profile: `attest::…`, one check per observation.

use std::time::Instant;

use serde_json::Value;
use tokio::sync::Semaphore;

use super::session::Session;
use super::{behaviour, fail_fast, outside};
use crate::attest::containers::{self, Containers};
use crate::attest::exit_watch::ExitWatch;
use crate::attest::leader::{self, Lease};
use crate::attest::leadership::{self, Leadership};
use crate::attest::readiness::{self, Readiness};
use crate::attest::state::{self, State};
use crate::attest::versions::{self, Versions};
use crate::attest::{Subject, processes};
use crate::checks::{Check, observed};
use crate::failure::Failure;
use crate::plan::{Component, Gate, Profile};

/// Looks, and keeps what it saw. What cannot be looked at is red by its own check: the others are still looked at.
pub(super) async fn observe(session: &mut Session<'_>, profile: Profile, answer: &Value) -> Result<(), Failure> {
    let begin = Instant::now();
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
    let before = containers::list(&subject).await;
    inside(session, &subject).await?;
    let deployed = outside::has_apps(session.key.gate);
    let looked = Semaphore::new(0);
    let behaviour = async {
        let behaviour = Box::pin(behaviour::observe(&subject, deployed)).await;
        looked.add_permits(1);
        behaviour
    };
    let (outside, behaviour) = tokio::join!(Box::pin(outside::observe(session, &subject, &looked)), behaviour);
    outside?;
    behaviour::keep(session, &subject, behaviour)?;
    // After all other looks: whatever was restarted meanwhile is another process now.
    let after = containers::list(&subject).await;
    let seen = before.and_then(|before| Ok(Containers::new(&subject, &before, &after?)));
    session.observe("containers", seen)?;
    session.phase("attestations", begin);
    Ok(())
}

/// The looks at the profile itself, all at the same time.
async fn inside(session: &mut Session<'_>, subject: &Subject) -> Result<(), Failure> {
    let deployed = outside::has_apps(session.key.gate);
    let leader = async { if subject.profile.elects_leader() { Some(leader::observe(subject).await) } else { None } };
    // `WorkerBee` waits for controller 0 alone: the others may not answer yet before they are ready.
    let ready = async { (readiness::observe(subject).await, versions::observe(subject).await) };
    let ((readiness, versions), leader, state) = tokio::join!(ready, leader, state::observe(subject, deployed));
    if let Ok(versions) = &versions {
        session.record.versions.extend(versions.told());
    }
    session.observe("versions", versions)?;
    session.observe("readiness", readiness)?;
    if let Some(leader) = leader {
        session.observe("leader", leader)?;
    }
    session.observe("state-backend", state)?;
    let namespace = subject.namespace();
    let lane_of = (!session.shares_its_host()).then_some(namespace.as_str());
    session.observe("host-processes", processes::observe(lane_of))
}

/// The checks over what was seen.
pub(super) fn checks(gate: Gate) -> Vec<Check> {
    let mut checks = gate.profile().map(|profile| inside_checks(profile, outside::has_apps(gate))).unwrap_or_default();
    if let Some(profile) = gate.profile() {
        checks.extend(outside::checks(gate));
        checks.extend(behaviour::checks(gate, profile));
        checks.extend(fail_fast::checks());
    }
    checks
}

fn inside_checks(profile: Profile, deployed: bool) -> Vec<Check> {
    let mut checks = vec![
        observed(
            "attest::containers",
            "containers",
            "each component in the container that WorkerBee reported, labelled, RUNNING, not restarted, past pip",
            "`nerdctl --namespace <the project's> ps -a` and the gate's logs show what became of it",
            move |seen: &Containers| seen.judge(profile),
        ),
        observed(
            "attest::host-processes",
            "host-processes",
            "k1s's controllers, API shim, etcd and NATS in containers, and none outside",
            "see what started the process; a k1s that was started by hand must not run during a gate",
            processes::judge,
        ),
        observed(
            "attest::readiness",
            "readiness",
            "200 from the health endpoint of each component, at its own container's address",
            "see the log of the component's container",
            move |seen: &Readiness| seen.judge(profile),
        ),
        observed(
            "attest::state-backend",
            "state-backend",
            if profile.components().contains(&Component::Etcd) {
                "k1s's keys in etcd, and no SQLite file with its state"
            } else {
                "an SQLite file with k1s's state, and no etcd"
            },
            "compare AE_STATE_BACKEND in the controller's container with the profile",
            move |seen: &State| seen.judge(profile, deployed),
        ),
    ];
    checks.push(observed(
        "attest::versions",
        "versions",
        "etcd, NATS, Caddy, Python and k1s of the versions that their images are named after and that were recorded",
        "see the file for what each said and from which image it runs; build the stack's images anew: make clean-cache stack",
        move |seen: &Versions| seen.judge(profile),
    ));
    if profile.elects_leader() {
        checks.push(observed(
            "attest::leader",
            "leader",
            "a leader's key in etcd that names one of the three controllers and is attached to its living lease",
            "see the controllers' logs: whoever leads keeps its lease alive every 5 s",
            move |seen: &Lease| seen.judge(profile),
        ));
        checks.push(observed(
            "attest::leadership",
            "leadership",
            "one controller that leads from the profile's start until all observations are made",
            "see the controllers' logs at that time: a leader that cannot renew its lease for 15 s loses it",
            move |seen: &Leadership| seen.judge(profile),
        ));
        checks.push(observed(
            "attest::lease-renewal",
            "leadership",
            "a leader that renews its lease, which lasts half a minute at most",
            "see the leader's log: it renews its lease every 5 s",
            leadership::judge_lease,
        ));
    }
    checks
}
