//! What all wire formats have in common: a request is made of a prompt, a reply is read into [`Completion`].

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::finish::Finish;
use super::json::Json;
use crate::error::Error;
use crate::remote::egress::Prompt;
use crate::remote::endpoint::{Endpoint, Structured};
use crate::remote::failure::Failure;
use crate::task::LabelScore;

impl Prompt {
    /// The schema, and how the endpoint is bound to it.
    pub(super) fn bound(
        &self,
        endpoint: &Endpoint,
        best: Structured,
    ) -> Option<(Structured, Value)> {
        let how = endpoint.structured.unwrap_or(best);
        self.schema().map(|schema| (how, schema))
    }
}

/// The name under which a schema or tool is given to a provider.
pub(super) const SCHEMA_NAME: &str = "classification";

/// What came back, whatever the wire format.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The text, or the JSON as text.
    pub text: String,
    /// The arguments of a tool's call, as JSON.
    pub arguments: String,
    /// Whether the text is handed over as it comes, so that nothing else can take its place.
    pub handed_over: bool,
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

impl Completion {
    /// Whether there is anything of an answer.
    pub fn says_something(&self) -> bool {
        !self.text.is_empty() || !self.arguments.is_empty() || self.refusal.is_some()
    }

    /// Takes in a number of tokens of the request and of the reply, where they are told.
    pub(super) fn count(&mut self, input: Option<u64>, output: Option<u64>) {
        self.input_tokens = input.or(self.input_tokens);
        self.output_tokens = output.or(self.output_tokens);
    }
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

    /// What a reply is called there.
    fn reply(&self) -> &'static str;

    /// Reads a whole reply into `said`. What is not there is left as it was; whether it is an answer is judged later.
    ///
    /// # Errors
    /// When it says that it is not finished.
    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure>;

    /// Reads one event (or line) of a streamed reply into `said`, except for the text that is new, which it gives.
    ///
    /// # Errors
    /// When this provider's replies are not streamed.
    fn event(
        &self,
        name: Option<&str>,
        event: Json<'_>,
        said: &mut Completion,
    ) -> Result<String, Failure>;
}

/// A request in a provider's format.
pub struct Wire {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Map<String, Value>,
}

/// A JSON object literal as a map.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// One segment of a path: what a model's name holds cannot lead elsewhere.
pub(super) fn segment(text: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, ENCODED).to_string()
}
