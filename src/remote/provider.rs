//! The wire formats: each builds a request from a prompt and reads what comes back.

mod anthropic;
mod bedrock;
mod decisions;
pub mod finish;
mod format;
mod gemini;
mod json;
mod ollama;
mod openai;
pub(super) mod page;
pub mod reading;
mod responses;
mod sagemaker;

#[cfg(test)]
pub(super) mod tests;

use super::endpoint::ProviderKind;

pub use format::{Completion, Framing, Provider};

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
