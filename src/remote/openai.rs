//! OpenAI's Chat Completions (`POST {baseUrl}/chat/completions`), as many servers speak it.
//!
//! The reply is bound to the task's labels by `response_format: json_schema` in strict mode. Fields
//! that some servers refuse (temperature, token limits) are left out unless the caller asks.

use serde::Deserialize;
use serde_json::json;

use super::{Endpoint, HttpRequest, HttpResponse, Provider, Question, Reply, shown};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::{Usage, output_schema, parse_output};

/// The wire format of OpenAI's Chat Completions.
#[derive(Debug, Clone, Copy)]
pub struct OpenAi;

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct TokenCounts {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

#[derive(Deserialize)]
struct Failure {
    error: FailureBody,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FailureBody {
    Object { message: String },
    Text(String),
}

impl Provider for OpenAi {
    fn request(&self, endpoint: &Endpoint, question: &Question) -> HttpRequest {
        let mut system = format!(
            "{}\nAnswer with JSON only: {{\"label\": …}}, where the label is exactly one of:\n",
            question.instruction
        );
        for label in question.labels {
            system.push_str("- ");
            system.push_str(&label.id);
            if let Some(title) = &label.title {
                system.push_str(": ");
                system.push_str(title);
            }
            system.push('\n');
        }
        let mut body = json!({
            "model": endpoint.model,
            "messages": [
                { "role": "system", "content": system },
                { "role": "user", "content": shown(question.input) },
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "classification",
                    "strict": true,
                    "schema": output_schema(question.labels),
                },
            },
        });
        if let Some(most) = endpoint.max_tokens {
            body["max_completion_tokens"] = most.into();
        }
        HttpRequest {
            method: "POST",
            url: format!(
                "{}/chat/completions",
                endpoint.base_url.trim_end_matches('/')
            ),
            headers: vec![
                ("content-type", "application/json"),
                ("accept", "application/json"),
            ],
            body: body.to_string(),
            timeout_ms: endpoint.timeout_ms,
        }
    }

    fn reply(&self, response: &HttpResponse, question: &Question) -> Result<Reply> {
        let text = String::from_utf8_lossy(&response.body);
        if !(200..300).contains(&response.status) {
            return Err(status_error(response.status, &text));
        }
        let bad = |what: String| Error::new(Code::RemoteBadResponse, what);
        let completion: Completion = serde_json::from_str(&text).map_err(|e| {
            bad(format!(
                "the reply is no chat completion ({e}): \"{}\"; check that remote.baseUrl points at an OpenAI-compatible API",
                excerpt(&text, 80)
            ))
        })?;
        let choice = completion
            .choices
            .into_iter()
            .next()
            .ok_or_else(|| bad("the reply has no choices".into()))?;
        if let Some(refusal) = choice.message.refusal.filter(|r| !r.is_empty()) {
            return Err(Error::new(
                Code::RemoteRefused,
                format!("the remote refused: \"{}\"", excerpt(&refusal, 200)),
            ));
        }
        match choice.finish_reason.as_deref() {
            Some("content_filter") => {
                return Err(Error::new(
                    Code::RemoteRefused,
                    "the remote's content filter stopped the reply",
                ));
            }
            Some("length") => {
                return Err(bad(
                    "the reply was cut off at the token limit; raise remote.maxTokens".into(),
                ));
            }
            _ => {}
        }
        let content = choice
            .message
            .content
            .ok_or_else(|| bad("the reply has no content".into()))?;
        Ok(Reply {
            output: parse_output(&content, question.labels)?,
            usage: completion.usage.map(|u| Usage {
                input_tokens: u.prompt_tokens,
                output_tokens: u.completion_tokens,
            }),
        })
    }
}

fn status_error(status: u16, body: &str) -> Error {
    let said = match serde_json::from_str(body) {
        Ok(Failure {
            error: FailureBody::Object { message } | FailureBody::Text(message),
        }) => format!(": \"{}\"", excerpt(&message, 200)),
        Err(_) => String::new(),
    };
    let advice = match status {
        401 | 403 => "; check what remote.headers sends, or the proxy's key",
        404 => "; check remote.baseUrl and remote.model",
        429 => "; the remote's rate limit is reached, try later",
        500.. => "; the remote has a problem of its own, try later",
        _ => "",
    };
    Error::new(
        Code::RemoteStatus,
        format!("the remote answered with HTTP status {status}{said}{advice}"),
    )
}
