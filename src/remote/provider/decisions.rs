//! OpenAI's Decisions, `POST {baseUrl}/decisions`: a question with its choices instead of a chat, answered with
//! probabilities. Shapes: npm openai 7.57.0.

use serde_json::json;

use super::finish::Finish;
use super::format::{Completion, Framing, Provider, SCHEMA_NAME, Wire, object};
use super::json::Json;
use crate::error::{Code, Error};
use crate::remote::egress::Prompt;
use crate::remote::endpoint::Endpoint;
use crate::remote::failure::Failure;
use crate::task::LabelScore;

/// The wire format of OpenAI's Decisions.
pub struct Decisions;

impl Provider for Decisions {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let Some(labels) = prompt.labels() else {
            return Err(Error::new(
                Code::InvalidOption,
                "the provider openai-decisions chooses between labels and writes no text; add another endpoint for that",
            ));
        };
        let choices: Vec<_> = labels
            .iter()
            .map(|label| match &label.title {
                Some(title) => json!({"value": label.id, "description": title}),
                None => json!({"value": label.id}),
            })
            .collect();
        let input = prompt.turns().first().map_or("", |turn| turn.text.as_str());
        Ok(Wire {
            url: endpoint.url("/decisions"),
            headers: Vec::new(),
            body: object(json!({
                "model": endpoint.model,
                "input": input,
                "questions": [{
                    "type": "choice", "name": SCHEMA_NAME,
                    "instructions": prompt.instruction(), "choices": choices,
                }],
            })),
        })
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn reply(&self) -> &'static str {
        "decision"
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        let usage = reply.get("usage");
        said.count(
            usage.get("input_tokens").count(),
            usage.get("output_tokens").count(),
        );
        let answer = reply.get("answers").first();
        if answer.get("type").text() == Some("refusal") {
            said.refusal = Some("it declined to decide".into());
        } else if let Some(choice) = answer.get("choice").text() {
            said.text = json!({"label": choice}).to_string();
            said.confidence = answer.get("confidence").number();
            let scores = answer.get("probabilities").list().filter_map(|p| {
                Some(LabelScore {
                    label: p.get("value").text()?.to_owned(),
                    score: p.get("probability").number()?,
                })
            });
            said.scores = scores.collect();
            said.scores.sort_by(|a, b| b.score.total_cmp(&a.score));
        } else {
            return Ok(());
        }
        said.finish = Finish::Stop;
        Ok(())
    }

    fn event(&self, _: Option<&str>, _: Json<'_>, _: &mut Completion) -> Result<String, Failure> {
        Err(Failure::bad_reply("decisions are not streamed"))
    }
}
