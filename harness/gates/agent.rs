//! What agents ask beside what the command line can be asked too: `agent::…`, of gates that ask through MCP.

use serde_json::Value;

use super::asking::TOOLS;
use super::session::Session;
use crate::attest::app;
use crate::checks::{Check, observed, otherwise, succeeded};
use crate::evidence::McpProblem;
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
    checks.push(succeeded("agent::ingress-probe", PROBE));
    if let Gate::Workload(_) = gate {
        checks.push(succeeded("agent::workload-status", STATUS));
        checks.push(succeeded("agent::logs", LOGS));
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
