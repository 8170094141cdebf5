//! Anthropic's Messages, `POST {baseUrl}/messages`. Shapes: npm @anthropic-ai/sdk 1.13.0,
//! `resources/messages`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finish, Prompt, Provider, SCHEMA_NAME, Said, Wire, object, read, stream_error};
use crate::error::Error;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of Anthropic's Messages.
pub struct Anthropic;

/// What is said where the API insists on a number and the caller gave none.
const MAX_TOKENS: u32 = 2048;

#[derive(Deserialize)]
struct Message {
    content: Vec<Block>,
    stop_reason: Option<String>,
    stop_details: Option<Value>,
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
struct Block {
    r#type: String,
    #[serde(default)]
    text: String,
    /// Of a tool's call.
    #[serde(default)]
    input: Value,
}

#[derive(Deserialize)]
struct TokenCounts {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Event {
    r#type: String,
    message: Option<Begun>,
    delta: Option<Delta>,
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
struct Begun {
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
struct Delta {
    r#type: Option<String>,
    text: Option<String>,
    partial_json: Option<String>,
    stop_reason: Option<String>,
    stop_details: Option<Value>,
}

impl Provider for Anthropic {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let mut body = json!({
            "model": endpoint.model,
            "max_tokens": endpoint.max_tokens.unwrap_or(MAX_TOKENS),
            "system": prompt.system(),
            "messages": prompt.messages(),
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
        if prompt.stream() {
            body["stream"] = true.into();
        }
        Ok(Wire {
            url: endpoint.url("/messages"),
            headers: vec![("anthropic-version", endpoint.api_version().to_owned())],
            body: object(body),
        })
    }

    fn whole(&self, body: &str) -> Result<Said, Failure> {
        let message: Message = read(body, "message")?;
        let mut said = Said::default();
        for block in message.content {
            match block.r#type.as_str() {
                "text" => said.text.push_str(&block.text),
                "tool_use" => said.text = block.input.to_string(),
                // Thinking is not the answer.
                _ => {}
            }
        }
        stop(
            &mut said,
            message.stop_reason.as_deref().unwrap_or("end_turn"),
            message.stop_details,
        );
        count(&mut said, message.usage);
        Ok(said)
    }

    fn event(&self, _: Option<&str>, data: &str, said: &mut Said) -> Result<String, Failure> {
        let event: Event = read(data, "message event")?;
        match event.r#type.as_str() {
            "message_start" => count(said, event.message.and_then(|m| m.usage)),
            "content_block_delta" => {
                let new = match event.delta {
                    Some(delta) if delta.r#type.as_deref() == Some("text_delta") => delta.text,
                    Some(delta) if delta.r#type.as_deref() == Some("input_json_delta") => {
                        delta.partial_json
                    }
                    _ => None,
                };
                let new = new.unwrap_or_default();
                said.text.push_str(&new);
                return Ok(new);
            }
            "message_delta" => {
                count(said, event.usage);
                if let Some(delta) = event.delta
                    && let Some(reason) = delta.stop_reason
                {
                    stop(said, &reason, delta.stop_details);
                }
            }
            "message_stop" if said.finish == Finish::Unfinished => said.finish = Finish::Stop,
            "error" => return Err(stream_error(data)),
            // Pings, and the beginnings and ends of blocks.
            _ => {}
        }
        Ok(String::new())
    }
}

fn stop(said: &mut Said, reason: &str, details: Option<Value>) {
    said.finish = match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        _ => Finish::Stop,
    };
    if reason == "refusal" {
        let explanation = details.and_then(|d| d.get("explanation")?.as_str().map(str::to_owned));
        said.refusal = Some(explanation.unwrap_or_else(|| "it declined to answer".into()));
    }
}

fn count(said: &mut Said, usage: Option<TokenCounts>) {
    let Some(usage) = usage else { return };
    let cached =
        usage.cache_creation_input_tokens.unwrap_or(0) + usage.cache_read_input_tokens.unwrap_or(0);
    if let Some(input) = usage.input_tokens {
        said.input_tokens = Some(input + cached);
    }
    said.output_tokens = usage.output_tokens.or(said.output_tokens);
}
