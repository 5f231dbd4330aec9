//! `WorkerBee`'s MCP server, asked as agents ask it: over streamable HTTP, at the URL that its daemon gives.

mod tools;

pub use tools::{Offered, drift};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::{CallToolRequestParams, CallToolResult, ClientConfig, Implementation, ProgressNotificationParam};
use rmcp::service::{NotificationContext, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient, ServiceExt as _};
use serde_json::Value;

use super::request::Tool;
use crate::evidence::call::{Call, CallProblem};
use crate::evidence::{McpProblem, Store, outline};
use crate::plan::Transport;

/// How long the daemon may take until it has answered to a greeting and listed its tools.
const GREETING: Duration = Duration::from_secs(20);

/// The last that was seen of a call while it was under way: for who waits, and for who waited in vain.
#[derive(Debug, Clone, Default)]
pub struct LastSeen(Arc<Mutex<String>>);

impl LastSeen {
    /// Something was seen.
    pub fn see(&self, state: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state.into();
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The client's handler of what the server says of its own accord.
struct Listener(LastSeen);

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let mut own = ClientConfig::default();
        own.client_info = Implementation::new("k1s-gates", env!("CARGO_PKG_VERSION"));
        own
    }

    async fn on_progress(&self, progress: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let total = progress.total.map(|total| format!(" of {total}")).unwrap_or_default();
        self.0.see(format!("{}{total} {}", progress.progress, progress.message.unwrap_or_default()));
    }
}

/// A session with the server.
pub struct Mcp {
    url: String,
    tools: Vec<Offered>,
    last: LastSeen,
    service: RunningService<RoleClient, Listener>,
}

impl Mcp {
    /// Greets the server and reads which tools it offers.
    pub async fn connect(url: &str) -> Result<Self, McpProblem> {
        let not_reached = |error: String| McpProblem::NotReached { url: url.to_owned(), error };
        // Of this host: whatever proxy the user's environment names is not meant.
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| not_reached(chain(&error)))?;
        // A session that the daemon does not know is that of another daemon: the call is not made a second time.
        let config = StreamableHttpClientTransportConfig::with_uri(url).reinit_on_expired_session(false);
        let transport = StreamableHttpClientTransport::with_client(http, config);
        let last = LastSeen::default();
        let listener = Listener(last.clone());
        let greeted = async {
            let service = listener.serve(transport).await.map_err(|error| not_reached(chain(&error)))?;
            let tools = service.list_all_tools().await.map_err(|error| not_reached(chain(&error)))?;
            let tools = serde_json::to_value(tools).and_then(serde_json::from_value::<Vec<Offered>>);
            let tools = tools.map_err(|error| McpProblem::ToolsUnreadable { error: error.to_string() })?;
            Ok(Self { url: url.to_owned(), tools, last, service })
        };
        let late = || not_reached(format!("no answer within {} s", GREETING.as_secs()));
        tokio::time::timeout(GREETING, greeted).await.unwrap_or_else(|_| Err(late()))
    }

    /// The tools that the server offers.
    pub fn tools(&self) -> &[Offered] {
        &self.tools
    }

    /// Returns the place where signs of the present call are noted.
    pub fn last_seen(&self) -> LastSeen {
        self.last.clone()
    }

    /// A call that could not even be made.
    pub fn not_called(url: &str, file: &str, tool: &Tool, problem: McpProblem) -> Call {
        Call { problem: Some(CallProblem::Mcp { problem }), ..Call::new(Transport::Mcp, line(url, tool), file) }
    }

    /// Calls a tool and keeps its result as `file` in the store, whatever it is.
    pub async fn call(&self, store: &Store, file: &str, tool: &Tool, limit: Duration) -> Call {
        self.call_until(store, file, tool, limit, std::future::pending()).await
    }

    /// The same, unless something comes first for which there is no use in waiting. Nobody waits for the result then; the
    /// server works on.
    pub async fn call_until(
        &self,
        store: &Store,
        file: &str,
        tool: &Tool,
        limit: Duration,
        end: impl Future<Output = String>,
    ) -> Call {
        if let Some(problem) = drift(tool, &self.tools) {
            return Self::not_called(&self.url, file, tool, problem);
        }
        let mut call = Call::new(Transport::Mcp, line(&self.url, tool), file);
        let started = Instant::now();
        self.last.see("nothing was seen of it");
        let asked =
            self.service.call_tool(CallToolRequestParams::new(tool.name).with_arguments(tool.arguments.clone()));
        let outcome = tokio::select! {
            biased;
            answered = asked => match answered {
                Ok(result) => keep(store, &mut call, &result),
                Err(error) => Err(self.failed(tool, error)),
            },
            why = end => Err(CallProblem::Ended { why, last: self.last.text() }),
            () = tokio::time::sleep(limit) => {
                Err(CallProblem::TimedOut { limit_seconds: limit.as_secs(), last: self.last.text() })
            }
        };
        call.seconds = started.elapsed().as_secs_f64();
        call.problem = outcome.err();
        call
    }

    fn failed(&self, tool: &Tool, error: ServiceError) -> CallProblem {
        let tool = tool.name.to_owned();
        let problem = match error {
            ServiceError::McpError(refusal) => {
                McpProblem::Refused { tool, code: refusal.code.0.into(), message: refusal.message.into_owned() }
            }
            other => McpProblem::DaemonGone { tool, error: chain(&other), last: self.last.text() },
        };
        CallProblem::Mcp { problem }
    }
}

