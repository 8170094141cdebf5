//! What an index holds and gives.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Code, Error};

/// A text that is to be found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRow {
    /// Which it is. Another text under the same one takes its place.
    pub id: String,
    /// The text.
    pub text: String,
    /// What is given back with it, such as an address; at most 16 KiB of JSON.
    pub data: Value,
}

/// A text that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct SearchHit {
    /// Which it is.
    pub id: String,
    /// The cosine of its vector and the query's, from -1 to 1.
    pub score: f64,
    /// The text.
    pub text: String,
    /// What was given with it.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub data: Value,
}

/// What makes the vectors of an index. Those of anything else cannot be compared with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// The task.
    pub task: String,
    /// The SHA-256 of its model's files and of how vectors are made of their outputs.
    pub model: String,
}

/// An option that cannot be.
pub(super) fn wrong(what: String) -> Error {
    Error::new(Code::InvalidOption, what)
}
