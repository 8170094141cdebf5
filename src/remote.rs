//! Asking a remote model, and everything that makes that safe: providers, structured replies, retries and breakers,
//! budgets, privacy, and the same work only once. No I/O here: the [`Host`] carries it out.

mod accounts;
mod ask;
mod attachment;
mod attempt;
mod budget;
mod cache;
mod client;
mod egress;
mod endpoint;
mod exchange;
mod failover;
mod failure;
mod host;
mod policy;
mod profile;
#[cfg(feature = "cli")]
mod profile_fit;
mod provider;
mod question;
mod redact;
mod trace;

use serde::{Deserialize, Serialize};

pub use attachment::{Attachment, Medium};
pub use budget::{Bill, Book, Budget, Refusal, Spent, UsageReport};
pub use cache::AnswerCache;
pub use client::{People, Remote, RemoteOptions, Unnamed};
pub use egress::{Egress, EgressReport, HttpRequest, Privacy, Role, Turn};
pub use endpoint::{Endpoint, Price, ProviderKind, Structured};
pub use exchange::{Deliver, DiscardSink};
pub use failure::Failure;
pub use host::{
    Body, Consent, ConsentRequest, FullBody, Head, Host, Message, Network, OfflineHost, Page,
    READ_HEADERS, TransportError,
};
pub use policy::{Admission, Breaker, Policy};
pub use profile::{MAX_BINS, PROFILE_VERSION, ProfileBin, RemoteProfile, TaskProfile, worth_claim};
#[cfg(feature = "cli")]
pub use profile_fit::{FEWEST_ROWS, ProfileFigures, profile_figures, remote_profile};
#[cfg(test)]
pub(crate) use provider::page::{PageReply, PageRequest};
pub use question::{JsonForm, Question, ResponseFormat};
pub use redact::{Found, Named, PersonalData, RedactOptions, Redacted, Redactor, Restorer};
pub use trace::Trace;

use crate::task::{Output, Usage};

/// The most bytes of a whole reply, and of the text of a streamed one, that are read.
pub const MAX_REPLY_BYTES: usize = 1 << 20;

/// The most bytes of a streamed body that are read: every few characters come in a frame of some hundred bytes.
pub const MAX_STREAM_BYTES: usize = 32 << 20;

/// What a remote answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The choice, where one was wanted.
    pub output: Option<Output>,
    /// The text, where text was wanted.
    pub text: String,
    /// Whether the text was cut off at the token limit.
    pub truncated: bool,
    /// The probability that the remote itself states; nobody calibrated it.
    pub confidence: Option<f64>,
    /// What was counted over all tries.
    pub usage: Option<Usage>,
    /// The model that answered.
    pub model: String,
    /// Whether it runs on this device.
    pub on_device: bool,
    /// Whether it is an answer that was kept from an earlier call.
    pub cached: bool,
}

impl Reply {
    /// About how many bytes it takes to keep it.
    fn size(&self) -> usize {
        let output = self.output.as_ref().map_or(0, |output| {
            let title = output.title.as_ref().map_or(0, String::len);
            let scores = output.scores.iter().map(|s| s.label.len() + 40);
            output.label.len() + title + scores.sum::<usize>()
        });
        self.text.len() + self.model.len() + output + 200
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
