//! What requests cost: asked of the budget before they are sent, billed when they ended. The book is shared by all tabs.

use std::sync::{Mutex, PoisonError};

use super::budget::{Bill, Book, Budget, Refusal, Spent, UsageReport};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::host::Host;
use super::provider::Completion;
use crate::error::{Code, Error, Result};

/// Where the book is kept.
const BOOK: &str = "budget";

/// After how many saved requests they are written into the book.
const SAVED_AT_ONCE: u64 = 20;

/// How many tokens a reply is taken to have where nobody says.
const CHOICE_TOKENS: u64 = 16;
const TEXT_TOKENS: u64 = 512;

/// How many bytes of a text make a token, about.
pub(super) const TOKEN_BYTES: u64 = 4;

/// What every request adds to its input, in bytes: the task's own words.
pub(super) const FRAME_BYTES: usize = 400;

/// The budget, and what was saved of it.
#[derive(Debug)]
pub(super) struct Accounts {
    budget: Budget,
    /// What was saved and is not in the book yet.
    saved: Mutex<Spent>,
}

/// A request that asks for admission.
pub(super) struct Request<'a> {
    /// Where it goes.
    pub endpoint: &'a Endpoint,
    /// A name of its own.
    pub id: String,
    /// How many bytes it costs as much as.
    pub bytes: usize,
    /// Whether it asks for text, and not for a choice.
    pub text: bool,
    /// How long it may wait while others are under way, in milliseconds.
    pub patience_ms: f64,
}

/// A request that the budget admitted.
#[derive(Debug)]
pub(super) struct Lease {
    /// Its name in the book; none for a model on this device, which costs nothing.
    id: Option<String>,
    estimate: Spent,
}

impl Accounts {
    pub fn new(budget: Budget) -> Self {
        Accounts {
            budget,
            saved: Mutex::default(),
        }
    }

    /// What was spent and saved, in all tabs.
    pub async fn usage(&self, host: &impl Host) -> UsageReport {
        let saved = std::mem::take(&mut *self.saved.lock().unwrap_or_else(PoisonError::into_inner));
        let now = host.wall_ms();
        let mut report = UsageReport::default();
        book(host, |book| {
            if saved.requests > 0 {
                book.save(saved, now);
            }
            report = book.report(now);
        })
        .await;
        report
    }

    /// Takes in that a request of so many bytes to an endpoint was not needed. True when it is time for [`Self::usage`] to
    /// write that down.
    pub fn saved(&self, endpoint: &Endpoint, bytes: usize, text: bool) -> bool {
        let estimate = estimate(endpoint, bytes + FRAME_BYTES, text);
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        saved.add(&estimate);
        saved.requests >= SAVED_AT_ONCE
    }

    /// Asks the budget for a request, and waits while others are under way.
    ///
    /// # Errors
    /// [`Code::OverBudget`] or [`Code::Aborted`].
    pub async fn lease(&self, request: Request<'_>, host: &impl Host) -> Result<Lease> {
        let Request {
            endpoint,
            id,
            bytes,
            text,
            patience_ms,
        } = request;
        let estimate = estimate(endpoint, bytes, text);
        if endpoint.is_on_device() {
            return Ok(Lease { id: None, estimate });
        }
        // A little longer than a try may take, so that it is never over before the try is.
        let lasts = f64::from(endpoint.timeout_ms) * 2.0 + 60_000.0;
        let waits_until = host.now_ms() + patience_ms;
        loop {
            let now = host.wall_ms();
            let mut admitted = Ok(());
            book(host, |book| {
                admitted = book.admit(&self.budget, &id, estimate, now, now + lasts)
            })
            .await;
            match admitted {
                Ok(()) => {
                    return Ok(Lease {
                        id: Some(id),
                        estimate,
                    });
                }
                Err(Refusal::Busy) if host.now_ms() < waits_until => {
                    host.sleep(20.0 + 80.0 * host.uniform()).await;
                    if host.aborted() {
                        return Err(Error::aborted());
                    }
                }
                Err(refusal) => return Err(refusal.into_error()),
            }
        }
    }

    /// Writes the bill of a request.
    pub async fn settle(
        &self,
        lease: &Lease,
        endpoint: &Endpoint,
        result: &std::result::Result<Completion, Failure>,
        host: &impl Host,
    ) {
        let Some(id) = &lease.id else { return };
        let bill = match result {
            Ok(said) => {
                let (input, output, cost) = lease.spent(endpoint, said);
                Bill::Exactly(Spent {
                    requests: 1,
                    input_tokens: input,
                    output_tokens: output,
                    cost_usd: cost,
                })
            }
            Err(failure) if failure.maybe_billed => Bill::Unknown,
            Err(failure) if matches!(failure.error.code(), Code::RemoteStatus) => {
                Bill::Exactly(Spent {
                    requests: 1,
                    ..Spent::default()
                })
            }
            Err(failure) if failure.error.code() == Code::Aborted => Bill::Unknown,
            Err(_) => Bill::Nothing,
        };
        let now = host.wall_ms();
        book(host, |book| book.settle(id, bill, now)).await;
    }
}

impl Lease {
    /// Tokens of the request and of the reply, and US dollars: as stated, or else estimated.
    pub fn spent(&self, endpoint: &Endpoint, said: &Completion) -> (u64, u64, f64) {
        let input = said.input_tokens.unwrap_or(self.estimate.input_tokens);
        let written = said.text.len() as u64 / TOKEN_BYTES + 1;
        let output = said.output_tokens.unwrap_or(written);
        let cost = endpoint.price.map_or(0.0, |p| p.of(input, output));
        (input, output, cost)
    }
}

/// What a request of that many bytes may cost.
fn estimate(endpoint: &Endpoint, bytes: usize, text: bool) -> Spent {
    let usual = if text { TEXT_TOKENS } else { CHOICE_TOKENS };
    let input_tokens = bytes as u64 / TOKEN_BYTES + 1;
    let output_tokens = endpoint.max_tokens.map_or(usual, u64::from);
    Spent {
        requests: 1,
        input_tokens,
        output_tokens,
        cost_usd: endpoint
            .price
            .map_or(0.0, |p| p.of(input_tokens, output_tokens)),
    }
}

/// Changes the book in one piece.
async fn book(host: &impl Host, change: impl FnOnce(&mut Book)) {
    let mut change = Some(change);
    let mut update = |stored: Option<String>| {
        let mut book = Book::read(stored.as_deref());
        if let Some(change) = change.take() {
            change(&mut book);
        }
        Some(book.write())
    };
    host.update(BOOK, &mut update).await;
}
