//! An Amazon SageMaker real-time endpoint whose container speaks the Messages API (Hugging Face TGI, vLLM, LMI),
//! `POST {baseUrl}/endpoints/{model}/invocations`, behind a proxy of the caller's that signs. The model's name
//! is the endpoint's. Its streams are in AWS's own binary framing, so replies come whole.

use super::format::{Completion, Framing, Provider, Wire, object, segment};
use super::json::Json;
use super::openai;
use crate::error::Error;
use crate::remote::egress::Prompt;
use crate::remote::endpoint::Endpoint;
use crate::remote::failure::Failure;

/// The wire format of a SageMaker endpoint with the Messages API.
pub struct SageMaker;

impl Provider for SageMaker {
    fn request(&self, endpoint: &Endpoint, prompt: &Prompt) -> Result<Wire, Error> {
        let mut endpoint = endpoint.clone();
        // These containers know only the older name.
        endpoint
            .max_tokens_field
            .get_or_insert_with(|| "max_tokens".into());
        Ok(Wire {
            url: endpoint.url(&format!(
                "/endpoints/{}/invocations",
                segment(&endpoint.model)
            )),
            headers: Vec::new(),
            body: object(openai::body(&endpoint, prompt)),
        })
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn reply(&self) -> &'static str {
        openai::OpenAi.reply()
    }

    fn whole(&self, reply: Json<'_>, said: &mut Completion) -> Result<(), Failure> {
        openai::OpenAi.whole(reply, said)
    }

    fn event(
        &self,
        name: Option<&str>,
        event: Json<'_>,
        said: &mut Completion,
    ) -> Result<String, Failure> {
        openai::OpenAi.event(name, event, said)
    }
}
