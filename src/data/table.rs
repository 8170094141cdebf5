//! Files as records of the columns that are wanted.
//!
//! A file may say much with few bytes: a column named once and empty in every row, a value of a dictionary that a
//! million rows share, a row count. So nothing is kept but the wanted columns, and what is kept is counted against
//! [`Limits`] while it is read.

mod delimited;
mod encoding;
mod jsonl;
mod parquet;

use super::rows::Skipped;
use crate::error::{Code, Error, Result, excerpt};

/// The file formats there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header. Where the header shows another separator, that one is read.
    Csv,
    /// Tab-separated values with a header, with the same exception.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet with flat columns.
    Parquet,
}

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

impl Format {
    /// By the ending of a file's name.
    ///
    /// # Errors
    /// [`Code::InvalidData`], with the endings there are.
    pub fn of(name: &str) -> Result<Format> {
        let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
        match ending.as_str() {
            "csv" => Ok(Format::Csv),
            "tsv" | "tab" => Ok(Format::Tsv),
            "jsonl" | "ndjson" => Ok(Format::Jsonl),
            "parquet" => Ok(Format::Parquet),
            _ => Err(Error::new(
                Code::InvalidData,
                format!("{name}: the ending must be .jsonl, .ndjson, .csv, .tsv or .parquet"),
            )),
        }
    }
}

/// A value of a wanted column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Text(String),
    /// A number or a truth value, as it is written.
    Plain(&'static str, String),
    /// What no row can be made of.
    Other(&'static str),
}

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) line: usize,
    /// A value for each wanted column, or nothing where the record has no such column.
    pub(super) cells: Vec<Option<Cell>>,
}

/// All records of a file, and the columns it has.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) records: Vec<Record>,
    /// The records that could not be read.
    pub(super) skipped: Skipped,
    /// How the file was read, where it is not as its name says.
    pub(super) notes: Vec<String>,
}

/// What is wrong with a whole file, and in which line; for Parquet, in which record.
#[derive(Debug)]
struct Wrong {
    line: Option<usize>,
    what: String,
}

impl Wrong {
    fn new(what: impl Into<String>) -> Self {
        Wrong {
            line: None,
            what: what.into(),
        }
    }

    fn at(line: usize, what: impl Into<String>) -> Self {
        Wrong {
            line: Some(line),
            what: what.into(),
        }
    }

    /// More rows than are read.
    fn rows(line: usize, limits: &Limits) -> Self {
        let most = limits.rows;
        Wrong::at(
            line,
            format!("the file has more than {most} rows, which is the most that is read; split it"),
        )
    }

    /// More columns than are read.
    fn columns(line: usize, limits: &Limits) -> Self {
        let most = limits.columns;
        Wrong::at(
            line,
            format!("the file has more than {most} columns, which is the most that is read"),
        )
    }

    /// A row longer than what is read.
    fn row(line: usize, limits: &Limits) -> Self {
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

/// Reads the `wanted` columns of a file.
pub(super) fn parse(
    name: &str,
    bytes: &[u8],
    format: Format,
    wanted: &[&str],
    limits: &Limits,
) -> Result<Table> {
    let table = if bytes.len() > limits.bytes {
        Err(Wrong::new(format!(
            "the file has {} bytes; the most that is read is {}; split it",
            bytes.len(),
            limits.bytes
        )))
    } else {
        match format {
            Format::Parquet => parquet::read(bytes, wanted, limits),
            text => read_text(bytes, text, wanted, limits),
        }
    };
    table.map_err(|wrong| {
        let line = wrong
            .line
            .map_or(String::new(), |line| format!(", line {line}"));
        Error::new(
            Code::InvalidData,
            format!("{name}{line}: {}", excerpt(&wrong.what, 400)),
        )
    })
}

fn read_text(
    bytes: &[u8],
    format: Format,
    wanted: &[&str],
    limits: &Limits,
) -> std::result::Result<Table, Wrong> {
    let text = encoding::decode(bytes)?;
    let mut table = match format {
        Format::Csv => delimited::read(&text.bytes, b',', wanted, limits),
        Format::Tsv => delimited::read(&text.bytes, b'\t', wanted, limits),
        _ => jsonl::read(&text.bytes, wanted, limits),
    }?;
    table.notes.splice(0..0, text.notes);
    Ok(table)
}

#[cfg(test)]
mod tests;
