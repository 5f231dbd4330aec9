//! What both gates of a profile do: an own project, one start at a time, `workerbee validate`, and the end.

use std::time::Duration;

use serde_json::Value;

use super::session::Session;
use super::{alive, daemon, finish, secrets};
use crate::attest::leader;
use crate::evidence::Conflict;
use crate::failure::Failure;
use crate::plan::{Gate, Profile};
use crate::run::{Limits, StartToken};

/// The label of the call that the gate is about.
pub(super) const LABEL: &str = "validate";

/// Validates a profile by a scenario of `WorkerBee`'s, in a project that did not exist before and does not after.
pub(super) async fn run(
    session: &mut Session<'_>,
    profile: Profile,
    scenario: &str,
    timeout: u64,
    file: &str,
) -> Result<(), Failure> {
    finish::refuse_existing(session).await?;
    secrets::know(session)?;
    session.owns_project = true;
    // Whoever applies to k1s-ha-min needs controller 0 to win the lease, and takes the token before others that only
    // boot in the meantime: see `Gate::priority`.
    let first = session.key.gate == Gate::Workload(Profile::HaMin);
    let early = if first { Some(session.start_token().await?) } else { None };
    let project = session.spec.project.clone();
    session.ground()?.seed_project(&project, &profile.images()).await?;
    daemon::require(session).await?;
    let baseline = finish::baseline(session).await?;
    let token = if early.is_some() { early } else { Some(session.start_token().await?) };
    // Lanes have ports of their own: there it is enough to have waited for the gate above.
    let token = token.filter(|_| first || session.shares_its_host());
    let answer = validate(session, profile, scenario, timeout, file, token).await?;
    if let Some(conflict) = conflict(session, profile, &answer).await? {
        session.record.conflict = Some(conflict);
    }
    session.doing("attestations");
    alive::look(session, profile, &answer).await?;
    finish::run(session, baseline).await
}

/// Calls `validate` and lets the token go as soon as the profile is up.
async fn validate(
    session: &mut Session<'_>,
    profile: Profile,
    scenario: &str,
    timeout: u64,
    file: &str,
    token: Option<StartToken>,
) -> Result<Value, Failure> {
    let (name, seconds) = (profile.name(), timeout.to_string());
    let k1s_root = session.spec.k1s_root.display().to_string();
    let arguments =
        ["validate", "--scenario", scenario, "--profile", name, "--k1s-root", &k1s_root, "--timeout", &seconds];
    let state_root = session.ground()?.state_root.clone();
    let project = session.spec.project.clone();
    let limit = Limits::validation(timeout);
    let watch = tokio::spawn(async move {
        let started = leader::until_up(&state_root, &project, profile, limit).await;
        drop(token);
        started
    });
    let head_start = session.ground()?.head_start(&session.spec.project, profile);
    let watching = watch.abort_handle();
    let answer = session.call(LABEL, file, &arguments, limit).await;
    // By now the profile is up or has failed: the watch is over in a moment, or would wait for nothing.
    let started = tokio::time::timeout(Duration::from_secs(3), watch).await;
    watching.abort();
    if let Some(head_start) = head_start {
        head_start.abort();
    }
    if let Ok(Ok(started)) = started {
        session.keep(&session.own("profile-started.json"), &started)?;
    }
    answer
}

/// A 409 on apply, told apart while the etcd that knows the leader is still there.
async fn conflict(session: &Session<'_>, profile: Profile, answer: &Value) -> Result<Option<Conflict>, Failure> {
    let message = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    if !message.contains("409 Client Error") {
        return Ok(None);
    }
    let leader = leader::now(&session.ground()?.state_root, &session.spec.project, profile).await;
    let cause = match leader.as_deref() {
        None => "unknown",
        Some(leader) if leader.ends_with("controller-0") => "resource-version-conflict",
        Some(_) => "not-leader",
    };
    Ok(Some(Conflict { cause: cause.to_owned(), leader }))
}
