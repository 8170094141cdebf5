//! What a file gave, and an account of what it did not give: no row is lost without a word.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Row;
use crate::error::{Code, Error, Result, excerpt};

/// How many bad rows are named in full.
const NAMED: usize = 5;

/// How many lines are listed of a reason.
const LISTED: usize = 5;

/// How many reasons are told apart.
const REASONS: usize = 16;

/// The rows that could not be read. However many they are, little is kept of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Skipped {
    count: usize,
    /// The first ones: the line, and what is wrong.
    first: Vec<(usize, String)>,
    /// How many there are of each reason, and the first lines.
    reasons: BTreeMap<String, (usize, Vec<usize>)>,
}

impl Skipped {
    /// Notes a row. Rows with the same `reason` are counted together; `detail` is said of the first ones.
    pub(super) fn add(&mut self, line: usize, reason: &str, detail: &str) {
        self.count += 1;
        let at = self.first.partition_point(|(known, _)| *known <= line);
        if at < NAMED {
            let what = match detail {
                "" => reason.to_owned(),
                detail => format!("{reason}: {detail}"),
            };
            self.first.insert(at, (line, excerpt(&what, 400)));
            self.first.truncate(NAMED);
        }
        let reason = match self.reasons.contains_key(reason) || self.reasons.len() < REASONS {
            true => excerpt(reason, 200),
            false => "other reasons".to_owned(),
        };
        let (count, lines) = self.reasons.entry(reason).or_default();
        *count += 1;
        let at = lines.partition_point(|known| *known <= line);
        if at < LISTED {
            lines.insert(at, line);
            lines.truncate(LISTED);
        }
    }
}

/// The rows of a file, and how many there were beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    name: String,
    rows: Vec<Row>,
    skipped: Skipped,
    notes: Vec<String>,
}

impl Rows {
    pub(super) fn new(name: &str, rows: Vec<Row>, skipped: Skipped, notes: Vec<String>) -> Self {
        Rows {
            name: name.to_owned(),
            rows,
            skipped,
            notes,
        }
    }

    /// How many rows could not be read.
    pub fn skipped(&self) -> usize {
        self.skipped.count
    }

    /// The first rows that could not be read: the line, and what is wrong.
    pub fn first_skipped(&self) -> &[(usize, String)] {
        &self.skipped.first
    }

    /// The rows that could be read.
    pub fn kept(self) -> Vec<Row> {
        self.rows
    }

    /// Takes out the rows that are `bad` and counts them as skipped.
    pub fn skip(&mut self, reason: &str, bad: impl Fn(&Row) -> bool) {
        let skipped = &mut self.skipped;
        self.rows.retain(|row| {
            let bad = bad(row);
            if bad {
                skipped.add(row.line, reason, "");
            }
            !bad
        });
    }

    /// "n rows read, m skipped, because …", in one line, with what else is to be known of the file.
    pub fn summary(&self) -> String {
        let mut out = format!("{}: {} rows read, ", self.name, self.rows.len());
        if self.skipped.count == 0 {
            out += "none skipped";
        } else {
            let mut reasons: Vec<_> = self.skipped.reasons.iter().collect();
            reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
            let reasons: Vec<String> = reasons
                .into_iter()
                .map(|(reason, (count, lines))| {
                    let more = if *count > lines.len() { ", …" } else { "" };
                    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                    format!("{reason} ({count} rows; lines {}{more})", lines.join(", "))
                })
                .collect();
            let _ = write!(
                out,
                "{} skipped, because {}",
                self.skipped.count,
                reasons.join("; ")
            );
        }
        for note in &self.notes {
            let _ = write!(out, "; {note}");
        }
        out
    }

    /// All rows of the file.
    ///
    /// # Errors
    /// [`Code::InvalidData`] when there is one that could not be read: which lines are wrong, how, and what to do.
    pub fn all(self) -> Result<Vec<Row>> {
        if self.skipped.count == 0 {
            return Ok(self.rows);
        }
        let mut named = self.skipped.first.iter();
        let mut message = self.name.clone();
        if let Some((line, what)) = named.next() {
            let _ = write!(message, ", line {line}: {what}");
        }
        for (line, what) in named {
            let _ = write!(message, "; line {line}: {what}");
        }
        let _ = write!(
            message,
            ". {} of {} rows cannot be read; mend them, or leave them out with --skip-bad-rows",
            self.skipped.count,
            self.skipped.count + self.rows.len()
        );
        Err(Error::new(Code::InvalidData, message))
    }

    /// The rows that could be read.
    ///
    /// # Errors
    /// [`Code::InvalidData`] when there is none.
    pub fn readable(self) -> Result<Vec<Row>> {
        match self.rows.is_empty() {
            true => self.all(),
            false => Ok(self.rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize, skipped: Skipped) -> Rows {
        let row = |line| Row {
            text: "a".into(),
            label: (line % 2 == 0).then(|| "x".into()),
            slice: None,
            line,
        };
        let notes = vec!["it is read as UTF-16".into()];
        Rows::new("a.csv", (1..=n).map(row).collect(), skipped, notes)
    }

    #[test]
    fn every_row_that_is_not_read_is_counted_and_the_first_are_named() {
        let mut skipped = Skipped::default();
        // Out of order, as two readers one after the other find them.
        for line in (10..1010).rev() {
            skipped.add(line, "blank", "");
        }
        skipped.add(7, "not JSON", "at column 3");
        let found = rows(3, skipped);
        assert_eq!(found.skipped(), 1001);
        let summary = found.summary();
        for words in [
            "a.csv: 3 rows read, 1001 skipped, because blank (1000 rows; lines 10, 11, 12, 13, 14, …)",
            "not JSON (1 rows; lines 7)",
            "UTF-16",
        ] {
            assert!(summary.contains(words), "{summary}");
        }
        let error = found.clone().all().unwrap_err();
        assert_eq!(error.code(), Code::InvalidData);
        let message = error.to_string();
        for words in [
            "a.csv, line 7: not JSON: at column 3; line 10: blank",
            "1001 of 1004 rows",
            "--skip-bad-rows",
        ] {
            assert!(message.contains(words), "{message}");
        }
        assert!(!message.contains("line 14"), "{message}");
        assert_eq!(found.readable().unwrap().len(), 3);
    }

    #[test]
    fn reasons_without_end_are_counted_together() {
        let mut skipped = Skipped::default();
        for line in 0..10_000 {
            skipped.add(line, &format!("reason {line}"), "");
        }
        let found = rows(1, skipped);
        assert!(found.summary().contains("other reasons (9984 rows"));
        assert!(found.summary().len() < 2000);
    }

    #[test]
    fn a_row_that_is_taken_out_later_is_counted_too() {
        let mut found = rows(5, Skipped::default());
        assert_eq!(
            found.summary(),
            "a.csv: 5 rows read, none skipped; it is read as UTF-16"
        );
        found.skip("there is no label", |row| row.label.is_none());
        assert!(found.summary().contains("2 rows read, 3 skipped"));
        assert!(
            found
                .clone()
                .all()
                .unwrap_err()
                .to_string()
                .contains("line 1")
        );
        found.skip("there is a label", |row| row.label.is_some());
        assert!(found.readable().unwrap_err().to_string().contains("5 of 5"));
    }
}
