//! The MCP daemon: accepted as it is, or restarted, as in the runbook.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize as _;
use serde_json::Value;

use super::session::Session;
use crate::checks::{Check, ended_fairly, otherwise, part_of_success};
use crate::evidence::Evidence;
use crate::evidence::folder;
use crate::failure::{Failure, Kind};
use crate::workerbee::reply::McpStatus;

/// The labels of its three calls.
const BEFORE: &str = "mcp-status-before";
const RESTART: &str = "mcp-restart";
const AFTER: &str = "mcp-status-after";

/// How long the dashboard may take after the daemon has reported itself started.
const SETTLING: Duration = Duration::from_secs(30);

/// `mcp <verb>`, of the daemon at its address.
pub(super) fn words<'a>(verb: &'a str, (host, port): (&'a str, &'a str)) -> Vec<&'a str> {
    vec!["mcp", verb, "--host", host, "--port", port]
}

/// Files of the daemon's three calls.
pub(super) struct Files {
    pub(super) before: String,
    pub(super) restart: String,
    pub(super) after: String,
}

/// Asks, restarts when the answer is not accepted, asks again until it is.
pub(super) async fn ensure(session: &mut Session<'_>, files: &Files) -> Result<McpStatus, Failure> {
    let (host, port) = session.mcp_address();
    let status = words("status", (&host, &port));
    // In a lane the daemon does not run yet, and its ingress will ask for this image: imported while it is asked.
    let seeding = session.environment()?.seed_system();
    let before = session.query(BEFORE, &files.before, &status).await?;
    if accepted(&before) {
        // As it is.
    } else if let Some(others) = stopped_by_a_restart(session, &before)? {
        session.record.noticed.push(format!(
            "the daemon was not restarted: WorkerBee would stop what runs in {others}; restart it by hand (`workerbee mcp \
             restart`) when that may be"
        ));
    } else {
        seeding.done().await?;
        let timeout = session.limits().restart;
        let text = timeout.to_string();
        let restart = [words("restart", (&host, &port)), vec!["--timeout", &text]].concat();
        // WorkerBee waits for the old daemon, for the port and for the new daemon: each with a limit of its own.
        session.call(RESTART, &files.restart, &restart, Duration::from_secs(timeout + 60)).await?;
    }
    let begin = Instant::now();
    loop {
        let after = session.query(AFTER, &files.after, &status).await?;
        // The certificate may be there a moment later than the page.
        let settled = McpStatus::deserialize(&after).is_ok_and(|status| status.wrong().is_none());
        if settled || begin.elapsed() > SETTLING || !running(&after) {
            return Ok(McpStatus::deserialize(&after).unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The projects that a restart would stop: `WorkerBee` stops the stacks of its whole state root with a daemon that it knows
/// (`mcp_daemon.py`, `stop_mcp_daemon`). None when there is nobody else's stack; k1s profiles stay.
fn stopped_by_a_restart(session: &Session<'_>, before: &Value) -> Result<Option<String>, Failure> {
    let is = |member: &str| before.get(member).and_then(Value::as_bool);
    let is_known = is("running") != Some(false) || is("stale") != Some(false);
    if !session.shares_its_host() || !is_known {
        return Ok(None);
    }
    Ok(with_stacks(&session.environment()?.state_root.join("projects")))
}

fn with_stacks(projects: &Path) -> Option<String> {
    let entries = std::fs::read_dir(projects).into_iter().flatten().flatten();
    let with_a_stack = entries.filter(|entry| entry.path().join("stack.json").exists());
    let mut names: Vec<String> = with_a_stack.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The same for a gate that needs the daemon and has no check for it: without one it cannot go on.
pub(super) async fn require(session: &mut Session<'_>) -> Result<(), Failure> {
    let files = Files {
        before: session.own("mcp-status-before.json"),
        restart: session.own("mcp-restart.json"),
        after: session.own("mcp-status-after.json"),
    };
    let status = ensure(session, &files).await?;
    if status.accepted() {
        return Ok(());
    }
    let restart = session.record.calls.get(RESTART).map(|call| session.store.root().join(&call.file));
    let said = restart
        .as_ref()
        .and_then(|file| folder::read(session.store.root(), file).ok())
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    Err(not_ready(&status, said.as_ref()).evidence(restart.unwrap_or_else(|| session.store.root().join(&files.after))))
}

/// The ends of the addresses on which the daemon listens, by its status: `:19444`.
pub(super) fn ports(session: &Session<'_>) -> Vec<String> {
    let status = session.record.calls.get(AFTER).and_then(|call| session.answer(call)).unwrap_or_default();
    let dashboard = status.pointer("/global_dashboard/https_port").and_then(Value::as_u64);
    let own = session.mcp_address().1.parse().ok();
    dashboard.into_iter().chain(own).map(|port: u64| format!(":{port}")).collect()
}

/// Ends a daemon that works on for a call that was ended, and holds the project's lock meanwhile. Only of a lane, which has
/// one of its own; no other is started, for it would open ports that the gate's cleanup had not seen before.
pub(super) fn end(session: &Session<'_>) -> Result<(), Failure> {
    let file = session.environment()?.state_root.join("global/mcp-daemon.json");
    let saved = std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let pid = saved.and_then(|saved| i32::try_from(saved["pid"].as_i64()?).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::KILL);
    }
    Ok(())
}

/// `WorkerBee`'s code where another program has the daemon's port.
const PORT_TAKEN: &str = "MCP_PORT_IN_USE";

/// Returns the failure of a daemon that is not accepted, with `WorkerBee`'s error from its restart.
pub(super) fn not_ready(status: &McpStatus, restart: Option<&Value>) -> Failure {
    let error = restart.and_then(|said| {
        ["/error", "/start/error"].iter().find_map(|pointer| said.pointer(pointer).filter(|error| error.is_object()))
    });
    let text = |member: &str| error.and_then(|error| error.get(member)?.as_str().map(str::to_owned));
    let cause = text("code").map(|code| format!(": {code}")).unwrap_or_default();
    Failure::new(format!("WorkerBee's MCP daemon is not ready{cause}"))
        .of(if cause.ends_with(PORT_TAKEN) { Kind::Host } else { Kind::Daemon })
        .expected("running, on containerd, with a healthy dashboard")
        .seen(format!(
            "running {}, runtime {}, dashboard healthy {}{}",
            status.running,
            status.runtime.as_deref().unwrap_or("none"),
            status.global_dashboard.health_probe.as_ref().is_some_and(|probe| probe.ok),
            text("message").map(|message| format!("; WorkerBee says: {message}")).unwrap_or_default(),
        ))
        .remedy(match text("remediation") {
            Some(said) if cause.ends_with(PORT_TAKEN) => {
                format!("{said} On your own host WORKERBEE_MCP_PORT names the port that the gates use.")
            }
            Some(said) => said,
            None => "see global/mcp-daemon.log in WorkerBee's state root".to_owned(),
        })
}

/// The daemon was asked before all else, whatever it said then; and when it was restarted, that ended well.
pub(super) fn begun_well(evidence: &Evidence) -> Result<(), Failure> {
    let _: bool = evidence.reply(BEFORE, "/running")?;
    if !evidence.record.calls.contains_key(RESTART) {
        return Ok(());
    }
    ended_fairly(evidence, RESTART)
}

/// The daemon before the gate: all that was asked until it was accepted.
pub(super) fn begun(name: &'static str) -> Check {
    let accepted = accepted_in(name, AFTER);
    let expected = accepted.expected.clone();
    Check::new(name, move |evidence| begun_well(evidence).and_then(|()| accepted.judge(evidence))).expecting(expected)
}

/// The daemon as it was asked under a label: running, on containerd, with a healthy dashboard.
pub(super) fn accepted_in(name: &'static str, label: &'static str) -> Check {
    let expected = "running, on containerd, with a dashboard that answers 200 over verified TLS";
    part_of_success(name, label, "", expected, |status: &McpStatus| {
        status.wrong().map_or(Ok(()), |wrong| Err(format!("the MCP daemon is not accepted: {wrong}")))
    })
}

/// What tells one daemon from another.
const IDENTITY: [&str; 4] = ["/mcp_url", "/state_root", "/global_dashboard/https_port", "/global_dashboard/ca_sha256"];

/// The daemon as it was asked once more: accepted, and the same as before.
pub(super) fn stays(name: &'static str, label: &'static str) -> Check {
    let accepted = accepted_in(name, label);
    let expected = format!("{}; and the one that it was before the profile", accepted.expected);
    let said = expected.clone();
    Check::new(name, move |evidence| {
        accepted.judge(evidence)?;
        // When it was not asked before, that is another check's.
        let Ok(before) = evidence.json(AFTER) else { return Ok(()) };
        let now = evidence.json(label)?;
        let other = IDENTITY.into_iter().find(|place| before.pointer(place) != now.pointer(place));
        other.map_or(Ok(()), |place| {
            let was = before.pointer(place).cloned().unwrap_or_default();
            Err(otherwise(evidence, label, place, &format!("{name}: another daemon: {place} was {was}"))
                .expected(&expected))
        })
    })
    .expecting(said)
}

fn accepted(status: &Value) -> bool {
    McpStatus::deserialize(status).is_ok_and(|status| status.accepted())
}

fn running(status: &Value) -> bool {
    McpStatus::deserialize(status).is_ok_and(|status| status.running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_with_a_stack_are_named() -> std::io::Result<()> {
        let projects = tempfile::tempdir()?;
        for (project, file) in [("two", "stack.json"), ("one", "stack.json"), ("profile", "profiles.json")] {
            std::fs::create_dir(projects.path().join(project))?;
            std::fs::write(projects.path().join(project).join(file), "{}")?;
        }
        assert_eq!(with_stacks(projects.path()).as_deref(), Some("one, two"));
        assert_eq!(with_stacks(&projects.path().join("none")), None);
        Ok(())
    }
}
