//! The schema of `k1s-gates.toml`, for editors.

use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

use super::FILE;
use super::table::{SETTINGS, Setting, Takes};

/// The JSON Schema of the file. `profiles` names the profiles of a kind of gate, `startup` or `workload`.
pub fn schema(profiles: &dyn Fn(&str) -> Vec<String>) -> Schema {
    let properties = object(&SETTINGS, profiles);
    let mut schema = json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FILE,
        "description": "Settings of the validation gates for k1s profiles. Variables of the environment go before them.",
    });
    if let Value::Object(members) = properties {
        schema.ensure_object().extend(members);
    }
    schema
}

fn object(rows: &[Setting], profiles: &dyn Fn(&str) -> Vec<String>) -> Value {
    let mut properties = Map::new();
    for row in rows.iter().filter(|row| !row.key.is_empty()) {
        match row.key.split_once('.') {
            None => drop(properties.insert(row.key.to_owned(), property(row, profiles))),
            Some((table, key)) => {
                let of = || json!({ "type": "object", "additionalProperties": false, "properties": {} });
                let table = properties.entry(table).or_insert_with(of);
                table["properties"][key] = property(row, profiles);
            }
        }
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn property(row: &Setting, profiles: &dyn Fn(&str) -> Vec<String>) -> Value {
    let mut property = match row.takes {
        Takes::Text(_) | Takes::Path => json!({ "type": "string" }),
        Takes::Number(_) => json!({ "type": "integer", "minimum": 1 }),
        Takes::Word(words) => json!({ "type": "string", "enum": words }),
        Takes::Profiles(kind) => {
            json!({ "type": "array", "items": { "type": "string", "enum": profiles(kind) }, "uniqueItems": true })
        }
        Takes::Tables(members) => json!({ "type": "array", "items": object(members, profiles) }),
    };
    let default = if row.default.is_empty() { String::new() } else { format!("\n\nDefault: {}", row.default) };
    property["description"] = format!("{}{default}", row.meaning).into();
    let document = format!("example = {}", row.example).parse::<toml_edit::DocumentMut>().ok();
    if let Some(example) = document.as_ref().and_then(|document| document["example"].as_value()).and_then(plain) {
        property["examples"] = json!([example]);
    }
    property
}

/// An example of the table as JSON.
fn plain(value: &toml_edit::Value) -> Option<Value> {
    let list = |items: &toml_edit::Array| items.iter().map(plain).collect::<Option<Vec<_>>>().map(Value::from);
    value.as_str().map(Value::from).or(value.as_integer().map(Value::from)).or(value.as_array().and_then(list))
}
