//! CSV and TSV.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::{Cell, Limits, Record, Table, Wrong, utf8};

/// Reads records that are delimited by `delimiter`, after a header.
pub(super) fn read(
    bytes: &[u8],
    delimiter: u8,
    wanted: &[&str],
    limits: &Limits,
) -> Result<Table, Wrong> {
    let mut records = Records {
        reader: ReaderBuilder::new().delimiter(delimiter).build(),
        rest: utf8(bytes)?.as_bytes(),
        line: 1,
        out: vec![0; limits.row.min(1 << 10)],
        ends: vec![0; 16],
        limits,
    };
    let Some(header) = records.next()? else {
        return Ok(Table {
            columns: Vec::new(),
            records: Vec::new(),
        });
    };
    let columns: Vec<String> = (0..header.fields)
        .map(|at| Ok(records.field(&header, at)?.trim().to_owned()))
        .collect::<Result<_, Wrong>>()?;
    let places: Vec<Option<usize>> = wanted
        .iter()
        .map(|wanted| columns.iter().position(|column| column == wanted))
        .collect();
    let mut found = Vec::new();
    while let Some(row) = records.next()? {
        if row.fields != columns.len() {
            return Err(Wrong::at(
                row.line,
                format!(
                    "the row has {} fields and the header {}; is a quote or a delimiter missing?",
                    row.fields,
                    columns.len()
                ),
            ));
        }
        if found.len() == limits.rows {
            return Err(Wrong::rows(row.line, limits));
        }
        let cell = |place: &Option<usize>| {
            let text = |at| Ok(Cell::Text(records.field(&row, at)?.to_owned()));
            place.map(text).transpose()
        };
        found.push(Record {
            line: row.line,
            cells: places.iter().map(cell).collect::<Result<_, Wrong>>()?,
        });
    }
    Ok(Table {
        columns,
        records: found,
    })
}

/// The records of a text, one at a time in buffers that are bounded.
struct Records<'a> {
    reader: Reader,
    rest: &'a [u8],
    /// The line that `rest` begins in.
    line: usize,
    out: Vec<u8>,
    ends: Vec<usize>,
    limits: &'a Limits,
}

/// A record whose fields are in the buffers.
struct Row {
    line: usize,
    fields: usize,
}

impl Records<'_> {
    fn next(&mut self) -> Result<Option<Row>, Wrong> {
        let blank = self
            .rest
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        self.pass(blank);
        let line = self.line;
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
                ReadRecordResult::Record => return Ok(Some(Row { line, fields })),
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

    fn field(&self, row: &Row, at: usize) -> Result<&str, Wrong> {
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let bytes = self.out.get(from..self.ends[at]).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| Wrong::at(row.line, "a field is not UTF-8"))
    }
}
