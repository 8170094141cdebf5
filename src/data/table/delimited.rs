//! CSV and TSV, and what is called so.
//!
//! A file's separator is what its header shows, and its quotes are judged before its fields are taken: a quote that is not
//! closed where it should be makes one field of many rows, and no field would tell.

use super::quoted::{Dialect, Quotes, Records, Row, count};
use super::record::{Cell, Limits, Record, Table, Wrong};

/// What separates fields, the usual first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads records after a header. `expected` separates their fields where the header does not show another separator.
pub(super) fn read(
    bytes: &[u8],
    expected: u8,
    wanted: &[&str],
    limits: &Limits,
) -> Result<Table, Wrong> {
    let (text, first, stated) = stated_separator(bytes);
    let separator = stated.unwrap_or_else(|| shown_separator(text, expected, wanted, limits));
    // TSV has no quotes; programs that write it as CSV with tabs use them nevertheless.
    let (quotes, literal) = match separator {
        b'\t' => tab_quotes(text, limits),
        _ => (true, false),
    };
    let dialect = Dialect { separator, quotes };
    let mut table = read_as(text, first, dialect, wanted, limits)?;
    if separator != expected {
        table.notes.push(format!(
            "its fields are separated by {}",
            match separator {
                b'\t' => "tabs".to_owned(),
                other => format!("\"{}\"", char::from(other)),
            }
        ));
    }
    if literal {
        table.notes.push(
            "its quotes are kept as they stand, because not every field that begins with one is quoted as a whole"
                .to_owned(),
        );
    }
    Ok(table)
}

/// The text after a first line `sep=;`, which spreadsheets write, that text's first line, and the separator.
fn stated_separator(bytes: &[u8]) -> (&[u8], usize, Option<u8>) {
    let end = bytes
        .iter()
        .position(|b| *b == b'\n')
        .unwrap_or(bytes.len());
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    match line {
        [s, e, p, b'=', separator]
            if [*s, *e, *p].eq_ignore_ascii_case(b"sep") && separator.is_ascii() =>
        {
            let rest = bytes.get(end + 1..).unwrap_or_default();
            (rest, 2, Some(*separator))
        }
        _ => (bytes, 1, None),
    }
}

/// The separator by which the header has the most of the wanted columns; of several, the expected one.
fn shown_separator(bytes: &[u8], expected: u8, wanted: &[&str], limits: &Limits) -> u8 {
    let found = |separator: u8| {
        let quotes = separator != b'\t';
        let columns = header(bytes, Dialect { separator, quotes }, limits).unwrap_or_default();
        wanted
            .iter()
            .filter(|name| columns.iter().any(|column| column == *name))
            .count()
    };
    let mut best = (expected, found(expected));
    for separator in SEPARATORS {
        if separator != expected {
            let columns = found(separator);
            if columns > best.1 {
                best = (separator, columns);
            }
        }
    }
    best.0
}

fn header(bytes: &[u8], dialect: Dialect, limits: &Limits) -> Result<Vec<String>, Wrong> {
    let mut records = Records::new(bytes, 1, dialect, limits);
    let Some(header) = records.next()? else {
        return Ok(Vec::new());
    };
    records.names(&header)
}

/// Whether a tab-separated text is quoted as CSV is, and if not, whether there are fields that begin with a quote.
///
/// Both readings of a field that begins with a quote are possible, and the wrong one makes one row of several. The text's
/// lines decide: where each has as many fields as the header, none is a part of a quoted field.
fn tab_quotes(text: &[u8], limits: &Limits) -> (bool, bool) {
    let lines = || {
        text.split(|b| *b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| !line.is_empty())
    };
    let fields = |line: &[u8]| count(line, b'\t') + 1;
    let begins = |line: &[u8]| {
        line.split(|b| *b == b'\t')
            .any(|field| field.first() == Some(&b'"'))
    };
    if !lines().any(begins) {
        return (false, false);
    }
    let width = lines().next().map_or(0, fields);
    let uneven = lines().filter(|line| fields(line) != width).count();
    let quotes = match uneven {
        0 => quoted_fields(lines().flat_map(|line| line.split(|b| *b == b'\t'))),
        uneven => quoted_records(text, width, limits).is_some_and(|bad| bad < uneven),
    };
    (quotes, !quotes)
}

