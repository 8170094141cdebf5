//! The kinds of task beside choosing one label: what each gives, and how it is made of a model's numbers. A kind is one file (or
//! folder) of this folder; it asks the model by [`Forward`] alone, so that it is tested without one.
//!
//! To add a kind: a file here with its output and a function from `&mut dyn Forward` to that output and its confidence; a variant of
//! [`TaskKind`], of [`KindOutput`] and of [`perform`]. No other kind changes.

mod answering;
mod entities;
mod forward;
mod labels;
mod mask;
mod numbers;
mod numeric;
mod regression;
mod runs;
mod vectors;
mod voice;
mod zero_shot;

use serde::{Deserialize, Serialize};

pub use answering::{FoundAnswer, QuestionOutput};
pub use entities::{Aggregation, Entity, TokensOutput};
pub use forward::{Forward, Place, Tokens, Values};
pub use labels::LabelsOutput;
pub use mask::{Filling, MaskOutput};
pub use numeric::{Numeric, perform_numeric};
pub use regression::RegressionOutput;
pub use runs::{Hears, Runs};
pub use vectors::{Precision, VectorOutput, Vectors};
pub use voice::{SpeechEvent, VoiceOutput, VoiceSegment, VoiceStream};

use super::{Input, Label, Output, TaskKind};
use crate::error::{Code, Error, Result};

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
    /// Several labels, and voices: from which probability on a label is given, or a window is speech. Default: 0.5.
    pub threshold: Option<f64>,
    /// Voices: below which probability speech ends. Default: 0.15 below the threshold.
    pub neg_threshold: Option<f64>,
    /// Voices: what is not longer is no segment, in milliseconds. Default: 250.
    pub min_speech_duration_ms: Option<u32>,
    /// Voices: how long a pause must be to end a segment, in milliseconds. Default: 100.
    pub min_silence_duration_ms: Option<u32>,
    /// Voices: what is added to both ends of a segment, in milliseconds. Default: 30.
    pub speech_pad_ms: Option<u32>,
    /// Voices: longer speech is cut, in seconds. Default: none is.
    pub max_speech_duration_s: Option<f64>,
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
            ("negThreshold", self.neg_threshold.is_some()),
            ("minSpeechDurationMs", self.min_speech_duration_ms.is_some()),
            (
                "minSilenceDurationMs",
                self.min_silence_duration_ms.is_some(),
            ),
            ("speechPadMs", self.speech_pad_ms.is_some()),
            ("maxSpeechDurationS", self.max_speech_duration_s.is_some()),
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
    /// Where somebody speaks.
    Voice(VoiceOutput),
    /// Numbers.
    Regression(RegressionOutput),
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
        // [`perform_numeric`] does these.
        TaskKind::VoiceActivityDetection | TaskKind::Regression => &[],
        TaskKind::Classify | TaskKind::Generate => {
            return Err(Error::new(
                Code::Internal,
                "labels and texts have paths of their own",
            ));
        }
    };
    options.check(kind, takes)?;
    let wrong = || {
        let (kind, given) = (kind.as_str(), input.kind().as_str());
        Error::new(Code::InputKind, format!("{kind} does not read {given}"))
    };
    let text = || match input {
        Input::Text(text) => Ok(text),
        _ => Err(wrong()),
    };
    let top = options.top_k.map(|k| k as usize);
    Ok(match kind {
        TaskKind::MultiLabel => {
            let (text, second) = match input {
                Input::Text(text) => (text, None),
                Input::Pair { text, second } => (text, Some(second)),
                _ => return Err(wrong()),
            };
            let threshold = options.threshold;
            let (output, sure) = labels::perform((text, second), labels, threshold, top, model)?;
            made(KindOutput::Labels(output), Some(sure))
        }
        TaskKind::TokenClassification => {
            let aggregation = options.aggregation.unwrap_or_default();
            let (output, sure) = entities::perform(text()?, labels, aggregation, model)?;
            made(KindOutput::Tokens(output), Some(sure))
        }
        TaskKind::FillMask => {
            let (output, sure) = mask::perform(text()?, top, model)?;
            made(KindOutput::Mask(output), Some(sure))
        }
        TaskKind::FeatureExtraction => {
            let wanted = vectors::Wanted {
                pooling: options.pooling,
                normalize: options.normalize,
                precision: options.precision.unwrap_or_default(),
            };
            let output = vectors::perform(text()?, wanted, model)?;
            made(KindOutput::Vectors(output), None)
        }
        TaskKind::ZeroShotClassification => {
            let asked = zero_shot::Asked {
                candidates: options.candidate_labels.as_deref().unwrap_or_default(),
                template: options.hypothesis_template.as_deref(),
                several: options.multi_label == Some(true),
                top,
            };
            let (output, sure) = zero_shot::perform(text()?, labels, &asked, model)?;
            made(KindOutput::Label(output), Some(sure))
        }
        TaskKind::QuestionAnswering => {
            let Input::Pair { text, second } = input else {
                return Err(wrong());
            };
            let most = options.max_answer_tokens.map(|most| most as usize);
            let output = answering::perform((text, second), top, most, model)?;
            let sure = output.best.score;
            made(KindOutput::Question(output), Some(sure))
        }
        TaskKind::VoiceActivityDetection
        | TaskKind::Regression
        | TaskKind::Classify
        | TaskKind::Generate => return Err(wrong()),
    })
}

fn made(output: KindOutput, confidence: Option<f64>) -> Made {
    Made { output, confidence }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
