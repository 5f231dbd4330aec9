//! The end of every gate that started a profile: capture, stop, purge, and proof that nothing is left.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::own_project::own_project;
use super::session::Session;
use super::{daemon, fail_fast, keep, profile_status, triage};
use crate::attest::residue::{self, Kind, Observation, Owner, Scan, Thing};
use crate::checks::{Check, observed, otherwise, part, part_of_success, succeeded};
use crate::failure::{self, Failure};
use crate::ledger;
use crate::plan::Profile;
use crate::workerbee::naming;
use crate::workerbee::reply::ProfileStatus;
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

/// The things on the machine before the project is made, and the names by which the project's own are recognized.
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
    let daemons = daemon::ports(session);
    // Caddy opens its ports anew when it loads a site: the daemon's may not have been there for a moment before the project.
    let is_the_daemons = |kind, thing: &Thing| {
        kind == Kind::Ports && thing.tie.is_none() && daemons.iter().any(|port| thing.what.ends_with(port))
    };
    let observations = residue::settled(owner, !session.shares_its_host(), before, alive, is_the_daemons).await;
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
pub(super) fn checks(profile: Profile) -> Vec<Check> {
    let mut checks = vec![
        // While the profile was alive; `stop` comes after.
        part_of_success(
            "profile-status-after",
            "profile-status-after",
            "",
            "the profile and every component of it running after all checks, before the stop",
            move |status: &ProfileStatus| {
                if !status.running {
                    return Err("the profile no longer ran when its gate ended: \"running\" is false".to_owned());
                }
                profile_status::alive(profile, status)
            },
        ),
        projects_after(profile),
        daemon::begun("mcp-daemon-before"),
        daemon::stays("mcp-daemon-after", DAEMON),
        own_project(),
        stopped(profile),
        purged(),
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

/// `WorkerBee` lists the gate's own project, once, with its profile running.
fn projects_after(profile: Profile) -> Check {
    let (label, expected) = ("projects-after", "the gate's own project, once, with its profile running");
    let listed = part_of_success(label, label, "/projects", "a list of projects", |_: &Vec<Project>| Ok(()));
    Check::new(label, move |evidence| {
        listed.judge(evidence)?;
        let projects: Vec<Project> = evidence.reply(label, "/projects")?;
        let own: Vec<&Project> = projects.iter().filter(|one| one.name == evidence.record.project).collect();
        let wrong = match own.as_slice() {
            [own] if own.profile_running && own.profile_name.as_deref() == Some(profile.name()) => return Ok(()),
            // WorkerBee's list asks containerd without its helper: of a user who may not, it says so, and of no profile.
            [own] if own.error.is_some() && evidence.record.user != 0 => return Ok(()),
            [own] => format!(
                "its profile is {}, running {}{}",
                own.profile_name.as_deref().unwrap_or("none"),
                own.profile_running,
                own.error.as_deref().map(|error| format!("; WorkerBee could not look: {error}")).unwrap_or_default()
            ),
            others => format!("{} of its name among {} projects", others.len(), projects.len()),
        };
        Err(otherwise(evidence, label, "/projects", &format!("{label}: {wrong}")).expected(expected))
    })
    .expecting(expected)
}

/// A project, as `WorkerBee` lists it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Project {
    #[serde(rename = "project")]
    name: String,
    profile_name: Option<String>,
    profile_running: bool,
    /// Why `WorkerBee` could not look.
    error: Option<String>,
}

/// The profile was stopped: the call ended well, and says that each component was removed, and that no more was.
fn stopped(profile: Profile) -> Check {
    let expected = "each component removed, once, and the project's state kept";
    done("cleanup::profile-stop", "profile-stop", expected, move |seen: &Ended| {
        let mut removed: Vec<&str> = seen.removed.iter().map(|one| one.container.as_str()).collect();
        removed.sort_unstable();
        removed.dedup();
        let wanted = profile.components().len();
        match (seen.purged, seen.removed.iter().find(|one| one.returncode != 0)) {
            (true, _) => Err("it says that it purged the project".to_owned()),
            (_, Some(one)) => Err(format!("the removal of {} ended with {}", one.container, one.returncode)),
            _ if removed.len() != wanted => Err(format!("{} of {wanted} components were removed", removed.len())),
            _ => Ok(()),
        }
    })
}

/// The project was purged, and the call says so.
fn purged() -> Check {
    done("cleanup::profile-purge", "profile-purge", "\"purged\": true, and a result", |seen: &Ended| {
        match (seen.purged, &seen.purge_result) {
            (true, Some(result)) if result["ok"] == true => Ok(()),
            (purged, result) => Err(format!("purged {purged}, result {}", result.clone().unwrap_or_default())),
        }
    })
}

/// A call ended well, and says that it did what it was asked for.
fn done(
    name: &'static str,
    label: &'static str,
    expected: &'static str,
    judge: impl Fn(&Ended) -> Result<(), String> + Send + Sync + 'static,
) -> Check {
    let (well, said) = (succeeded(name, label), part(name, label, "", expected, judge));
    Check::new(name, move |evidence| well.judge(evidence).and_then(|()| said.judge(evidence)))
        .expecting(format!("a call that ended well, with {expected}"))
}

/// What the stop of a profile says, with the purge of its project and without.
#[derive(Debug, Deserialize)]
struct Ended {
    purged: bool,
    #[serde(default)]
    removed: Vec<Removed>,
    purge_result: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Removed {
    container: String,
    returncode: i64,
}
