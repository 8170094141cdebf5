//! Ollama's own API, `POST {baseUrl}/api/chat`. Shapes: npm ollama 0.6.4.

use serde_json::json;

use super::finish::Finish;
use super::format::{Completion, Framing, Provider, Wire, object};
use super::json::Json;
use crate::error::Error;
use crate::remote::egress::Prompt;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;

/// The wire format of Ollama's chat.
pub struct Ollama;

impl Provider for Ollama {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let mut messages = vec![json!({"role": "system", "content": prompt.system()})];
        messages.extend(prompt.said().map(|(turn, attached)| {
            let mut message = json!({"role": turn.role.as_str(), "content": turn.text});
            if let Some(attached) = attached {
                message["images"] = json!([attached.data()]);
            }
            message
        }));
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

    fn reply(&self) -> &'static str {
        "chat reply of Ollama"
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        said.text = take(said, reply);
        if reply.get("done").0 == false {
            return Err(Failure::bad_reply("the reply says that it is not done"));
        }
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
    if reply.get("done").0 == true {
        let why = Finish::of(reply.get("done_reason").text());
        said.finish = said.finish.then(why).then(Finish::Stop);
    }
    said.count(
        reply.get("prompt_eval_count").count(),
        reply.get("eval_count").count(),
    );
    reply.at(&["message", "content"]).words()
}
