//! Functions of the page: the browser's own language model, or whatever the caller wrote. The "wire" is ours: one
//! JSON object there, and back one object a line, `{"delta": "…"}` any number of times and then `{"reply": {…}}`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::finish::Finish;
use super::format::{Completion, Framing, Provider, Wire, object};
use super::json::Json;
use crate::error::Error;
use crate::remote::attachment::Attachment;
use crate::remote::egress::Prompt;
use crate::remote::endpoint::Endpoint;
use crate::remote::failure::Failure;
use crate::task::Label;

/// What the page's functions are given and give.
pub struct Page;

/// What a function that stands for a remote is asked.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct PageRequest<'a> {
    /// The task.
    task: &'a str,
    /// What to do, in one sentence.
    instruction: &'a str,
    /// The message with the input, redacted where that is wanted; of a file, a description.
    input: &'a str,
    /// The rules, as a prompt for a language model.
    system: &'a str,
    /// What is said to it, oldest first. Behind the input there may be a reply that was no answer, and what was wrong with it.
    #[cfg_attr(test, ts(type = "Message[]"))]
    messages: Vec<Value>,
    /// The image or the sound that the first message is about; `null` where there is none.
    attachment: Option<&'a Attachment>,
    /// The labels to choose from; `null` where text is wanted.
    labels: Option<&'a [Label]>,
    /// The JSON schema of the reply; `null` where text is wanted.
    #[cfg_attr(test, ts(type = "object | null"))]
    schema: Option<Value>,
    /// Whether the text is wanted piece by piece.
    stream: bool,
    /// The model's name, as the options say it; empty where they do not.
    model: &'a str,
}

#[derive(Deserialize)]
struct Line {
    delta: Option<String>,
    reply: Option<PageReply>,
}

/// What it may answer: a label, or text (for a choice, JSON as the schema says).
#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "RemoteReply", optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PageReply {
    /// One of the labels.
    label: Option<String>,
    /// Text, or the JSON as text.
    text: Option<String>,
    /// A probability that it is right, 0 to 1.
    confidence: Option<f64>,
    /// Its words, where it refuses.
    refusal: Option<String>,
    /// The tokens of the request.
    #[cfg_attr(test, ts(optional, type = "number"))]
    input_tokens: Option<u64>,
    /// The tokens of the reply.
    #[cfg_attr(test, ts(optional, type = "number"))]
    output_tokens: Option<u64>,
}

impl Provider for Page {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        // Before a text's input stands what was said earlier, behind a choice's what is to be repaired.
        let schema = prompt.schema();
        let input = match schema {
            Some(_) => prompt.turns().first(),
            None => prompt.turns().last(),
        };
        let request = PageRequest {
            task: prompt.task(),
            instruction: prompt.instruction(),
            input: input.map_or("", |turn| &turn.text),
            system: prompt.system(),
            messages: prompt.messages(|text, _| text.into()),
            attachment: prompt.attachment(),
            labels: prompt.labels(),
            schema,
            stream: prompt.stream(),
            model: &endpoint.model,
        };
        Ok(Wire {
            url: String::new(),
            headers: Vec::new(),
            body: object(json!(request)),
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
