//! What comes back, whatever the wire format: told from errors, taken in, and held against what a finished reply is.

use serde_json::{Deserializer, Value};

use super::finish::Finish;
use super::format::{Completion, Provider};
use super::json::Json;
use crate::error::excerpt;
use crate::remote::failure::Failure;
use crate::remote::host::Head;

/// How a body is written, which is seen from its beginning: servers stream what was asked for whole, send whole what was to
/// be streamed, and call either by any content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// JSON values, one or several.
    Json,
    /// Server-sent events.
    Events,
    /// Neither.
    Other,
}

/// The beginnings of the lines of an event stream.
const FIELDS: [&str; 5] = ["data:", "event:", "id:", "retry:", ":"];

impl Shape {
    /// What a body begins with, without the white space before it.
    pub fn begun(beginning: &[u8]) -> &[u8] {
        let marked = beginning.strip_prefix(BYTE_ORDER_MARK.as_bytes());
        marked.unwrap_or(beginning).trim_ascii_start()
    }

    /// The shape of a body that begins like that; nothing while it may be either.
    pub fn of(beginning: &[u8]) -> Option<Self> {
        let beginning = Shape::begun(beginning);
        let first = beginning.first()?;
        if matches!(first, b'{' | b'[') {
            return Some(Shape::Json);
        }
        let starts = |field: &&str| beginning.starts_with(field.as_bytes());
        if FIELDS.iter().any(starts) {
            return Some(Shape::Events);
        }
        let may_become = |field: &&str| field.as_bytes().starts_with(beginning);
        // A byte order mark that has not come whole.
        let marked = BYTE_ORDER_MARK.as_bytes().starts_with(beginning);
        (!marked && !FIELDS.iter().any(may_become)).then_some(Shape::Other)
    }
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What one event did.
pub enum Step {
    /// It brought this text, which may be none.
    Text(String),
    /// It ended the stream.
    End,
}

/// Takes in one event or line of a stream.
///
/// # Errors
/// When it says that something went wrong, or is no JSON while the reply is not finished.
pub fn event(
    provider: &dyn Provider,
    head: &Head,
    name: Option<&str>,
    data: &str,
    said: &mut Completion,
) -> Result<Step, Failure> {
    let data = data.trim();
    if data.eq_ignore_ascii_case("[done]") {
        said.finish = said.finish.then(Finish::Stop);
        return Ok(Step::End);
    }
    let value: Value = match serde_json::from_str(data) {
        Ok(value) => value,
        // Nothing of a finished reply is lost with what comes after it, nor with a sign of life.
        Err(_) if said.finish != Finish::Unfinished || is_sign_of_life(data) => {
            return Ok(Step::Text(String::new()));
        }
        Err(error) => return Err(no_json(provider, &error, data)),
    };
    let mut new = String::new();
    for value in Json(&value).list() {
        new += &take_in(provider, head, name, value, said)?;
    }
    Ok(Step::Text(new))
}

/// Takes in one object of a stream. Returns the text that it brought.
///
/// # Errors
/// When it says that something went wrong.
fn take_in(
    provider: &dyn Provider,
    head: &Head,
    name: Option<&str>,
    value: Json<'_>,
    said: &mut Completion,
) -> Result<String, Failure> {
    if is_fault(name, value) {
        return Err(Failure::inside(head, value.0));
    }
    let new = provider.event(name, value, said)?;
    said.text.push_str(&new);
    Ok(new)
}

/// What some servers send as data so that the connection stays open.
fn is_sign_of_life(data: &str) -> bool {
    let words = [
        "",
        "ping",
        "[ping]",
        "keep-alive",
        "keepalive",
        "heartbeat",
        "[heartbeat]",
        "ok",
    ];
    words.iter().any(|word| data.eq_ignore_ascii_case(word))
}

/// Reads a whole body of JSON: one object; the same in a list, as Gemini sends it; or one event after the other, from a
/// server that streams whatever was asked for. What follows and is no JSON is passed over.
///
/// # Errors
/// When it is no JSON, says that something went wrong, or is no finished reply.
pub fn whole(provider: &dyn Provider, head: &Head, body: &str) -> Result<Completion, Failure> {
    let body = body.trim_start_matches(BYTE_ORDER_MARK).trim();
    let mut values = Deserializer::from_str(body).into_iter::<Value>();
    let first = match values.next() {
        Some(Ok(first)) => first,
        Some(Err(error)) => return Err(no_json(provider, &error, body)),
        None => return Err(Failure::bad_reply("the reply is empty")),
    };
    let mut events = match first {
        Value::Array(list) => list,
        one => vec![one],
    };
    events.extend(values.map_while(Result::ok));
    if let Some(event) = events.iter().find(|event| is_fault(None, Json(event))) {
        return Err(Failure::inside(head, event));
    }
    let mut said = Completion::default();
    let outcome = match events.first() {
        Some(reply) => provider.whole(Json(reply), &mut said),
        None => Ok(()),
    };
    let answers = outcome.is_ok() && said.says_something();
    if answers || said.finish != Finish::Unfinished {
        said.finish = said.finish.then(Finish::Stop);
        return ended(said);
    }
    // Not an answer by itself: perhaps the first piece of one.
    let mut pieces = Completion::default();
    for value in &events {
        take_in(provider, head, None, Json(value), &mut pieces)?;
    }
    if pieces.finish != Finish::Unfinished {
        return ended(pieces);
    }
    outcome?;
    Err(Failure::bad_reply(format!(
        "the reply is no finished {}: \"{}\"; check remote.provider and remote.baseUrl",
        provider.reply(),
        excerpt(body, 80)
    )))
}

/// A reply that has come to its end, unless the server says that it failed.
///
/// # Errors
/// When it did.
pub fn ended(mut said: Completion) -> Result<Completion, Failure> {
    if said.finish == Finish::Failed {
        return Err(Failure::broke_off());
    }
    // Whoever was bound to a tool answers with its arguments.
    if !said.handed_over && !said.arguments.trim().is_empty() {
        said.text = std::mem::take(&mut said.arguments);
    }
    Ok(said)
}

/// Whether an object tells of an error, in any of the shapes in which servers do.
fn is_fault(name: Option<&str>, value: Json<'_>) -> bool {
    let is = |field: &str, word: &str| value.get(field).text() == Some(word);
    name == Some("error")
        || value.get("error").says_something()
        || is("type", "error")
        || is("object", "error")
        || is("type", "response.failed")
        || value.at(&["response", "error"]).says_something()
        || value.get("choices").first().get("error").says_something()
}

fn no_json(provider: &dyn Provider, error: &serde_json::Error, body: &str) -> Failure {
    Failure::bad_reply(format!(
        "the reply is no {} ({error}): \"{}\"; check remote.provider and remote.baseUrl",
        provider.reply(),
        excerpt(body, 80)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_known_as_soon_as_it_can_be() {
        for (beginning, shape) in [
            ("{", Some(Shape::Json)),
            (" \n\u{feff}"[2..].trim_end(), None),
            ("\u{feff} [", Some(Shape::Json)),
            ("\r\n\r\ndata:", Some(Shape::Events)),
            (": comment", Some(Shape::Events)),
            ("eve", None),
            ("event: x", Some(Shape::Events)),
            ("events are", Some(Shape::Other)),
            ("<!doctype", Some(Shape::Other)),
            ("", None),
            ("  \n", None),
        ] {
            assert_eq!(Shape::of(beginning.as_bytes()), shape, "{beginning:?}");
        }
        assert_eq!(Shape::of(&BYTE_ORDER_MARK.as_bytes()[..2]), None);
    }
}
