//! The wire formats: each builds a request from a prompt and reads what comes back.

mod anthropic;
mod bedrock;
mod decisions;
mod gemini;
mod ollama;
mod openai;
mod page;
mod responses;
mod sagemaker;

#[cfg(test)]
pub(super) mod tests;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::egress::{Prompt, Role};
use super::endpoint::{Endpoint, ProviderKind, Structured};
use super::failure::Failure;
use crate::error::{Error, excerpt};
use crate::task::LabelScore;

impl Prompt {
    /// The schema, and how the endpoint is bound to it.
    fn bound(&self, endpoint: &Endpoint, best: Structured) -> Option<(Structured, Value)> {
        let how = endpoint.structured.unwrap_or(best);
        self.schema().map(|schema| (how, schema))
    }
}

/// The name under which a schema or tool is given to a provider.
const SCHEMA_NAME: &str = "classification";

/// Why a model stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Finish {
    /// It has not, as far as was read.
    #[default]
    Unfinished,
    /// It was done.
    Stop,
    /// It reached the token limit.
    Length,
    /// A content filter stopped it.
    Filter,
}

/// What came back, whatever the wire format.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The text, or the JSON as text.
    pub text: String,
    /// Why it stopped.
    pub finish: Finish,
    /// Its words of refusal, where it refused.
    pub refusal: Option<String>,
    /// Tokens of the request.
    pub input_tokens: Option<u64>,
    /// Tokens of the reply.
    pub output_tokens: Option<u64>,
    /// A probability that the reply is right, where the provider states one. Nobody calibrated it.
    pub confidence: Option<f64>,
    /// The probability of every label, where the provider states them.
    pub scores: Vec<LabelScore>,
}

/// How a streamed body is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Events,
    /// One JSON value a line.
    Lines,
    /// It is not: this provider's replies come whole.
    Whole,
}

/// One wire format.
pub trait Provider {
    /// The address and the body of a request, and headers besides `content-type`.
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error>;

    /// How a streamed body is divided.
    fn framing(&self) -> Framing {
        Framing::Events
    }

    /// Reads a whole body.
    fn whole(&self, body: &str) -> Result<Said, Failure>;

    /// Reads one event (or line) of a streamed body into `said`, and gives the text that is new.
    fn event(&self, name: Option<&str>, data: &str, said: &mut Said) -> Result<String, Failure>;
}

/// A request in a provider's format.
pub struct Wire {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Map<String, Value>,
}

/// The provider of that kind.
pub fn provider(kind: ProviderKind) -> &'static dyn Provider {
    match kind {
        ProviderKind::Openai => &openai::OpenAi,
        ProviderKind::OpenaiResponses => &responses::Responses,
        ProviderKind::OpenaiDecisions => &decisions::Decisions,
        ProviderKind::Anthropic => &anthropic::Anthropic,
        ProviderKind::Gemini => &gemini::Gemini,
        ProviderKind::Ollama => &ollama::Ollama,
        ProviderKind::Bedrock => &bedrock::Bedrock,
        ProviderKind::Sagemaker => &sagemaker::SageMaker,
        ProviderKind::PromptApi | ProviderKind::Custom => &page::Page,
    }
}

/// A JSON object literal as a map.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// One segment of a path: what a model's name holds cannot lead elsewhere.
fn segment(text: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

/// Reads JSON as what a provider's reply should be.
fn read<T: DeserializeOwned>(body: &str, what: &str) -> Result<T, Failure> {
    serde_json::from_str(body).map_err(|e| {
        Failure::bad_reply(format!(
            "the reply is no {what} ({e}): \"{}\"; check remote.provider and remote.baseUrl",
            excerpt(body, 80)
        ))
    })
}

/// An error that arrives inside a stream, after a good status.
fn stream_error(body: &str) -> Failure {
    let head = super::transport::Head {
        status: 500,
        headers: Vec::new(),
    };
    let mut failure = Failure::status(&head, body, 0.0);
    failure.error = Error::new(
        crate::error::Code::RemoteStatus,
        format!(
            "the remote broke off with an error: \"{}\"",
            excerpt(body, 200)
        ),
    );
    failure
}
