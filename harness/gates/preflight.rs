//! Preflight: the daemon, its ingress and CA, access to containerd, and names that can work.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::daemon;
use super::own_project::own_state_root;
use super::session::Session;
use crate::checks::{Check, ended_fairly, observed, otherwise, part_of_success};
use crate::failure::{Failure, Mismatch};
use crate::lane::is_ours;
use crate::plan::{Component, Gate, GateKey};
use crate::workerbee::naming;
use crate::workerbee::reply::{Dashboard, McpStatus};
use crate::workerbee::request::Request;

/// The label of the question for the ingress.
const INGRESS: &str = "ingress-status";

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    name_budget(session)?;
    projects_unused(session).await?;
    let files = daemon::Files {
        before: "mcp-status-before.json".into(),
        restart: "mcp-restart.json".into(),
        after: "mcp-status-after.json".into(),
    };
    // Another run on this host may be about to restart the same daemon.
    let token = if session.shares_its_host() { Some(session.start_token().await?) } else { None };
    daemon::ensure(session, &files).await?;
    drop(token);
    session.query("containerd-privilege", "containerd-privilege.json", &["containerd-privilege", "status"]).await?;
    session.inquire(INGRESS, "ingress-status.json", Request::IngressStatus).await?;
    session.inquire("projects-before", "projects-before.json", Request::Projects).await?;
    session.inquire("projects-after", "projects-after.json", Request::Projects).await?;
    session.inquire("cleanup", "cleanup-dry-run.json", Request::CleanupDryRun).await.map(drop)
}

pub(super) fn checks() -> Vec<Check> {
    let status = "mcp-status-after";
    vec![
        mcp_running(status),
        part_of_success("runtime-containerd", status, "", "\"runtime\": \"containerd\"", |seen: &McpStatus| match seen
            .runtime
            .as_deref()
        {
            Some("containerd") => Ok(()),
            other => Err(format!("the runtime is {}", other.unwrap_or("not said"))),
        }),
        part_of_success(
            "ingress-healthy",
            INGRESS,
            "",
            "HTTPS running, dashboard healthy over verified TLS",
            |seen: &Dashboard| seen.wrong().map_or(Ok(()), Err),
        ),
        part_of_success("ca-ready", INGRESS, "", "the CA exported, with its SHA-256", |seen: &Dashboard| {
            let fingerprint = seen.ca_sha256.as_deref().unwrap_or_default();
            let digits = fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
            if seen.ca_ready && fingerprint.len() == 64 && digits {
                Ok(())
            } else {
                Err(format!("ready {}, SHA-256 {fingerprint:?}", seen.ca_ready))
            }
        }),
        part_of_success(
            "containerd-access",
            "containerd-privilege",
            "",
            "containerd answers to the user, or to a running helper",
            |seen: &Value| {
                let is = |pointer: &str| seen.pointer(pointer).and_then(Value::as_bool) == Some(true);
                let direct = is("/unprivileged_probe/ok");
                let helper = is("/helper/running") && is("/helper/responsive");
                if seen["runtime"] != "containerd" {
                    Err(format!("the runtime is {}", seen["runtime"]))
                } else if seen["enabled"] != true {
                    Err(format!("enabled {}", seen["enabled"]))
                } else if direct || helper {
                    Ok(())
                } else {
                    let message = seen.pointer("/unprivileged_probe/message").and_then(Value::as_str);
                    Err(format!(
                        "direct access {direct}, responsive helper {helper}{}",
                        message.map(|message| format!(": {message}")).unwrap_or_default()
                    ))
                }
            },
        ),
        projects("projects-before"),
        projects("projects-after"),
        cleanup(),
        own_state_root(&["containerd-privilege", "projects-before", "projects-after", "cleanup"]),
        observed(
            "projects-unused",
            "projects-unused",
            "no namespace and no state folder under any project name of this run",
            "set WB_PROJECT_BASE to a name that is not in use",
            |seen: &Vec<Usage>| match (seen.len(), seen.iter().find(|one| !one.free())) {
                (0, _) => Err("no project name was checked".into()),
                (_, None) => Ok(()),
                (_, Some(used)) => {
                    Err(Mismatch::new(format!("`{}` of {} exists already", used.project, used.gate), used))
                }
            },
        ),
        observed(
            "name-budget",
            "name-budget",
            "project names that leave every component a container name of 63 characters, which is its DNS label",
            "set WB_PROJECT_BASE to a shorter name (7 characters fit every profile), or leave it unset",
            |seen: &Vec<Room>| match (seen.len(), seen.iter().find(|one| one.project.len() > one.limit)) {
                (0, _) => Err("no project was measured".into()),
                (_, None) => Ok(()),
                (_, Some(long)) => {
                    let (project, gate, limit) = (&long.project, long.gate, long.limit);
                    let length = project.len();
                    Err(Mismatch::new(format!("`{project}` of {gate} has {length} characters of {limit}"), long))
                }
            },
        ),
    ]
}

