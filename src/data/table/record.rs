//! What every format is read into: records of the wanted columns, within limits.

use crate::data::rows::Skipped;

/// How much of a file is read; a file that has more is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of the file. Of a Parquet file also the most that its wanted columns unpack to, and the most that
    /// their values have.
    pub bytes: usize,
    /// The most rows.
    pub rows: usize,
    /// The most columns.
    pub columns: usize,
    /// The most bytes of one row, and of one page of a Parquet file's column.
    pub row: usize,
    /// The most bytes of one row's text.
    pub text: usize,
}

impl Default for Limits {
    /// A file of 1 GiB, and ten million rows.
    fn default() -> Self {
        Limits {
            bytes: 1 << 30,
            rows: 10_000_000,
            columns: 4096,
            row: 256 << 20,
            text: 16 << 20,
        }
    }
}

/// A value of a wanted column.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Cell {
    Null,
    Text(String),
    /// A number or a truth value, as it is written.
    Plain(&'static str, String),
    /// An object or a list, as it is written.
    Nested(&'static str, String),
    /// What no row can be made of.
    Other(&'static str),
}

/// One record.
#[derive(Debug)]
pub(in crate::data) struct Record {
    pub(in crate::data) line: usize,
    /// A value for each wanted column, or nothing where the record has no such column.
    pub(in crate::data) cells: Vec<Option<Cell>>,
}

/// All records of a file, and the columns it has.
#[derive(Debug, Default)]
pub(in crate::data) struct Table {
    pub(in crate::data) columns: Vec<String>,
    pub(in crate::data) records: Vec<Record>,
    /// The records that could not be read.
    pub(in crate::data) skipped: Skipped,
    /// How the file was read, where it is not as its name says.
    pub(in crate::data) notes: Vec<String>,
}

/// What is wrong with a whole file, and in which line; for Parquet, in which record.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) line: Option<usize>,
    pub(super) what: String,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Wrong {
            line: None,
            what: what.into(),
        }
    }

    pub(super) fn at(line: usize, what: impl Into<String>) -> Self {
        Wrong {
            line: Some(line),
            what: what.into(),
        }
    }

    /// More rows than are read.
    pub(super) fn rows(line: usize, limits: &Limits) -> Self {
        let most = limits.rows;
        Wrong::at(
            line,
            format!("the file has more than {most} rows, which is the most that is read; split it"),
        )
    }

    /// More columns than are read.
    pub(super) fn columns(line: usize, limits: &Limits) -> Self {
        let most = limits.columns;
        Wrong::at(
            line,
            format!("the file has more than {most} columns, which is the most that is read"),
        )
    }

    /// A row longer than what is read.
    pub(super) fn row(line: usize, limits: &Limits) -> Self {
        let most = limits.row;
        Wrong::at(
            line,
            format!(
                "the row has more than {most} bytes, which is the most that is read; is a quote or the end of a line \
                 missing?"
            ),
        )
    }
}
