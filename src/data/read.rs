//! Records to labelled rows.

use super::table::{self, Cell, Format, Limits, Record};
use super::{Columns, Row, Rows};
use crate::error::{Code, Error, Result, excerpt};

/// Reads the rows of a file, within the default [`Limits`]. `name` tells the format by its ending, and is used in errors.
/// Rows that cannot be read are counted: [`Rows::all`] makes an error of them.
///
/// # Errors
/// [`Code::InvalidData`] for what is wrong with the file as a whole: in which line, how, and what to do.
pub fn read(name: &str, bytes: &[u8], columns: &Columns) -> Result<Rows> {
    read_within(name, bytes, columns, &Limits::default())
}

/// As [`read`], within these limits.
///
/// # Errors
/// As [`read`].
pub fn read_within(name: &str, bytes: &[u8], columns: &Columns, limits: &Limits) -> Result<Rows> {
    let format = Format::of(name)?;
    let mut wanted = vec![columns.text.as_str(), &columns.label];
    wanted.extend(columns.slice.as_deref());
    let table = table::parse(name, bytes, format, &wanted, limits)?;
    let mut skipped = table.skipped;
    if table.records.is_empty() {
        // Where there are bad rows alone, they say more.
        Rows::new(name, Vec::new(), skipped, table.notes).all()?;
        return Err(Error::new(Code::InvalidData, format!("{name} has no rows")));
    }
    let needed = [
        Some((&columns.text, "--text")),
        columns.slice.as_ref().map(|s| (s, "--slice")),
    ];
    for (column, option) in needed.into_iter().flatten() {
        if !table.columns.contains(column) {
            return Err(Error::new(
                Code::InvalidData,
                format!(
                    "{name} has no column \"{column}\"; it has {}. Name one with {option}",
                    excerpt(&table.columns.join(", "), 500)
                ),
            ));
        }
    }
    let mut rows = Vec::with_capacity(table.records.len());
    for record in table.records {
        let line = record.line;
        match row(record, columns, limits) {
            Ok(row) => rows.push(row),
            Err(reason) => skipped.add(line, &reason, ""),
        }
    }
    Ok(Rows::new(name, rows, skipped, table.notes))
}

/// A record as a row, or what is wrong with it.
fn row(record: Record, columns: &Columns, limits: &Limits) -> std::result::Result<Row, String> {
    // In the order in which they were asked for.
    let mut cells = record.cells.into_iter();
    let text = match cells.next().flatten() {
        Some(Cell::Text(text)) => text,
        Some(Cell::Nested(_, json)) if columns.nested => json,
        None | Some(Cell::Null) => return Err(format!("there is no \"{}\"", columns.text)),
        Some(Cell::Plain(kind, _) | Cell::Nested(kind, _) | Cell::Other(kind)) => {
            return Err(format!("\"{}\" is {kind}, it must be text", columns.text));
        }
    };
    if text.trim().is_empty() {
        return Err(format!("\"{}\" is blank; remove the row", columns.text));
    }
    if text.len() > limits.text {
        return Err(format!(
            "the text has more than {} bytes, which is the most that is read",
            limits.text
        ));
    }
    let named = |column: &str, cell: Option<Cell>| match cell {
        None | Some(Cell::Null) => Ok(None),
        Some(Cell::Text(value)) if value.is_empty() => Ok(None),
        Some(Cell::Text(value) | Cell::Plain(_, value)) => Ok(Some(value)),
        Some(Cell::Nested(_, json)) if columns.nested => Ok(Some(json)),
        Some(Cell::Nested(kind, _) | Cell::Other(kind)) => Err(format!(
            "\"{column}\" is {kind}, it must be text, a finite number or a truth value"
        )),
    };
    Ok(Row {
        label: named(&columns.label, cells.next().flatten())?,
        slice: match &columns.slice {
            Some(column) => named(column, cells.next().flatten())?,
            None => None,
        },
        text,
        line: record.line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            nested: false,
            text: "text".into(),
            label: "label".into(),
            slice: Some("group".into()),
        }
    }

    fn rows(name: &str, content: &str) -> Result<Vec<Row>> {
        read(name, content.as_bytes(), &columns())?.all()
    }

    #[test]
    fn the_same_rows_come_out_of_every_format() {
        let jsonl = "\u{feff}{\"text\": \"a, \\\"b\\\"\", \"label\": 1, \"group\": \"x\", \"more\": []}\r\n\n{\"text\": \"c\\nd\", \"label\": null}\n";
        let csv = "\u{feff}text,label,group\r\n\"a, \"\"b\"\"\",1,x\r\n\"c\nd\",,\r\n";
        let tsv = "text\tlabel\tgroup\n\"a, \"\"b\"\"\"\t1\tx\n\"c\nd\"\t\t\n";
        let expected = |lines: [usize; 2]| {
            vec![
                Row {
                    text: "a, \"b\"".into(),
                    label: Some("1".into()),
                    slice: Some("x".into()),
                    line: lines[0],
                },
                Row {
                    text: "c\nd".into(),
                    label: None,
                    slice: None,
                    line: lines[1],
                },
            ]
        };
        assert_eq!(rows("a.jsonl", jsonl).unwrap(), expected([1, 3]));
        assert_eq!(rows("a.csv", csv).unwrap(), expected([2, 3]));
        assert_eq!(rows("a.tsv", tsv).unwrap(), expected([2, 3]));
    }

    #[test]
    fn errors_name_the_line_and_what_to_do() {
        let good = "{\"text\": \"a\", \"group\": \"g\"}\n";
        for (name, content, words) in [
            ("a.jsonl", "", &["no rows"][..]),
            ("a.csv", "text,label,group\n", &["no rows"]),
            (
                "a.jsonl",
                &format!("{good}{{\"text\": 1}}"),
                &["line 2", "a number"],
            ),
            (
                "a.jsonl",
                &format!("{good}{{\"label\": 1}}"),
                &["line 2", "no \"text\""],
            ),
            (
                "a.jsonl",
                &format!("{good}{good}nonsense"),
                &["line 3", "not a JSON object"],
            ),
            ("a.jsonl", &format!("{good}\n[1]"), &["line 3"]),
            (
                "a.jsonl",
                &format!("{good}{{\"text\": \" \"}}"),
                &["line 2", "blank"],
            ),
            (
                "a.jsonl",
                &format!("{good}{{\"text\": \"a\", \"label\": {{}}}}"),
                &["line 2", "an object"],
            ),
            (
                "a.csv",
                "body,label\nx,y\n",
                &["no column \"text\"", "body, label", "--text"],
            ),
            (
                "a.csv",
                "text,label\nx,y\n",
                &["no column \"group\"", "--slice"],
            ),
            ("a.csv", "text,label,group\nx,y,z\nonly\n", &["line 3"]),
            ("a.txt", "x", &[".jsonl"]),
        ] {
            let error = rows(name, content).expect_err(content);
            assert_eq!(error.code(), Code::InvalidData);
            for word in words {
                assert!(error.to_string().contains(word), "{error}");
            }
        }
        let latin = b"text,label,group\nok,a,b\ncaf\xe9,a,b\n";
        let error = read("a.csv", latin, &columns()).unwrap().all().unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
        assert!(error.to_string().contains("iconv"), "{error}");
    }
}
