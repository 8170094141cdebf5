//! One JSON object a line. Values of columns that nobody wants are passed over.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Cell, Limits, Record, Table, Wrong, utf8};

/// Reads the objects of a text.
pub(super) fn read(bytes: &[u8], wanted: &[&str], limits: &Limits) -> Result<Table, Wrong> {
    let mut columns = BTreeSet::new();
    let mut records = Vec::new();
    for (line, json) in (1..).zip(utf8(bytes)?.lines()) {
        if json.len() > limits.row {
            return Err(Wrong::row(line, limits));
        }
        if json.trim().is_empty() {
            continue;
        }
        if records.len() == limits.rows {
            return Err(Wrong::rows(line, limits));
        }
        let mut json = serde_json::Deserializer::from_str(json);
        let mut too_many = false;
        let object = Object {
            wanted,
            columns: &mut columns,
            most: limits.columns,
            too_many: &mut too_many,
        };
        let cells = object
            .deserialize(&mut json)
            .and_then(|cells| json.end().map(|()| cells));
        if too_many {
            return Err(Wrong::columns(line, limits));
        }
        let cells =
            cells.map_err(|e| Wrong::at(line, format!("this is not a JSON object: {e}")))?;
        records.push(Record { line, cells });
    }
    Ok(Table {
        columns: columns.into_iter().collect(),
        records,
    })
}

/// An object, of which the wanted values are kept, and of all others the names.
struct Object<'a> {
    wanted: &'a [&'a str],
    columns: &'a mut BTreeSet<String>,
    most: usize,
    too_many: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Vec<Option<Cell>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Vec<Option<Cell>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut cells = vec![None; self.wanted.len()];
        while let Some(name) = map.next_key::<String>()? {
            if self.wanted.contains(&name.as_str()) {
                let cell = map.next_value_seed(Value)?;
                for (place, _) in (0..)
                    .zip(self.wanted)
                    .filter(|(_, wanted)| **wanted == name)
                {
                    cells[place] = Some(cell.clone());
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            if !self.columns.contains(&name) {
                if self.columns.len() == self.most {
                    *self.too_many = true;
                    return Err(A::Error::custom("too many columns"));
                }
                self.columns.insert(name);
            }
        }
        Ok(cells)
    }
}

/// A value of a wanted column.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Cell, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Plain("a truth value", value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Plain("a number", value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Plain("a number", value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Plain(
            "a number",
            serde_json::Value::from(value).to_string(),
        ))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
}
