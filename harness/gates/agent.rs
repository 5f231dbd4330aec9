//! What agents ask beside what the command line can be asked too: `agent::…`, of gates that ask through MCP.

use serde_json::Value;

use super::asking::TOOLS;
use super::own_project::nothing_foreign;
use super::session::Session;
use crate::attest::app;
use crate::checks::{Check, observed, otherwise, part_of_success, succeeded};
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
    let workload = matches!(session.key.gate, Gate::Workload(_));
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
    if gate.profile().is_none() {
        return checks;
    }
    checks.push(session());
    let asked: &[&str] = if matches!(gate, Gate::Workload(_)) { &[PROBE, STATUS, LOGS] } else { &[PROBE] };
    let expected = "the gate's own project in each answer that names one";
    let own = move |evidence: &Evidence| nothing_foreign(evidence, asked).map_err(|failure| failure.expected(expected));
    checks.push(Check::new("agent::own-project", own).expecting(expected));
    checks.push(part_of_success(
        "agent::ingress-probe",
        PROBE,
        "",
        "status 200 over verified TLS",
        |seen: &Value| match (seen["status"].as_u64(), &seen["tls_verified"]) {
            (Some(200), Value::Bool(true)) => Ok(()),
            _ => Err(format!("status {}, TLS verified {}", seen["status"], seen["tls_verified"])),
        },
    ));
    if let Gate::Workload(_) = gate {
        checks.push(succeeded("agent::workload-status", STATUS));
        checks.push(part_of_success("agent::logs", LOGS, "/logs", "what the app has printed", |logs: &Vec<Value>| {
            let good = |log: &&Value| log["status"].as_u64().is_none_or(|status| status == 200);
            match (logs.is_empty(), logs.iter().find(|log| !good(log))) {
                (true, _) => Err("no logs".to_owned()),
                (_, Some(log)) => Err(format!("status {}", log["status"])),
                _ => Ok(()),
            }
        }));
    }
    checks
}

/// A session in a project of another name would be that of a project that nobody purges.
fn session() -> Check {
    let expected = "a session in the project that was named";
    Check::new("agent::session", |evidence| {
        let project: String = evidence.reply(SESSION, "/project")?;
        if project == evidence.record.project {
            return Ok(());
        }
        Err(otherwise(evidence, SESSION, "/project", "the session belongs to another project")
            .expected(format!("`{}`, which was named", evidence.record.project)))
    })
    .expecting(expected)
}
