//! Classification: one of a fixed set of labels.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Code, Error, Result, excerpt};

/// One label a task can give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Label {
    /// The stable identifier, for example `deu`.
    pub id: String,
    /// The name for people, for example `German`.
    #[serde(default)]
    pub title: Option<String>,
}

/// A label and its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LabelScore {
    /// The label's identifier.
    pub label: String,
    /// Its probability, 0 to 1.
    pub score: f64,
}

/// What a classification gives, wherever it ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The chosen label's identifier.
    pub label: String,
    /// Its name for people.
    pub title: Option<String>,
    /// Its probability; `null` where the remote gives none.
    pub score: Option<f64>,
    /// The most probable labels, best first; empty where the remote gives none.
    pub scores: Vec<LabelScore>,
}

impl Output {
    /// The output for `probabilities` (one for each of `labels`, in their order), with the
    /// `top` best listed. Equal probabilities keep the order of the labels.
    ///
    /// # Errors
    /// [`Code::ModelOutput`] when the counts differ or there are no labels.
    pub fn from_probabilities(labels: &[Label], probabilities: &[f64], top: usize) -> Result<Self> {
        if labels.is_empty() || labels.len() != probabilities.len() {
            return Err(Error::new(
                Code::ModelOutput,
                format!(
                    "the model gave {} scores for {} labels; the head does not belong to this task",
                    probabilities.len(),
                    labels.len()
                ),
            ));
        }
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let best = order[0];
        Ok(Output {
            label: labels[best].id.clone(),
            title: labels[best].title.clone(),
            score: Some(probabilities[best]),
            scores: order
                .into_iter()
                .take(top)
                .map(|i| LabelScore {
                    label: labels[i].id.clone(),
                    score: probabilities[i],
                })
                .collect(),
        })
    }
}

/// The JSON Schema (2020-12, in the subset that strict structured output accepts) of a
/// classification's reply from a remote: `{"label": one of the labels}`.
pub fn output_schema(labels: &[Label]) -> Value {
    let ids: Vec<&str> = labels.iter().map(|l| l.id.as_str()).collect();
    json!({
        "type": "object",
        "properties": { "label": { "type": "string", "enum": ids } },
        "required": ["label"],
        "additionalProperties": false
    })
}

/// What a remote is told of the shape of a classification's reply.
pub(crate) fn choice_rules(labels: &[Label]) -> String {
    label_lines(
        "Answer with JSON only: {\"label\": …}, where the label is exactly one of:",
        labels,
    )
}