/// The daemon runs, and all that was asked of it until then was asked.
fn mcp_running(status: &'static str) -> Check {
    Check::new("mcp-running", move |evidence| {
        let seen: McpStatus = evidence.reply(status, "")?;
        if seen.running {
            daemon::begun_well(evidence)?;
            ended_fairly(evidence, status)?;
            return seen.global_dashboard.wrong().map_or(Ok(()), |wrong| {
                Err(otherwise(evidence, status, "/global_dashboard", &format!("mcp-running: its dashboard: {wrong}"))
                    .expected("a dashboard that answers 200 over verified TLS"))
            });
        }
        // What WorkerBee said when it was asked counts as much as what it said when it was restarted.
        let restart = evidence.json("mcp-restart").or_else(|_| evidence.json(status)).ok();
        let file = evidence.call("mcp-restart").or_else(|_| evidence.call(status)).map(|call| evidence.path(call))?;
        Err(daemon::not_ready(&seen, restart.as_ref()).evidence(file))
    })
    .expecting("\"running\": true, with a dashboard that answers 200 over verified TLS")
}

/// A list of projects, which may be empty.
fn projects(label: &'static str) -> Check {
    let expected = "a list of projects, each with a name of its own";
    part_of_success(label, label, "/projects", expected, |listed: &Vec<Value>| {
        let mut names: Vec<&str> = listed.iter().map(|one| one["project"].as_str().unwrap_or_default()).collect();
        names.sort_unstable();
        names.dedup();
        match (names.contains(&""), names.len() == listed.len()) {
            (true, _) => Err("a project without a name".to_owned()),
            (_, false) => Err(format!("{} projects of {} names", listed.len(), names.len())),
            _ => Ok(()),
        }
    })
}

/// What WorkerBee would remove, and that it removes nothing now.
fn cleanup() -> Check {
    let expected = "a dry run on containerd: what it would remove is listed, and none of it removed";
    part_of_success("cleanup-dry-run", "cleanup", "", expected, |seen: &Cleanup| match seen {
        Cleanup { execute: true, .. } => Err("WorkerBee has cleaned up for real".to_owned()),
        Cleanup { runtime, .. } if runtime != "containerd" => Err(format!("the runtime is {runtime}")),
        Cleanup { safety: Safety { ok: false }, .. } => Err("WorkerBee finds it not safe".to_owned()),
        Cleanup { actions, .. } => {
            match actions.iter().find(|action| action.action.is_empty() || action.kind.is_empty()) {
                Some(_) => Err("an action that does not say what it would do to what".to_owned()),
                None => Ok(()),
            }
        }
    })
}

#[derive(Debug, Deserialize)]
struct Cleanup {
    execute: bool,
    runtime: String,
    actions: Vec<Action>,
    safety: Safety,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Action {
    action: String,
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Safety {
    ok: bool,
}

/// The room that a gate's profile leaves for the name of its project.
#[derive(Debug, Serialize, Deserialize)]
struct Room {
    gate: Gate,
    project: String,
    /// The longest name that works.
    limit: usize,
    /// The DNS label of a component, with this project.
    label: String,
}

/// Every gate's project name against the room that its profile leaves.
fn name_budget(session: &mut Session<'_>) -> Result<(), Failure> {
    let state_root = session.environment()?.state_root.clone();
    let of_gate = |key: GateKey| {
        let gate = key.gate;
        let profile = gate.profile()?;
        let project = session.spec.settings.project(key.gate, key.transport, 1);
        let label = naming::container(&state_root, &project, profile, Component::Etcd);
        Some(Room { gate, project, limit: naming::project_budget(profile), label })
    };
    let rooms: Vec<Room> = session.spec.settings.keys().filter_map(of_gate).collect();
    session.observe("name-budget", Ok(rooms))
}

/// What there is under the name of a gate's project before the gate.
#[derive(Debug, Serialize, Deserialize)]
struct Usage {
    gate: Gate,
    project: String,
    namespace: bool,
    folder: bool,
}

impl Usage {
    fn free(&self) -> bool {
        !self.namespace && !self.folder
    }
}

/// No project of this run exists yet: one that does may be somebody's.
async fn projects_unused(session: &mut Session<'_>) -> Result<(), Failure> {
    let state_root = session.environment()?.state_root.clone();
    let namespaces = session.containerd().await?.namespaces().await?;
    let settings = &session.spec.settings;
    let of_gate = |key: GateKey| {
        let (gate, project) = (key.gate, settings.project(key.gate, key.transport, 1));
        // The other gates of this run may have begun with theirs: those are known by what this run wrote down.
        let ours = is_ours(&settings.run_dir, &project);
        let namespace = !ours && namespaces.contains(&naming::namespace(&state_root, &project));
        let folder = !ours && state_root.join("projects").join(&project).exists();
        Usage { gate, project, namespace, folder }
    };
    let used: Vec<Usage> = settings.keys().map(of_gate).collect();
    session.observe("projects-unused", Ok(used))
}
