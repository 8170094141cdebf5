//! OpenAI's Responses, `POST {baseUrl}/responses`. Shapes: npm openai 6.49.0, `resources/responses`.

use serde_json::{Value, json};

use super::finish::Finish;
use super::format::{Completion, Provider, SCHEMA_NAME, Wire, object};
use super::json::Json;
use crate::error::{Error, excerpt};
use crate::remote::egress::{Prompt, Role};
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of OpenAI's Responses.
pub struct Responses;

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
        body["stream"] = prompt.stream().into();
        Ok(Wire {
            url: endpoint.url("/responses"),
            headers: Vec::new(),
            body: object(body),
        })
    }

    fn reply(&self) -> &'static str {
        "response object"
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        for item in reply.get("output").list() {
            match item.get("type").text() {
                Some("function_call") => {
                    said.arguments = item.get("arguments").arguments().unwrap_or_default();
                }
                // Reasoning, searches and the like are not the answer.
                Some("message") | None => {
                    said.text.push_str(&item.get("content").words());
                    for part in item.get("content").list() {
                        if let Some(refusal) = part.get("refusal").text() {
                            said.refusal.get_or_insert_default().push_str(refusal);
                        }
                    }
                }
                Some(_) => {}
            }
        }
        end(said, reply);
        match reply.get("status").text() {
            // Servers that imitate it leave the status out.
            Some(status) if said.finish == Finish::Unfinished => Err(Failure::bad_reply(format!(
                "the reply is not finished: its status is \"{}\"",
                excerpt(status, 40)
            ))),
            _ => Ok(()),
        }
    }

    fn event(
        &self,
        name: Option<&str>,
        event: Json<'_>,
        said: &mut Completion,
    ) -> Result<String, Failure> {
        let delta = event.get("delta").text().unwrap_or_default();
        match event.get("type").text().or(name) {
            Some("response.output_text.delta") => return Ok(delta.to_owned()),
            Some("response.refusal.delta") => said.refusal.get_or_insert_default().push_str(delta),
            Some("response.function_call_arguments.delta") => said.arguments.push_str(delta),
            Some("response.completed" | "response.incomplete" | "response.done") => {
                end(said, event.get("response"));
                said.finish = said.finish.then(Finish::Stop);
            }
            _ => {}
        }
        Ok(String::new())
    }
}

/// The turns. What a model said goes back as the output item that it was: some servers know no shorter form.
fn input(prompt: &Prompt) -> Vec<Value> {
    let items = prompt.said().enumerate();
    items
        .map(|(at, (turn, attached))| match turn.role {
            Role::User => {
                let content = match attached {
                    Some(attached) => json!([
                        {"type": "input_text", "text": turn.text},
                        {"type": "input_image", "image_url": attached.data_url(), "detail": "auto"},
                    ]),
                    None => turn.text.as_str().into(),
                };
                json!({"role": "user", "content": content})
            }
            Role::Assistant => json!({
                "type": "message", "role": "assistant", "id": format!("msg_{at}"), "status": "completed",
                "content": [{"type": "output_text", "text": turn.text, "annotations": []}],
            }),
        })
        .collect()
}

fn end(said: &mut Completion, response: Json<'_>) {
    let why = Finish::of(response.at(&["incomplete_details", "reason"]).text());
    let status = match response.get("status").text() {
        Some("in_progress" | "queued") => Finish::Unfinished,
        status => Finish::of(status),
    };
    said.finish = said.finish.then(why).then(status);
    let usage = response.get("usage");
    said.count(
        usage.get("input_tokens").count(),
        usage.get("output_tokens").count(),
    );
}
