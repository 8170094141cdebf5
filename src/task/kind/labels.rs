//! Several labels of one text (multi-label classification): each has a probability of its own, the logistic function of its logit.

use serde::{Deserialize, Serialize};

use super::numbers::{largest, sigmoid};
use super::{Forward, KindOptions, KindOutput, Made, misshapen, named};
use crate::error::Result;
use crate::task::{Input, Label, LabelScore, TaskKind};

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
    input: Input<'_>,
    labels: &[Label],
    options: &KindOptions,
    model: &mut dyn Forward,
) -> Result<Made> {
    let tokens = match input {
        Input::Text(text) => model.tokens(text, None, false)?,
        Input::Pair { text, second } => model.tokens(text, Some(second), false)?,
        other => return Err(super::wrong_input(TaskKind::MultiLabel, other)),
    };
    let values = model.run(&tokens)?;
    let logits = named(model.name(), &values, &["logits"])?;
    if logits.numbers.len() != labels.len() {
        let wanted = format!("one value for each of {} labels", labels.len());
        return Err(misshapen(model.name(), logits, &wanted));
    }
    let logits = logits.numbers.iter().map(|&v| f64::from(v));
    let probabilities: Vec<f64> = logits.map(sigmoid).collect();
    let threshold = options.threshold.unwrap_or(THRESHOLD);
    let most = options.top_k.map_or(labels.len(), |k| k as usize);
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
    Ok(Made {
        output: KindOutput::Labels(LabelsOutput {
            labels: holds.map(score).collect(),
            scores: order.iter().take(most).map(score).collect(),
        }),
        confidence: Some(confidence),
    })
}
