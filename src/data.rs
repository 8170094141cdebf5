//! What comes in from outside: labelled data, which is read, looked through for duplicates and split, and models in
//! archives. Pure: bytes come in.

#[cfg(feature = "cli")]
pub mod archive;
mod duplicates;
mod read;
#[cfg(feature = "cli")]
mod read_table;
mod rows;
mod shuffle;
mod split;
mod table;

pub use duplicates::{Fingerprints, Overlap};
pub use read::{read, read_within};
#[cfg(feature = "cli")]
pub use read_table::read_table;
pub use rows::Rows;
pub(crate) use shuffle::shuffle;
pub use split::split;
pub use table::{Format, Limits};

/// Where a row's parts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Whether an object or a list is a value, too: its JSON.
    pub nested: bool,
    /// The column of the text, or of the path for tasks that read files.
    pub text: String,
    /// The column of the label.
    pub label: String,
    /// The column of the slice; rows have none where this is absent.
    pub slice: Option<String>,
}

/// One labelled input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The text, or the path of a file.
    pub text: String,
    /// The right label; nothing where the data does not say.
    pub label: Option<String>,
    /// The named group it belongs to.
    pub slice: Option<String>,
    /// Its first line in the file, from 1; for Parquet, its record.
    pub line: usize,
}
