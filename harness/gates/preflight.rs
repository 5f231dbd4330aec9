//! Preflight: the daemon, its ingress and CA, access to containerd, and names that can work.

use serde_json::Value;

use super::daemon;
use super::session::Session;
use crate::checks::{Check, attested, part};
use crate::failure::Failure;
use crate::plan::{Gate, Profile};
use crate::workerbee::naming;
use crate::workerbee::reply::McpStatus;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    name_budget(session)?;
    projects_unused(session).await?;
    let files = daemon::Files {
        before: "mcp-status-before.json".into(),
        restart: "mcp-restart.json".into(),
        after: "mcp-status-after.json".into(),
    };
    daemon::ensure(session, &files).await?;
    session.query("containerd-privilege", "containerd-privilege.json", &["containerd-privilege", "status"]).await?;
    session.query("projects-before", "projects-before.json", &["projects"]).await?;
    session.query("projects-after", "projects-after.json", &["projects"]).await?;
    session.query("cleanup", "cleanup-dry-run.json", &["cleanup"]).await.map(drop)
}

pub(super) fn checks() -> Vec<Check> {
    let status = "mcp-status-after";
    vec![
        Check::new("mcp-running", move |evidence| {
            let seen: McpStatus = evidence.reply(status, "")?;
            if seen.running {
                return Ok(());
            }
            // What WorkerBee said when it was asked counts as much as what it said when it was restarted.
            let restart = evidence.json("mcp-restart").or_else(|_| evidence.json(status)).ok();
            let file =
                evidence.call("mcp-restart").or_else(|_| evidence.call(status)).map(|call| evidence.path(call))?;
            Err(daemon::not_ready(&seen, restart.as_ref()).evidence(file))
        }),
        part("runtime-containerd", status, "", "\"runtime\": \"containerd\"", |seen: &McpStatus| {
            match seen.runtime.as_deref() {
                Some("containerd") => Ok(()),
                other => Err(format!("the runtime is {}", other.unwrap_or("not said"))),
            }
        }),
        part(
            "ingress-healthy",
            status,
            "/global_dashboard",
            "HTTPS running, dashboard healthy over verified TLS",
            |seen: &crate::workerbee::reply::Dashboard| {
                let probe = seen.health_probe.as_ref();
                let (ok, verified) =
                    (probe.is_some_and(|probe| probe.ok), probe.is_some_and(|probe| probe.tls_verified));
                if seen.https_running && ok && verified {
                    Ok(())
                } else {
                    Err(format!("HTTPS running {}, healthy {ok}, TLS verified {verified}", seen.https_running))
                }
            },
        ),
        part(
            "ca-ready",
            status,
            "/global_dashboard",
            "the CA exported, with its SHA-256",
            |seen: &crate::workerbee::reply::Dashboard| {
                let fingerprint = seen.ca_sha256.as_deref().unwrap_or_default();
                let digits = fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
                if seen.ca_ready && fingerprint.len() == 64 && digits {
                    Ok(())
                } else {
                    Err(format!("ready {}, SHA-256 {fingerprint:?}", seen.ca_ready))
                }
            },
        ),
        part(
            "containerd-access",
            "containerd-privilege",
            "",
            "containerd answers to the user, or to a running helper",
            |seen: &Value| {
                let is = |pointer: &str| seen.pointer(pointer).and_then(Value::as_bool) == Some(true);
                let direct = is("/unprivileged_probe/ok");
                let helper = is("/helper/running") && is("/helper/responsive");
                if direct || helper {
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
        attested("projects-unused", "projects-unused"),
        attested("name-budget", "name-budget"),
    ]
}

/// Every gate's project name against the room that its profile leaves.
fn name_budget(session: &mut Session<'_>) -> Result<(), Failure> {
    let settings = &session.spec.settings;
    let state_root = &session.ground()?.state_root;
    let mut expected = Vec::new();
    let mut seen = Vec::new();
    for gate in Gate::ALL {
        let Some(profile) = gate.profile() else { continue };
        let (project, budget) = (settings.project(gate, 1), naming::project_budget(profile));
        expected.push(format!("{gate}: {budget}"));
        if project.len() > budget {
            seen.push(format!(
                "{gate}: `{project}` has {} ({} is no DNS label)",
                project.len(),
                label(state_root, &project, profile)
            ));
        }
    }
    let ok = seen.is_empty() && expected.len() == Profile::ALL.len() + 2;
    let seen = if seen.is_empty() { "every project name fits".to_owned() } else { seen.join("; ") };
    session.attest(
        "name-budget",
        ok,
        format!("project names of at most so many characters: {}", expected.join(", ")),
        seen,
        "set WB_PROJECT_BASE to a shorter name (7 characters fit every profile), or leave it unset",
    );
    Ok(())
}

fn label(state_root: &std::path::Path, project: &str, profile: Profile) -> String {
    naming::container(state_root, project, profile, crate::plan::Component::Etcd)
}

/// No project of this run exists yet: one that does may be somebody's.
async fn projects_unused(session: &mut Session<'_>) -> Result<(), Failure> {
    let state_root = session.ground()?.state_root.clone();
    let namespaces = session.containerd().await?.namespaces().await?;
    let mut found = Vec::new();
    for gate in Gate::ALL {
        let project = session.spec.settings.project(gate, 1);
        // The other gates of this run may have begun with theirs: those are known by what this run wrote down.
        if crate::run::is_ours(&session.spec.settings.run_dir, &project) {
            continue;
        }
        if namespaces.contains(&naming::namespace(&state_root, &project))
            || state_root.join("projects").join(&project).exists()
        {
            found.push(format!("{gate}: `{project}`"));
        }
    }
    session.attest(
        "projects-unused",
        found.is_empty(),
        "no namespace and no state folder under any project name of this run",
        if found.is_empty() { "none".to_owned() } else { found.join(", ") },
        "set WB_PROJECT_BASE to a name that is not in use",
    );
    Ok(())
}
