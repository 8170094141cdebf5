//! The tasks of a bundle as TypeScript types: what each takes, what it gives, and its labels as literals.

use serde_json::to_string as quoted;

use super::Bundle;
use super::manifest::TaskEntry;
use crate::task::kind::{OUTSIDE, entity_labels};
use crate::task::{InputKind, TaskKind};

/// A module with the type `Tasks`, for `createSmallFirst<Tasks>`.
pub fn typescript(bundle: &Bundle) -> String {
    let manifest = bundle.manifest();
    let tasks = manifest.tasks.iter();
    let lines: String = tasks
        .filter(|(_, task)| task.kind != TaskKind::Generate)
        .map(|(id, task)| {
            let (takes, gives) = (input(task.input), output(task));
            format!(
                "  {}: {{ input: {takes}; output: {gives} }};\n",
                literal(id)
            )
        })
        .collect();
    let used: Vec<&str> = NAMES
        .into_iter()
        .filter(|name| names(&lines, name))
        .collect();
    let imports = match used.is_empty() {
        true => String::new(),
        false => format!(
            "import type {{ {} }} from \"smallfirst\";\n\n",
            used.join(", ")
        ),
    };
    format!(
        "// The tasks of the bundle {}. Written by `smallfirst types`; do not edit.\n{imports}/** For `createSmallFirst<Tasks>`. */\nexport type Tasks = {{\n{lines}}};\n",
        literal(&manifest.name)
    )
}

/// The package's types that a task may need.
const NAMES: [&str; 14] = [
    "Entity",
    "FoundObject",
    "GivenLabel",
    "Input",
    "LabelsOutput",
    "MaskOutput",
    "OcrOutput",
    "Output",
    "QuestionOutput",
    "RegressionOutput",
    "Samples",
    "TableRow",
    "VectorOutput",
    "VoiceOutput",
];

/// Whether a type is named: as a word of its own, outside of quotes.
fn names(lines: &str, name: &str) -> bool {
    let unquoted = lines.split('"').step_by(2);
    let mut words = unquoted.flat_map(|part| part.split(|c: char| !c.is_alphanumeric()));
    words.any(|word| word == name)
}

/// A text as a literal, which ends no line, be it in a comment.
fn literal(text: &str) -> String {
    let json = quoted(text).unwrap_or_default();
    json.replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn input(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Text => "string",
        InputKind::Bytes => "Uint8Array | ArrayBuffer | Blob",
        InputKind::Pair => {
            "{ text: string; textPair: string } | { question: string; context: string }"
        }
        InputKind::Image => "Input",
        InputKind::Sound => "Samples | Blob",
        InputKind::Table => "TableRow",
    }
}

fn output(task: &TaskEntry) -> String {
    let of = |ids: Vec<String>| match ids.is_empty() {
        true => "string".to_owned(),
        false => ids.join(" | "),
    };
    let labels = || of(task.labels.iter().map(|label| literal(&label.id)).collect());
    match task.kind {
        TaskKind::Classify => format!("Output & {{ label: {} }}", labels()),
        TaskKind::MultiLabel => format!(
            "Omit<LabelsOutput, \"labels\"> & {{ labels: (GivenLabel & {{ label: {} }})[] }}",
            labels()
        ),
        TaskKind::TokenClassification => {
            format!(
                "{{ entities: (Entity & {{ label: {} }})[] }}",
                of(kinds(task))
            )
        }
        TaskKind::QuestionAnswering => "QuestionOutput".to_owned(),
        TaskKind::ObjectDetection => {
            format!("{{ objects: (FoundObject & {{ label: {} }})[] }}", labels())
        }
        TaskKind::Ocr => "OcrOutput".to_owned(),
        TaskKind::VoiceActivityDetection => "VoiceOutput".to_owned(),
        TaskKind::Regression => "RegressionOutput".to_owned(),
        TaskKind::FillMask => "MaskOutput".to_owned(),
        TaskKind::FeatureExtraction => "VectorOutput".to_owned(),
        // Its labels are the call's.
        _ => "Output".to_owned(),
    }
}

/// The labels of entities: those of tokens without `B-` and `I-`, and with them, as an aggregation of none gives them.
fn kinds(task: &TaskEntry) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    let plain = entity_labels(&task.labels);
    let tagged = task.labels.iter().filter(|label| label.id != OUTSIDE);
    for label in plain.iter().chain(tagged) {
        let id = literal(&label.id);
        if !kinds.contains(&id) {
            kinds.push(id);
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bundle_calls_itself_stays_in_its_comment() {
        assert_eq!(literal("a\u{2028}b\nc\"d"), r#""a\u2028b\nc\"d""#);
    }

    /// `pkg/test/default-tasks.ts` is what the default bundle's tasks are. `UPDATE=1 cargo test` rewrites it.
    #[test]
    fn the_committed_types_of_the_default_bundle_are_fresh() {
        let manifest = include_bytes!("../../models/manifest.json");
        let bundle = Bundle::parse(manifest).unwrap();
        let types = typescript(&bundle).replace("from \"smallfirst\"", "from \"../src/index.js\"");
        crate::fresh::check("pkg/test/default-tasks.ts", &types);
    }
}
