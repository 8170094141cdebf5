//! What the schemas and the rules of kinds have in common.

use serde_json::{Map, Value, json};

use crate::task::Label;

/// A line for each label behind a first one.
pub(super) fn lines(first: &str, labels: &[Label]) -> String {
    let mut lines = format!("{first}\n");
    for label in labels {
        lines.push_str("- ");
        lines.push_str(&label.id);
        if let Some(title) = &label.title {
            lines.push_str(": ");
            lines.push_str(title);
        }
        lines.push('\n');
    }
    lines
}

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
