//! Google's Gemini, `POST {baseUrl}/models/{model}:generateContent`. Shapes: npm @google/genai 2.32.0.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Finish, Prompt, Provider, Role, SCHEMA_NAME, Said, Wire, object, read, segment, stream_error,
};
use crate::error::Error;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of Gemini's generateContent.
pub struct Gemini;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    #[serde(default)]
    candidates: Vec<Candidate>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<TokenCounts>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    text: String,
    /// Whether it is thinking, and not the answer.
    #[serde(default)]
    thought: bool,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    #[serde(default)]
    args: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct TokenCounts {
    prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
}

impl Provider for Gemini {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let contents: Vec<_> = prompt
            .turns()
            .iter()
            .map(|turn| {
                let role = match turn.role {
                    Role::User => "user",
                    Role::Assistant => "model",
                };
                json!({"role": role, "parts": [{"text": turn.text}]})
            })
            .collect();
        let mut config = json!({});
        let mut body = json!({
            "systemInstruction": {"parts": [{"text": prompt.system()}]},
            "contents": contents,
        });
        match prompt.bound(endpoint, Structured::Schema) {
            Some((Structured::Schema, schema)) => {
                config["responseMimeType"] = "application/json".into();
                config["responseJsonSchema"] = schema;
            }
            Some((Structured::Tool, schema)) => {
                body["tools"] = json!([{"functionDeclarations": [{
                    "name": SCHEMA_NAME, "description": prompt.instruction(), "parametersJsonSchema": schema,
                }]}]);
                body["toolConfig"] = json!({"functionCallingConfig": {
                    "mode": "ANY", "allowedFunctionNames": [SCHEMA_NAME],
                }});
            }
            _ => {}
        }
        if let Some(most) = endpoint.max_tokens {
            config["maxOutputTokens"] = most.into();
        }
        if let Some(temperature) = endpoint.temperature {
            config["temperature"] = temperature.into();
        }
        if config.as_object().is_some_and(|c| !c.is_empty()) {
            body["generationConfig"] = config;
        }
        let method = if prompt.stream() {
            "streamGenerateContent?alt=sse"
        } else {
            "generateContent"
        };
        Ok(Wire {
            url: endpoint.url(&format!("/models/{}:{method}", segment(&endpoint.model))),
            headers: Vec::new(),
            body: object(body),
        })
    }

    fn whole(&self, body: &str) -> Result<Said, Failure> {
        let mut said = Said::default();
        take(&mut said, read(body, "Gemini reply")?);
        if said.finish == Finish::Unfinished {
            return Err(Failure::bad_reply("the reply has no candidates"));
        }
        Ok(said)
    }

    fn event(&self, _: Option<&str>, data: &str, said: &mut Said) -> Result<String, Failure> {
        let reply: Reply = read(data, "Gemini reply")?;
        if reply.error.is_some() {
            return Err(stream_error(data));
        }
        Ok(take(said, reply))
    }
}

/// Takes in one reply, which is a whole one or a piece of one, and gives the new text.
fn take(said: &mut Said, reply: Reply) -> String {
    let mut new = String::new();
    if let Some(reason) = reply.prompt_feedback.and_then(|f| f.block_reason) {
        said.finish = Finish::Filter;
        said.refusal = Some(format!("the prompt was blocked ({reason})"));
    }
    if let Some(candidate) = reply.candidates.into_iter().next() {
        for part in candidate.content.into_iter().flat_map(|c| c.parts) {
            match part.function_call {
                Some(call) => new.push_str(&call.args.to_string()),
                None if !part.thought => new.push_str(&part.text),
                None => {}
            }
        }
        if let Some(reason) = candidate.finish_reason {
            said.finish = match reason.as_str() {
                "MAX_TOKENS" => Finish::Length,
                "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
                | "LANGUAGE" => Finish::Filter,
                _ => Finish::Stop,
            };
        }
    }
    if let Some(usage) = reply.usage_metadata {
        said.input_tokens = usage.prompt_token_count.or(said.input_tokens);
        let written =
            usage.candidates_token_count.unwrap_or(0) + usage.thoughts_token_count.unwrap_or(0);
        said.output_tokens = Some(written);
    }
    said.text.push_str(&new);
    new
}