/// A line for each label behind a first one.
pub(crate) fn label_lines(first: &str, labels: &[Label]) -> String {
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

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reply {
    label: String,
}

/// The one object of the right shape inside prose or a fenced block; nothing when there are several that contradict each
/// other.
fn embedded<T: DeserializeOwned + PartialEq>(text: &str) -> Option<T> {
    let mut found: Option<T> = None;
    for (at, _) in text.match_indices('{').take(100) {
        let mut objects = serde_json::Deserializer::from_str(&text[at..]).into_iter::<T>();
        if let Some(Ok(reply)) = objects.next() {
            if found.is_some_and(|found| found != reply) {
                return None;
            }
            found = Some(reply);
        }
    }
    found
}

/// The object of this shape that a remote's reply is. Thinking, prose or a fence around the JSON is forgiven.
///
/// # Errors
/// [`Code::RemoteBadResponse`] when there is no such object in it, or several that differ.
pub(crate) fn json_of<T: DeserializeOwned + PartialEq>(reply: &str) -> Result<T> {
    let parsed = serde_json::from_str(reply).or_else(|e| embedded(thought_through(reply)).ok_or(e));
    parsed.map_err(|e| {
        Error::new(
            Code::RemoteBadResponse,
            format!(
                "the remote's reply is not the JSON that was asked for ({e}): \"{}\"",
                excerpt(reply, 120)
            ),
        )
    })
}

/// What a reply says after its thinking, which models write between these tags; some templates open it themselves. Thinking
/// without an end is all there is.
fn thought_through(text: &str) -> &str {
    const TAGS: [(&str, &str); 4] = [
        ("<think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("<reasoning>", "</reasoning>"),
        ("<thought>", "</thought>"),
    ];
    let mut rest = text;
    for (begins, ends) in TAGS {
        if let Some((_, after)) = rest.rsplit_once(ends) {
            rest = after;
        }
        if let Some((before, _)) = rest.split_once(begins) {
            rest = before;
        }
    }
    rest
}

/// Reads a remote's reply and holds it against [`output_schema`]. Prose or a fence around the JSON is forgiven.
///
/// # Errors
/// [`Code::RemoteBadResponse`] when there is no JSON in it, or several, not of that shape, or naming no known label.
pub fn parse_output(reply: &str, labels: &[Label]) -> Result<Output> {
    let reply: Reply = json_of(reply)?;
    let label = labels
        .iter()
        .find(|l| l.id == reply.label)
        .ok_or_else(|| unknown_label(&reply.label))?;
    Ok(Output {
        label: label.id.clone(),
        title: label.title.clone(),
        score: None,
        scores: Vec::new(),
    })
}

/// That a remote named a label that there is none of.
pub(crate) fn unknown_label(label: &str) -> Error {
    Error::new(
        Code::RemoteBadResponse,
        format!(
            "the remote answered with the label \"{}\", which the task does not have",
            excerpt(label, 60)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<Label> {
        ["a", "b", "c"]
            .map(|id| Label {
                id: id.into(),
                title: Some(id.to_uppercase()),
            })
            .to_vec()
    }

    #[test]
    fn the_best_label_comes_first_and_ties_keep_label_order() {
        let out = Output::from_probabilities(&labels(), &[0.4, 0.2, 0.4], 2).unwrap();
        assert_eq!((out.label.as_str(), out.score), ("a", Some(0.4)));
        assert_eq!(out.title.as_deref(), Some("A"));
        let listed: Vec<_> = out.scores.iter().map(|s| s.label.as_str()).collect();
        assert_eq!(listed, ["a", "c"]);
    }

    #[test]
    fn a_count_mismatch_is_an_error() {
        let error = Output::from_probabilities(&labels(), &[1.0], 5).unwrap_err();
        assert_eq!(error.code(), Code::ModelOutput);
    }

    #[test]
    fn replies_are_held_against_the_schema() {
        assert_eq!(
            parse_output(r#"{"label":"b"}"#, &labels()).unwrap().label,
            "b"
        );
        for around in [
            r#"Sure! {"label":"b"}"#,
            "```json\n{\"label\": \"b\"}\n```",
            r#"{thinking} {"label":"b"} I hope this helps"#,
            r#"<think>{"label":"a"}?</think>{"label":"b"}"#,
            r#"{"label":"a"}?</think>{"label":"b"}"#,
            r#"{"label":"b"} <think>or {"label":"a"}"#,
            r#"{{"label":"b"}}"#,
            r#"{"label":"b"} {"label":"b"}"#,
        ] {
            assert_eq!(
                parse_output(around, &labels()).unwrap().label,
                "b",
                "{around}"
            );
        }
        for bad in [
            "",
            "b",
            "{\"label\":\"b\"",
            r#"{"label":"z"}"#,
            r#"{"label":1}"#,
            r#"{"label":"b","extra":1}"#,
            r#"{"label":"b"} or {"label":"a"}"#,
            r#"Sure! {"label":"b""#,
            r#"<think>{"label":"b"}"#,
            r#"<think>{"label":"b"}</think>"#,
            "<html></html>",
        ] {
            let error = parse_output(bad, &labels()).expect_err(bad);
            assert_eq!(error.code(), Code::RemoteBadResponse, "{bad}");
        }
    }

    #[test]
    fn the_schema_lists_every_label() {
        let schema = output_schema(&labels());
        assert_eq!(
            schema["properties"]["label"]["enum"],
            json!(["a", "b", "c"])
        );
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
