//! The kinds of task beside choosing one label: what each gives, and how it is made of a model's numbers. A kind is one file (or
//! folder) of this folder; it asks the model by [`Forward`] alone, so that it is tested without one.
//!
//! To add a kind: a file here with its output and a function from `&mut dyn Forward` to that output and its confidence; a variant of
//! [`TaskKind`](super::TaskKind), of [`KindOutput`] and of [`perform`]. No other kind changes.

mod answering;
mod entities;
mod labels;
mod mask;
mod numbers;
mod vectors;
mod zero_shot;

use serde::{Deserialize, Serialize};

pub use answering::{FoundAnswer, QuestionOutput};
pub use entities::{Aggregation, Entity, TokensOutput};
pub use labels::LabelsOutput;
pub use mask::{Filling, MaskOutput};
pub use vectors::{Precision, VectorOutput, Vectors};

use super::{Input, Label, Output, TaskKind};
use crate::error::{Code, Error, Result};

/// A text as a model reads it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tokens {
    /// The ids.
    pub ids: Vec<i64>,
    /// Which of the two texts each belongs to, as the model numbers them.
    pub types: Vec<i64>,
    /// Where each is in its text; none for special tokens.
    pub places: Vec<Option<Place>>,
    /// Whether a word begins with it.
    pub begins: Vec<bool>,
}

/// Where a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether it is in the second of two texts.
    pub second: bool,
    /// Its first byte there.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
}

/// What a model gives: the values of one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Its name.
    pub name: String,
    /// Its lengths.
    pub shape: Vec<usize>,
    /// Its numbers, row by row. Every one is finite.
    pub numbers: Vec<f32>,
}

/// What a kind of task may ask of the model that serves it.
pub trait Forward {
    /// The model's name, for errors.
    fn name(&self) -> &str;
    /// The tokens of a text, or of two. With `mask`, what spells the mask token in the text stands for it.
    ///
    /// # Errors
    /// What is wrong with the text, or with the tokenizer.
    fn tokens(&self, text: &str, second: Option<&str>, mask: bool) -> Result<Tokens>;
    /// The id of the mask token.
    fn mask_id(&self) -> Option<i64>;
    /// The text that tokens stand for, special ones left out.
    ///
    /// # Errors
    /// When the tokenizer cannot tell.
    fn words(&self, ids: &[i64]) -> Result<String>;
    /// All outputs for these tokens.
    ///
    /// # Errors
    /// When the model fails.
    fn run(&mut self, tokens: &Tokens) -> Result<Vec<Values>>;
    /// How vectors of tokens become one, where the model's folder says.
    fn pooling(&self) -> Option<super::Pooling>;
    /// Whether vectors get length 1, where the model's folder says.
    fn normalizes(&self) -> bool;
}

/// What a call may ask for beside the input. What a kind has no use for is refused.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KindOptions {
    /// How many candidates to give.
    pub top_k: Option<u32>,
    /// Zero-shot classification: the labels to choose from.
    pub candidate_labels: Option<Vec<String>>,
    /// Zero-shot classification: the sentence that is held against the text, with `{}` where the label goes.
    pub hypothesis_template: Option<String>,
    /// Zero-shot classification: whether several labels may hold.
    pub multi_label: Option<bool>,
    /// Token classification: how tokens become entities. Default: simple.
    pub aggregation: Option<Aggregation>,
    /// Several labels: from which probability on a label is given. Default: 0.5.
    pub threshold: Option<f64>,
    /// Feature extraction: how the vectors of a text's tokens become one. Default: as the model's folder says, or not at all.
    pub pooling: Option<super::Pooling>,
    /// Feature extraction: whether vectors get length 1.
    pub normalize: Option<bool>,
    /// Feature extraction: how numbers are kept. Default: 32-bit floats.
    pub precision: Option<Precision>,
    /// Question answering: the most tokens that an answer may have. Default: 15.
    pub max_answer_tokens: Option<u32>,
}

