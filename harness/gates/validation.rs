//! The sequence of both gates of a profile: an own project, one start at a time, `validate`, and the end.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::session::Session;
use super::{agent, attest, cleanup, daemon, fail_fast, secrets};
use crate::attest::leader;
use crate::attest::leadership::{Leadership, Watch};
use crate::evidence::{Cause, Conflict};
use crate::failure::Failure;
use crate::lane::{Limits, StartToken};
use crate::ledger;
use crate::plan::Profile;
use crate::workerbee::request::Request;

/// The label of the call that the gate is about.
pub(super) const LABEL: &str = "validate";

/// Validates a profile by a scenario of `WorkerBee`'s, in a project that did not exist before and does not after.
pub(super) async fn run(
    session: &mut Session<'_>,
    profile: Profile,
    request: Request<'_>,
    timeout: u64,
    file: &str,
) -> Result<(), Failure> {
    cleanup::refuse_existing(session).await?;
    ledger::claim(&session.spec.entry)?;
    secrets::know(session)?;
    session.owns_project = true;
    // Whoever applies to k1s-ha-min needs controller 0 to win the lease, and takes the token before others that only
    // boot in the meantime: see `Gate::priority`.
    let first = session.key.gate.suffers_from_company();
    // On a shared host another run may restart the same daemon: it is asked for one at a time too.
    let early = if first || session.shares_its_host() { Some(session.start_token().await?) } else { None };
    let project = session.spec.project.clone();
    // Side by side: the daemon has nothing to do with the project's images.
    let seeding = session.environment()?.seed_project(&project, &profile.images());
    fail_fast::watch(session, profile)?;
    daemon::require(session).await?;
    let begin = Instant::now();
    seeding.done().await?;
    session.phase("waited for the images", begin);
    let baseline = cleanup::baseline(session).await?;
    agent::begin(session).await?;
    let token = if early.is_some() { early } else { Some(session.start_token().await?) };
    // Lanes have ports of their own: there it is enough to have waited for the gate above.
    let token = token.filter(|_| first || session.shares_its_host());
    let watch = if profile.elects_leader() {
        Some(Watch::begin(&session.environment()?.state_root, &project, profile))
    } else {
        None
    };
    let answer = validate(session, profile, request, timeout, file, token).await?;
    if fail_fast::has_struck(session)? {
        return cleanup::run(session, baseline).await;
    }
    session.record.conflict = conflict(&answer, watch.as_ref().map(Watch::so_far), session.shares_its_host());
    agent::ask(session, &answer).await?;
    attest::observe(session, profile, &answer, watch).await?;
    cleanup::run(session, baseline).await
}

/// Calls `validate` and lets the token go as soon as the profile is up.
async fn validate(
    session: &mut Session<'_>,
    profile: Profile,
    request: Request<'_>,
    timeout: u64,
    file: &str,
    token: Option<StartToken>,
) -> Result<Value, Failure> {
    let state_root = session.environment()?.state_root.clone();
    let project = session.spec.project.clone();
    let limit = Limits::validation(timeout);
    let watch = tokio::spawn(async move {
        let started = leader::until_up(&state_root, &project, profile, limit).await;
        drop(token);
        started
    });
    let head_start = session.environment()?.head_start(&session.spec.project, profile);
    let watching = watch.abort_handle();
    let answer = session.ask(LABEL, file, request, limit).await;
    // By now the profile is up or has failed: the watch is over in a moment, or would wait for nothing.
    let moment = if fail_fast::was_ended(session) { Duration::ZERO } else { Duration::from_secs(3) };
    let started = tokio::time::timeout(moment, watch).await;
    watching.abort();
    if let Some(head_start) = head_start {
        head_start.abort();
    }
    if let Ok(Ok(started)) = started {
        session.keep(&session.own("profile-started.json"), &started)?;
    }
    answer
}

/// A 409 on apply, told apart by who led all along; or, where others use the same ports, one that they have taken.
fn conflict(answer: &Value, led: Option<Leadership>, shared_ports: bool) -> Option<Conflict> {
    let message = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    if shared_ports && message.contains("port is already allocated") {
        return Some(Conflict { cause: Cause::PortTaken, leader: None });
    }
    if !message.contains("409 Client Error") {
        return None;
    }
    let leader = led.unwrap_or_default().to_blame().map(ToOwned::to_owned);
    let cause = match leader.as_deref() {
        None => Cause::Unknown,
        Some(leader) if leader.ends_with("controller-0") => Cause::ResourceVersionConflict,
        Some(_) => Cause::NotLeader,
    };
    Some(Conflict { cause, leader })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::attest::leadership::Change;

    const REFUSED: &str = "409 Client Error: Conflict for url: http://127.0.0.1:19608/apply";
    const TAKEN: &str = "bind for 127.0.0.1:18645 failed: port is already allocated";

    #[rstest]
    #[case::controller_0_led(REFUSED, &[0], false, Some(Cause::ResourceVersionConflict))]
    #[case::another_led(REFUSED, &[2], false, Some(Cause::NotLeader))]
    #[case::another_led_meanwhile(REFUSED, &[0, 1, 0], false, Some(Cause::NotLeader))]
    #[case::nobody_was_seen_to_lead(REFUSED, &[], false, Some(Cause::Unknown))]
    #[case::port_taken_on_a_shared_host(TAKEN, &[0], true, Some(Cause::PortTaken))]
    #[case::port_taken_in_a_lane(TAKEN, &[0], false, None)]
    #[case::another_error("500 Server Error", &[1], true, None)]
    fn a_conflict_is_told_apart(
        #[case] message: &str,
        #[case] led: &[u32],
        #[case] shared: bool,
        #[case] cause: Option<Cause>,
    ) {
        let changes =
            led.iter().map(|number| Change { seconds: 1.0, leader: Some(format!("k1s-ha-min-controller-{number}")) });
        let led = Leadership { looks: led.len(), changes: changes.collect(), ..Leadership::default() };
        let answer = json!({ "ok": false, "error": { "message": message } });
        assert_eq!(conflict(&answer, Some(led), shared).map(|conflict| conflict.cause), cause);
    }
}
