//! The end of every gate that started a profile: capture, stop, purge, and proof that nothing is left.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::session::Session;
use super::{daemon, fail_fast, keep, triage};
use crate::attest::residue::{self, Kind, Observation, Owner, Scan};
use crate::checks::{Check, observed, part, succeeded};
use crate::failure::{self, Failure};
use crate::ledger;
use crate::workerbee::naming;
use crate::workerbee::reply::McpStatus;
use crate::workerbee::request::Request;

/// A project that exists before its gate is somebody else's: neither used nor, later, removed.
pub(super) async fn refuse_existing(session: &Session<'_>) -> Result<(), Failure> {
    let folder = session.project_folder()?;
    let namespace = naming::namespace(&session.environment()?.state_root, &session.spec.project);
    let namespaces = session.containerd().await?.namespaces().await?;
    let seen = match (folder.exists(), namespaces.contains(&namespace)) {
        (false, false) => return Ok(()),
        (true, _) => format!("the folder {}", folder.display()),
        (_, true) => format!("the containerd namespace {namespace}"),
    };
    Err(Failure::new(format!("the project `{}` exists already and is not touched", session.spec.project))
        .of(failure::Kind::Host)
        .expected("a project name that is not in use")
        .seen(seen)
        .remedy("set WB_PROJECT_BASE to a name that is not in use"))
}

/// The daemon, asked once more when all else has been looked at.
const DAEMON: &str = "mcp-status-at-the-end";

/// What there is before the project is made, and what makes something the project's.
pub(super) struct Baseline {
    owner: Owner,
    before: Scan,
}

/// Looks at the machine before the project is made.
pub(super) async fn baseline(session: &mut Session<'_>) -> Result<Baseline, Failure> {
    let begin = Instant::now();
    session.doing("residue before the project");
    let environment = session.environment()?;
    let mut owner = Owner::new(&environment.address, &environment.state_root, &session.spec.project);
    let before = residue::scan(&mut owner).await;
    session.phase("residue before the project", begin);
    Ok(Baseline { owner, before })
}

/// Captures, stops, purges, and looks for what is left.
pub(super) async fn run(session: &mut Session<'_>, baseline: Baseline) -> Result<(), Failure> {
    let Baseline { mut owner, before } = baseline;
    // Where a component has died, triage asks the same, and who waits for the reason need not wait for both.
    if session.cut.is_none() {
        capture(session).await?;
    }
    let begin = Instant::now();
    session.doing("residue while the profile is alive");
    let alive = residue::scan(&mut owner).await;
    session.phase("residue while the profile is alive", begin);
    fail_fast::keep(session)?;
    triage::before_the_stop(session).await;
    if keep::is_due(session) {
        return Ok(());
    }
    let limit = Duration::from_secs(session.limits().stop);
    let file = session.own("profile-stop.json");
    session.ask("profile-stop", &file, Request::ProfileStop, limit).await?;
    let file = session.own("profile-purge.json");
    session.ask("profile-purge", &file, Request::ProfilePurge, limit).await?;
    let free = prove_nothing_left(session, &mut owner, &before, &alive).await?;
    if free.contains(&Kind::Containers) {
        remove_namespace(session, owner.namespace).await?;
    } else {
        session.observe("namespace-removed", Ok(Removal { namespace: owner.namespace, gone: false }))?;
    }
    // Through a mount that is left in the folder, or a container's, its removal would reach what is not the gate's.
    if free.contains(&Kind::Containers) && free.contains(&Kind::Mounts) { remove_folder(session) } else { Ok(()) }
}

/// Captures what `WorkerBee` says of the profile, its daemon and its projects before the stop.
async fn capture(session: &mut Session<'_>) -> Result<(), Failure> {
    let file = session.own("profile-status-after.json");
    session.inquire("profile-status-after", &file, Request::ProfileStatus).await?;
    let file = session.own("mcp-status-at-the-end.json");
    let (host, port) = session.mcp_address();
    session.query(DAEMON, &file, &daemon::words("status", (&host, &port))).await?;
    let file = session.own("projects-after.json");
    session.inquire("projects-after", &file, Request::Projects).await.map(drop)
}

/// Looks until nothing is left, or what is left stays. Returns the kinds of which it saw that nothing is left.
async fn prove_nothing_left(
    session: &mut Session<'_>,
    owner: &mut Owner,
    before: &Scan,
    alive: &Scan,
) -> Result<Vec<Kind>, Failure> {
    let begin = Instant::now();
    session.doing("proof of cleanup");
    let observations = residue::settled(owner, !session.shares_its_host(), before, alive, |_, _| false).await;
    let free = observations
        .iter()
        .filter(|(kind, observation)| residue::is_free(*kind, observation))
        .map(|(kind, _)| *kind)
        .collect();
    for (kind, observation) in observations {
        session.observe(kind.observation(), observation)?;
    }
    session.phase("proof of cleanup", begin);
    Ok(free)
}

/// `WorkerBee` leaves the namespace and its images. Both are this gate's own: the project did not exist before it.
async fn remove_namespace(session: &mut Session<'_>, namespace: String) -> Result<(), Failure> {
    let begin = Instant::now();
    session.doing("removal of the namespace");
    let containerd = session.containerd().await?;
    let removed = containerd.remove_namespace(&namespace).await;
    let gone = !containerd.namespaces().await?.contains(&namespace);
    session.observe("namespace-removed", removed.map(|()| Removal { namespace, gone }))?;
    session.phase("removal of the namespace", begin);
    Ok(())
}

/// The end of the gate's own namespace.
#[derive(Debug, Serialize, Deserialize)]
struct Removal {
    namespace: String,
    gone: bool,
}

/// The project's state folder holds tokens and keys of a project that is no more.
fn remove_folder(session: &Session<'_>) -> Result<(), Failure> {
    let folder = session.project_folder()?;
    ledger::remove_folder(&folder).map_err(|error| {
        Failure::new(format!("the project's folder {} could not be removed", folder.display()))
            .expected("no folder of a purged project")
            .seen(error.to_string())
            .remedy("remove it by hand")
    })
}

/// `cleanup::…`: the checks of the end.
pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![
        // While the profile was alive; `stop` comes after.
        part(
            "profile-status-after",
            "profile-status-after",
            "",
            "\"running\": true after all checks, before the stop",
            |status: &Value| match &status["running"] {
                Value::Bool(true) => Ok(()),
                other => Err(format!("the profile no longer ran when its gate ended: \"running\" is {other}")),
            },
        ),
        part("mcp-daemon-after", DAEMON, "", "\"running\": true, as it was before", |status: &McpStatus| {
            if status.running { Ok(()) } else { Err("the MCP daemon no longer ran when the gate ended".to_owned()) }
        }),
        succeeded("cleanup::profile-stop", "profile-stop"),
        succeeded("cleanup::profile-purge", "profile-purge"),
        observed(
            "cleanup::namespace-removed",
            "namespace-removed",
            "no namespace of the project",
            "`nerdctl namespace remove <it>`",
            |removal: &Removal| {
                if removal.gone {
                    Ok(())
                } else {
                    Err(format!("the namespace {} was not removed", removal.namespace).into())
                }
            },
        ),
    ];
    checks.extend(Kind::ALL.map(|kind| {
        observed(&kind.check(), kind.observation(), kind.expected(), kind.remedy(), move |observation: &Observation| {
            observation.judge(kind)
        })
    }));
    checks
}
