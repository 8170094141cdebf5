//! The one door: a request is made here of what was cleared, admitted by the budget and written into the ledger, and a
//! host takes nothing else.

use std::cell::Cell;

use super::clearance::Conversation;
use super::ledger::Ledger;
use super::request::HttpRequest;
use crate::error::{Error, Result};
use crate::remote::accounts::{self, Accounts, Lease};
use crate::remote::endpoint::Endpoint;
use crate::remote::failure::Failure;
use crate::remote::host::Host;
use crate::remote::provider::{Completion, provider};
use crate::remote::trace::Trace;
use crate::task::Sent;

/// The door for the requests of one question.
pub(in crate::remote) struct Door<'a, H> {
    pub accounts: &'a Accounts,
    pub ledger: &'a Ledger,
    pub trace: &'a Trace,
    pub host: &'a H,
    /// The task's name, for the ledger.
    pub task: &'a str,
    /// Whether text is wanted, and not a choice.
    pub text: bool,
    /// How long a request may wait for others of the same budget, in milliseconds.
    pub patience_ms: f64,
    /// The same for all tries of the question.
    pub key: String,
    pub tries: Cell<u32>,
}

/// A request on its way.
pub(in crate::remote) struct Departure {
    request: HttpRequest,
    lease: Lease,
    attempt: usize,
    from: f64,
}

impl Departure {
    /// What the budget admitted it for.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// What is sent.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }
}

impl<H: Host> Door<'_, H> {
    /// Lets one request through; `at` is the place of its endpoint. Until it ends, its attempt counts as called off: that
    /// is what it is when another answer comes first.
    ///
    /// # Errors
    /// [`Code::InvalidOption`](crate::error::Code::InvalidOption) when the provider cannot ask this,
    /// [`Code::OverBudget`](crate::error::Code::OverBudget) or [`Code::Aborted`](crate::error::Code::Aborted).
    pub async fn depart(
        &self,
        at: usize,
        conversation: &Conversation<'_>,
        stream: bool,
    ) -> Result<Departure> {
        let endpoint = conversation.endpoint();
        let request = self.request(at, conversation, stream)?;
        self.tries.set(self.tries.get() + 1);
        let id = format!(
            "{}-{}-{:08x}",
            self.key,
            self.tries.get(),
            (self.host.uniform() * 4e9) as u32
        );
        let asks = accounts::Request {
            endpoint,
            id,
            bytes: as_words(conversation, request.body.len()),
            text: self.text,
            patience_ms: self.patience_ms,
        };
        let leased = self.accounts.lease(asks, self.host);
        let lease = leased.await?;
        if !endpoint.is_on_device() {
            let sent = Sent {
                at: self.host.wall_ms(),
                task: self.task.to_owned(),
                endpoint: endpoint.name().to_owned(),
                model: endpoint.model().to_owned(),
                bytes: u32::try_from(request.body.len()).unwrap_or(u32::MAX),
                body: request.body.clone(),
                redactions: conversation.redacted().counts(),
            };
            self.ledger.write(sent.clone());
            self.trace.sent(sent);
        }
        Ok(Departure {
            request,
            lease,
            attempt: self.trace.begin(endpoint),
            from: self.host.now_ms(),
        })
    }

    fn request(
        &self,
        at: usize,
        conversation: &Conversation<'_>,
        stream: bool,
    ) -> Result<HttpRequest> {
        let endpoint = conversation.endpoint();
        let prompt = conversation.prompt(stream);
        let mut wire = provider(endpoint.provider).request(endpoint, &prompt)?;
        wire.body.extend(conversation.extra());
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let own = wire.headers.into_iter();
        headers.extend(own.map(|(name, value)| (name.to_owned(), value)));
        if let Some(name) = &endpoint.idempotency_header {
            headers.push((name.clone(), self.key.clone()));
        }
        Ok(HttpRequest {
            endpoint: at,
            url: wire.url,
            headers,
            body: serde_json::Value::Object(wire.body).to_string(),
        })
    }

    /// Writes the bill of what became of a request.
    pub async fn settle(
        &self,
        departure: &Departure,
        endpoint: &Endpoint,
        result: &std::result::Result<Completion, Failure>,
    ) {
        self.accounts
            .settle(&departure.lease, endpoint, result, self.host)
            .await;
    }

    /// Notes how an attempt ended.
    pub fn ended(&self, departure: &Departure, result: std::result::Result<(), &Error>) {
        let ms = self.host.now_ms() - departure.from;
        self.trace.end(departure.attempt, ms, result);
    }
}

/// How many bytes of words cost about as much as a request with so long a body.
fn as_words(conversation: &Conversation<'_>, body: usize) -> usize {
    match conversation.attachment() {
        Some(attached) => {
            let tokens = attached.tokens() as usize;
            body.saturating_sub(attached.data().len()) + tokens * accounts::TOKEN_BYTES as usize
        }
        None => body,
    }
}
