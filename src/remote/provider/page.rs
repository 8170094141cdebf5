//! Functions of the page: the browser's own language model, or whatever the caller wrote. The "wire" is ours: one
//! JSON object there, and back one object a line, `{"delta": "…"}` any number of times and then `{"reply": {…}}`.

use serde::Deserialize;
use serde_json::json;

use super::finish::Finish;
use super::format::{Completion, Framing, Provider, Wire, object};
use super::json::Json;
use crate::error::Error;
use crate::remote::egress::Prompt;
use crate::remote::endpoint::Endpoint;
use crate::remote::failure::Failure;

/// What the page's functions are given and give.
pub struct Page;

#[derive(Deserialize)]
struct Line {
    delta: Option<String>,
    reply: Option<Reply>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reply {
    /// Text, or the JSON as text.
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    confidence: Option<f64>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

impl Provider for Page {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let input = prompt.turns().first().map(|turn| &turn.text);
        Ok(Wire {
            url: String::new(),
            headers: Vec::new(),
            body: object(json!({
                "task": prompt.task(),
                "instruction": prompt.instruction(),
                "input": input,
                "system": prompt.system(),
                "messages": prompt.messages(),
                "labels": prompt.labels(),
                "schema": prompt.schema(),
                "stream": prompt.stream(),
                "model": endpoint.model,
            })),
        })
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn reply(&self) -> &'static str {
        "reply of the page's function"
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        said.text = take(said, reply)?;
        Ok(())
    }

    fn event(
        &self,
        _: Option<&str>,
        event: Json<'_>,
        said: &mut Completion,
    ) -> Result<String, Failure> {
        take(said, event)
    }
}

/// Takes in one line and gives the new text. Written by this page's own program, it is read strictly.
fn take(said: &mut Completion, line: Json<'_>) -> Result<String, Failure> {
    let line = Line::deserialize(line.0).map_err(|error| {
        Failure::bad_reply(format!(
            "the page's function did not give a reply as it should be: {error}"
        ))
    })?;
    let Some(reply) = line.reply else {
        return Ok(line.delta.unwrap_or_default());
    };
    said.finish = Finish::Stop;
    said.refusal = reply.refusal;
    said.confidence = reply.confidence;
    said.count(reply.input_tokens, reply.output_tokens);
    let label = reply.label.map(|label| json!({"label": label}).to_string());
    // What was handed over cannot be replaced by a label.
    if label.is_some() && !said.handed_over {
        said.text.clear();
    }
    let text = label.or(reply.text).or(line.delta).unwrap_or_default();
    // What came in pieces before is a part of it.
    let new = text.strip_prefix(said.text.as_str());
    Ok(new.unwrap_or_default().to_owned())
}
