//! What the schemas of kinds have in common.

use serde_json::{Map, Value, json};

/// The schema of an object that has these fields and no other.
pub(super) fn object_of(fields: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let fields = fields.iter().cloned();
    let properties: Map<String, Value> = fields.map(|(name, of)| (name.to_owned(), of)).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false
    })
}
