//! What comes out, by kind.

use serde::{Deserialize, Serialize};

use super::answering::QuestionOutput;
use super::detection::ObjectsOutput;
use super::entities::TokensOutput;
use super::labels::LabelsOutput;
use super::mask::MaskOutput;
use super::ocr::OcrOutput;
use super::regression::RegressionOutput;
use super::vectors::VectorOutput;
use super::voice::VoiceOutput;
use crate::task::Output;

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
    /// Objects in an image.
    Objects(ObjectsOutput),
    /// Text in an image.
    Read(OcrOutput),
}

/// An output, and how sure it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The output.
    pub output: KindOutput,
    /// The model's own probability that it is right, where it states one. Nothing has calibrated it.
    pub confidence: Option<f64>,
}

/// What was made.
pub(super) fn made(output: KindOutput, confidence: Option<f64>) -> Made {
    Made { output, confidence }
}
