//! What agents ask beside what the command line can be asked too: `agent::…`, of gates that ask through MCP.

use serde::Deserialize;
use serde_json::Value;

use super::asking::TOOLS;
use super::own_project::{named, nothing_foreign};
use super::session::Session;
use super::{daemon, workload};
use crate::attest::app;
use crate::checks::{Check, ended_fairly, observed, otherwise, part, part_of_success, succeeded};
use crate::evidence::{Evidence, McpProblem};
use crate::failure::{Failure, Mismatch};
use crate::plan::{Gate, Transport};
use crate::workerbee::mcp::{Offered, drift};
use crate::workerbee::request::Request;

const SESSION: &str = "session-start";
const STATUS: &str = "workload-status";
const LOGS: &str = "logs";
const PROBE: &str = "ingress-probe";

/// Begins a session, as an agent does, for the gate's own project: without a name WorkerBee would make up one.
pub(super) async fn begin(session: &mut Session<'_>) -> Result<(), Failure> {
    if session.key.transport != Transport::Mcp {
        return Ok(());
    }
    let file = session.own("session-start.json");
    session.inquire(SESSION, &file, Request::SessionStart).await.map(drop)
}

/// What an agent asks of a profile that it has validated.
pub(super) async fn ask(session: &mut Session<'_>, answer: &Value) -> Result<(), Failure> {
    if session.key.transport != Transport::Mcp {
        return Ok(());
    }
    let workload = has_workload(session.key.gate);
    if workload {
        let file = session.own("workload-status.json");
        session.inquire(STATUS, &file, Request::WorkloadStatus).await?;
        let file = session.own("logs.json");
        session.inquire(LOGS, &file, Request::Logs(app::NAMES[0])).await?;
    }
    // The controller's health, or the workload's, by the names that WorkerBee gave them.
    let place = if workload { "/probes/0/url" } else { "/status/profile/ingress_urls/controller_health" };
    let Some(url) = answer.pointer(place).and_then(Value::as_str) else { return Ok(()) };
    let file = session.own("ingress-probe.json");
    session.inquire(PROBE, &file, Request::IngressProbe(url)).await.map(drop)
}

pub(super) fn checks(gate: Gate) -> Vec<Check> {
    let mut checks = vec![observed(
        "agent::tools",
        TOOLS,
        "every tool that a gate calls, with the parameters that it is called with, and no others that must be given",
        "WorkerBee's tools have changed: correct the table in harness/workerbee/request.rs",
        |offered: &Vec<Offered>| {
            let drifts = Request::EACH.into_iter().filter_map(|request| drift(&request.tool("", ""), offered));
            let drifts: Vec<McpProblem> = drifts.collect();
            let Some(first) = drifts.first() else { return Ok(()) };
            let said: Vec<String> = drifts.iter().map(ToString::to_string).collect();
            Err(Mismatch::new(format!("{}, of {}: {}", first.cause(), drifts.len(), first.expected()), &said))
        },
    )];
    // On the command line this gate needs no daemon.
    if gate == Gate::Inventory {
        checks.push(daemon::begun("agent::mcp-daemon-before"));
    }
    if gate.profile().is_none() {
        return checks;
    }
    checks.push(session());
    let asked: &[&str] = if has_workload(gate) { &[SESSION, PROBE, STATUS, LOGS] } else { &[SESSION, PROBE] };
    let expected = "the gate's own project in each answer that names one";
    let own = move |evidence: &Evidence| {
        named(evidence, asked)
            .and_then(|()| nothing_foreign(evidence, asked))
            .map_err(|failure| failure.expected(expected))
    };
    checks.push(Check::new("agent::own-project", own).expecting(expected));
    checks.push(part_of_success(
        "agent::ingress-probe",
        PROBE,
        "",
        "status 200 over verified TLS",
        |seen: &Value| match (seen["status"].as_u64(), &seen["tls_verified"], seen["url"].as_str()) {
            (Some(200), Value::Bool(true), Some(url)) if url.starts_with("https://") => Ok(()),
            _ => Err(format!("{}: status {}, TLS verified {}", seen["url"], seen["status"], seen["tls_verified"])),
        },
    ));
    if has_workload(gate) {
        checks.push(workload_status());
        checks.push(part_of_success("agent::logs", LOGS, "", "what the app has printed", |seen: &Logs| {
            let is_of_its_pod = |log: &Log| log.text.is_some() && seen.pods.contains(&log.pod);
            match (seen.app == app::NAMES[0], seen.each.iter().find(|log| log.status != 200)) {
                (false, _) => Err(format!("of {:?} instead of {:?}", seen.app, app::NAMES[0])),
                (_, Some(log)) => Err(format!("status {}", log.status)),
                // What an app has printed may be nothing.
                _ if seen.each.is_empty() => Err("no logs".to_owned()),
                _ if !seen.each.iter().all(is_of_its_pod) => Err("a log of no pod, or without a text".to_owned()),
                _ => Ok(()),
            }
        }));
    }
    checks
}

/// The logs of an app, one for each of its pods.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Logs {
    app: String,
    pods: Vec<String>,
    #[serde(rename = "logs")]
    each: Vec<Log>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Log {
    pod: String,
    status: u16,
    text: Option<String>,
}

fn has_workload(gate: Gate) -> bool {
    matches!(gate, Gate::Workload(_))
}

/// What the profile's API says of the workload, as `validate` asks it too.
fn workload_status() -> Check {
    let name = "agent::workload-status";
    let well = succeeded(name, STATUS);
    let expected = "pods, and an answer for every kind of resource";
    let resources = part(name, STATUS, "/resources", expected, workload::resources);
    Check::new(name, move |evidence| well.judge(evidence).and_then(|()| resources.judge(evidence))).expecting(expected)
}

/// A session in a project of another name would be that of a project that nobody purges.
fn session() -> Check {
    let expected = "a session in the project that was named";
    Check::new("agent::session", |evidence| {
        let project: String = evidence.reply(SESSION, "/project")?;
        if project == evidence.record.project {
            let explicit: bool = evidence.reply(SESSION, "/explicit_project")?;
            return if explicit {
                ended_fairly(evidence, SESSION)
            } else {
                Err(otherwise(evidence, SESSION, "/explicit_project", "the session's project was not taken as named")
                    .expected("\"explicit_project\": true"))
            };
        }
        Err(otherwise(evidence, SESSION, "/project", "the session belongs to another project")
            .expected(format!("`{}`, which was named", evidence.record.project)))
    })
    .expecting(expected)
}
