//! Records to rows of tables: each row's columns as a JSON object, by the columns that a model reads.

use serde_json::{Map, Number, Value};

use super::table::{self, Cell, Format, Limits, Record};
use super::{Columns, Row, Rows};
use crate::bundle::{Column, ColumnKind};
use crate::error::{Code, Error, Result, excerpt};

/// Reads the rows of a file whose inputs are rows of a table, within the default [`Limits`]. A row's text is the JSON object of
/// its columns. In a file of separated values all values are texts: in a column of numbers they are read as such, and an empty
/// one is null.
///
/// # Errors
/// As [`super::read`]; [`Code::InvalidData`] when a column is missing from the file.
pub fn read_table(name: &str, bytes: &[u8], model: &[Column], columns: &Columns) -> Result<Rows> {
    let format = Format::of(name)?;
    let separated = matches!(format, Format::Csv | Format::Tsv);
    let mut wanted: Vec<&str> = model.iter().map(|column| column.name.as_str()).collect();
    // A column is read once: what stands for two things is given to both.
    let place = |column: &str| match wanted.iter().position(|name| *name == column) {
        Some(at) => at,
        None => wanted.len(),
    };
    let label = place(&columns.label);
    if label == wanted.len() {
        wanted.push(&columns.label);
    }
    let slice = columns.slice.as_deref().map(|slice| {
        let at = wanted.iter().position(|name| *name == slice);
        at.unwrap_or_else(|| {
            wanted.push(slice);
            wanted.len() - 1
        })
    });
    let limits = Limits {
        columns: Limits::default().columns.max(2 * wanted.len()),
        ..Limits::default()
    };
    let found = table::parse(name, bytes, format, &wanted, &limits)?;
    let mut skipped = found.skipped;
    // A line of JSON may leave columns out; then the model is asked what it makes of that.
    if separated {
        let missing = model
            .iter()
            .find(|column| !found.columns.contains(&column.name));
        if let Some(missing) = missing {
            return Err(Error::new(
                Code::InvalidData,
                format!(
                    "{name} has no column \"{}\", which the model reads; it has {}",
                    excerpt(&missing.name, 60),
                    excerpt(&found.columns.join(", "), 500)
                ),
            ));
        }
    }
    let mut rows = Vec::with_capacity(found.records.len());
    for record in found.records {
        let line = record.line;
        match row(record, model, (label, slice), separated) {
            Ok(row) => rows.push(row),
            Err(reason) => skipped.add(line, &reason, ""),
        }
    }
    if rows.is_empty() {
        Rows::new(name, Vec::new(), skipped, found.notes).all()?;
        return Err(Error::new(Code::InvalidData, format!("{name} has no rows")));
    }
    Ok(Rows::new(name, rows, skipped, found.notes))
}

fn row(
    record: Record,
    model: &[Column],
    (label, slice): (usize, Option<usize>),
    separated: bool,
) -> std::result::Result<Row, String> {
    let Record { line, cells } = record;
    let mut object = Map::new();
    for (column, cell) in model.iter().zip(&cells) {
        let Some(cell) = cell else { continue };
        let name = &column.name;
        let number = |text: &str| {
            let parsed = text.trim().parse::<f64>().ok();
            parsed.and_then(Number::from_f64).map(Value::Number)
        };
        let value = match (cell, column.kind) {
            (Cell::Null, _) => Value::Null,
            (Cell::Text(text), _) if separated && text.trim().is_empty() => Value::Null,
            (Cell::Text(text), ColumnKind::Number) if separated => {
                number(text).ok_or_else(|| format!("\"{name}\" is no finite number"))?
            }
            (Cell::Text(text), _) => Value::String(text.clone()),
            (Cell::Plain("a number", text), _) => {
                number(text).ok_or_else(|| format!("\"{name}\" is no finite number"))?
            }
            (Cell::Plain(kind, _) | Cell::Nested(kind, _) | Cell::Other(kind), _) => {
                return Err(format!("\"{name}\" is {kind}, it must be a number or text"));
            }
        };
        object.insert(name.clone(), value);
    }
    let named = |at: usize| match cells.get(at) {
        Some(Some(Cell::Text(value) | Cell::Plain(_, value))) if !value.is_empty() => {
            Some(value.clone())
        }
        _ => None,
    };
    Ok(Row {
        text: Value::Object(object).to_string(),
        label: named(label),
        slice: slice.and_then(named),
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> (Vec<Column>, Columns) {
        let json = serde_json::json!([
            { "name": "town", "kind": "category" },
            { "name": "rooms", "kind": "number" }
        ]);
        let columns = Columns {
            nested: false,
            text: "input".into(),
            label: "sold".into(),
            slice: Some("town".into()),
        };
        (serde_json::from_value(json).unwrap(), columns)
    }

    #[test]
    fn the_same_rows_come_of_separated_values_and_of_json() {
        let (model, columns) = columns();
        let csv = "sold,town,more,rooms\nyes,Oslo,x,3\nno,Bergen,y,\n";
        let jsonl = "{\"town\":\"Oslo\",\"rooms\":3,\"sold\":\"yes\"}\n{\"town\":\"Bergen\",\"rooms\":null,\"sold\":\"no\"}\n";
        let read = |name: &str, text: &str| {
            let rows = read_table(name, text.as_bytes(), &model, &columns)
                .unwrap()
                .all();
            let parts = |row: Row| (row.text, row.label, row.slice);
            rows.unwrap().into_iter().map(parts).collect::<Vec<_>>()
        };
        let rows = read("a.csv", csv);
        assert_eq!(rows, read("a.jsonl", jsonl));
        assert_eq!(rows[0].0, "{\"rooms\":3.0,\"town\":\"Oslo\"}");
        assert_eq!(rows[1].0, "{\"rooms\":null,\"town\":\"Bergen\"}");
        assert_eq!(
            (rows[0].1.as_deref(), rows[0].2.as_deref()),
            (Some("yes"), Some("Oslo"))
        );
    }

    #[test]
    fn a_column_that_is_missing_or_no_number_is_named() {
        let (model, columns) = columns();
        let read = |name: &str, text: &str| {
            let rows = read_table(name, text.as_bytes(), &model, &columns);
            rows.and_then(Rows::all).unwrap_err().to_string()
        };
        assert!(read("a.csv", "town,sold\nOslo,yes\n").contains("no column \"rooms\""));
        let told = read("a.csv", "town,rooms,sold\nOslo,three,yes\n");
        assert!(
            told.contains("line 2") && told.contains("\"rooms\" is no finite number"),
            "{told}"
        );
        let told = read("a.jsonl", "{\"town\":[1],\"rooms\":1}\n");
        assert!(told.contains("\"town\" is"), "{told}");
    }
}
