//! The columns that a model of tables reads, and what becomes of a row's cells.

#[cfg(feature = "onnx")]
mod read;

#[cfg(feature = "onnx")]
pub(crate) use read::Given;
use serde::{Deserialize, Serialize};

/// A column that a model reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Its name, as rows have it.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// The model's input that it goes into, where that has another name. Columns of one input are its numbers, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The categories that are known. A model that takes numbers is given the place in this list, from 0 on. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// What stands for a category that is not known; absent where such a row is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Fill>,
    /// What stands for null; absent where such a row is refused. `"nan"` of a column of numbers is the number that is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Fill>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// Categories: strings.
    Category,
}

/// What stands for a value that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Fill {
    /// A number.
    Number(serde_json::Number),
    /// A category, or `"nan"`.
    Text(String),
}
