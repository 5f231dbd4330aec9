//! The behaviour of k1s when it is asked: `attest::…`, one check per probe. Nothing that is deployed is changed by it.

use super::outside;
use super::session::Session;
use crate::attest::known::{self, Deviation, Release};
use crate::attest::{Subject, answers, app, controllers, logs, objects, rbac, refusals};
use crate::checks::{Check, observed};
use crate::failure::Failure;
use crate::plan::{Gate, Profile};

pub(super) const ANSWERS: &str = "attest::answers";
const AUTHORITY: &str = "attest::authority";
const LOGS: &str = "attest::logs";
const LOOP: &str = "attest::loop";
const OBJECTS: &str = "attest::objects";
const RBAC: &str = "attest::rbac";
const REFUSALS: &str = "attest::refusals";

/// The observations of k1s's behaviour.
pub(super) struct Behaviour {
    controllers: Result<controllers::Controllers, Failure>,
    refusals: Result<refusals::Refusals, Failure>,
    answers: Result<answers::Answers, Failure>,
    objects: Result<objects::Objects, Failure>,
    rbac: Result<rbac::Rbac, Failure>,
}

/// Asks k1s. What makes objects of the API's does so in turn: each of them counts the versions of all.
pub(super) async fn observe(subject: &Subject, deployed: bool) -> Behaviour {
    let in_turn = async {
        let refusals = refusals::observe(subject).await;
        let objects = objects::observe(subject).await;
        (refusals, objects, rbac::observe(subject).await)
    };
    let (controllers, answers, (refusals, objects, rbac)) =
        tokio::join!(controllers::observe(subject, deployed), answers::observe(subject), in_turn);
    Behaviour { controllers, refusals, answers, objects, rbac }
}

/// Keeps what came of it, with what is known of this k1s and was not seen, and what is in the logs by then.
pub(super) fn keep(session: &mut Session<'_>, subject: &Subject, seen: Behaviour) -> Result<(), Failure> {
    let mut cured = Vec::new();
    let mut tell = |check, release: &Release, deviations: &[Deviation]| cured.extend(release.cured(check, deviations));
    if let Some(seen) = seen.refusals.as_ref().ok().filter(|seen| seen.were_read()) {
        tell(REFUSALS, &seen.release, &seen.deviations());
    }
    if let Ok(seen) = &seen.answers {
        tell(ANSWERS, &seen.release, &seen.deviations());
    }
    if let Ok(seen) = &seen.objects {
        tell(OBJECTS, &seen.release, &seen.deviations());
    }
    if let Ok(seen) = &seen.rbac {
        tell(RBAC, &seen.release, &seen.deviations());
    }
    // What was not asked to the end is not known to be mended.
    if !subject.ended.any() {
        session.record.noticed.extend(cured);
    }
    session.observe("controllers", seen.controllers)?;
    session.observe("refusals", seen.refusals)?;
    session.observe("answers", seen.answers)?;
    session.observe("objects", seen.objects)?;
    session.observe("rbac", seen.rbac)?;
    let logs = logs::observe(subject);
    if let Ok(logs) = &logs {
        session.record.noticed.extend(logs.tracebacks(subject.profile));
    }
    session.observe("logs", logs)
}

/// The checks over it.
pub(super) fn checks(gate: Gate, profile: Profile) -> Vec<Check> {
    let apps: &[&str] = if outside::has_apps(gate) { &app::NAMES } else { &[] };
    let but = |expected: &str, check| format!("{expected}{}", known::left_out(check));
    let mut checks = vec![
        observed(
            LOOP,
            "controllers",
            "the loop of the controller that leads turns again and again, over all apps that are deployed; no node is stale",
            "see the controller's log: its loop turns about every two seconds",
            move |seen| controllers::judge_loop(seen, profile, apps),
        ),
        observed(
            REFUSALS,
            "refusals",
            but(
                "each change is refused to those without a token for it, by API shim and controller; what is no manifest is \
                 refused with a reason",
                REFUSALS,
            ),
            "ask the same by hand, with `curl -X`; a change that is let through is open to everybody who reaches the server",
            |seen| refusals::judge(seen, REFUSALS),
        ),
        observed(
            ANSWERS,
            "answers",
            but(
                "each answer of API shim and controller of the type that it declares, of its shape, of the release that was \
                 built, without a token in it",
                ANSWERS,
            ),
            "ask the same by hand, with `curl -i`",
            |seen| answers::judge(seen, ANSWERS),
        ),
        observed(
            OBJECTS,
            "objects",
            but(
                "objects of the API that are created, changed, listed, watched and deleted as Kubernetes's clients expect it",
                OBJECTS,
            ),
            "go through the steps by hand, with `kubectl` or `curl`; see the API shim's log",
            |seen| objects::judge(seen, OBJECTS),
        ),
        observed(
            RBAC,
            "rbac",
            but("a service account may do what its role names, in its namespace, and nothing else", RBAC),
            "make the account, its role and binding by hand, and ask with its token",
            |seen| rbac::judge(seen, RBAC),
        ),
        observed(
            LOGS,
            "logs",
            "a log of each component, and no token of the profile's in any log",
            "read the log (`nerdctl logs`), give out other tokens, and see what k1s logs there",
            move |seen| logs::judge(seen, profile),
        ),
    ];
    if profile.elects_leader() {
        checks.push(observed(
            AUTHORITY,
            "controllers",
            "exactly one controller that says it leads, known to all, and a refusal by name (409 not_leader) from all others",
            "ask each controller's /system at its own port, and see its log",
            controllers::judge_authority,
        ));
    }
    checks
}
