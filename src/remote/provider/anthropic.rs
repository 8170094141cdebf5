//! Anthropic's Messages, `POST {baseUrl}/messages`. Shapes: npm @anthropic-ai/sdk 1.13.0,
//! `resources/messages`.

use serde_json::json;

use super::finish::Finish;
use super::format::{Completion, Provider, SCHEMA_NAME, Wire, object};
use super::json::Json;
use crate::error::Error;
use crate::remote::egress::Prompt;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of Anthropic's Messages.
pub struct Anthropic;

/// What is said where the API insists on a number and the caller gave none.
const MAX_TOKENS: u32 = 2048;

impl Provider for Anthropic {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let mut body = json!({
            "model": endpoint.model,
            "max_tokens": endpoint.max_tokens.unwrap_or(MAX_TOKENS),
            "system": prompt.system(),
            "messages": prompt.messages(|text, attached| json!([
                {"type": "image", "source": {
                    "type": "base64", "media_type": attached.mime(), "data": attached.data(),
                }},
                {"type": "text", "text": text},
            ])),
        });
        // Before `output_config` there were only tools.
        let best = if endpoint.api_version() >= "2026-10-21" {
            Structured::Schema
        } else {
            Structured::Tool
        };
        match prompt.bound(endpoint, best) {
            Some((Structured::Schema, schema)) => {
                body["output_config"] =
                    json!({"format": {"type": "json_schema", "schema": schema}});
            }
            Some((Structured::Tool, schema)) => {
                body["tools"] = json!([{
                    "name": SCHEMA_NAME, "description": prompt.instruction(), "input_schema": schema,
                }]);
                body["tool_choice"] = json!({"type": "tool", "name": SCHEMA_NAME});
            }
            _ => {}
        }
        if let Some(temperature) = endpoint.temperature {
            body["temperature"] = temperature.into();
        }
        body["stream"] = prompt.stream().into();
        Ok(Wire {
            url: endpoint.url("/messages"),
            headers: vec![("anthropic-version", endpoint.api_version().to_owned())],
            body: object(body),
        })
    }

    fn reply(&self) -> &'static str {
        "message"
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        // Thinking is not the answer.
        said.text = reply.get("content").words();
        for block in reply.get("content").list() {
            if block.get("type").text() == Some("tool_use") {
                said.arguments = block.get("input").arguments().unwrap_or_default();
            }
        }
        stop(said, reply);
        count(said, reply);
        Ok(())
    }

    fn event(
        &self,
        name: Option<&str>,
        event: Json<'_>,
        said: &mut Completion,
    ) -> Result<String, Failure> {
        let delta = event.get("delta");
        match event.get("type").text().or(name) {
            Some("message_start") => count(said, event.get("message")),
            Some("content_block_delta") => {
                let piece = delta.get("partial_json").text().unwrap_or_default();
                said.arguments.push_str(piece);
                let is_text = matches!(delta.get("type").text(), None | Some("text_delta"));
                let text = delta.get("text").text().filter(|_| is_text);
                return Ok(text.unwrap_or_default().to_owned());
            }
            Some("message_delta") => {
                count(said, event);
                stop(said, delta);
            }
            Some("message_stop") => said.finish = said.finish.then(Finish::Stop),
            // Pings, and the beginnings and ends of blocks.
            _ => {}
        }
        Ok(String::new())
    }
}

fn stop(said: &mut Completion, message: Json<'_>) {
    let reason = message.get("stop_reason").text();
    said.finish = said.finish.then(Finish::of(reason));
    if reason == Some("refusal") {
        let explanation = message.at(&["stop_details", "explanation"]).text();
        said.refusal = Some(explanation.unwrap_or("it declined to answer").to_owned());
    }
}

fn count(said: &mut Completion, message: Json<'_>) {
    let usage = message.get("usage");
    let cached = ["cache_creation_input_tokens", "cache_read_input_tokens"]
        .map(|name| usage.get(name).count().unwrap_or(0));
    let input = usage.get("input_tokens").count();
    said.count(
        input.map(|input| cached.iter().fold(input, |sum, n| sum.saturating_add(*n))),
        usage.get("output_tokens").count(),
    );
}
