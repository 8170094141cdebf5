//! Asking a remote LLM. No I/O here: a provider builds a request and reads a response, and the
//! [`Transport`] that carries it is given from outside.

mod openai;
mod transport;

use serde::{Deserialize, Serialize};

pub use openai::OpenAi;
pub use transport::{HttpRequest, HttpResponse, Transport, TransportError};

use crate::error::{Code, Error, Result};
use crate::task::{Input, Label, Output, Usage};

/// The most bytes of a reply that are read. A classification's reply has a few hundred.
pub const MAX_REPLY_BYTES: usize = 1 << 20;

/// How many bytes of a file a remote is shown.
const SHOWN_BYTES: usize = 512;

/// The wire formats there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProviderKind {
    /// Any server with OpenAI's `/chat/completions`.
    Openai,
}

/// Where the remote is and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// The wire format.
    pub provider: ProviderKind,
    /// The address up to and without `/chat/completions`, absolute.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// How long a reply may take, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// The longest input that is sent, in bytes.
    #[serde(default = "default_max_input_bytes")]
    pub max_input_bytes: u32,
    /// The most tokens of a reply; nothing is said to the server when absent.
    #[serde(default)]
    pub max_tokens: Option<u32>,
}

fn default_timeout_ms() -> u32 {
    30_000
}

fn default_max_input_bytes() -> u32 {
    100_000
}

impl Endpoint {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::new(Code::InvalidOption, format!("remote: {what}")));
        if !(self.base_url.starts_with("https://") || self.base_url.starts_with("http://")) {
            return wrong("baseUrl must be an http or https address");
        }
        if self.model.is_empty() {
            return wrong("model is empty");
        }
        if self.timeout_ms == 0 {
            return wrong("timeoutMs must be at least 1");
        }
        Ok(())
    }

    /// Whether it is on this very device, where being offline does not matter.
    pub fn is_loopback(&self) -> bool {
        let host = self.base_url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', '?', '#']).next().unwrap_or("");
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let name = if host.starts_with('[') {
            host.split_once(']').map_or(host, |(name, _)| &name[1..])
        } else {
            host.split(':').next().unwrap_or("")
        };
        name == "localhost"
            || name.ends_with(".localhost")
            || name == "::1"
            || name.starts_with("127.")
    }
}

/// What a remote is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What to do, in one sentence.
    pub instruction: &'a str,
    /// The labels it may answer with.
    pub labels: &'a [Label],
    /// What to do it with.
    pub input: Input<'a>,
}

/// What a remote answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The output, of the same type as a local one.
    pub output: Output,
    /// What it counted.
    pub usage: Option<Usage>,
}

/// One wire format.
pub trait Provider {
    /// The request for a question. The caller's headers are added by the transport.
    fn request(&self, endpoint: &Endpoint, question: &Question) -> HttpRequest;

    /// Reads the response to it.
    ///
    /// # Errors
    /// [`Code::RemoteStatus`], [`Code::RemoteBadResponse`], [`Code::RemoteRefused`].
    fn reply(&self, response: &HttpResponse, question: &Question) -> Result<Reply>;
}

/// Asks the endpoint and reads its answer.
///
/// # Errors
/// One of the `Remote…` codes, [`Code::InputTooLong`] when the input is over the endpoint's limit,
/// or [`Code::Aborted`].
pub async fn ask(
    endpoint: &Endpoint,
    transport: &impl Transport,
    question: &Question<'_>,
) -> Result<Reply> {
    let len = question.input.len();
    // Of a file only the beginning is shown, so that its length does not matter.
    let limit = endpoint.max_input_bytes as usize;
    if matches!(question.input, Input::Text(_)) && len > limit {
        return Err(Error::new(
            Code::InputTooLong,
            format!(
                "the input has {len} bytes, over the remote's limit of {limit}; shorten it or raise remote.maxInputBytes"
            ),
        ));
    }
    let provider = match endpoint.provider {
        ProviderKind::Openai => OpenAi,
    };
    let request = provider.request(endpoint, question);
    let response = transport
        .send(&request)
        .await
        .map_err(|e| e.into_error(&request.url, endpoint.timeout_ms))?;
    provider.reply(&response, question)
}

/// The input as a remote is shown it.
fn shown(input: Input) -> String {
    match input {
        Input::Text(text) => text.to_owned(),
        Input::Bytes(bytes) => {
            use std::fmt::Write;
            let part = &bytes[..bytes.len().min(SHOWN_BYTES)];
            let mut out = format!(
                "A file of {} bytes. Its first {} bytes in hexadecimal:\n",
                bytes.len(),
                part.len()
            );
            for byte in part {
                let _ = write!(out, "{byte:02x}");
            }
            if let Ok(text) = std::str::from_utf8(part) {
                let _ = write!(out, "\nThe same as text:\n{text}");
            }
            out
        }
    }
}

#[cfg(test)]
mod tests;
