//! A component that has died for good: nothing that `WorkerBee` waits for can come any more, and it is not waited for.

use std::time::Duration;

use super::daemon;
use super::session::Session;
use super::validation::LABEL;
use crate::attest::exit_watch::ExitWatch;
use crate::attest::exits::PROBE;
use crate::evidence::call::{Call, CallProblem};
use crate::failure::Failure;
use crate::plan::{Profile, Transport};

/// How long `WorkerBee` has to report the failure itself.
const GRACE: Duration = Duration::from_secs(2);

/// Begins to follow what becomes of the profile's components.
pub(super) fn watch(session: &mut Session<'_>, profile: Profile) -> Result<(), Failure> {
    let environment = session.environment()?;
    let watch = ExitWatch::begin(&environment.address, &environment.state_root, &session.spec.project, profile);
    session.exits = Some(watch);
    Ok(())
}

impl Session<'_> {
    /// Ends the call that the gate is about when a component has died for good: in words, what happened.
    pub(super) fn end_of(&self, label: &str) -> impl Future<Output = String> + use<'_> {
        let exits = self.exits.as_ref().filter(|_| label == LABEL && self.spec.settings.fail_fast && self.may_end());
        async move {
            let Some(exits) = exits else { return std::future::pending().await };
            let exit = exits.death().await;
            tokio::time::sleep(GRACE).await;
            exit.to_string()
        }
    }

    /// Returns the transport by which `WorkerBee` is asked: the command line where its MCP daemon was ended with the
    /// call.
    pub(super) fn asks_over(&self) -> Transport {
        if self.cut.is_some() { Transport::Cli } else { self.key.transport }
    }

    /// `WorkerBee`'s MCP server goes on with a tool that nobody waits for, and answers nobody meanwhile: to end the call is
    /// to end the server. On the user's own host that is not the harness's to do.
    fn may_end(&self) -> bool {
        self.key.transport == Transport::Cli || !self.shares_its_host()
    }
}

/// Is true when the call was ended.
pub(super) fn was_ended(session: &Session<'_>) -> bool {
    session.record.calls.get(LABEL).is_some_and(|call| ended(call).is_some())
}

fn ended(call: &Call) -> Option<&str> {
    match &call.problem {
        Some(CallProblem::Ended { why, .. }) => Some(why),
        _ => None,
    }
}

/// Returns true when the call was ended; then it notes that in the record, and frees the project's lock. The gate then
/// goes on to triage and teardown, for nothing is left to be observed.
pub(super) fn has_struck(session: &mut Session<'_>) -> Result<bool, Failure> {
    let Some(call) = session.record.calls.get(LABEL) else { return Ok(false) };
    let (Some(why), file) = (ended(call).map(str::to_owned), call.file.clone()) else { return Ok(false) };
    let seconds = call.seconds;
    let by_mcp = session.key.transport == Transport::Mcp;
    let daemon = if by_mcp {
        ", with the lane's MCP daemon, which worked on; the rest is asked on the command line"
    } else {
        ""
    };
    session.cut = Some(
        Failure::new(why)
            .expected("every component of the profile running until the gate stops it")
            .seen(format!("WorkerBee still waited for it after {seconds:.1} s, and its call was ended{daemon}"))
            .evidence(
                session.store.root().join(session.spec.folder().join("seen").join(format!("{}.json", PROBE.name))),
            )
            .remedy(
                "see the component's log in RUN_DIR/triage; K1S_GATES_FAIL_FAST=off waits for WorkerBee's own answer",
            ),
    );
    if !session.store.root().join(&file).exists() {
        // Of MCP there is no output before there is all of it.
        let _ = session.store.write(&file, b"");
    }
    if by_mcp {
        session.mcp = None;
        daemon::end(session)?;
    }
    Ok(true)
}

/// Keeps what was observed, for the components are about to be stopped.
pub(super) fn keep(session: &mut Session<'_>) -> Result<(), Failure> {
    match session.exits.take() {
        Some(watch) => session.observe(PROBE.name, Ok(watch.so_far())),
        None => Ok(()),
    }
}
