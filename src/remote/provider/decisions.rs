//! OpenAI's Decisions, `POST {baseUrl}/decisions`: a question with its choices instead of a chat, answered with
//! probabilities. Shapes: npm openai 7.57.0.

use serde::Deserialize;
use serde_json::json;

use super::{Finish, Framing, Prompt, Provider, SCHEMA_NAME, Said, Wire, object, read};
use crate::error::{Code, Error};
use crate::remote::endpoint::Endpoint;
use crate::remote::failure::Failure;
use crate::task::LabelScore;

/// The wire format of OpenAI's Decisions.
pub struct Decisions;

#[derive(Deserialize)]
struct Reply {
    answers: Vec<Answer>,
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Answer {
    Choice {
        choice: String,
        confidence: Option<f64>,
        #[serde(default)]
        probabilities: Vec<Probability>,
    },
    Refusal {},
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Probability {
    value: String,
    probability: f64,
}

#[derive(Deserialize)]
struct TokenCounts {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
}

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

    fn whole(&self, body: &str) -> Result<Said, Failure> {
        let reply: Reply = read(body, "decision")?;
        let mut said = Said {
            finish: Finish::Stop,
            input_tokens: reply.usage.as_ref().map(|u| u.input_tokens),
            output_tokens: reply.usage.as_ref().map(|u| u.output_tokens),
            ..Said::default()
        };
        match reply.answers.into_iter().next() {
            Some(Answer::Choice {
                choice,
                confidence,
                probabilities,
            }) => {
                said.text = json!({"label": choice}).to_string();
                said.confidence = confidence;
                let scores = probabilities.into_iter().map(|p| LabelScore {
                    label: p.value,
                    score: p.probability,
                });
                said.scores = scores.collect();
                said.scores.sort_by(|a, b| b.score.total_cmp(&a.score));
            }
            Some(Answer::Refusal {}) => said.refusal = Some("it declined to decide".into()),
            Some(Answer::Other) | None => {
                return Err(Failure::bad_reply(
                    "the reply answers no question of choice",
                ));
            }
        }
        Ok(said)
    }

    fn event(&self, _: Option<&str>, _: &str, _: &mut Said) -> Result<String, Failure> {
        Err(Failure::bad_reply("decisions are not streamed"))
    }
}
