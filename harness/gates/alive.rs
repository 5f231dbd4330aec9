//! What the harness looks at for itself while a profile is alive: `attest::…`, one check per look.

use std::time::Instant;

use serde_json::Value;

use super::session::Session;
use crate::attest::Subject;
use crate::checks::Check;
use crate::failure::Failure;
use crate::plan::{Gate, Profile};

/// Looks, and keeps what it saw. What cannot be looked at is red by its own check: the others are still looked at.
#[expect(clippy::unused_async, reason = "nothing is looked at yet")]
pub(super) async fn look(session: &mut Session<'_>, profile: Profile, answer: &Value) -> Result<(), Failure> {
    let begin = Instant::now();
    let _subject = Subject {
        address: session.ground()?.address.clone(),
        state_root: session.ground()?.state_root.clone(),
        project: session.spec.project.clone(),
        profile,
        answer: answer.clone(),
    };
    session.phase("attestations", begin);
    Ok(())
}

/// The checks over what was seen.
pub(super) fn checks(_gate: Gate) -> Vec<Check> {
    Vec::new()
}
