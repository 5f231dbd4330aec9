//! The gates: one file each, with what it does and what is checked of it.

mod agent;
mod asking;
mod attest;
mod cleanup;
mod clock;
mod daemon;
mod fail_fast;
mod inventory;
mod k1s_root;
mod keep;
mod own_project;
mod preflight;
mod profile_status;
mod reproduce;
mod secrets;
mod session;
mod startup;
mod triage;
mod validation;
mod workload;

use crate::checks::Check;
use crate::evidence::RedactionKey;
use crate::failure::Failure;
use crate::lane::Spec;
use crate::plan::{Gate, GateKey, Transport};
use session::Session;

/// Everything that is checked of a gate: the same both ways, and what agents alone can ask.
pub(crate) fn checks(gate: Gate, transport: Transport) -> Vec<Check> {
    let mut checks = match gate {
        Gate::Preflight => preflight::checks(),
        Gate::Inventory => inventory::checks(),
        Gate::Startup(profile) => startup::checks(profile),
        Gate::Workload(profile) => workload::checks(profile),
    };
    if transport == Transport::Mcp {
        checks.extend(agent::checks(gate));
    }
    checks
}

/// Runs a gate and leaves its record. What keeps it from going on is in the record, for its checks to say.
/// Returns whether its project is to stay.
pub(crate) async fn run(key: GateKey, spec: &Spec, redaction: RedactionKey) -> Result<bool, Failure> {
    let mut session = Session::open(key, spec, redaction)?;
    // First of all: a gate that is cut short has it too.
    reproduce::keep(&session);
    let driven = drive(&mut session).await;
    let cut = session.cut.take();
    triage::at_the_end(&mut session, driven.as_ref().err().or(cut.as_ref())).await;
    let unkept = if keep::is_due(&session) { keep::keep(&mut session).err() } else { None };
    // Last of all: what the triage keeps is looked through too.
    let outcome = match driven {
        Ok(()) => secrets::observe(&mut session),
        Err(failure) => Err(failure),
    };
    let kept = session.record.project_kept;
    session.close(outcome.err().or(cut).or(unkept))?;
    Ok(kept)
}

async fn drive(session: &mut Session<'_>) -> Result<(), Failure> {
    session.refuse_unfit_names()?;
    session.prepare_environment().await?;
    match session.key.gate {
        Gate::Preflight => preflight::run(session).await,
        Gate::Inventory => inventory::run(session).await,
        Gate::Startup(profile) => startup::run(session, profile).await,
        Gate::Workload(profile) => workload::run(session, profile).await,
    }
}
