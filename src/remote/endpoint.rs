//! Where a remote is and how it is asked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attachment::Medium;
use super::profile::RemoteProfile;
use crate::error::{Code, Error, Result};

/// The wire formats there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProviderKind {
    /// OpenAI's Chat Completions, `POST {baseUrl}/chat/completions`, as many servers speak it.
    Openai,
    /// OpenAI's Responses, `POST {baseUrl}/responses`.
    OpenaiResponses,
    /// OpenAI's Decisions, `POST {baseUrl}/decisions`. Classification only; gives probabilities.
    OpenaiDecisions,
    /// Anthropic's Messages, `POST {baseUrl}/messages`.
    Anthropic,
    /// Google's Gemini, `POST {baseUrl}/models/{model}:generateContent`.
    Gemini,
    /// Ollama's own API, `POST {baseUrl}/api/chat`.
    Ollama,
    /// Amazon Bedrock's Converse, `POST {baseUrl}/model/{model}/converse`, behind a proxy that signs.
    Bedrock,
    /// An Amazon SageMaker real-time endpoint that speaks the Messages API,
    /// `POST {baseUrl}/endpoints/{model}/invocations`, behind a proxy that signs.
    Sagemaker,
    /// The browser's own language model (the Prompt API), where it has one.
    PromptApi,
    /// A function of the page.
    Custom,
}

impl ProviderKind {
    /// Whether it is asked through a function of the page, and not through the network.
    pub fn is_page(self) -> bool {
        matches!(self, ProviderKind::PromptApi | ProviderKind::Custom)
    }

    /// Whether its requests have a place for an image or for a sound.
    fn carries(self, medium: Medium) -> bool {
        match self {
            ProviderKind::OpenaiDecisions => false,
            ProviderKind::OpenaiResponses | ProviderKind::Anthropic | ProviderKind::Ollama => {
                medium == Medium::Image
            }
            ProviderKind::Openai
            | ProviderKind::Gemini
            | ProviderKind::Bedrock
            | ProviderKind::Sagemaker
            | ProviderKind::PromptApi
            | ProviderKind::Custom => true,
        }
    }
}

/// How a reply is bound to the task's JSON schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Structured {
    /// By the provider's structured output.
    Schema,
    /// By a tool that the model has to call.
    Tool,
    /// By the words of the prompt alone, for servers that know neither.
    Prompt,
}

/// What tokens cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// US dollars for a million tokens of requests.
    pub input_per_million: f64,
    /// US dollars for a million tokens of replies.
    pub output_per_million: f64,
}

impl Price {
    /// US dollars for that many tokens.
    pub fn of(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        (input_tokens as f64 * self.input_per_million
            + output_tokens as f64 * self.output_per_million)
            / 1e6
    }
}

/// Where a remote is and how it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// The wire format.
    pub provider: ProviderKind,
    /// The address up to and without the path that the provider names, absolute. Of no meaning to
    /// the providers that are functions of the page.
    #[serde(default)]
    pub base_url: String,
    /// The model's name there.
    #[serde(default)]
    pub model: String,
    /// How long a streamed reply may take to begin with its headers, in milliseconds. Default: 10000.
    #[serde(default = "default_connect_ms")]
    pub connect_ms: u32,
    /// How long the body may take to begin, and to go on, in milliseconds. Default: 30000.
    #[serde(default = "default_timeout_ms")]
    pub first_byte_ms: u32,
    /// How long one try may take altogether, in milliseconds; not counting the time in which the
    /// reader of a stream does not read. Default: 30000.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// The longest input that is sent, in bytes. Default: 100000.
    #[serde(default = "default_max_input_bytes")]
    pub max_input_bytes: u32,
    /// What beside text is sent there: `"image"`, `"sound"`. Only list what its model takes. Default: none.
    #[serde(default)]
    pub accepts: Vec<Medium>,
    /// The most tokens of a reply. Default: nothing is said to the server, unless it insists.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// The field that carries it, for OpenAI-compatible servers that want `"max_tokens"`.
    #[serde(default)]
    pub max_tokens_field: Option<String>,
    /// The sampling temperature. Default: nothing is said to the server.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// How the reply is bound to the task's schema. Default: the provider's best.
    #[serde(default)]
    pub structured: Option<Structured>,
    /// The version of Anthropic's API. Default: `"2026-10-21"`.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Further fields of the request's body, as they are, for example `{ reasoning_effort: "low" }`.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
    pub extra_body: Map<String, Value>,
    /// A header that carries the same random value on every try of one call, so that the server can
    /// tell a retry from a new request.
    #[serde(default)]
    pub idempotency_header: Option<String>,
    /// What tokens cost there.
    #[serde(default)]
    pub price: Option<Price>,
    /// How often the model is right, as `smallfirst evaluate --remote ... --profile` measured it. Where it is not likelier right than the best
    /// local answer, that is given instead.
    #[serde(default)]
    pub profile: Option<RemoteProfile>,
}

fn default_connect_ms() -> u32 {
    10_000
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
        if self.timeout_ms == 0 || self.connect_ms == 0 || self.first_byte_ms == 0 {
            return wrong("timeoutMs, connectMs and firstByteMs must be at least 1");
        }
        if self.max_tokens == Some(0) {
            return wrong("maxTokens must be at least 1");
        }
        if let Some(price) = &self.price {
            let sound = |p: f64| p.is_finite() && p >= 0.0;
            if !sound(price.input_per_million) || !sound(price.output_per_million) {
                return wrong("the prices must be 0 or more");
            }
        }
        if let Some(profile) = &self.profile {
            profile.validate(&self.model)?;
        }
        if self.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            return wrong("temperature must be between 0 and 2");
        }
        if self.provider == ProviderKind::Anthropic
            && self.temperature.is_some()
            && self.api_version() >= "2026-10-21"
        {
            return wrong(
                "Anthropic's API refuses temperature from version 2026-10-21 on; leave it out, or set apiVersion to \"2023-06-01\"",
            );
        }
        if let Some(medium) = self.accepts.iter().find(|m| !self.provider.carries(**m)) {
            let medium = medium.as_str();
            return wrong(&format!(
                "accepts: requests of this provider have no place for {medium}s"
            ));
        }
        if self.provider.is_page() {
            return Ok(());
        }
        if !(self.base_url.starts_with("https://") || self.base_url.starts_with("http://")) {
            return wrong("baseUrl must be an http or https address");
        }
        if self.model.is_empty() {
            return wrong("model is empty");
        }
        Ok(())
    }

    /// The version of the wire format that is spoken, for Anthropic.
    pub fn api_version(&self) -> &str {
        self.api_version.as_deref().unwrap_or("2026-10-21")
    }

    /// The address with `path` behind it.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.trim_end_matches('/'))
    }

    /// What it is called in attempts and ledgers: its address, or what kind of function it is.
    pub fn name(&self) -> &str {
        match self.provider {
            ProviderKind::PromptApi => "the browser's own model",
            ProviderKind::Custom => "the page's own function",
            _ => &self.base_url,
        }
    }

    /// The model's name, or what stands for it.
    pub fn model(&self) -> &str {
        match self.provider {
            _ if !self.model.is_empty() => &self.model,
            ProviderKind::PromptApi => "prompt-api",
            _ => "custom",
        }
    }

    /// Whether nothing leaves the device through it.
    pub fn is_on_device(&self) -> bool {
        self.provider == ProviderKind::PromptApi
    }

    /// Whether it works without a network: it is a function of the page, or on this very device.
    pub fn works_offline(&self) -> bool {
        self.provider.is_page() || self.is_loopback()
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
