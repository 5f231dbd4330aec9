//! Two answers to the same question.

use json_patch::PatchOperation;
use serde_json::{Map, Value};

use super::fields::{By, Field, Source};
use super::known;
use crate::evidence::{Evidence, outline, shape};
use crate::failure::Failure;

/// The most differences that a failure names.
const TOLD: usize = 8;

/// Compares one field.
pub(super) fn judge(field: &Field, cli: &Evidence, mcp: &Evidence) -> Result<(), Failure> {
    let sides = [of(field, cli)?, of(field, mcp)?];
    let different: Vec<String> = differences(&sides[0], &sides[1])
        .into_iter()
        .filter(|one| known::why(&field.source.to_string(), &format!("{}{}", field.pointer, one.pointer)).is_none())
        .map(|one| format!("{} is {} on the command line, {} through MCP", one.place(), one.cli, one.mcp))
        .collect();
    if different.is_empty() {
        return Ok(());
    }
    let more = different.len().checked_sub(TOLD).filter(|more| *more > 0).map(|more| format!("and {more} more"));
    let seen = different.into_iter().take(TOLD).chain(more).collect::<Vec<_>>().join("\n");
    Err(Failure::new(format!("`{}` differs between the command line and MCP", field.name))
        .expected(format!("the same {} both ways, but for what docs/parity.md lists", field.by.words()))
        .seen(seen)
        .evidence(file(field, mcp)?)
        .remedy("compare the two files; a difference that is meant goes into harness/parity/known.rs, with its reason"))
}

fn file(field: &Field, evidence: &Evidence) -> Result<std::path::PathBuf, Failure> {
    match &field.source {
        Source::Call(label) => Ok(evidence.path(evidence.call(label)?)),
        Source::Observation(name) => Ok(evidence.observation::<Value>(name)?.1),
    }
}

/// A field of one side, with what its run chose taken out.
fn of(field: &Field, evidence: &Evidence) -> Result<Value, Failure> {
    let project = evidence.record.project.as_str();
    let value = match (&field.source, field.by) {
        // Not every answer has an `ok` of its own.
        (Source::Call(label), By::Ending) => return Ok(Value::from(evidence.ending(label)?.fair)),
        (Source::Call(label), _) => evidence.reply(label, field.pointer)?,
        (Source::Observation(name), _) => evidence.observation(name)?.0,
    };
    Ok(if field.by == By::Value { named(value, project) } else { named(shape(&value, &[project]), project) })
}

/// The same without the project's name, in members' names too.
fn named(value: Value, project: &str) -> Value {
    let plain = |text: String| text.replace(project, "<project>");
    match value {
        Value::String(text) => Value::String(plain(text)),
        Value::Array(items) => items.into_iter().map(|item| named(item, project)).collect(),
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.into_iter().map(|(key, value)| (plain(key), named(value, project))).collect();
            Value::Object(members)
        }
        other => other,
    }
}

/// Where two values differ.
struct Difference {
    pointer: String,
    cli: String,
    mcp: String,
}

impl Difference {
    fn place(&self) -> &str {
        if self.pointer.is_empty() { "all of it" } else { &self.pointer }
    }
}

fn differences(cli: &Value, mcp: &Value) -> Vec<Difference> {
    let told = |value: Option<&Value>| value.map_or_else(|| "not there".to_owned(), outline);
    let of = |operation: &PatchOperation| {
        let pointer = operation.path().as_str().to_owned();
        let there = match operation {
            PatchOperation::Add(add) => (None, Some(&add.value)),
            PatchOperation::Remove(_) => (cli.pointer(&pointer), None),
            _ => (cli.pointer(&pointer), mcp.pointer(&pointer)),
        };
        Difference { cli: told(there.0), mcp: told(there.1), pointer }
    };
    json_patch::diff(cli, mcp).0.iter().map(of).collect()
}
