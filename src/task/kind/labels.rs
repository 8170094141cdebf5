//! Several labels of one text (multi-label classification): each has a probability of its own, the logistic function of its logit.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::forward::{Forward, Values, misshapen, named};
use super::numbers::{f1, largest, sigmoid};
use super::schema::object_of;
use crate::error::{Code, Error, Result};
use crate::task::{Label, LabelScore, json_of, label_lines, unknown_label};

/// From which probability on a label is given, where nobody says.
const THRESHOLD: f64 = 0.5;

/// The labels of an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LabelsOutput {
    /// Those that hold, the likeliest first.
    pub labels: Vec<GivenLabel>,
    /// The likeliest, whether they hold or not; empty where a remote answered.
    pub scores: Vec<LabelScore>,
}

/// A label that holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct GivenLabel {
    /// The label's identifier.
    pub label: String,
    /// Its probability, 0 to 1; `null` where a remote answered.
    pub score: Option<f64>,
}

pub(super) fn perform(
    (text, second): (&str, Option<&str>),
    labels: &[Label],
    threshold: Option<f64>,
    top: Option<usize>,
    model: &mut dyn Forward,
) -> Result<(LabelsOutput, f64)> {
    let tokens = model.tokens(text, second, false)?;
    let values = model.run(&tokens)?;
    let given = Given {
        model: model.name(),
        values: named(model.name(), &values, &["logits"])?,
        probabilities: false,
    };
    of_values(&given, labels, threshold, top)
}

/// The numbers of a model, one for each label.
pub(super) struct Given<'v> {
    pub(super) model: &'v str,
    pub(super) values: &'v Values,
    /// Whether they are probabilities already.
    pub(super) probabilities: bool,
}

/// The labels that hold by a model's numbers, and how likely all of that is right.
pub(super) fn of_values(
    given: &Given<'_>,
    labels: &[Label],
    threshold: Option<f64>,
    top: Option<usize>,
) -> Result<(LabelsOutput, f64)> {
    let numbers = &given.values.numbers;
    if numbers.len() != labels.len() {
        let wanted = format!("one value for each of {} labels", labels.len());
        return Err(misshapen(given.model, given.values, &wanted));
    }
    let numbers = numbers.iter().map(|&v| f64::from(v));
    let probabilities: Vec<f64> = match given.probabilities {
        false => numbers.map(sigmoid).collect(),
        true => numbers.collect(),
    };
    if let Some(none) = probabilities.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        let why = format!("{} gave {none}, which is no probability", given.model);
        return Err(Error::new(Code::ModelOutput, why));
    }
    let threshold = threshold.unwrap_or(THRESHOLD);
    let most = top.unwrap_or(labels.len());
    let order = largest(&probabilities, labels.len());
    let score = |&at: &usize| LabelScore {
        label: labels[at].id.clone(),
        score: probabilities[at],
    };
    let holds = order.iter().filter(|&&at| probabilities[at] >= threshold);
    let given = |score: LabelScore| GivenLabel {
        label: score.label,
        score: Some(score.score),
    };
    // All labels right, as if each were independent of the others.
    let confidence = probabilities
        .iter()
        .map(|&p| if p >= threshold { p } else { 1.0 - p })
        .product();
    let output = LabelsOutput {
        labels: holds.map(score).map(given).collect(),
        scores: order.iter().take(most).map(score).collect(),
    };
    Ok((output, confidence))
}

/// What a remote is told of the shape of its answer.
pub(super) fn rules(labels: &[Label]) -> String {
    let shape = "Answer with JSON only: {\"labels\": […]}, with every label that holds, or none. The labels are exactly these:";
    label_lines(shape, labels)
}

/// The JSON schema of a remote's answer.
pub(super) fn schema(labels: &[Label]) -> Value {
    let ids: Vec<&str> = labels.iter().map(|label| label.id.as_str()).collect();
    object_of(&[(
        "labels",
        json!({ "type": "array", "items": { "type": "string", "enum": ids } }),
    )])
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    labels: Vec<String>,
}

/// Reads a remote's answer: labels of the task, each once.
pub(super) fn read(reply: &str, labels: &[Label]) -> Result<LabelsOutput> {
    let reply: Reply = json_of(reply)?;
    let mut seen = BTreeSet::new();
    let mut given = Vec::new();
    for named in reply.labels {
        let known = labels.iter().find(|label| label.id == named);
        let label = known.ok_or_else(|| unknown_label(&named))?.id.clone();
        if seen.insert(label.clone()) {
            given.push(GivenLabel { label, score: None });
        }
    }
    Ok(LabelsOutput {
        labels: given,
        scores: Vec::new(),
    })
}

/// The labels given, and how many of them are among those that hold: the F1 of the two sets.
pub(super) fn agreement(output: &LabelsOutput, truth: &[String]) -> f64 {
    let given: BTreeSet<&str> = output.labels.iter().map(|l| l.label.as_str()).collect();
    let hold: BTreeSet<&str> = truth.iter().map(String::as_str).collect();
    f1(given.intersection(&hold).count(), given.len(), hold.len())
}
