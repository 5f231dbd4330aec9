//! The reasons why a call through MCP gave no answer that can be judged.

use serde::{Deserialize, Serialize};

use crate::plan::WorkerBeeVersion;

/// A problem that only MCP can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum McpProblem {
    /// No daemon answers.
    #[error("no MCP server answers at {url}: {error}")]
    NotReached {
        /// The URL at which it should.
        url: String,
        /// The client's error message.
        error: String,
    },
    /// The list of tools has another shape than MCP's.
    #[error("the list of tools cannot be read: {error}")]
    ToolsUnreadable {
        /// The parser's message, with the place where it stopped.
        error: String,
    },
    /// Drift: a tool is gone.
    #[error("there is no tool {tool} among {}", offered.join(", "))]
    ToolMissing {
        /// The tool.
        tool: String,
        /// Those that there are.
        offered: Vec<String>,
    },
    /// Drift: a parameter is gone.
    #[error("{tool} has no parameter `{parameter}` among {}", offered.join(", "))]
    ParameterMissing {
        /// The tool.
        tool: String,
        /// Its parameter.
        parameter: String,
        /// Those that it has.
        offered: Vec<String>,
    },
    /// Drift: a parameter came that must be given.
    #[error("{tool} requires a parameter `{parameter}`, which the gates do not give")]
    ParameterRequired {
        /// The tool.
        tool: String,
        /// Its parameter.
        parameter: String,
    },
    /// The server answered with an error of the protocol.
    #[error("the server refused to call {tool}: {message} ({code})")]
    Refused {
        /// The tool.
        tool: String,
        /// JSON-RPC's code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// The daemon ended, or was started anew, before it had answered.
    #[error("the daemon went away while {tool} was under way: {error}; last seen: {last}")]
    DaemonGone {
        /// The tool.
        tool: String,
        /// The client's error message.
        error: String,
        /// The last state that was seen.
        last: String,
    },
    /// Text and structured content are not the same.
    #[error("the text says {text}, the structured content {structured}, first at `{at}`")]
    Disagree {
        /// The place where they begin to differ (RFC 6901).
        at: String,
        /// The text.
        text: String,
        /// The structured content.
        structured: String,
    },
    /// Text alone, as of a call that never reached `WorkerBee`.
    #[error("no structured content; the text says: {text}")]
    NoStructuredContent {
        /// The text.
        text: String,
    },
    /// Structured content alone.
    #[error("structured content without the text that agents read")]
    NoText,
}

impl McpProblem {
    /// The same in a few words.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::NotReached { .. } => "no MCP server answers",
            Self::ToolsUnreadable { .. } => "its list of tools cannot be read",
            Self::ToolMissing { .. } => "drift: the tool is gone",
            Self::ParameterMissing { .. } => "drift: a parameter is gone",
            Self::ParameterRequired { .. } => "drift: a parameter must be given that is not known",
            Self::Refused { .. } => "the server refused the call",
            Self::DaemonGone { .. } => "the daemon went away",
            Self::Disagree { .. } => "text and structured content disagree",
            Self::NoStructuredContent { .. } => "there is no structured content",
            Self::NoText => "there is no text",
        }
    }

    /// Describes what there should have been.
    pub fn expected(&self) -> String {
        match self {
            Self::NotReached { url, .. } => format!("WorkerBee's MCP server at {url}"),
            Self::ToolsUnreadable { .. } => "tools with the schemas of their arguments".to_owned(),
            Self::ToolMissing { tool, .. } => format!("a tool {tool}"),
            Self::ParameterMissing { tool, parameter, .. } => format!("a parameter `{parameter}` of {tool}"),
            Self::ParameterRequired { tool, .. } => {
                format!("{tool} to be called as {} has it called", WorkerBeeVersion::supported())
            }
            Self::Refused { tool, .. } | Self::DaemonGone { tool, .. } => format!("the result of {tool}"),
            Self::Disagree { .. } | Self::NoStructuredContent { .. } | Self::NoText => {
                "a result as text and as structured content, both the same".to_owned()
            }
        }
    }

    /// Returns the advice on what to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotReached { .. } | Self::DaemonGone { .. } => {
                "see global/mcp-daemon.log in WorkerBee's state root, and that nobody restarts the daemon meanwhile; \
                 then run again"
            }
            Self::ToolMissing { .. } | Self::ParameterMissing { .. } | Self::ParameterRequired { .. } => {
                "WorkerBee's tools have changed: see seen/mcp-tools.json in the gate's folder, and correct the table in \
                 harness/workerbee/request.rs"
            }
            Self::ToolsUnreadable { .. } => "see which version of MCP's SDK WorkerBee runs on: it needs one below 2",
            Self::Refused { .. } | Self::NoStructuredContent { .. } => {
                "the call did not reach WorkerBee: compare its arguments with the tool's schema in seen/mcp-tools.json"
            }
            Self::Disagree { .. } | Self::NoText => "agents and programs get different answers: report it to WorkerBee",
        }
        .to_owned()
    }
}
