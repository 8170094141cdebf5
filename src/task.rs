//! What can be asked, and the shape of an answer. No I/O, no models.

mod answer;
mod classify;
mod guarantee;
#[cfg(feature = "onnx")]
pub mod kind;
mod loss;
pub(crate) mod risk;
#[cfg(feature = "onnx")]
pub(crate) mod sound;
#[cfg(feature = "onnx")]
mod table;

use serde::{Deserialize, Serialize};
#[cfg(feature = "onnx")]
pub use smallfirst_image::Pixels;

pub use crate::attempt::{Attempt, Doubt, Outcome, RanOn};
pub use answer::{Answer, Audit, Learned, Reason, Sent, TextOutput, Timing, Usage};
pub(crate) use classify::choice_rules;
pub use classify::{Label, LabelScore, Output, output_schema, parse_output};
#[cfg(feature = "onnx")]
pub(crate) use classify::{Reply as Choice, json_of, label_lines, unknown_label};
pub use guarantee::{AnswerGuarantee, AskedRisk, GuaranteeKind};
pub use loss::Loss;
#[cfg(feature = "onnx")]
pub use table::{Cell, MAX_CELLS, Table, not_a_cell};

/// The kinds of task that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TaskKind {
    /// Exactly one of a fixed set of labels.
    Classify,
    /// A text, written by a remote, or chosen from the input's own sentences.
    Generate,
    /// Any number of a fixed set of labels.
    MultiLabel,
    /// Labelled parts of a text.
    TokenClassification,
    /// A part of a text that answers a question about it.
    QuestionAnswering,
    /// Words for gaps in a text.
    FillMask,
    /// Vectors of a text or of an image.
    FeatureExtraction,
    /// One of the labels that a call names.
    ZeroShotClassification,
    /// Objects in an image, and where they are.
    ObjectDetection,
    /// Text in an image, and where it is.
    Ocr,
    /// Where somebody speaks in a sound.
    VoiceActivityDetection,
    /// One number, or several.
    Regression,
}

impl TaskKind {
    /// Its name, as the manifest has it.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskKind::Classify => "classify",
            TaskKind::Generate => "generate",
            TaskKind::MultiLabel => "multi-label",
            TaskKind::TokenClassification => "token-classification",
            TaskKind::QuestionAnswering => "question-answering",
            TaskKind::FillMask => "fill-mask",
            TaskKind::FeatureExtraction => "feature-extraction",
            TaskKind::ZeroShotClassification => "zero-shot-classification",
            TaskKind::ObjectDetection => "object-detection",
            TaskKind::Ocr => "ocr",
            TaskKind::VoiceActivityDetection => "voice-activity-detection",
            TaskKind::Regression => "regression",
        }
    }

    /// Whether its models are the manifest's `models`: neither heads, nor a remote's words.
    pub fn has_models(self) -> bool {
        !matches!(self, TaskKind::Classify | TaskKind::Generate)
    }
}

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pooling {
    /// They do not: each stays.
    None,
    /// Their mean.
    Mean,
    /// The first one.
    First,
    /// The last one.
    Last,
    /// The largest of each number.
    Max,
}

/// What a task reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InputKind {
    /// A well-formed Unicode text.
    Text,
    /// The bytes of a file.
    Bytes,
    /// Two texts, such as a question and what it is asked about.
    Pair,
    /// An image.
    Image,
    /// A sound.
    Sound,
    /// A row of a table: numbers and categories by name.
    Table,
}

impl InputKind {
    /// The word used in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            InputKind::Text => "text",
            InputKind::Bytes => "bytes",
            InputKind::Pair => "two texts",
            InputKind::Image => "an image",
            InputKind::Sound => "a sound",
            InputKind::Table => "a row of a table",
        }
    }
}

/// One input of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Input<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes of a file.
    Bytes(&'a [u8]),
    /// Two texts.
    Pair {
        /// The first: a question, or a sentence.
        text: &'a str,
        /// The second: what is asked about, or a sentence that is held against the first.
        second: &'a str,
    },
    /// The pixels of an image.
    #[cfg(feature = "onnx")]
    Image(&'a Pixels),
    /// A sound of one channel.
    #[cfg(feature = "onnx")]
    Sound {
        /// Its samples. Full scale is -1 to 1.
        samples: &'a [f32],
        /// Samples a second.
        rate: u32,
    },
    /// A row of a table.
    #[cfg(feature = "onnx")]
    Table(&'a Table),
}

impl Input<'_> {
    /// Its kind.
    pub fn kind(&self) -> InputKind {
        match self {
            Input::Text(_) => InputKind::Text,
            Input::Bytes(_) => InputKind::Bytes,
            Input::Pair { .. } => InputKind::Pair,
            #[cfg(feature = "onnx")]
            Input::Image(_) => InputKind::Image,
            #[cfg(feature = "onnx")]
            Input::Sound { .. } => InputKind::Sound,
            #[cfg(feature = "onnx")]
            Input::Table(_) => InputKind::Table,
        }
    }

    /// Its length in bytes: of the UTF-8 form for texts, four a pixel for images and a sample for sounds, of a table its names
    /// and values.
    pub fn len(&self) -> usize {
        match self {
            Input::Text(text) => text.len(),
            Input::Bytes(bytes) => bytes.len(),
            Input::Pair { text, second } => text.len() + second.len(),
            #[cfg(feature = "onnx")]
            Input::Image(pixels) => pixels.rgba().len(),
            #[cfg(feature = "onnx")]
            Input::Sound { samples, .. } => size_of_val(*samples),
            #[cfg(feature = "onnx")]
            Input::Table(table) => table.bytes(),
        }
    }

    /// Whether there is nothing in it, or in one of its parts.
    pub fn is_empty(&self) -> bool {
        match self {
            Input::Pair { text, second } => text.is_empty() || second.is_empty(),
            other => other.len() == 0,
        }
    }
}
