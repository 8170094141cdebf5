//! OpenAI's Responses, `POST {baseUrl}/responses`. Shapes: npm openai 6.49.0, `resources/responses`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finish, Prompt, Provider, Role, SCHEMA_NAME, Said, Wire, object, read, stream_error};
use crate::error::Error;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of OpenAI's Responses.
pub struct Responses;

#[derive(Deserialize)]
struct Response {
    status: Option<String>,
    #[serde(default)]
    output: Vec<Item>,
    incomplete_details: Option<Incomplete>,
    error: Option<Value>,
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    r#type: String,
    #[serde(default)]
    content: Option<Vec<Part>>,
    /// Of a function call.
    #[serde(default)]
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    r#type: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    refusal: String,
}

#[derive(Deserialize)]
struct TokenCounts {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
}

#[derive(Deserialize)]
struct Event {
    r#type: String,
    #[serde(default)]
    delta: Option<String>,
    response: Option<Response>,
}

impl Provider for Responses {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let mut body = json!({
            "model": endpoint.model,
            "instructions": prompt.system(),
            "input": input(prompt),
            // Nothing is to be kept there.
            "store": false,
        });
        match prompt.bound(endpoint, Structured::Schema) {
            Some((Structured::Schema, schema)) => {
                body["text"] = json!({"format": {
                    "type": "json_schema", "name": SCHEMA_NAME, "strict": true, "schema": schema,
                }});
            }
            Some((Structured::Tool, schema)) => {
                body["tools"] = json!([{
                    "type": "function", "name": SCHEMA_NAME, "strict": true,
                    "description": prompt.instruction(), "parameters": schema,
                }]);
                body["tool_choice"] = json!({"type": "function", "name": SCHEMA_NAME});
            }
            _ => {}
        }
        if let Some(most) = endpoint.max_tokens {
            body["max_output_tokens"] = most.into();
        }
        if let Some(temperature) = endpoint.temperature {
            body["temperature"] = temperature.into();
        }
        if prompt.stream() {
            body["stream"] = true.into();
        }
        Ok(Wire {
            url: endpoint.url("/responses"),
            headers: Vec::new(),
            body: object(body),
        })
    }

    fn whole(&self, body: &str) -> Result<Said, Failure> {
        let response: Response = read(body, "response object")?;
        if response.status.as_deref() == Some("failed") {
            return Err(stream_error(body));
        }
        let mut said = Said::default();
        for item in &response.output {
            match item.r#type.as_str() {
                "function_call" => said.text = item.arguments.clone().unwrap_or_default(),
                "message" => {
                    for part in item.content.iter().flatten() {
                        match part.r#type.as_str() {
                            "output_text" => said.text.push_str(&part.text),
                            "refusal" => said.refusal = Some(part.refusal.clone()),
                            _ => {}
                        }
                    }
                }
                // Reasoning, searches and the like are not the answer.
                _ => {}
            }
        }
        end(&mut said, &response);
        if said.finish == Finish::Unfinished {
            return Err(Failure::bad_reply(
                "the reply is no finished response object",
            ));
        }
        Ok(said)
    }

    fn event(&self, _: Option<&str>, data: &str, said: &mut Said) -> Result<String, Failure> {
        let event: Event = read(data, "response event")?;
        match event.r#type.as_str() {
            "response.output_text.delta" => {
                let new = event.delta.unwrap_or_default();
                said.text.push_str(&new);
                return Ok(new);
            }
            "response.refusal.delta" => {
                let words = said.refusal.get_or_insert_default();
                words.push_str(&event.delta.unwrap_or_default());
            }
            "response.completed" | "response.incomplete" => {
                if let Some(response) = event.response {
                    end(said, &response);
                }
            }
            "response.failed" | "error" => return Err(stream_error(data)),
            _ => {}
        }
        Ok(String::new())
    }
}

/// The turns. What a model said goes back as the output item that it was: some servers know no shorter form.
fn input(prompt: &Prompt) -> Vec<Value> {
    let items = prompt.turns().iter().enumerate();
    items
        .map(|(at, turn)| match turn.role {
            Role::User => json!({"role": "user", "content": turn.text}),
            Role::Assistant => json!({
                "type": "message", "role": "assistant", "id": format!("msg_{at}"), "status": "completed",
                "content": [{"type": "output_text", "text": turn.text, "annotations": []}],
            }),
        })
        .collect()
}

fn end(said: &mut Said, response: &Response) {
    let why = response.incomplete_details.as_ref();
    said.finish = match (
        response.status.as_deref(),
        why.and_then(|w| w.reason.as_deref()),
    ) {
        (_, Some("max_output_tokens")) => Finish::Length,
        (_, Some("content_filter")) => Finish::Filter,
        (Some("incomplete"), _) => Finish::Length,
        (Some("completed"), _) => Finish::Stop,
        // Servers that imitate it leave the status out.
        (None, _) if response.error.is_none() && !response.output.is_empty() => Finish::Stop,
        _ => Finish::Unfinished,
    };
    if let Some(usage) = &response.usage {
        said.input_tokens = Some(usage.input_tokens);
        said.output_tokens = Some(usage.output_tokens);
    }
}