/// Whether fields of which none holds a tab or the end of a line were quoted by the program that wrote them: each that
/// begins with a quote is quoted as a whole, and either had to be or so is everything but numbers and what is not there.
fn quoted_fields<'a>(fields: impl Iterator<Item = &'a [u8]>) -> bool {
    let (mut needed, mut everything) = (true, true);
    for field in fields {
        let Some(rest) = field.strip_prefix(b"\"") else {
            let plain = std::str::from_utf8(field).is_ok_and(|field| {
                [
                    "", "NA", "NULL", "true", "false", "TRUE", "FALSE", "True", "False",
                ]
                .contains(&field)
                    || field.parse::<f64>().is_ok()
            });
            everything &= plain;
            continue;
        };
        let Some(inner) = rest.strip_suffix(b"\"") else {
            return false;
        };
        let mut doubled = false;
        let mut rest = inner;
        while let Some(at) = rest.iter().position(|b| *b == b'"') {
            if rest.get(at + 1) != Some(&b'"') {
                return false;
            }
            doubled = true;
            rest = &rest[at + 2..];
        }
        needed &= doubled;
    }
    needed || everything
}

/// How many records have not `width` fields, read with quotes, or nothing where that reading cannot be right: a quote is
/// out of place, or lines that are whole records by themselves would become parts of a field.
fn quoted_records(text: &[u8], width: usize, limits: &Limits) -> Option<usize> {
    let dialect = Dialect {
        separator: b'\t',
        quotes: true,
    };
    let mut records = Records::new(text, 1, dialect, limits);
    let mut bad = 0;
    while let Some(row) = records.next().ok()? {
        if row.quotes != Quotes::Fine {
            return None;
        }
        bad += usize::from(row.fields != width);
        let whole = |line: &[u8]| count(line, b'\t') + 1 == width;
        let raw = row.raw.strip_suffix(b"\n").unwrap_or(row.raw);
        let lines: Vec<&[u8]> = raw.split(|b| *b == b'\n').collect();
        if let [first, between @ .., last] = &lines[..] {
            // The first or the last may have all separators of its record, but not both.
            if whole(first) && whole(last) || between.iter().any(|line| whole(line)) {
                return None;
            }
        }
    }
    Some(bad)
}

fn read_as(
    text: &[u8],
    first: usize,
    dialect: Dialect,
    wanted: &[&str],
    limits: &Limits,
) -> Result<Table, Wrong> {
    let mut records = Records::new(text, first, dialect, limits);
    let Some(header) = records.next()? else {
        return Ok(Table::default());
    };
    misquoted(&header)?;
    let columns = records.names(&header)?;
    for name in wanted {
        if columns.iter().filter(|column| column == name).count() > 1 {
            return Err(Wrong::at(
                header.line,
                format!("several columns are named \"{name}\"; rename all but one"),
            ));
        }
    }
    let places: Vec<Option<usize>> = wanted
        .iter()
        .map(|wanted| columns.iter().position(|column| column == wanted))
        .collect();
    let mut table = Table {
        columns,
        ..Table::default()
    };
    let mut quoting = Quoting::default();
    let width = header.fields;
    quoting.see(&header, width, dialect.separator)?;
    let mut read = 0;
    while let Some(row) = records.next()? {
        if read == limits.rows {
            return Err(Wrong::rows(row.line, limits));
        }
        read += 1;
        misquoted(&row)?;
        quoting.see(&row, width, dialect.separator)?;
        if let Quotes::After { .. } = row.quotes {
            table.skipped.add(row.line, STRAY, "");
            continue;
        }
        if row.fields != table.columns.len() {
            let what = format!(
                "the row has {} fields and the header {}; is a quote or a delimiter missing?",
                row.fields,
                table.columns.len()
            );
            let lines = row.lines();
            if lines > 1 {
                // Which rows these lines were to be is not known, so they cannot be counted.
                let last = row.line + lines - 1;
                return Err(Wrong::at(
                    row.line,
                    format!("{what} It goes to line {last}"),
                ));
            }
            table.skipped.add(row.line, &what, "");
            continue;
        }
        let cell = |place: &Option<usize>| match place {
            None => Ok(None),
            Some(at) => records
                .field(&row, *at)
                .map(|text| Some(Cell::Text(text.to_owned()))),
        };
        match places.iter().map(cell).collect::<Result<_, _>>() {
            Ok(cells) => table.records.push(Record {
                line: row.line,
                cells,
            }),
            Err(reason) => table.skipped.add(row.line, reason, ""),
        }
    }
    table.notes.extend(quoting.note());
    Ok(table)
}

