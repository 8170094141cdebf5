//! OpenAI's Chat Completions, `POST {baseUrl}/chat/completions`, as many servers speak it. Shapes:
//! npm openai 6.49.0, `resources/chat/completions`.
//!
//! Fields that some servers refuse (temperature, token limits) are left out unless the caller asks.

use serde_json::{Value, json};

use super::finish::Finish;
use super::format::{Completion, Provider, SCHEMA_NAME, Wire, object};
use super::json::Json;
use crate::error::Error;
use crate::remote::attachment::Medium;
use crate::remote::egress::Prompt;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of OpenAI's Chat Completions.
pub struct OpenAi;

impl Provider for OpenAi {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        Ok(Wire {
            url: endpoint.url("/chat/completions"),
            headers: Vec::new(),
            body: object(body(endpoint, prompt)),
        })
    }

    fn reply(&self) -> &'static str {
        "chat completion"
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        let choice = reply.get("choices").first();
        let message = choice.get("message");
        said.text = message.get("content").words();
        take(said, choice, message);
        // The probability of the very reply: the product of its tokens'.
        let tokens = choice.at(&["logprobs", "content"]);
        if tokens.says_something() {
            let logprobs: Option<Vec<f64>> =
                tokens.list().map(|t| t.get("logprob").number()).collect();
            said.confidence = logprobs
                .map(|all| all.iter().sum::<f64>().exp())
                .filter(|p| p.is_finite());
        }
        count(said, reply);
        Ok(())
    }

    fn event(
        &self,
        _: Option<&str>,
        event: Json<'_>,
        said: &mut Completion,
    ) -> Result<String, Failure> {
        let choice = event.get("choices").first();
        let mut message = choice.get("delta");
        // Some servers send a whole reply as the only event; others repeat it as the last one.
        if !message.says_something() && !said.says_something() {
            message = choice.get("message");
        }
        take(said, choice, message);
        count(said, event);
        Ok(message.get("content").words())
    }
}

/// Takes in all of a message, or of a piece of one, but its text.
fn take(said: &mut Completion, choice: Json<'_>, message: Json<'_>) {
    if let Some(refusal) = message.get("refusal").text() {
        said.refusal.get_or_insert_default().push_str(refusal);
    }
    let call = message.get("tool_calls").first().get("function");
    if let Some(arguments) = call.get("arguments").arguments() {
        said.arguments.push_str(&arguments);
    }
    said.finish = said
        .finish
        .then(Finish::of(choice.get("finish_reason").text()));
}

/// The body, which SageMaker's Messages API shares.
pub(super) fn body(endpoint: &Endpoint, prompt: &Prompt) -> Value {
    let mut messages = vec![json!({"role": "system", "content": prompt.system()})];
    messages.extend(prompt.messages(|text, attached| {
        let file = match attached.medium() {
            Medium::Image => {
                json!({"type": "image_url", "image_url": {"url": attached.data_url()}})
            }
            Medium::Sound => json!({
                "type": "input_audio",
                "input_audio": {"data": attached.data(), "format": attached.format()},
            }),
        };
        json!([{"type": "text", "text": text}, file])
    }));
    let mut body = json!({"model": endpoint.model, "messages": messages});
    match prompt.bound(endpoint, Structured::Schema) {
        Some((Structured::Schema, schema)) => {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": SCHEMA_NAME, "strict": true, "schema": schema},
            });
        }
        Some((Structured::Tool, schema)) => {
            body["tools"] = json!([{
                "type": "function",
                "function": {"name": SCHEMA_NAME, "description": prompt.instruction(), "parameters": schema},
            }]);
            body["tool_choice"] = json!({"type": "function", "function": {"name": SCHEMA_NAME}});
        }
        _ => {}
    }
    if let Some(most) = endpoint.max_tokens {
        let field = endpoint.max_tokens_field.as_deref();
        body[field.unwrap_or("max_completion_tokens")] = most.into();
    }
    if let Some(temperature) = endpoint.temperature {
        body["temperature"] = temperature.into();
    }
    // Some servers stream unless they are told not to.
    body["stream"] = prompt.stream().into();
    if prompt.stream() {
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

fn count(said: &mut Completion, reply: Json<'_>) {
    let usage = reply.get("usage");
    said.count(
        usage.get("prompt_tokens").count(),
        usage.get("completion_tokens").count(),
    );
}
