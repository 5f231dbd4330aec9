//! The ways by which `WorkerBee` is asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Gate;
use crate::config;
use crate::failure::Failure;

/// The variable that names them.
const VARIABLE: &str = "K1S_GATES_TRANSPORT";

/// One way by which `WorkerBee` is asked.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Its command line.
    #[default]
    Cli,
    /// Its MCP server, as agents ask it.
    Mcp,
}

impl Transport {
    /// The one that is not this.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Cli => Self::Mcp,
            Self::Mcp => Self::Cli,
        }
    }
}

/// The ways by which the gates of a run ask.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transports {
    /// The command line alone.
    #[default]
    Cli,
    /// MCP alone.
    Mcp,
    /// Each gate both ways, in a project each, and what both say compared.
    Both,
}

/// A value that names no way to ask.
#[derive(Debug, thiserror::Error)]
#[error("there is no transport `{0}`: cli, mcp or both")]
pub struct UnknownTransport(pub String);

impl Transports {
    /// Reads the transports that are set: names of trials depend on them.
    pub fn from_env() -> Result<Self, Failure> {
        let told = config::get()?.told(VARIABLE)?;
        Ok(told.map(|told| told.parse("cli, mcp or both")).transpose()?.unwrap_or_default())
    }

    /// Each of them, the command line first.
    pub fn each(self) -> &'static [Transport] {
        match self {
            Self::Cli => &[Transport::Cli],
            Self::Mcp => &[Transport::Mcp],
            Self::Both => &[Transport::Cli, Transport::Mcp],
        }
    }

    /// Returns the prefix of a gate's trials: the gate's name, and where both transports are used, `::mcp` after it for
    /// MCP.
    pub fn name(self, gate: Gate, transport: Transport) -> String {
        match (self, transport) {
            (Self::Both, Transport::Mcp) => format!("{gate}::mcp"),
            _ => gate.to_string(),
        }
    }
}

impl FromStr for Transports {
    type Err = UnknownTransport;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value {
            "cli" => Ok(Self::Cli),
            "mcp" => Ok(Self::Mcp),
            "both" => Ok(Self::Both),
            other => Err(UnknownTransport(other.to_owned())),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cli => "cli",
            Self::Mcp => "mcp",
        })
    }
}
