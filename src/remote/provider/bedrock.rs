//! Amazon Bedrock's Converse, `POST {baseUrl}/model/{model}/converse`, behind a proxy of the caller's that signs.
//! Shapes: npm @aws-sdk/client-bedrock-runtime 3.1164.0. Its streams are in AWS's own binary framing, so replies
//! come whole.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finish, Framing, Prompt, Provider, SCHEMA_NAME, Said, Wire, object, read, segment};
use crate::error::Error;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of Bedrock's Converse.
pub struct Bedrock;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    output: Output,
    stop_reason: String,
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
struct Output {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    text: Option<String>,
    tool_use: Option<ToolUse>,
}

#[derive(Deserialize)]
struct ToolUse {
    input: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenCounts {
    input_tokens: u64,
    output_tokens: u64,
}

impl Provider for Bedrock {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let messages: Vec<_> = prompt
            .turns()
            .iter()
            .map(|turn| json!({"role": turn.role.as_str(), "content": [{"text": turn.text}]}))
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

    fn whole(&self, body: &str) -> Result<Said, Failure> {
        let reply: Reply = read(body, "Converse reply")?;
        let mut said = Said {
            finish: match reply.stop_reason.as_str() {
                "max_tokens" | "model_context_window_exceeded" => Finish::Length,
                "content_filtered" | "guardrail_intervened" => Finish::Filter,
                _ => Finish::Stop,
            },
            input_tokens: reply.usage.as_ref().map(|u| u.input_tokens),
            output_tokens: reply.usage.as_ref().map(|u| u.output_tokens),
            ..Said::default()
        };
        for block in reply.output.message.content {
            match (block.tool_use, block.text) {
                (Some(tool), _) => said.text = tool.input.to_string(),
                (None, Some(text)) => said.text.push_str(&text),
                (None, None) => {}
            }
        }
        Ok(said)
    }

    fn event(&self, _: Option<&str>, _: &str, _: &mut Said) -> Result<String, Failure> {
        Err(Failure::bad_reply("Converse replies are not streamed"))
    }
}
