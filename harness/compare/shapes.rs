//! Evidence whose shape drifted, as from one version of `WorkerBee` to the next.

use std::collections::BTreeMap;
use std::path::PathBuf;

use json_patch::PatchOperation;
use serde::Serialize;
use serde_json::Value;

use crate::evidence::{Observation, folder, shape};
use crate::report::{GateReport, RunReport};

/// An answer or a sight of another shape.
#[derive(Debug, Serialize)]
pub struct Drift {
    /// The gate.
    pub gate: String,
    /// The question to `WorkerBee`, or the harness's observation.
    pub of: String,
    /// The differences.
    pub changes: Vec<Change>,
}

/// One difference between two shapes.
#[derive(Debug, Serialize)]
pub struct Change {
    /// The place (RFC 6901, empty for all).
    pub pointer: String,
    /// The shape there in each run; none where there is nothing.
    pub shapes: [Option<Value>; 2],
}

/// The files of a gate by what they are of, in both runs.
pub(super) fn drift(runs: [&RunReport; 2], pair: &[&GateReport; 2]) -> Vec<Drift> {
    let [first, second] = pair.map(files);
    let shape_of = |side: usize, file: &PathBuf| -> Option<Value> {
        let bytes = folder::read(&runs[side].dir, runs[side].relative(file)?).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        Some(shape(&value, &[&pair[side].summary.project]))
    };
    let mut drifts = Vec::new();
    for (of, file) in &first {
        let Some(other) = second.get(of) else { continue };
        let shapes = [shape_of(0, file), shape_of(1, other)];
        let changes = match &shapes {
            [Some(first), Some(second)] => changes(first, second),
            // No JSON in one of them: a red check says why.
            [None, None] => Vec::new(),
            _ => {
                vec![Change { pointer: String::new(), shapes: shapes.map(|shape| shape.map(|_| Value::from("JSON"))) }]
            }
        };
        if !changes.is_empty() {
            drifts.push(Drift { gate: pair[0].name.clone(), of: of.clone(), changes });
        }
    }
    drifts
}

fn files(gate: &GateReport) -> BTreeMap<String, PathBuf> {
    let mut files = BTreeMap::new();
    if let Some(record) = &gate.record {
        files.extend(record.calls.iter().map(|(label, call)| (label.clone(), call.file.clone())));
        files.extend(record.observations.iter().filter_map(|(name, observation)| match observation {
            Observation::Seen(file) => Some((format!("seen: {name}"), file.clone())),
            Observation::Failed(_) => None,
        }));
    }
    files
}

fn changes(first: &Value, second: &Value) -> Vec<Change> {
    let change = |operation: &PatchOperation| {
        let pointer = operation.path().as_str().to_owned();
        let at = |shape: &Value| shape.pointer(&pointer).cloned();
        // An index behind a removed item means another item in the first shape than it meant when it was removed.
        let shapes = match operation {
            PatchOperation::Remove(_) => [at(first), None],
            PatchOperation::Add(add) => [None, Some(add.value.clone())],
            PatchOperation::Replace(replace) => [at(first), Some(replace.value.clone())],
            _ => [at(first), at(second)],
        };
        Change { pointer, shapes }
    };
    json_patch::diff(first, second).0.iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_came_went_and_changed_is_told() {
        let found =
            changes(&json!({"a": "string", "b": "bool", "c": 1}), &json!({"a": "number", "c": 1, "d": ["null"]}));
        let told: Vec<_> = found.iter().map(|change| (change.pointer.as_str(), change.shapes.clone())).collect();
        assert!(told.contains(&("/a", [Some(json!("string")), Some(json!("number"))])), "{told:?}");
        assert!(told.contains(&("/b", [Some(json!("bool")), None])), "{told:?}");
        assert!(told.contains(&("/d", [None, Some(json!(["null"]))])), "{told:?}");
        assert_eq!(told.len(), 3);
    }
}
