//! JSON as servers really write it, read by one rule: a field that is missing, null or of another type than it should be is
//! not there; one that is spelt in another case (`finish_reason`, `finishReason`) is the same; all others are passed over.

use serde_json::Value;

static NOTHING: Value = Value::Null;

/// A value in a reply.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(pub &'a Value);

impl<'a> Json<'a> {
    /// A field of an object.
    pub fn get(self, name: &str) -> Json<'a> {
        let Some(object) = self.0.as_object() else {
            return Json(&NOTHING);
        };
        let spelt_otherwise = || {
            let same = |(key, _): &(&String, &Value)| letters(key).eq(letters(name));
            object.iter().find(same).map(|(_, value)| value)
        };
        let found = object.get(name).or_else(spelt_otherwise);
        Json(found.unwrap_or(&NOTHING))
    }

    /// A field of a field.
    pub fn at(self, path: &[&str]) -> Json<'a> {
        path.iter().fold(self, |value, name| value.get(name))
    }

    /// Whether it says anything: not null, not false, and neither an empty string, list nor object.
    pub fn says_something(self) -> bool {
        match self.0 {
            Value::Null => false,
            Value::Bool(yes) => *yes,
            Value::Number(_) => true,
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(object) => !object.is_empty(),
        }
    }

    /// A string that is not empty.
    pub fn text(self) -> Option<&'a str> {
        self.0.as_str().filter(|text| !text.is_empty())
    }

    /// A finite number.
    pub fn number(self) -> Option<f64> {
        self.0.as_f64().filter(|number| number.is_finite())
    }

    /// A count, which some servers write with a point.
    pub fn count(self) -> Option<u64> {
        let whole = |n: f64| (0.0..=9e15).contains(&n).then_some(n as u64);
        self.0.as_u64().or_else(|| whole(self.number()?))
    }

    /// The elements of a list; one value that stands where a list should is its only element.
    pub fn list(self) -> impl Iterator<Item = Json<'a>> {
        let elements: &'a [Value] = match self.0 {
            Value::Null => &[],
            Value::Array(list) => list,
            one => std::slice::from_ref(one),
        };
        elements.iter().map(Json)
    }

    /// The first element of a list.
    pub fn first(self) -> Json<'a> {
        self.list().next().unwrap_or(Json(&NOTHING))
    }

    /// What is to be read: a string, or the texts of a list of parts without those that are no text (thinking, references).
    pub fn words(self) -> String {
        let text = |part: Json<'a>| match part.0 {
            Value::String(text) => Some(text.as_str()),
            _ if matches!(part.get("type").text(), None | Some("text" | "output_text")) => {
                part.get("text").text()
            }
            _ => None,
        };
        self.list().filter_map(text).collect()
    }

    /// The arguments of a tool's call: JSON as a string, or as it is.
    pub fn arguments(self) -> Option<String> {
        match self.0 {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Object(_) => Some(self.0.to_string()),
            _ => None,
        }
    }
}

/// The letters of a name, whatever its case and what stands between its words.
pub fn letters(name: &str) -> impl Iterator<Item = char> {
    let letters = name.chars().filter(|c| c.is_ascii_alphanumeric());
    letters.map(|c| c.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_is_found_however_it_is_spelt() {
        let value = json!({"finish_reason": "stop", "promptTokens": 12.0, "content": null});
        let json = Json(&value);
        assert_eq!(json.get("finishReason").text(), Some("stop"));
        assert_eq!(json.get("prompt_tokens").count(), Some(12));
        for absent in ["content", "nothing", "finish"] {
            assert!(!json.get(absent).says_something(), "{absent}");
        }
    }

    #[test]
    fn what_is_of_another_type_is_not_there() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!(true),
            json!("seven"),
            json!(-1),
            json!(1e300),
        ] {
            assert_eq!(Json(&value).count(), None, "{value}");
        }
        for value in [json!(null), json!(7), json!(""), json!(["a"])] {
            assert_eq!(Json(&value).text(), None, "{value}");
        }
        assert_eq!(
            Json(&json!({"a": 1})).arguments().as_deref(),
            Some("{\"a\":1}")
        );
        assert_eq!(Json(&json!(null)).first().text(), None);
    }

    #[test]
    fn only_texts_are_words() {
        let parts = json!(["a", {"type": "thinking", "text": "b"}, {"type": "text", "text": "c"}, {"text": "d"}, null, 7]);
        assert_eq!(Json(&parts).words(), "acd");
        assert_eq!(Json(&json!("whole")).words(), "whole");
        assert_eq!(Json(&json!(null)).words(), "");
    }
}
