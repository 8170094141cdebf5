//! Ollama's own API, `POST {baseUrl}/api/chat`. Shapes: npm ollama 0.6.4.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finish, Framing, Prompt, Provider, Said, Wire, object, read, stream_error};
use crate::error::Error;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of Ollama's chat.
pub struct Ollama;

#[derive(Deserialize)]
struct Reply {
    message: Option<Message>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: String,
}

impl Provider for Ollama {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let mut messages = vec![json!({"role": "system", "content": prompt.system()})];
        messages.extend(prompt.messages());
        let mut body =
            json!({"model": endpoint.model, "messages": messages, "stream": prompt.stream()});
        // It has tools, too, but cannot be made to call one.
        if let Some((Structured::Schema | Structured::Tool, schema)) =
            prompt.bound(endpoint, Structured::Schema)
        {
            body["format"] = schema;
        }
        let mut options = json!({});
        if let Some(most) = endpoint.max_tokens {
            options["num_predict"] = most.into();
        }
        if let Some(temperature) = endpoint.temperature {
            options["temperature"] = temperature.into();
        }
        if options.as_object().is_some_and(|o| !o.is_empty()) {
            body["options"] = options;
        }
        Ok(Wire {
            url: endpoint.url("/api/chat"),
            headers: Vec::new(),
            body: object(body),
        })
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn whole(&self, body: &str) -> Result<Said, Failure> {
        let mut said = Said::default();
        take(&mut said, body)?;
        if said.finish == Finish::Unfinished {
            return Err(Failure::bad_reply(
                "the reply is no finished chat reply of Ollama",
            ));
        }
        Ok(said)
    }

    fn event(&self, _: Option<&str>, data: &str, said: &mut Said) -> Result<String, Failure> {
        take(said, data)
    }
}

fn take(said: &mut Said, body: &str) -> Result<String, Failure> {
    let reply: Reply = read(body, "chat reply of Ollama")?;
    if reply.error.is_some() {
        return Err(stream_error(body));
    }
    let new = reply.message.map(|m| m.content).unwrap_or_default();
    said.text.push_str(&new);
    if reply.done {
        said.finish = match reply.done_reason.as_deref() {
            Some("length") => Finish::Length,
            _ => Finish::Stop,
        };
        said.input_tokens = reply.prompt_eval_count;
        said.output_tokens = reply.eval_count;
    }
    Ok(new)
}
