//! Amazon Bedrock's Converse, `POST {baseUrl}/model/{model}/converse`, behind a proxy of the caller's that signs.
//! Shapes: npm @aws-sdk/client-bedrock-runtime 3.1164.0. Its streams are in AWS's own binary framing, so replies
//! come whole.

use serde_json::json;

use super::finish::Finish;
use super::format::{Completion, Framing, Provider, SCHEMA_NAME, Wire, object, segment};
use super::json::Json;
use crate::error::Error;
use crate::remote::attachment::Medium;
use crate::remote::egress::Prompt;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of Bedrock's Converse.
pub struct Bedrock;

impl Provider for Bedrock {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let messages: Vec<_> = prompt
            .said()
            .map(|(turn, attached)| {
                let mut content = Vec::new();
                if let Some(attached) = attached {
                    let kind = match attached.medium() {
                        Medium::Image => "image",
                        Medium::Sound => "audio",
                    };
                    let source = json!({"bytes": attached.data()});
                    content.push(json!({kind: {"format": attached.format(), "source": source}}));
                }
                content.push(json!({"text": turn.text}));
                json!({"role": turn.role.as_str(), "content": content})
            })
            .collect();
        let mut body = json!({"system": [{"text": prompt.system()}], "messages": messages});
        match prompt.bound(endpoint, Structured::Tool) {
            Some((Structured::Schema, schema)) => {
                body["outputConfig"] = json!({"textFormat": {
                    "type": "json_schema",
                    "structure": {"jsonSchema": {"name": SCHEMA_NAME, "schema": schema.to_string()}},
                }});
            }
            Some((Structured::Tool, schema)) => {
                body["toolConfig"] = json!({
                    "tools": [{"toolSpec": {
                        "name": SCHEMA_NAME, "description": prompt.instruction(), "inputSchema": {"json": schema},
                    }}],
                    "toolChoice": {"tool": {"name": SCHEMA_NAME}},
                });
            }
            _ => {}
        }
        let mut config = json!({});
        if let Some(most) = endpoint.max_tokens {
            config["maxTokens"] = most.into();
        }
        if let Some(temperature) = endpoint.temperature {
            config["temperature"] = temperature.into();
        }
        if config.as_object().is_some_and(|c| !c.is_empty()) {
            body["inferenceConfig"] = config;
        }
        Ok(Wire {
            url: endpoint.url(&format!("/model/{}/converse", segment(&endpoint.model))),
            headers: Vec::new(),
            body: object(body),
        })
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn reply(&self) -> &'static str {
        "Converse reply"
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        for block in reply.at(&["output", "message", "content"]).list() {
            if let Some(arguments) = block.at(&["toolUse", "input"]).arguments() {
                said.arguments = arguments;
            }
            // A block has its kind as the name of its only field; thinking has another.
            said.text
                .push_str(block.get("text").text().unwrap_or_default());
        }
        said.finish = said.finish.then(Finish::of(reply.get("stopReason").text()));
        let usage = reply.get("usage");
        said.count(
            usage.get("inputTokens").count(),
            usage.get("outputTokens").count(),
        );
        Ok(())
    }

    fn event(&self, _: Option<&str>, _: Json<'_>, _: &mut Completion) -> Result<String, Failure> {
        Err(Failure::bad_reply("Converse replies are not streamed"))
    }
}
