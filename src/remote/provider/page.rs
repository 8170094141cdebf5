//! Functions of the page: the browser's own language model, or whatever the caller wrote. The "wire" is ours: one
//! JSON object there, and back one object a line, `{"delta": "…"}` any number of times and then `{"reply": {…}}`.

use serde::Deserialize;
use serde_json::json;

use super::{Finish, Framing, Prompt, Provider, Said, Wire, object, read};
use crate::error::Error;
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

    fn whole(&self, body: &str) -> Result<Said, Failure> {
        let mut said = Said::default();
        for line in body.lines().filter(|line| !line.is_empty()) {
            take(&mut said, line, true)?;
        }
        Ok(said)
    }

    fn event(&self, _: Option<&str>, data: &str, said: &mut Said) -> Result<String, Failure> {
        take(said, data, false)
    }
}

/// Takes in one line of a reply that is read whole, or piece by piece: then what was given cannot be replaced by a label.
fn take(said: &mut Said, line: &str, whole: bool) -> Result<String, Failure> {
    let line: Line = read(line, "reply of the page's function")?;
    if let Some(reply) = line.reply {
        said.finish = Finish::Stop;
        said.refusal = reply.refusal;
        said.confidence = reply.confidence;
        said.input_tokens = reply.input_tokens;
        said.output_tokens = reply.output_tokens;
        let label = reply.label.map(|label| json!({"label": label}).to_string());
        if label.is_some() && whole {
            said.text.clear();
        }
        if let Some(text) = label.or(reply.text) {
            // What came in pieces before is a part of it.
            let new = text
                .strip_prefix(said.text.as_str())
                .unwrap_or_default()
                .to_owned();
            said.text.push_str(&new);
            return Ok(new);
        }
    }
    let new = line.delta.unwrap_or_default();
    said.text.push_str(&new);
    Ok(new)
}
