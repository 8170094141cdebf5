//! What a model is given of a row.

use super::{Column, ColumnKind, Fill};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::{Cell, Table};

/// What a model is given of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Given<'a> {
    /// A number; not finite only where the column says that null is the number that is none.
    Number(f64),
    /// A category.
    Text(&'a str),
}

impl Fill {
    fn given(&self) -> Given<'_> {
        match self {
            Fill::Number(number) => Given::Number(number.as_f64().unwrap_or(f64::NAN)),
            Fill::Text(text) => Given::Text(text),
        }
    }
}

impl Column {
    /// The model's input that it goes into.
    pub fn input(&self) -> &str {
        self.input.as_deref().unwrap_or(&self.name)
    }

    /// What is wrong with it by itself, in words.
    ///
    /// # Errors
    /// That.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let wrong = |why: &str| Err(format!("the column \"{}\" {why}", excerpt(&self.name, 60)));
        if self.name.is_empty() {
            return Err("a column has no name".into());
        }
        match self.kind {
            ColumnKind::Number => {
                if self.categories.is_some() || self.unknown.is_some() {
                    return wrong("has numbers, which have no categories and no unknown one");
                }
                match &self.missing {
                    Some(Fill::Text(text)) if text != "nan" => {
                        wrong("has numbers, and `missing` must be a number or \"nan\"")
                    }
                    _ => Ok(()),
                }
            }
            ColumnKind::Category => match &self.categories {
                None if self.unknown.is_some() => {
                    wrong("has `unknown`, and no list of the categories that are known")
                }
                Some(known) if known.is_empty() => wrong("has no categories"),
                _ => Ok(()),
            },
        }
    }

    /// What the model is given of a row's cell. `codes` says whether it takes categories as their places.
    ///
    /// # Errors
    /// [`Code::InputKind`] when the row has no such column, or another value than the model can be given.
    pub(crate) fn given<'a>(&'a self, row: &'a Table, codes: bool) -> Result<Given<'a>> {
        let Some(cell) = row.cell(&self.name) else {
            return Err(self.refused("is missing from the row"));
        };
        match (self.kind, cell) {
            (_, Cell::Null) => match (&self.missing, self.kind) {
                (None, _) => Err(self.refused("is null, and the model has no value for that")),
                (Some(Fill::Text(_)), ColumnKind::Number) => Ok(Given::Number(f64::NAN)),
                (Some(fill), _) => Ok(self.coded(fill.given(), codes)),
            },
            (ColumnKind::Number, Cell::Number(number)) => Ok(Given::Number(*number)),
            (ColumnKind::Number, Cell::Text(text)) => Err(self.refused(&format!(
                "must be a number, and is the string \"{}\"",
                excerpt(text, 40)
            ))),
            (ColumnKind::Category, Cell::Number(number)) => {
                Err(self.refused(&format!("must be a string, and is the number {number}")))
            }
            (ColumnKind::Category, Cell::Text(text)) => match (&self.categories, &self.unknown) {
                (Some(known), None) if !known.contains(text) => Err(self.refused(&format!(
                    "is \"{}\", which is none of {}",
                    excerpt(text, 40),
                    excerpt(&known.join(", "), 200)
                ))),
                (Some(known), Some(fill)) if !known.contains(text) => {
                    Ok(self.coded(fill.given(), codes))
                }
                _ => Ok(self.coded(Given::Text(text), codes)),
            },
        }
    }

    /// A category as its place, where the model takes that.
    fn coded<'a>(&self, given: Given<'a>, codes: bool) -> Given<'a> {
        let (Given::Text(text), true) = (given, codes) else {
            return given;
        };
        let known = self.categories.as_ref();
        let place = known.and_then(|known| known.iter().position(|name| name == text));
        place.map_or(given, |place| Given::Number(place as f64))
    }

    fn refused(&self, why: &str) -> Error {
        let name = excerpt(&self.name, 60);
        Error::new(Code::InputKind, format!("the column \"{name}\" {why}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn column(more: Value) -> Column {
        let mut json = json!({ "name": "town", "kind": "category" });
        let more = more.as_object().unwrap().clone();
        json.as_object_mut().unwrap().extend(more);
        serde_json::from_value(json).unwrap()
    }

    fn of(column: &Column, town: Value, codes: bool) -> std::result::Result<String, String> {
        let row = Table::of_json(json!({ "town": town })).unwrap();
        match column.given(&row, codes) {
            Ok(Given::Number(number)) => Ok(number.to_string()),
            Ok(Given::Text(text)) => Ok(text.to_owned()),
            Err(error) => {
                assert_eq!(error.code(), Code::InputKind);
                Err(error.to_string())
            }
        }
    }

    #[test]
    fn categories_come_as_they_are_or_as_their_places() {
        let any = column(json!({}));
        assert_eq!(of(&any, json!("Bergen"), false), Ok("Bergen".into()));
        let known = column(json!({ "categories": ["Oslo", "Bergen"] }));
        assert_eq!(of(&known, json!("Bergen"), true), Ok("1".into()));
        let fault = of(&known, json!("Rome"), true).unwrap_err();
        assert!(
            fault.contains("\"town\" is \"Rome\", which is none of Oslo, Bergen"),
            "{fault}"
        );
        let filled =
            column(json!({ "categories": ["Oslo", "Bergen"], "unknown": -1, "missing": "Oslo" }));
        assert_eq!(of(&filled, json!("Rome"), true), Ok("-1".into()));
        assert_eq!(of(&filled, Value::Null, true), Ok("0".into()));
        assert_eq!(of(&filled, Value::Null, false), Ok("Oslo".into()));
    }

    #[test]
    fn what_a_model_has_no_value_for_is_refused_by_the_column() {
        let any = column(json!({}));
        for (town, word) in [
            (Value::Null, "\"town\" is null"),
            (json!(5), "\"town\" must be a string, and is the number 5"),
        ] {
            let fault = of(&any, town, false).unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
        let number = column(json!({ "kind": "number" }));
        let fault = of(&number, json!("5"), false).unwrap_err();
        assert!(
            fault.contains("must be a number, and is the string \"5\""),
            "{fault}"
        );
        let nan = column(json!({ "kind": "number", "missing": "nan" }));
        assert_eq!(of(&nan, Value::Null, false), Ok("NaN".into()));
        let missing = any.given(&Table::default(), false).unwrap_err();
        assert!(
            missing.to_string().contains("\"town\" is missing"),
            "{missing}"
        );
    }

    #[test]
    fn columns_that_say_two_things_are_refused() {
        for (more, word) in [
            (json!({ "name": "" }), "no name"),
            (
                json!({ "kind": "number", "categories": ["a"] }),
                "no categories",
            ),
            (json!({ "kind": "number", "missing": "none" }), "\"nan\""),
            (json!({ "unknown": "a" }), "`unknown`"),
            (json!({ "categories": [] }), "no categories"),
        ] {
            let fault = column(more).check().unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
        assert_eq!(column(json!({})).check(), Ok(()));
    }
}
