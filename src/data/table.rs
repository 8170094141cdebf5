//! Files as records of the columns that are wanted.
//!
//! A file may say much with few bytes: a column named once and empty in every row, a value of a dictionary that a
//! million rows share, a row count. So nothing is kept but the wanted columns, and what is kept is counted against
//! [`Limits`] while it is read.

mod delimited;
mod encoding;
mod jsonl;
#[cfg(feature = "cli")]
mod parquet;
mod quoted;
mod record;

pub use record::Limits;
use record::Wrong;
pub(super) use record::{Cell, Record, Table};

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
            #[cfg(feature = "cli")]
            Format::Parquet => parquet::read(bytes, wanted, limits),
            #[cfg(not(feature = "cli"))]
            Format::Parquet => Err(Wrong::new(
                "Parquet is read by the command line; save the rows as CSV or JSONL",
            )),
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
