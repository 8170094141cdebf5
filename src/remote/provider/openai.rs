//! OpenAI's Chat Completions, `POST {baseUrl}/chat/completions`, as many servers speak it. Shapes:
//! npm openai 6.49.0, `resources/chat/completions`.
//!
//! Fields that some servers refuse (temperature, token limits) are left out unless the caller asks.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finish, Prompt, Provider, SCHEMA_NAME, Said, Wire, object, read, stream_error};
use crate::error::Error;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of OpenAI's Chat Completions.
pub struct OpenAi;

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "delta")]
    message: Message,
    finish_reason: Option<String>,
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCall>>,
}

#[derive(Deserialize)]
struct ToolCall {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    arguments: String,
}

#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Token>>,
}

#[derive(Deserialize)]
struct Token {
    logprob: f64,
}

#[derive(Deserialize)]
struct TokenCounts {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl Provider for OpenAi {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        Ok(Wire {
            url: endpoint.url("/chat/completions"),
            headers: Vec::new(),
            body: object(body(endpoint, prompt)),
        })
    }

    fn whole(&self, body: &str) -> Result<Said, Failure> {
        let completion: Completion = read(body, "chat completion")?;
        let Some(choice) = completion.choices.into_iter().next() else {
            return Err(Failure::bad_reply("the reply has no choices"));
        };
        let mut said = Said {
            text: choice.message.content.unwrap_or_default(),
            refusal: choice.message.refusal.filter(|r| !r.is_empty()),
            finish: finish(choice.finish_reason.as_deref().unwrap_or("stop")),
            // The probability of the very reply: the product of its tokens'.
            confidence: choice
                .logprobs
                .and_then(|l| l.content)
                .map(|tokens| tokens.iter().map(|t| t.logprob).sum::<f64>().exp())
                .filter(|p| p.is_finite()),
            ..Said::default()
        };
        if let Some(call) = choice
            .message
            .tool_calls
            .unwrap_or_default()
            .into_iter()
            .next()
        {
            said.text = call.function.arguments;
        }
        count(&mut said, completion.usage);
        Ok(said)
    }

    fn event(&self, _: Option<&str>, data: &str, said: &mut Said) -> Result<String, Failure> {
        if data == "[DONE]" {
            if said.finish == Finish::Unfinished {
                said.finish = Finish::Stop;
            }
            return Ok(String::new());
        }
        let value: Value = read(data, "chat completion chunk")?;
        if value.get("error").is_some_and(|e| !e.is_null()) {
            return Err(stream_error(data));
        }
        let chunk: Completion = read(data, "chat completion chunk")?;
        let mut new = String::new();
        if let Some(choice) = chunk.choices.into_iter().next() {
            new = choice.message.content.unwrap_or_default();
            if let Some(refusal) = choice.message.refusal.filter(|r| !r.is_empty()) {
                said.refusal.get_or_insert_default().push_str(&refusal);
            }
            if let Some(reason) = choice.finish_reason {
                said.finish = finish(&reason);
            }
        }
        count(said, chunk.usage);
        said.text.push_str(&new);
        Ok(new)
    }
}

/// The body, which SageMaker's Messages API shares.
pub(super) fn body(endpoint: &Endpoint, prompt: &Prompt) -> Value {
    let mut messages = vec![json!({"role": "system", "content": prompt.system()})];
    messages.extend(prompt.messages());
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
    if prompt.stream() {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

fn finish(reason: &str) -> Finish {
    match reason {
        "length" => Finish::Length,
        "content_filter" => Finish::Filter,
        _ => Finish::Stop,
    }
}

fn count(said: &mut Said, usage: Option<TokenCounts>) {
    if let Some(usage) = usage {
        said.input_tokens = Some(usage.prompt_tokens);
        said.output_tokens = Some(usage.completion_tokens);
    }
}
