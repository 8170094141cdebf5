//! Several labels of one text (multi-label classification): each has a probability of its own, the logistic function of its logit.

use serde::{Deserialize, Serialize};

use super::forward::{Forward, Values, misshapen, named};
use super::numbers::{largest, sigmoid};
use crate::error::{Code, Error, Result};
use crate::task::{Label, LabelScore};

/// From which probability on a label is given, where nobody says.
const THRESHOLD: f64 = 0.5;

/// The labels of an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LabelsOutput {
    /// Those that hold, the likeliest first.
    pub labels: Vec<LabelScore>,
    /// The likeliest, whether they hold or not.
    pub scores: Vec<LabelScore>,
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
    // All labels right, as if each were independent of the others.
    let confidence = probabilities
        .iter()
        .map(|&p| if p >= threshold { p } else { 1.0 - p })
        .product();
    let output = LabelsOutput {
        labels: holds.map(score).collect(),
        scores: order.iter().take(most).map(score).collect(),
    };
    Ok((output, confidence))
}
