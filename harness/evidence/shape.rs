//! The shape of JSON: what stays the same from run to run, for snapshots.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Members whose content is not the gate's: the host's, Caddy's and the container runtime's, advice to agents, or a
/// matter of timing.
const OPAQUE: [&str; 13] = [
    "agent_feedback",
    "containerd_helper",
    "containerd_privilege",
    "ingress_sync",
    "headers",
    "items",
    "hardening",
    "labels",
    "cmd",
    "attempts",
    "build_summary",
    "primary_error",
    "profile_workload_ingress",
];
/// Members whose values are part of the shape: they are the same in every honest run.
const KEPT: [&str; 13] = [
    "ok",
    "name",
    "role",
    "profile",
    "running",
    "format",
    "status",
    "expected",
    "message",
    "state_backend",
    "transport_backend",
    "controllers",
    "runtime_requirement",
];

/// The shape of a value: members and types; of arrays what their items have in common.
///
/// Values that are the same in every honest run (verdicts, roles, names of checks) stay, unless they contain one of
/// `names`, which a run chooses: those become `<name>`.
pub fn shape(value: &Value, names: &[&str]) -> Value {
    of_member("", value, names)
}

fn of_member(member: &str, value: &Value, names: &[&str]) -> Value {
    if OPAQUE.contains(&member) {
        return Value::from("<any>");
    }
    match value {
        // A command of `WorkerBee`'s own, with other members when it had to be tried again.
        Value::Object(_) if ["apply", "delete"].contains(&member) => Value::from("<any>"),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), of_member(key, value, names))).collect())
        }
        Value::Array(items) if member == "checks" => {
            Value::Array(items.iter().map(|item| of_member("", item, names)).collect())
        }
        Value::Array(items) => {
            let shapes = items.iter().map(|item| of_member("", item, names)).reduce(union);
            Value::Array(shapes.into_iter().collect())
        }
        scalar if KEPT.contains(&member) && !mentions(scalar, names) => scalar.clone(),
        Value::Null => Value::from("null"),
        Value::Bool(_) => Value::from("bool"),
        Value::Number(_) => Value::from("number"),
        Value::String(_) => Value::from("string"),
    }
}

fn mentions(value: &Value, names: &[&str]) -> bool {
    value.as_str().is_some_and(|text| names.iter().any(|name| text.contains(name)))
}

/// Both shapes in one: members of either, types of both.
fn union(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => Value::Object(union_of_members(left, right)),
        (Value::Array(left), Value::Array(right)) => {
            Value::Array(left.into_iter().chain(right).reduce(union).into_iter().collect())
        }
        (left, right) if left == right => left,
        (left, right) => {
            let mut types: BTreeSet<String> = BTreeSet::new();
            for side in [left, right] {
                types.extend(type_name(&side).split(" | ").map(str::to_owned));
            }
            Value::from(types.into_iter().collect::<Vec<_>>().join(" | "))
        }
    }
}

fn union_of_members(mut left: Map<String, Value>, right: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in right {
        let merged = match left.remove(&key) {
            Some(present) => union(present, value),
            None => value,
        };
        left.insert(key, merged);
    }
    left
}

/// A kept value that differs between items falls back to its type; a type keeps its name.
fn type_name(shape: &Value) -> String {
    match shape {
        Value::String(text) if text.split(" | ").all(|part| ["null", "bool", "number", "string"].contains(&part)) => {
            text.clone()
        }
        Value::String(_) => "string".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::empty_list(json!({"l": []}), json!({"l": []}))]
    #[case::empty_object(json!({}), json!({}))]
    #[case::bare_value(json!(3), json!("number"))]
    // However many items: their number is no part of the shape.
    #[case::items(json!({"l": [1, 2, 3]}), json!({"l": ["number"]}))]
    #[case::mixed(json!({"l": [1, "a", null, true]}), json!({"l": ["bool | null | number | string"]}))]
    #[case::nested(json!({"l": [[], [1], [null]]}), json!({"l": [["null | number"]]}))]
    #[case::value_and_object(json!({"l": [1, {"a": 1}]}), json!({"l": ["number | object"]}))]
    // Checks keep their order and each its verdict; elsewhere two verdicts become a type.
    #[case::checks(json!({"checks": [{"ok": true}, {"ok": true}]}), json!({"checks": [{"ok": true}, {"ok": true}]}))]
    #[case::verdicts(json!({"l": [{"ok": true}, {"ok": false}]}), json!({"l": [{"ok": "bool"}]}))]
    #[case::same_verdicts(json!({"l": [{"ok": true}, {"ok": true}]}), json!({"l": [{"ok": true}]}))]
    #[case::opaque(json!({"headers": {"Date": "today"}}), json!({"headers": "<any>"}))]
    #[case::chosen(json!({"message": "r1 is up"}), json!({"message": "string"}))]
    #[case::kept_null(json!({"message": null}), json!({"message": null}))]
    fn what_differs_between_honest_runs_is_no_part_of_it(#[case] value: Value, #[case] expected: Value) {
        assert_eq!(shape(&value, &["r1"]), expected);
    }

    #[test]
    fn verdicts_stay_and_what_a_run_chooses_goes() {
        let value = json!({"ok": true, "project": "r1", "name": "x-r1-etcd", "n": 3,
            "checks": [{"name": "a", "ok": true}, {"name": "b", "ok": false}],
            "list": [{"role": "etcd", "url": null}, {"role": "nats", "url": "u"}]});
        assert_eq!(
            shape(&value, &["r1"]),
            json!({"ok": true, "project": "string", "name": "string", "n": "number",
                "checks": [{"name": "a", "ok": true}, {"name": "b", "ok": false}],
                "list": [{"role": "string", "url": "null | string"}]})
        );
    }
}
