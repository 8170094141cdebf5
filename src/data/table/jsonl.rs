//! One JSON object a line, as programs write it: Python's `NaN` and `Infinity` are none of JSON, half of a surrogate pair is
//! no character, and both are in files that are read everywhere else. Values of columns that nobody wants are passed over.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde_json::value::RawValue;

use super::encoding::{Lines, NOT_UTF8};
use super::record::{Cell, Limits, Record, Table, Wrong};

/// A number that no f64 holds: what `Infinity` is read as.
const INFINITE: &str = "1e999";

/// Reads the objects of a text.
pub(super) fn read(bytes: &[u8], wanted: &[&str], limits: &Limits) -> Result<Table, Wrong> {
    let mut columns = BTreeSet::new();
    let mut table = Table::default();
    let mut halves = Lines::default();
    let mut read = 0;
    for (line, json) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        if json.len() > limits.row {
            return Err(Wrong::row(line, limits));
        }
        // Files that were put one after the other have a mark in the midst.
        let json = json
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(json)
            .trim_ascii();
        if json.is_empty() {
            continue;
        }
        if read == limits.rows {
            return Err(Wrong::rows(line, limits));
        }
        if read == 0 {
            other_json(json, bytes).map_or(Ok(()), |what| Err(Wrong::at(line, what)))?;
        }
        read += 1;
        let Ok(json) = std::str::from_utf8(json) else {
            table.skipped.add(line, NOT_UTF8, "");
            continue;
        };
        let strict = strict(json);
        let mut json = serde_json::Deserializer::from_str(&strict.json);
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
        match cells {
            Ok(cells) => {
                if strict.halved(&cells) {
                    halves.add(line);
                }
                table.records.push(Record { line, cells });
            }
            Err(error) => {
                let detail = error.to_string().replace("at line 1 column", "at column");
                table
                    .skipped
                    .add(line, "this is not a JSON object", &detail);
            }
        }
    }
    table.columns = columns.into_iter().collect();
    table.notes.extend(halves.note());
    Ok(table)
}

/// What a file is whose first line shows that it is JSON, but not with an object a line.
fn other_json(first: &[u8], bytes: &[u8]) -> Option<&'static str> {
    match first {
        // A line that is a list by itself is a bad row, as any other.
        [b'[', rest @ ..]
            if rest.trim_ascii().is_empty() || rest.trim_ascii().first() == Some(&b'{') =>
        {
            Some("this is a JSON list; write an object a line: `jq -c '.[]'`")
        }
        [b'{'] if bytes.iter().filter(|b| **b == b'\n').count() > 1 => {
            Some("its objects go over several lines; write an object a line: `jq -c .`")
        }
        _ => None,
    }
}

/// A line as JSON.
struct Strict<'a> {
    json: Cow<'a, str>,
    /// Whether half of a surrogate pair was replaced.
    halves: bool,
}

impl Strict<'_> {
    /// Whether that was in a value that is read.
    fn halved(&self, cells: &[Option<Cell>]) -> bool {
        let has = |cell: &Cell| matches!(cell, Cell::Text(text) if text.contains('\u{fffd}'));
        self.halves && cells.iter().flatten().any(has)
    }
}

/// Makes JSON of what programs write beside it: `NaN` is nothing, an infinity a number that is too large, and half of a
/// surrogate pair U+FFFD.
fn strict(line: &str) -> Strict<'_> {
    let bytes = line.as_bytes();
    let mut out = String::new();
    let (mut at, mut copied, mut quoted, mut halves) = (0, 0, false, false);
    while let Some(byte) = bytes.get(at) {
        let (len, instead) = match (quoted, byte) {
            (_, b'"') => {
                quoted = !quoted;
                (1, None)
            }
            (true, b'\\') => match (
                surrogate(&bytes[at..]),
                surrogate(bytes.get(at + 6..).unwrap_or_default()),
            ) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
                (Some(_), _) => {
                    halves = true;
                    (6, Some("\\ufffd"))
                }
                (None, _) => (2, None),
            },
            (false, b'N') if bytes[at..].starts_with(b"NaN") => (3, Some("null")),
            (false, b'I') if bytes[at..].starts_with(b"Infinity") => (8, Some(INFINITE)),
            _ => (1, None),
        };
        if let Some(instead) = instead {
            out += &line[copied..at];
            out += instead;
            copied = at + len;
        }
        at += len;
    }
    Strict {
        json: match copied {
            0 => Cow::Borrowed(line),
            _ => Cow::Owned(out + &line[copied..]),
        },
        halves,
    }
}

/// The number of an escape `\uXXXX`, where it is a surrogate.
fn surrogate(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    // The standard library would take a sign, too.
    let all = digits.iter().all(u8::is_ascii_hexdigit);
    let number = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (all && (0xd800..=0xdfff).contains(&number)).then_some(number)
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
        // Numbers are kept as they are written: an identifier may have more digits than any number here.
        let raw = <&RawValue>::deserialize(from)?.get();
        match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw)
                .map(Cell::Text)
                .map_err(Error::custom),
            Some(b'{') => Ok(Cell::Nested("an object", raw.to_owned())),
            Some(b'[') => Ok(Cell::Nested("a list", raw.to_owned())),
            Some(b'n') => Ok(Cell::Null),
            Some(b't' | b'f') => Ok(Cell::Plain("a truth value", raw.to_owned())),
            _ if raw.parse::<f64>().is_ok_and(f64::is_finite) => {
                Ok(Cell::Plain("a number", raw.to_owned()))
            }
            _ => Ok(Cell::Other("an infinite number")),
        }
    }
}