/// What is wrong with a row in which a field goes on after its closing quote.
const STRAY: &str = "a field goes on after its closing quote; write a quote within a field twice, and the field in quotes";

/// Whether quotes may have made one row of several.
fn misquoted(row: &Row<'_>) -> Result<(), Wrong> {
    match row.quotes {
        Quotes::Open { line } => Err(Wrong::at(
            row.line + line,
            "a quote opens a field in this line and is never closed; close it, or write a quote within a field twice, and \
             the field in quotes",
        )),
        Quotes::After { line, closed } if closed > line => Err(Wrong::at(
            row.line + line,
            format!(
                "a quote opens a field in this line, and after the next one, in line {}, the field goes on; write a quote \
                 within a field twice, and the field in quotes",
                row.line + closed
            ),
        )),
        _ => Ok(()),
    }
}

/// What a file's quotes say of the program that wrote it, from its rows.
///
/// Whoever quotes what has to be quoted never leaves a quote in a field that is not. Where one does, a quote at the
/// beginning of a field may be part of its text, and the next one at an end of a field would make one row of several.
#[derive(Debug, Default)]
struct Quoting {
    /// The first row over several lines, by its first line and its last.
    several: Option<(usize, usize)>,
    /// How many such rows there are.
    rows: usize,
    /// The first of them that may as well be one row a line.
    doubtful: Option<(usize, usize)>,
    /// The first line in which a field that is not quoted has a quote.
    within: Option<usize>,
}

impl Quoting {
    fn see(&mut self, row: &Row<'_>, width: usize, separator: u8) -> Result<(), Wrong> {
        let lines = row.lines();
        if lines > 1 {
            let place = (row.line, row.line + lines - 1);
            self.several.get_or_insert(place);
            self.rows += 1;
            let whole = |line: &[u8]| count(line, separator) + 1 == width;
            let raw = row.raw.strip_suffix(b"\n").unwrap_or(row.raw);
            // Whoever writes a quote twice knows how to quote.
            let doubled = raw.windows(2).any(|two| two == b"\"\"");
            if !doubled && raw.split(|b| *b == b'\n').all(whole) {
                self.doubtful.get_or_insert(place);
            }
        }
        if let Quotes::Within { line } = row.quotes {
            self.within.get_or_insert(row.line + line);
        }
        match (self.doubtful, self.within) {
            (Some((first, last)), Some(within)) => Err(Wrong::at(
                first,
                format!(
                    "by its quotes this row goes to line {last}, but line {within} has a quote in a field that is not \
                     quoted, so these quotes may be text; write a quote within a field twice, and the field in quotes"
                ),
            )),
            _ => Ok(()),
        }
    }

    fn note(&self) -> Option<String> {
        let (first, last) = self.several?;
        Some(match self.rows {
            1 => format!("one row goes over several lines: {first} to {last}"),
            rows => format!("{rows} rows go over several lines, the first over {first} to {last}"),
        })
    }
}