/// The call as a person would repeat it.
fn line(url: &str, tool: &Tool) -> Vec<String> {
    let arguments = Value::Object(tool.arguments.clone());
    vec!["MCP".into(), url.to_owned(), "tools/call".into(), tool.name.to_owned(), arguments.to_string()]
}

fn keep(store: &Store, call: &mut Call, result: &CallToolResult) -> Result<(), CallProblem> {
    let not_kept = |error: String| CallProblem::NotKept { error };
    let whole = serde_json::to_value(result).map_err(|error| not_kept(error.to_string()))?;
    store.write_json(&call.file, &whole).map_err(|error| not_kept(error.to_string()))?;
    Call::base_of(&whole).clone_into(&mut call.base);
    // Before any of it is redacted: the same secret may be found in one form and not in the other.
    agree(&whole, store).map_err(|problem| CallProblem::Mcp { problem })
}

/// The result comes as text, which agents read, and as structured content, which programs read: it must be the same.
fn agree(whole: &Value, store: &Store) -> Result<(), McpProblem> {
    let text = whole.pointer("/content/0/text").and_then(Value::as_str);
    let structured = whole.get("structuredContent").filter(|content| content.is_object());
    let quoted = |text: &str| String::from_utf8_lossy(&store.redact(text.as_bytes())).chars().take(200).collect();
    match (text, structured) {
        (Some(text), Some(structured)) => match serde_json::from_str::<Value>(text) {
            Ok(same) if same == *structured => Ok(()),
            Ok(other) => {
                let [text, structured] = [&other, structured].map(|one| quoted(&outline(one)));
                let at = json_patch::diff(&other, whole.get("structuredContent").unwrap_or(&Value::Null));
                let at = at.0.first().map(|operation| operation.path().as_str().to_owned()).unwrap_or_default();
                Err(McpProblem::Disagree { at, text, structured })
            }
            Err(_) => Err(McpProblem::Disagree {
                at: String::new(),
                text: quoted(text),
                structured: quoted(&outline(structured)),
            }),
        },
        (text, None) => Err(McpProblem::NoStructuredContent { text: quoted(text.unwrap_or_default()) }),
        (None, Some(_)) => Err(McpProblem::NoText),
    }
}

/// An error with all that caused it: of HTTP, the outermost says least.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = next.source();
    }
    text
}