impl KindOptions {
    /// The options that were given, by the names that a page knows them by.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("topK", self.top_k.is_some()),
            ("candidateLabels", self.candidate_labels.is_some()),
            ("hypothesisTemplate", self.hypothesis_template.is_some()),
            ("multiLabel", self.multi_label.is_some()),
            ("aggregation", self.aggregation.is_some()),
            ("threshold", self.threshold.is_some()),
            ("pooling", self.pooling.is_some()),
            ("normalize", self.normalize.is_some()),
            ("precision", self.precision.is_some()),
            ("maxAnswerTokens", self.max_answer_tokens.is_some()),
        ];
        all.into_iter()
            .filter_map(|(name, given)| given.then_some(name))
    }

    fn check(&self, kind: TaskKind, takes: &[&str]) -> Result<()> {
        let odd = self.given().find(|name| !takes.contains(name));
        if let Some(odd) = odd {
            return Err(Error::new(
                Code::InvalidOption,
                format!(
                    "{} has no option \"{odd}\"; it takes {}",
                    kind.as_str(),
                    match takes {
                        [] => "none".to_owned(),
                        takes => takes.join(", "),
                    }
                ),
            ));
        }
        if self.top_k == Some(0) || self.max_answer_tokens == Some(0) {
            return Err(Error::new(
                Code::InvalidOption,
                "topK and maxAnswerTokens must be at least 1",
            ));
        }
        Ok(())
    }
}

/// What comes out, by kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(untagged)]
pub enum KindOutput {
    /// One label of many: zero-shot classification.
    Label(Output),
    /// Any number of labels.
    Labels(LabelsOutput),
    /// Spans of the text.
    Tokens(TokensOutput),
    /// An answer that stands in the text.
    Question(QuestionOutput),
    /// Words for a gap.
    Mask(MaskOutput),
    /// Vectors.
    Vectors(VectorOutput),
}

/// An output, and how sure it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The output.
    pub output: KindOutput,
    /// The model's own probability that it is right, where it states one. Nothing has calibrated it.
    pub confidence: Option<f64>,
}

/// Has a model do a task of some kind.
///
/// # Errors
/// [`Code::InputKind`] or [`Code::InvalidOption`] when the kind has no use for what it is given, otherwise what failed.
pub fn perform(
    kind: TaskKind,
    labels: &[Label],
    input: Input<'_>,
    options: &KindOptions,
    model: &mut dyn Forward,
) -> Result<Made> {
    let takes: &[&str] = match kind {
        TaskKind::MultiLabel => &["topK", "threshold"],
        TaskKind::TokenClassification => &["aggregation"],
        TaskKind::QuestionAnswering => &["topK", "maxAnswerTokens"],
        TaskKind::FillMask => &["topK"],
        TaskKind::FeatureExtraction => &["pooling", "normalize", "precision"],
        TaskKind::ZeroShotClassification => &[
            "topK",
            "candidateLabels",
            "hypothesisTemplate",
            "multiLabel",
        ],
        TaskKind::Classify | TaskKind::Generate => {
            return Err(Error::new(
                Code::Internal,
                "labels and texts have paths of their own",
            ));
        }
    };
    options.check(kind, takes)?;
    let wrong = || wrong_input(kind, input);
    let text = || match input {
        Input::Text(text) => Ok(text),
        _ => Err(wrong()),
    };
    match kind {
        TaskKind::MultiLabel => labels::perform(input, labels, options, model),
        TaskKind::TokenClassification => entities::perform(text()?, labels, options, model),
        TaskKind::FillMask => mask::perform(text()?, options, model),
        TaskKind::FeatureExtraction => vectors::perform(text()?, options, model),
        TaskKind::ZeroShotClassification => zero_shot::perform(text()?, labels, options, model),
        TaskKind::QuestionAnswering => match input {
            Input::Pair { text, second } => answering::perform(text, second, options, model),
            _ => Err(wrong()),
        },
        TaskKind::Classify | TaskKind::Generate => Err(wrong()),
    }
}

fn wrong_input(kind: TaskKind, input: Input<'_>) -> Error {
    Error::new(
        Code::InputKind,
        format!("{} does not read {}", kind.as_str(), input.kind().as_str()),
    )
}

/// The output of a name, or the only one there is.
fn named<'v>(model: &str, values: &'v [Values], names: &[&str]) -> Result<&'v Values> {
    let found = names
        .iter()
        .find_map(|name| values.iter().find(|v| v.name == *name));
    match (found, values) {
        (Some(found), _) => Ok(found),
        (None, [only]) => Ok(only),
        (None, _) => {
            let there: Vec<&str> = values.iter().map(|v| v.name.as_str()).collect();
            Err(Error::new(
                Code::ModelOutput,
                format!(
                    "{model} gives {}, and none of them is {}",
                    there.join(", "),
                    names.join(" or ")
                ),
            ))
        }
    }
}

/// That a model gave something of another shape than its task needs.
fn misshapen(model: &str, values: &Values, wanted: &str) -> Error {
    Error::new(
        Code::ModelOutput,
        format!(
            "{model} gave {} of the shape {:?}, and {wanted} was expected; it belongs to another task",
            values.name, values.shape
        ),
    )
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
