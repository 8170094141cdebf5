//! What a page gives, as JSON has it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep objects and lists may be within one another. An object that has itself in it has no end.
const DEPTH: usize = 64;

/// Reads a value, and refuses what JSON does not have: read as [`Value`] itself does, a number that is none becomes `null`,
/// which is to say that the option was not given.
///
/// # Errors
/// Which part it is.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Part {
        path: "",
        depth: DEPTH,
    }
    .deserialize(deserializer)
}

/// A part of what was given.
#[derive(Clone, Copy)]
struct Part<'a> {
    path: &'a str,
    /// How many more levels it may have.
    depth: usize,
}

impl Part<'_> {
    fn inner<E: Error>(self, path: &str) -> Result<Part<'_>, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Part { path, depth }),
            None => Err(E::custom(format!(
                "{path} is deeper than {DEPTH} objects and lists within one another"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.path {
            "" => "the options",
            path => path,
        };
        write!(f, "{path} to be what JSON has")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).map(Value::Number);
        number.ok_or_else(|| E::custom(format!("{} must be a number, not {value}", self.path)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, list.len());
            match access.next_element_seed(self.inner(&path)?)? {
                Some(part) => list.push(part),
                None => return Ok(list.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let path = match self.path {
                "" => name.clone(),
                outer => format!("{outer}.{name}"),
            };
            let part = access.next_value_seed(self.inner(&path)?)?;
            map.insert(name, part);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, F64Deserializer, MapDeserializer, SeqDeserializer};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_json_has_is_as_it_was() {
        let all = json!({ "a": [1, -1, 0.5, "x", true, null, {}], "b": { "c": [] }, "d": 18_446_744_073_709_551_615_u64 });
        assert_eq!(given(all.clone()).unwrap(), all);
    }

    #[test]
    fn a_number_that_is_none_is_refused_and_not_read_as_absent() {
        for none in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let number: F64Deserializer<Error> = none.into_deserializer();
            let list = SeqDeserializer::new([none].into_iter());
            let map = MapDeserializer::new([("temperature", none)].into_iter());
            assert!(given(number).is_err());
            let said: Error = given(list).unwrap_err();
            assert!(said.to_string().starts_with("[0] must be a number, not "));
            let said: Error = given(map).unwrap_err();
            assert!(
                said.to_string()
                    .starts_with("temperature must be a number, not ")
            );
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(given(deep(DEPTH)).is_ok());
        let said = given(deep(DEPTH + 1)).unwrap_err().to_string();
        assert!(said.contains("[0] is deeper than 64"), "{said}");
    }
}
