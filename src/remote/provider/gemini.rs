//! Google's Gemini, `POST {baseUrl}/models/{model}:generateContent`. Shapes: npm @google/genai 2.32.0.

use serde_json::json;

use super::finish::Finish;
use super::format::{Completion, Provider, SCHEMA_NAME, Wire, object, segment};
use super::json::Json;
use crate::error::{Error, excerpt};
use crate::remote::egress::{Prompt, Role};
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of Gemini's generateContent.
pub struct Gemini;

impl Provider for Gemini {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let contents: Vec<_> = prompt
            .said()
            .map(|(turn, attached)| {
                let role = match turn.role {
                    Role::User => "user",
                    Role::Assistant => "model",
                };
                let mut parts = Vec::new();
                if let Some(attached) = attached {
                    let data = json!({"mimeType": attached.mime(), "data": attached.data()});
                    parts.push(json!({"inlineData": data}));
                }
                parts.push(json!({"text": turn.text}));
                json!({"role": role, "parts": parts})
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

    fn reply(&self) -> &'static str {
        "Gemini reply"
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        said.text = take(said, reply);
        Ok(())
    }

    fn event(
        &self,
        _: Option<&str>,
        event: Json<'_>,
        said: &mut Completion,
    ) -> Result<String, Failure> {
        Ok(take(said, event))
    }
}

/// Takes in one reply, which is a whole one or a piece of one, and gives the new text.
fn take(said: &mut Completion, reply: Json<'_>) -> String {
    let mut new = String::new();
    if let Some(reason) = reply.at(&["promptFeedback", "blockReason"]).text() {
        said.finish = Finish::Filter;
        said.refusal = Some(format!("the prompt was blocked ({})", excerpt(reason, 40)));
    }
    let candidate = reply.get("candidates").first();
    for part in candidate.at(&["content", "parts"]).list() {
        if let Some(arguments) = part.at(&["functionCall", "args"]).arguments() {
            said.arguments = arguments;
        } else if !part.get("thought").says_something() {
            new.push_str(part.get("text").text().unwrap_or_default());
        }
    }
    said.finish = said
        .finish
        .then(Finish::of(candidate.get("finishReason").text()));
    let usage = reply.get("usageMetadata");
    let [candidates, thoughts] =
        ["candidatesTokenCount", "thoughtsTokenCount"].map(|name| usage.get(name).count());
    let written = match (candidates, thoughts) {
        (None, None) => None,
        (candidates, thoughts) => Some(
            candidates
                .unwrap_or(0)
                .saturating_add(thoughts.unwrap_or(0)),
        ),
    };
    said.count(usage.get("promptTokenCount").count(), written);
    new
}
