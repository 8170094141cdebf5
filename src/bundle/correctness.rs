//! The numbers of a correctness head, as the manifest has them.

use serde::{Deserialize, Serialize};

/// A logistic regression whose outcome is the probability that a head's label is right. Its log-odds are `bias`, and for each
/// term `weight` times the feature's distance from its mean, and what the label adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Correctness {
    /// What the features' names stand for: 1.
    pub version: u32,
    /// The log-odds of an input that is the mean of all.
    pub bias: f64,
    /// What is added, one entry a feature.
    pub terms: Vec<CorrectnessTerm>,
    /// What each label adds, in the task's order; none where labels add nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelTerm>,
    /// The logit from which the labels' slopes count.
    #[serde(default)]
    pub label_mean: f64,
    /// What it was chosen by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_fold: Option<OutOfFold>,
}

impl Correctness {
    /// All its numbers, in a fixed order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> {
        let terms = self.terms.iter().flat_map(|term| [term.weight, term.mean]);
        let labels = self.labels.iter().flat_map(|term| [term.0, term.1]);
        terms.chain(labels).chain([self.bias, self.label_mean])
    }
}

/// One term of a correctness head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CorrectnessTerm {
    /// The feature.
    pub feature: CorrectnessFeature,
    /// What a step of 1 adds to the log-odds.
    pub weight: f64,
    /// The feature's mean over the rows that it was fitted on.
    pub mean: f64,
}

/// What a correctness head looks at, in version 1. Logarithms are natural.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CorrectnessFeature {
    /// The log-odds of the largest calibrated probability.
    Logit,
    /// The logarithm of the largest probability less that of the second.
    Margin,
    /// The entropy of the probabilities.
    Entropy,
    /// The logarithm of one more than a text's characters.
    LogChars,
    /// The logarithm of one more than the input's bytes.
    LogBytes,
    /// The logarithm of one more than a text's words.
    LogWords,
}

impl CorrectnessFeature {
    /// Whether it is about the length of the input.
    pub fn is_length(self) -> bool {
        matches!(
            self,
            CorrectnessFeature::LogChars
                | CorrectnessFeature::LogBytes
                | CorrectnessFeature::LogWords
        )
    }
}

/// What a label adds to the log-odds, and for each unit of the logit above the mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LabelTerm(pub f64, pub f64);

/// The area under the risk-coverage curve (AURC) on rows that had no part in the fit: lower is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutOfFold {
    /// How many rows there were.
    pub rows: u64,
    /// In the order of the largest probability.
    pub plain: f64,
    /// In the order of this head's.
    pub head: f64,
}
