//! What is given to train: labelled texts and options, and what they must be.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::report::RowsTold;
use super::usable::{Usable, data};
use crate::data::{Columns, Row, read};
use crate::error::{Error, Result, excerpt};

/// The most rows.
const MOST_ROWS: usize = 100_000;

/// The most bytes of a label.
const MOST_LABEL_BYTES: usize = 200;

/// The most bytes of a table of rows.
const MOST_BYTES: usize = 64 << 20;

/// How a task is trained.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TrainingOptions {
    /// The encoder of the bundle whose vectors are learnt from, by its name; the bundle's smallest one that reads texts where it is
    /// left out.
    pub encoder: Option<String>,
    /// The name for people. Default: the task's.
    pub title: Option<String>,
    /// What the task decides, in one sentence; also what a remote is told.
    pub instruction: Option<String>,
    /// The error rates to certify, each above 0 and below 1. Default: 0.01, 0.02, 0.05, 0.1 and 0.2.
    pub risks: Option<Vec<f64>>,
    /// Weighs all labels the same, however many rows they have. Default: no.
    pub balanced: Option<bool>,
    /// The licence of what is trained, as an SPDX expression. Default: `LicenseRef-unstated`.
    pub license: Option<String>,
    /// For a table: the column of the text. Default: `text`.
    pub text_column: Option<String>,
    /// For a table: the column of the label. Default: `label`.
    pub label_column: Option<String>,
}

/// A labelled text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The text.
    pub text: String,
    /// The right label.
    pub label: String,
}

/// Labelled texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examples {
    /// As they are.
    Rows(Vec<Example>),
    /// A table in a file of this name, which ends in .csv, .tsv or .jsonl.
    Table(String, Vec<u8>),
}

/// The rows with their numbers, but for those that say nothing.
pub(super) fn rows(
    examples: Examples,
    options: &TrainingOptions,
    left_out: &mut RowsTold,
) -> Result<Vec<(usize, Example)>> {
    let numbered: Vec<(usize, Example)> = match examples {
        Examples::Rows(rows) => (1..).zip(rows).collect(),
        Examples::Table(name, bytes) => of_table(&name, &bytes, options, left_out)?,
    };
    if numbered.len() > MOST_ROWS {
        return Err(data(format!(
            "there are {} rows, and the most is {MOST_ROWS}; train on a part of them, or with the command line",
            numbered.len()
        )));
    }
    let mut kept = Vec::with_capacity(numbered.len());
    for (row, example) in numbered {
        if example.text.trim().is_empty() || example.label.trim().is_empty() {
            let what = if example.text.trim().is_empty() {
                "text"
            } else {
                "label"
            };
            left_out.add(|| format!("row {row}: its {what} is blank"));
            continue;
        }
        if example.label.len() > MOST_LABEL_BYTES {
            return Err(data(format!(
                "row {row}: its label has more than {MOST_LABEL_BYTES} bytes; is the right column taken for it?"
            )));
        }
        kept.push((row, example));
    }
    Ok(kept)
}

fn of_table(
    name: &str,
    bytes: &[u8],
    options: &TrainingOptions,
    left_out: &mut RowsTold,
) -> Result<Vec<(usize, Example)>> {
    if bytes.len() > MOST_BYTES {
        return Err(data(format!(
            "the table has {} bytes, and the most is {MOST_BYTES}",
            bytes.len()
        )));
    }
    let column = |given: &Option<String>, usual: &str| given.clone().unwrap_or(usual.to_owned());
    let columns = Columns {
        nested: false,
        text: column(&options.text_column, "text"),
        label: column(&options.label_column, "label"),
        slice: None,
    };
    let found = read(name, bytes, &columns).map_err(|error| {
        let said = error.to_string();
        Error::new(error.code(), said.replace("--text", "textColumn"))
    })?;
    let first = found.first_skipped().iter();
    left_out.first = first
        .map(|(line, why)| format!("line {line}: {why}"))
        .collect();
    left_out.count = found.skipped();
    let example = |row: Row| {
        let label = row.label.unwrap_or_default();
        let text = row.text;
        (row.line, Example { text, label })
    };
    Ok(found.kept().into_iter().map(example).collect())
}

/// What there must be, to be learnt from at all.
pub(super) fn check(usable: &Usable, left_out: &RowsTold) -> Result<()> {
    let without = match left_out.count {
        0 => String::new(),
        count => format!(
            " ({count} rows were left out: {})",
            left_out.first.join("; ")
        ),
    };
    let present: BTreeSet<u32> = usable.classes.iter().copied().collect();
    if present.len() < 2 {
        let only = present
            .iter()
            .next()
            .and_then(|&c| usable.labels.get(c as usize));
        return Err(data(match only {
            Some(only) => format!(
                "all rows have the label \"{}\"; there must be rows of at least two labels{without}",
                excerpt(only, 60)
            ),
            None => format!("there are no rows to learn from{without}"),
        }));
    }
    let mut texts: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for (class, group) in usable.classes.iter().zip(&usable.groups) {
        texts.entry(*class).or_default().insert(*group);
    }
    for (class, label) in usable.labels.iter().enumerate() {
        let different = texts.get(&(class as u32)).map_or(0, |groups| groups.len());
        if different < 2 {
            return Err(data(format!(
                "the label \"{}\" has {different} texts that are not copies of each other; each label needs two at least: add some, or leave it out{without}",
                excerpt(label, 60)
            )));
        }
    }
    Ok(())
}
