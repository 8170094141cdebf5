//! A row of a table: numbers and categories by the names of their columns.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Code, Error, Result, excerpt};

/// The most cells that a row may have.
pub const MAX_CELLS: usize = 1 << 16;

/// What a row has in a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A finite number.
    Number(f64),
    /// A category.
    Text(String),
    /// Nothing that is known.
    Null,
}

/// A row of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    cells: BTreeMap<String, Cell>,
}

impl Table {
    /// A row of these cells.
    ///
    /// # Errors
    /// [`Code::InputTooLong`] when there are more than [`MAX_CELLS`], [`Code::InputKind`] when a number is infinite or none.
    pub fn new(cells: impl IntoIterator<Item = (String, Cell)>) -> Result<Self> {
        let mut table = Table::default();
        for (name, cell) in cells {
            if table.cells.len() == MAX_CELLS {
                return Err(Error::new(
                    Code::InputTooLong,
                    format!("the row has more than {MAX_CELLS} columns"),
                ));
            }
            if let Cell::Number(number) = cell
                && !number.is_finite()
            {
                return Err(Error::new(
                    Code::InputKind,
                    format!(
                        "the column \"{}\" is {number}; what is not known is null",
                        excerpt(&name, 60)
                    ),
                ));
            }
            table.cells.insert(name, cell);
        }
        Ok(table)
    }

    /// The row that a JSON object is.
    ///
    /// # Errors
    /// As [`Table::new`]; [`Code::InputKind`] when it is no object, or a value is no number, string or null.
    pub fn of_json(value: Value) -> Result<Self> {
        let Value::Object(named) = value else {
            return Err(Error::new(
                Code::InputKind,
                "a row of a table is an object: a number, a string or null for each column",
            ));
        };
        let cells = named.into_iter().map(|(name, value)| match value {
            Value::Null => Ok((name, Cell::Null)),
            Value::String(text) => Ok((name, Cell::Text(text))),
            Value::Number(number) => Ok((name, Cell::Number(number.as_f64().unwrap_or(f64::NAN)))),
            Value::Bool(_) => Err(not_a_cell(&name, "a truth value")),
            Value::Array(_) => Err(not_a_cell(&name, "a list")),
            Value::Object(_) => Err(not_a_cell(&name, "an object")),
        });
        Table::new(cells.collect::<Result<Vec<_>>>()?)
    }

    /// What it has in a column; nothing where it has no such column.
    pub fn cell(&self, column: &str) -> Option<&Cell> {
        self.cells.get(column)
    }

    /// The names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.cells.keys().map(String::as_str)
    }

    /// The length of its names and values.
    pub fn bytes(&self) -> usize {
        let value = |cell: &Cell| match cell {
            Cell::Number(_) => 8,
            Cell::Text(text) => text.len(),
            Cell::Null => 0,
        };
        let cells = self.cells.iter();
        cells.map(|(name, cell)| name.len() + value(cell)).sum()
    }
}

/// That a column has what no cell is, for whoever reads rows of another form.
pub fn not_a_cell(column: &str, what: &str) -> Error {
    Error::new(
        Code::InputKind,
        format!(
            "the column \"{}\" is {what}; it must be a number, a string or null",
            excerpt(column, 60)
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_an_object_of_numbers_strings_and_nulls() {
        let row = json!({ "rooms": 3, "town": "Bergen", "age": null });
        let table = Table::of_json(row).unwrap();
        assert_eq!(table.cell("rooms"), Some(&Cell::Number(3.0)));
        assert_eq!(table.cell("town"), Some(&Cell::Text("Bergen".into())));
        assert_eq!(table.cell("age"), Some(&Cell::Null));
        assert_eq!(table.cell("size"), None);
        assert_eq!(table.bytes(), "roomstownage".len() + 8 + "Bergen".len());
        for (wrong, word) in [
            (json!([1]), "object"),
            (json!({ "rooms": true }), "\"rooms\" is a truth value"),
            (json!({ "rooms": [1] }), "a list"),
            (json!({ "rooms": {} }), "an object"),
        ] {
            let error = Table::of_json(wrong).unwrap_err();
            assert_eq!(error.code(), Code::InputKind);
            assert!(error.to_string().contains(word), "{error}");
        }
        let none = Table::new([("rooms".to_owned(), Cell::Number(f64::NAN))]).unwrap_err();
        assert!(none.to_string().contains("\"rooms\" is NaN"), "{none}");
    }

    #[test]
    fn ten_thousand_columns_are_read_and_more_than_the_most_are_refused() {
        let row = |count: usize| Table::new((0..count).map(|n| (format!("c{n}"), Cell::Null)));
        assert_eq!(row(10_000).unwrap().columns().count(), 10_000);
        let error = row(MAX_CELLS + 1).unwrap_err();
        assert_eq!(error.code(), Code::InputTooLong);
    }
}
