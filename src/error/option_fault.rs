//! What is wrong with an option, in the words of the interface: serde says neither which option it is, nor what a caller may
//! give.

use serde_json::{Map, Value};

/// Says which part of `options` is at fault and what it must be, where serde finds a `fault`. The options are those `under` a
/// name, or all.
pub(crate) fn option_fault(
    under: &str,
    options: &Value,
    fault: &dyn Fn(&Value) -> Option<String>,
) -> Option<String> {
    let said = fault(options)?;
    let (path, part) = narrowed(options, &|part| part, &|tried| {
        fault(tried).as_ref() == Some(&said)
    });
    Some(worded(&format!("{under}{path}"), part, &said))
}

/// The innermost part of `part` that has the fault, and its path. `whole` puts a part into its place.
///
/// An object or a list is filled bit by bit: the bit with which the fault comes is the one that has it. Serde stops at the
/// first fault, so parts that come later do not matter.
fn narrowed<'a>(
    part: &'a Value,
    whole: &dyn Fn(Value) -> Value,
    faulty: &dyn Fn(&Value) -> bool,
) -> (String, &'a Value) {
    let empty = match part {
        Value::Object(_) => Value::Object(Map::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        _ => return (String::new(), part),
    };
    // Then it is the kind that is wrong, or something is missing.
    if faulty(&whole(empty.clone())) {
        return (String::new(), part);
    }
    let mut filled = empty;
    for (name, inner) in bits(part) {
        let before = filled.clone();
        let with = |bit: Value| match (before.clone(), &name) {
            (Value::Object(mut map), name) => {
                map.insert(name.clone(), bit);
                Value::Object(map)
            }
            (Value::Array(mut list), _) => {
                list.push(bit);
                Value::Array(list)
            }
            (other, _) => other,
        };
        filled = with(inner.clone());
        if faulty(&whole(filled.clone())) {
            let (rest, found) = narrowed(inner, &|bit| whole(with(bit)), faulty);
            let name = match part {
                Value::Array(_) => format!("[{name}]"),
                _ => format!(".{name}"),
            };
            return (name + &rest, found);
        }
    }
    (String::new(), part)
}

/// The parts of an object or a list, by their names.
fn bits(part: &Value) -> Vec<(String, &Value)> {
    match part {
        Value::Object(map) => map.iter().map(|(name, bit)| (name.clone(), bit)).collect(),
        Value::Array(list) => {
            let named = |(at, bit): (usize, _)| (at.to_string(), bit);
            list.iter().enumerate().map(named).collect()
        }
        _ => Vec::new(),
    }
}

/// Puts a fault into words.
fn worded(path: &str, part: &Value, said: &str) -> String {
    let option = match path.trim_start_matches('.') {
        "" => "the options",
        path => path,
    };
    let said = said.strip_prefix("Error: ").unwrap_or(said);
    // Names are quoted with backticks, what is given first.
    let quoted: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
    if said.starts_with("unknown variant") {
        let known = quoted.get(1..).unwrap_or_default();
        return format!("{option} must be {}, not {}", either(known), kind(part));
    }
    if said.starts_with("unknown field") {
        let (outer, name) = option.rsplit_once('.').unwrap_or(("", option));
        let within = if outer.is_empty() {
            String::new()
        } else {
            format!("{outer}: ")
        };
        let known = quoted.get(1..).unwrap_or_default().join(", ");
        return format!("{within}there is no option \"{name}\"; the options are {known}");
    }
    if let ("missing field", Some(name)) = (said.get(..13).unwrap_or_default(), quoted.first()) {
        return format!("{option}: \"{name}\" is missing");
    }
    match said.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{option} must be {}, not {}", wanted(expected), kind(part)),
        None => format!("{option} cannot be {}", kind(part)),
    }
}

/// What serde expects.
fn wanted(expected: &str) -> &str {
    match expected {
        "f64" => "a number",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        _ if expected.starts_with("enum ") => "a string",
        other => other,
    }
}

/// What was given. Of a text, that it is one: it may be long, or nobody's business.
fn kind(part: &Value) -> String {
    match part {
        Value::String(text) if text.len() <= 20 => format!("the string \"{text}\""),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        other => other.to_string(),
    }
}

/// Names to choose from.
fn either(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[allow(dead_code)]
    struct Options {
        bundle: String,
        #[serde(default)]
        risk: Option<f64>,
        #[serde(default)]
        mode: Option<Mode>,
        #[serde(default)]
        remotes: Vec<Remote>,
        #[serde(default)]
        keep: Option<bool>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        OnlyLocal,
        PreferLocal,
        PreferRemote,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[allow(dead_code)]
    struct Remote {
        provider: String,
        #[serde(default)]
        max_tries: u32,
        #[serde(default)]
        languages: Vec<String>,
    }

    fn fault(options: &Value) -> Option<String> {
        let read = serde_json::from_value::<Options>(options.clone());
        read.err().map(|error| error.to_string())
    }

    #[test]
    fn a_fault_is_told_by_the_options_name_and_what_it_must_be() {
        let a = json!({ "provider": "a" });
        for (options, words) in [
            (
                json!({ "risk": "0.05" }),
                "risk must be a number, not the string \"0.05\"",
            ),
            (
                json!({ "keep": 1, "mode": "only-local" }),
                "keep must be true or false, not 1",
            ),
            (
                json!({ "mode": "sometimes" }),
                "mode must be \"only-local\", \"prefer-local\" or \"prefer-remote\", not the string \"sometimes\"",
            ),
            (
                json!({ "remotes": {} }),
                "remotes must be a list, not an object",
            ),
            (
                json!({ "remotes": [a, { "provider": "b", "maxTries": -1 }] }),
                "remotes[1].maxTries must be a whole number from 0 to 4294967295, not -1",
            ),
            (
                json!({ "remotes": [a, { "provider": "b", "tries": 1 }] }),
                "remotes[1]: there is no option \"tries\"; the options are provider, maxTries, languages",
            ),
            (
                json!({ "remotes": [a, { "maxTries": 1 }] }),
                "remotes[1]: \"provider\" is missing",
            ),
            (
                json!({ "remotes": [{ "provider": "b", "languages": ["en", true] }] }),
                "remotes[0].languages[1] must be a string, not true",
            ),
        ] {
            let mut whole = options.clone();
            whole["bundle"] = "x".into();
            assert_eq!(
                option_fault("", &whole, &fault).as_deref(),
                Some(words),
                "{options}"
            );
        }
        assert_eq!(
            option_fault("", &json!({ "bundle": "x", "risk": 0.1 }), &fault),
            None
        );
        let all = option_fault("", &json!("x"), &fault);
        assert_eq!(
            all.as_deref(),
            Some("the options must be an object, not the string \"x\"")
        );
        let other = json!({ "bundle": "x", "tries": 1 });
        let words = option_fault("learn", &other, &fault);
        assert!(
            words.is_some_and(|words| words.starts_with("learn: there is no option \"tries\""))
        );
    }
}
