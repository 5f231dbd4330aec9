//! The tools that the server offers, against those that the gates call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::evidence::McpProblem;
use crate::workerbee::request::Tool;

/// A tool as the server describes it, as far as calls depend on that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// The JSON Schema of its arguments.
    pub input_schema: InputSchema,
}

/// The JSON Schema of a tool's arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSchema {
    /// Every argument that it knows, with its own schema.
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
    /// The arguments that it does not do without.
    #[serde(default)]
    pub required: Vec<String>,
}

/// Finds a change of a tool because of which it can no longer be called as the gates call it.
pub fn drift(tool: &Tool, offered: &[Offered]) -> Option<McpProblem> {
    let name = tool.name.to_owned();
    let Some(known) = offered.iter().find(|one| one.name == tool.name) else {
        let offered = offered.iter().map(|one| one.name.clone()).collect();
        return Some(McpProblem::ToolMissing { tool: name, offered });
    };
    let schema = &known.input_schema;
    // FastMCP drops an argument that it does not know, without a word.
    if let Some(parameter) = tool.arguments.keys().find(|argument| !schema.properties.contains_key(*argument)) {
        let offered = schema.properties.keys().cloned().collect();
        return Some(McpProblem::ParameterMissing { tool: name, parameter: parameter.clone(), offered });
    }
    let parameter = schema.required.iter().find(|required| !tool.arguments.contains_key(*required))?;
    Some(McpProblem::ParameterRequired { tool: name, parameter: parameter.clone() })
}
