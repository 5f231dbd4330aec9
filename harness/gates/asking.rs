//! The calls of a gate to `WorkerBee`: over its transport, the command line or the MCP server.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::session::Session;
use crate::attest::containerd::Container;
use crate::evidence::McpProblem;
use crate::evidence::call::Call;
use crate::failure::{Failure, Kind};
use crate::ledger;
use crate::plan::Transport;
use crate::workerbee::mcp::Mcp;
use crate::workerbee::naming;
use crate::workerbee::request::Request;

/// The interval at which the state of the project is read during a call through MCP.
const INTERVAL: Duration = Duration::from_secs(2);
/// The observation of what the MCP server offers.
pub(super) const TOOLS: &str = "mcp-tools";

impl Session<'_> {
    /// Asks `WorkerBee` by the gate's way, keeps the answer as `file` and the call in the record under `label`.
    /// Returns the answer, or null when there is none: the checks say why.
    pub(super) async fn ask(
        &mut self,
        label: &str,
        file: &str,
        request: Request<'_>,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let k1s_root = self.spec.k1s_root.display().to_string();
        match (self.asks_over(), request.arguments(&k1s_root)) {
            (Transport::Cli, Some(arguments)) => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let mut cli = self.cli()?;
                // Not what starts the daemon: that outlives its gate on purpose.
                cli.env.extend(ledger::mark_of_calls(&self.spec.entry));
                Ok(self.call_by(&cli, label, file, &arguments, limit).await)
            }
            _ => self.call_tool(label, file, request, limit).await,
        }
    }

    /// The same for what only asks.
    pub(super) async fn inquire(&mut self, label: &str, file: &str, request: Request<'_>) -> Result<Value, Failure> {
        let limit = Duration::from_secs(self.limits().query);
        self.ask(label, file, request, limit).await
    }

    /// Calls a tool of the MCP server. Meanwhile it is looked at what becomes of the project: the server, which does one
    /// thing at a time, says nothing of it.
    async fn call_tool(
        &mut self,
        label: &str,
        file: &str,
        request: Request<'_>,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let begin = Instant::now();
        self.doing(label);
        let file = self.file(file);
        let tool = request.tool(&self.spec.project, &self.spec.k1s_root.display().to_string());
        let url = self.mcp_url();
        let call = match self.connected(&url).await {
            Err(problem) => Mcp::not_called(&url, &file, &tool, problem),
            Ok(mcp) => {
                let asked = mcp.call_until(&self.store, &file, &tool, limit, self.end_of(label));
                let call = self.watched(label, &mcp, asked).await;
                // What is left of the session after a problem is not known: the next call begins another one.
                self.mcp = Some(mcp).filter(|_| call.problem.is_none());
                call
            }
        };
        Ok(self.keep_call(label, call, begin))
    }

    /// Waits for a call, and says meanwhile what it has come to: to those who watch the run, and to the call itself.
    async fn watched(&self, label: &str, mcp: &Mcp, call: impl Future<Output = Call>) -> Call {
        let last = mcp.last_seen();
        let mut call = std::pin::pin!(call);
        let mut looks = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                call = &mut call => return call,
                _ = looks.tick() => if let Some(state) = self.state().await {
                    self.doing(&format!("{label}: {state}"));
                    last.see(state);
                }
            }
        }
    }

    /// The session with the MCP server; the first call begins it, and keeps what the server offers.
    async fn connected(&mut self, url: &str) -> Result<Mcp, McpProblem> {
        if let Some(mcp) = self.mcp.take() {
            return Ok(mcp);
        }
        let connected = Mcp::connect(url).await;
        let tools = connected.as_ref().map(Mcp::tools).map_err(|problem| {
            Failure::new("no MCP server says which tools it has")
                .of(Kind::WorkerBee)
                .expected("an MCP server at the address that `mcp status` names")
                .seen(problem.to_string())
                .remedy("see the log of WorkerBee's MCP daemon in RUN_DIR/triage")
        });
        // What it offered once is not forgotten when it is gone.
        if tools.is_ok() || !self.record.observations.contains_key(TOOLS) {
            // Evidence that cannot be kept is told of by the call itself.
            let _ = self.observe(TOOLS, tools);
        }
        connected
    }

    /// Returns the MCP server's address, by the daemon's status.
    pub(super) fn mcp_url(&self) -> String {
        let said = self.record.calls.get("mcp-status-after").and_then(|call| self.answer(call));
        let url = said.as_ref().and_then(|said| said.get("mcp_url")?.as_str());
        url.unwrap_or("an unknown address").to_owned()
    }

    /// Describes what there is of the project by now.
    async fn state(&self) -> Option<String> {
        let namespace = naming::namespace(&self.environment.as_ref()?.state_root, &self.spec.project);
        let look = async {
            let client = self.containerd().await.ok()?;
            let containers = client.containers(&namespace).await.ok()?;
            let tasks = client.tasks(&namespace).await.ok()?;
            let state =
                |id: &str| tasks.iter().find(|task| task.id == id).map_or("created", |task| task.status.as_str());
            let of = |one: &Container| {
                let name = one.name().unwrap_or(&one.id).trim_start_matches(namespace.as_str());
                format!("{} {}", name.trim_start_matches('-'), state(&one.id))
            };
            Some(containers.iter().map(of).collect::<Vec<_>>().join(", "))
        };
        let state = tokio::time::timeout(INTERVAL, look).await.ok().flatten()?;
        Some(if state.is_empty() { "no container yet".to_owned() } else { state })
    }
}
