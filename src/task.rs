//! What can be asked, and the shape of an answer. No I/O, no models.

mod answer;
mod classify;
mod guarantee;
pub(crate) mod risk;

use serde::{Deserialize, Serialize};

pub use crate::attempt::{Attempt, Doubt, Outcome, RanOn};
pub use answer::{Answer, Audit, Learned, Reason, Sent, TextOutput, Timing, Usage};
pub use classify::{Label, LabelScore, Output, output_schema, parse_output};
pub use guarantee::{AnswerGuarantee, AskedRisk, GuaranteeKind};

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
}

impl InputKind {
    /// The word used in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            InputKind::Text => "text",
            InputKind::Bytes => "bytes",
        }
    }
}

/// One input of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes of a file.
    Bytes(&'a [u8]),
}

impl Input<'_> {
    /// Its kind.
    pub fn kind(&self) -> InputKind {
        match self {
            Input::Text(_) => InputKind::Text,
            Input::Bytes(_) => InputKind::Bytes,
        }
    }

    /// Its length in bytes (of the UTF-8 form, for text).
    pub fn len(&self) -> usize {
        match self {
            Input::Text(text) => text.len(),
            Input::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
