//! What an answer may cost where it is not simply right or wrong: a number from 0 to 1, whose mean over the local answers a
//! certificate bounds.

use serde::{Deserialize, Serialize};

/// A loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Loss {
    /// 0 where the answer is wholly right, and else 1: its mean is an error rate.
    Exact,
    /// One minus the F1 of an answer's labels, spans (label and place) or words.
    F1,
    /// The share of a text's entities that were not found, so that what they name would be seen.
    Miss,
}

impl Loss {
    /// Its name, as the manifest has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::Exact => "exact",
            Loss::F1 => "f1",
            Loss::Miss => "miss",
        }
    }

    /// What its mean is, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Loss::Exact => "the share of such answers that are wrong",
            Loss::F1 => "the mean of 1 - F1 of such answers",
            Loss::Miss => "the mean share of entities that such answers miss",
        }
    }
}
