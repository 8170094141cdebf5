//! The records of a delimited text, one at a time, and how their quotes stand.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::encoding::NOT_UTF8;
use super::record::{Limits, Wrong};

/// How the fields of a file are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    /// Whether a field in quotes may hold separators, ends of lines and doubled quotes.
    pub(super) quotes: bool,
}

/// The records of a text, one at a time in buffers that are bounded.
pub(super) struct Records<'a> {
    reader: Reader,
    dialect: Dialect,
    rest: &'a [u8],
    /// The line that `rest` begins in.
    line: usize,
    out: Vec<u8>,
    ends: Vec<usize>,
    limits: &'a Limits,
}

/// A record whose fields are in the buffers.
pub(super) struct Row<'a> {
    pub(super) line: usize,
    pub(super) fields: usize,
    /// As it stands in the text.
    pub(super) raw: &'a [u8],
    pub(super) quotes: Quotes,
}

impl Row<'_> {
    /// How many lines it goes over.
    pub(super) fn lines(&self) -> usize {
        let raw = self.raw.strip_suffix(b"\n").unwrap_or(self.raw);
        raw.iter().filter(|b| **b == b'\n').count() + 1
    }
}

impl<'a> Records<'a> {
    pub(super) fn new(text: &'a [u8], line: usize, dialect: Dialect, limits: &'a Limits) -> Self {
        Records {
            reader: ReaderBuilder::new()
                .delimiter(dialect.separator)
                .quoting(dialect.quotes)
                .build(),
            dialect,
            rest: text,
            line,
            out: vec![0; limits.row.min(1 << 10)],
            ends: vec![0; 16],
            limits,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Row<'a>>, Wrong> {
        let blank = self
            .rest
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        self.pass(blank);
        let line = self.line;
        let begin = self.rest;
        let (mut written, mut fields) = (0, 0);
        loop {
            let (result, read, out, ends) = self.reader.read_record(
                self.rest,
                &mut self.out[written..],
                &mut self.ends[fields..],
            );
            self.pass(read);
            written += out;
            fields += ends;
            match result {
                // The next call is told that nothing follows.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    if self.out.len() >= self.limits.row {
                        return Err(Wrong::row(line, self.limits));
                    }
                    let more = (self.out.len() * 2).min(self.limits.row);
                    self.out.resize(more, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() > self.limits.columns {
                        return Err(Wrong::columns(line, self.limits));
                    }
                    let more = (self.ends.len() * 2).min(self.limits.columns + 1);
                    self.ends.resize(more, 0);
                }
                ReadRecordResult::Record if fields > self.limits.columns => {
                    return Err(Wrong::columns(line, self.limits));
                }
                ReadRecordResult::Record => {
                    let raw = &begin[..begin.len() - self.rest.len()];
                    return Ok(Some(Row {
                        line,
                        fields,
                        raw,
                        quotes: match self.dialect.quotes {
                            true => quotes(raw, self.dialect.separator),
                            false => Quotes::Fine,
                        },
                    }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Goes over `n` bytes and counts their lines.
    fn pass(&mut self, n: usize) {
        let (over, rest) = self.rest.split_at(n);
        self.line += over.iter().filter(|b| **b == b'\n').count();
        self.rest = rest;
    }

    pub(super) fn field(&self, row: &Row<'_>, at: usize) -> Result<&str, &'static str> {
        debug_assert!(at < row.fields);
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let bytes = self.out.get(from..self.ends[at]).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)
    }

    /// The fields of a header.
    pub(super) fn names(&self, header: &Row<'_>) -> Result<Vec<String>, Wrong> {
        (0..header.fields)
            .map(|at| match self.field(header, at) {
                Ok(name) => Ok(name.trim().to_owned()),
                Err(what) => Err(Wrong::at(header.line, what)),
            })
            .collect()
    }
}

/// How the quotes of a record stand. Lines are counted from its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Each that opens a field is closed at its end.
    Fine,
    /// One is not closed.
    Open { line: usize },
    /// A field goes on after the quote that closes it.
    After { line: usize, closed: usize },
    /// A field that is not quoted has one within.
    Within { line: usize },
}

fn quotes(record: &[u8], separator: u8) -> Quotes {
    if !record.contains(&b'"') {
        return Quotes::Fine;
    }
    let (mut at, mut line, mut fresh) = (0, 0, true);
    let mut within = None;
    while let Some(byte) = record.get(at) {
        if !(fresh && *byte == b'"') {
            if *byte == b'"' {
                within.get_or_insert(line);
            }
            fresh = *byte == separator;
            line += usize::from(*byte == b'\n');
            at += 1;
            continue;
        }
        let opened = line;
        loop {
            at += 1;
            match record.get(at) {
                None => return Quotes::Open { line: opened },
                Some(b'\n') => line += 1,
                Some(b'"') if record.get(at + 1) == Some(&b'"') => at += 1,
                Some(b'"') => break,
                Some(_) => {}
            }
        }
        at += 1;
        match record.get(at) {
            None | Some(b'\r' | b'\n') => {}
            Some(next) if *next == separator => {}
            Some(_) => {
                return Quotes::After {
                    line: opened,
                    closed: line,
                };
            }
        }
        fresh = false;
    }
    within.map_or(Quotes::Fine, |line| Quotes::Within { line })
}

/// How often a byte is in some bytes.
pub(super) fn count(bytes: &[u8], of: u8) -> usize {
    bytes.iter().filter(|byte| **byte == of).count()
}
