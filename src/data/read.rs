//! Records to labelled rows.

use serde_json::Value;

use super::table::{self, Format, Record};
use super::{Columns, Row};
use crate::error::{Code, Error, Result};

/// The longest text of a row, in bytes.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// Reads the rows of a file. `name` tells the format by its ending, and is used in errors.
///
/// # Errors
/// [`Code::InvalidData`]: which line is wrong, how, and what to do.
pub fn read(name: &str, bytes: &[u8], columns: &Columns) -> Result<Vec<Row>> {
    let format = Format::of(name)?;
    let table = table::parse(name, bytes, format)?;
    if table.records.is_empty() {
        return Err(Error::new(Code::InvalidData, format!("{name} has no rows")));
    }
    let wanted = [
        Some((&columns.text, "--text")),
        columns.slice.as_ref().map(|s| (s, "--slice")),
    ];
    for (column, option) in wanted.into_iter().flatten() {
        if !table.columns.contains(column) {
            return Err(Error::new(
                Code::InvalidData,
                format!(
                    "{name} has no column \"{column}\"; it has {}. Name one with {option}",
                    table.columns.join(", ")
                ),
            ));
        }
    }
    table
        .records
        .into_iter()
        .map(|record| row(name, record, columns))
        .collect()
}

fn row(name: &str, mut record: Record, columns: &Columns) -> Result<Row> {
    let line = record.line;
    let wrong =
        |what: String| Error::new(Code::InvalidData, format!("{name}, line {line}: {what}"));
    let text = match record.values.remove(&columns.text) {
        Some(Value::String(text)) => text,
        None | Some(Value::Null) => {
            return Err(wrong(format!("there is no \"{}\"", columns.text)));
        }
        Some(other) => {
            return Err(wrong(format!(
                "\"{}\" is {}, it must be text",
                columns.text,
                kind(&other)
            )));
        }
    };
    if text.trim().is_empty() {
        return Err(wrong(format!(
            "\"{}\" is blank; remove the row",
            columns.text
        )));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(wrong(format!(
            "the text has {} bytes; the most that is read is {MAX_TEXT_BYTES}",
            text.len()
        )));
    }
    let mut named = |column: &str| match record.values.remove(column) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if value.is_empty() => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
        Some(other) => Err(wrong(format!(
            "\"{column}\" is {}, it must be text, a number or a truth value",
            kind(&other)
        ))),
    };
    Ok(Row {
        label: named(&columns.label)?,
        slice: match &columns.slice {
            Some(column) => named(column)?,
            None => None,
        },
        text,
        line,
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list or binary data",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            text: "text".into(),
            label: "label".into(),
            slice: Some("group".into()),
        }
    }

    fn rows(name: &str, content: &str) -> Result<Vec<Row>> {
        read(name, content.as_bytes(), &columns())
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
        let error = read("a.csv", latin, &columns()).unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
        assert!(error.to_string().contains("iconv"), "{error}");
    }
}
