//! The remotes: what is remembered of them between calls, and a question's beginning: whether it may be asked at all, and
//! whether it was answered before.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Reply;
use super::accounts::Accounts;
use super::budget::{Budget, UsageReport};
use super::cache::{AnswerCache, Cache, fits};
use super::egress::clearance::{self, Clearance};
use super::egress::prompt::Payload;
use super::egress::{Egress, EgressReport, Ledger, Privacy};
use super::endpoint::Endpoint;
use super::exchange::Deliver;
use super::failover::Failover;
use super::policy::{Breaker, Policy};
use super::question::Question;
use super::redact::{PersonalData, Redactor};
use super::trace::Trace;
use super::transport::{Clock, Transport, TransportError};
use crate::error::{Code, Error, Result};
use crate::task::{Input, InputKind, Sent};

/// Which remotes there are and how they are asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RemoteOptions {
    /// The endpoints, in the order in which they are tried.
    pub endpoints: Vec<Endpoint>,
    /// How failures are met.
    pub policy: Policy,
    /// What may be spent.
    pub budget: Budget,
    /// What may leave the device.
    pub privacy: Privacy,
    /// How answers are kept.
    pub answer_cache: AnswerCache,
}

/// The remotes, with all that is remembered of them between calls.
#[derive(Debug)]
pub struct Remote {
    pub(super) options: RemoteOptions,
    pub(super) accounts: Accounts,
    pub(super) ledger: Ledger,
    redactor: Redactor,
    breakers: Mutex<Vec<Breaker>>,
    cache: Cache,
}

/// What a call begins with.
struct Begun {
    /// The endpoints that may be asked.
    order: VecDeque<usize>,
    payload: Payload,
    /// The hash of the question.
    key: String,
    /// The answer of an earlier call, where it may be that of this one.
    kept: Option<Reply>,
}

/// Finds people's names in what is about to leave.
pub trait People {
    /// The names in these texts.
    ///
    /// # Errors
    /// Why nobody could look: then nothing leaves.
    fn names(&self, texts: &[String]) -> impl Future<Output = Result<Vec<String>>>;
}

/// Nobody looks for names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unnamed;

impl People for Unnamed {
    async fn names(&self, _: &[String]) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

impl Remote {
    /// Remotes as described.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn new(options: RemoteOptions) -> Result<Self> {
        for endpoint in &options.endpoints {
            endpoint.validate()?;
        }
        options.policy.validate()?;
        options.budget.validate()?;
        options.answer_cache.validate()?;
        let redact = options.privacy.redact.clone();
        let redactor = Redactor::new(&redact.unwrap_or_default())?;
        Ok(Remote {
            redactor,
            breakers: Mutex::new(vec![Breaker::default(); options.endpoints.len()]),
            cache: Cache::new(options.answer_cache.clone()),
            ledger: Ledger::default(),
            accounts: Accounts::new(options.budget.clone()),
            options,
        })
    }

    /// What left the device.
    pub fn egress(&self) -> EgressReport {
        self.ledger.report()
    }

    /// What was written down since this was last asked.
    pub fn take_sent(&self) -> Vec<Sent> {
        self.ledger.news()
    }

    /// Checks that every task that the privacy options name is one.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn check_tasks<'t>(&self, known: impl Iterator<Item = &'t str> + Clone) -> Result<()> {
        self.options.privacy.check_tasks(known)
    }

    /// Forgets the answers that are kept.
    pub async fn forget(&self, transport: &impl Transport) {
        self.cache.clear(transport).await;
    }

    /// What was spent and saved, in all tabs.
    pub async fn usage(&self, transport: &impl Transport, clock: &impl Clock) -> UsageReport {
        self.accounts.usage(transport, clock).await
    }

    /// Takes in that an input of so many bytes was answered without a remote. It is what the first endpoint that is not
    /// on this device would have cost.
    pub async fn saved(
        &self,
        kind: InputKind,
        bytes: usize,
        text: bool,
        transport: &impl Transport,
        clock: &impl Clock,
    ) {
        let Some(endpoint) = self.options.endpoints.iter().find(|e| !e.is_on_device()) else {
            return;
        };
        let bytes = match kind {
            InputKind::Text => bytes,
            InputKind::Bytes => bytes.min(512) * 3,
        };
        if self.accounts.saved(endpoint, bytes, text) {
            let _ = self.usage(transport, clock).await;
        }
    }

    /// Asks and gives the answer.
    ///
    /// # Errors
    /// One of the `Remote…` codes, [`Code::Offline`], [`Code::EgressDenied`], [`Code::OverBudget`],
    /// [`Code::InputTooLong`], or [`Code::Aborted`].
    pub async fn ask<T: Transport, C: Clock>(
        &self,
        question: &Question<'_>,
        people: &impl People,
        transport: &T,
        clock: &C,
        trace: &Trace,
    ) -> Result<Reply> {
        let begun = self.begin(question, transport, clock, trace).await?;
        let Begun {
            order,
            payload,
            key,
            kept,
        } = begun;
        if let Some(reply) = kept {
            return Ok(reply);
        }
        let flight = self.cache.flight(&key);
        let mut landed = flight.lock().await;
        if transport.aborted() {
            return Err(Error::aborted());
        }
        match &*landed {
            // Somebody else asked the same in the meantime.
            Some(Ok(reply)) => return Ok(cached(reply.clone())),
            Some(Err(error)) => return Err(error.clone()),
            None => {}
        }
        let result = async {
            let (order, clearance) = self
                .clear(question, payload, order, people, transport, trace)
                .await?;
            Failover::new(self, question, &clearance, order, transport, clock, trace)
                .answer()
                .await
        };
        let result = result.await;
        match &result {
            Ok(reply) => {
                self.cache
                    .put(&key, reply, clock.wall_ms(), transport)
                    .await
            }
            // Who aborted speaks for itself only.
            Err(error) if error.code() == Code::Aborted => return result,
            Err(_) => {}
        }
        *landed = Some(result.clone());
        result
    }

    /// Asks for text, which goes piece by piece to the page on its way.
    ///
    /// # Errors
    /// As [`Remote::ask`], and [`Code::RemoteInterrupted`] when it broke off after the first piece.
    pub async fn stream<T: Transport, C: Clock>(
        &self,
        question: &Question<'_>,
        people: &impl People,
        transport: &T,
        clock: &C,
        trace: &Trace,
    ) -> Result<Reply> {
        let begun = self.begin(question, transport, clock, trace).await?;
        let Begun {
            order,
            payload,
            key,
            kept,
        } = begun;
        let mut page = ToPage(transport);
        if let Some(reply) = kept {
            let delivered = page.deliver(&reply.text).await;
            return delivered.map(|()| reply).map_err(|_| Error::aborted());
        }
        let (order, clearance) = self
            .clear(question, payload, order, people, transport, trace)
            .await?;
        let reply = Failover::new(self, question, &clearance, order, transport, clock, trace)
            .text(&mut page)
            .await?;
        let now = clock.wall_ms();
        self.cache.put(&key, &reply, now, transport).await;
        Ok(reply)
    }

    /// What every call begins with: who may be asked, and whether the question was answered before.
    async fn begin(
        &self,
        question: &Question<'_>,
        transport: &impl Transport,
        clock: &impl Clock,
        trace: &Trace,
    ) -> Result<Begun> {
        if self.options.endpoints.is_empty() {
            trace.skip(None, Code::RemoteNotConfigured, NOT_CONFIGURED);
            return Err(Error::new(Code::RemoteNotConfigured, NOT_CONFIGURED));
        }
        let payload = question.payload();
        // First of all: what may not leave is not answered from what left before, either.
        let order = self.order(question, payload.bytes(), transport, trace)?;
        let key = question.hash(&payload, &self.options.endpoints);
        let fits = |reply: &Reply| fits(reply, question.wanted, &self.options.endpoints);
        let kept = self.cache.get(&key, clock.wall_ms(), fits, transport).await;
        Ok(Begun {
            order,
            payload,
            key,
            kept: kept.map(cached),
        })
    }

    /// The endpoints that may be asked, or why there are none.
    fn order(
        &self,
        question: &Question,
        bytes: usize,
        transport: &impl Transport,
        trace: &Trace,
    ) -> Result<VecDeque<usize>> {
        let denied = self.options.privacy.of(question.task) == Egress::Never;
        let mut order = VecDeque::new();
        let mut why = Error::new(Code::EgressDenied, DENIED);
        for (at, endpoint) in self.options.endpoints.iter().enumerate() {
            if denied && !endpoint.is_on_device() {
                trace.skip(Some(endpoint), Code::EgressDenied, DENIED);
                continue;
            }
            why = if !endpoint.works_offline() && !transport.online() {
                Error::new(Code::Offline, "the device is offline")
            } else if let Some(error) = too_long(endpoint, question, bytes) {
                // Before anybody looks for names or personal data in it.
                error
            } else {
                order.push_back(at);
                continue;
            };
            trace.skip(Some(endpoint), why.code(), &why.to_string());
        }
        if order.is_empty() {
            return Err(why);
        }
        Ok(order)
    }

    /// Clears a question for the endpoints of `order`, and leaves out those that it may not go to.
    async fn clear(
        &self,
        question: &Question<'_>,
        payload: Payload,
        order: VecDeque<usize>,
        people: &impl People,
        transport: &impl Transport,
        trace: &Trace,
    ) -> Result<(VecDeque<usize>, Clearance<'_>)> {
        let endpoint = |at: &usize| &self.options.endpoints[*at];
        let endpoints: Vec<&Endpoint> = order.iter().map(endpoint).collect();
        let leaves = endpoints.iter().any(|e| !e.is_on_device());
        let privacy = &self.options.privacy;
        let looks =
            leaves && privacy.redacts(question.task) && self.redactor.takes(PersonalData::Name);
        let names = match looks {
            true => people.names(&question.words(&payload)).await,
            false => Ok(Vec::new()),
        };
        let request = clearance::Request {
            payload,
            file: matches!(question.input, Input::Bytes(_)),
            names,
            endpoints: &endpoints,
        };
        let cleared = Clearance::new(request, privacy, &self.redactor, transport);
        let clearance = match cleared.await {
            Ok(clearance) => clearance,
            Err(error) => {
                if error.code() == Code::EgressDenied {
                    for endpoint in endpoints {
                        trace.skip(Some(endpoint), error.code(), &error.to_string());
                    }
                }
                return Err(error);
            }
        };
        // Where nothing may leave, a model on this device may still answer.
        let Some(denied) = clearance.denied() else {
            return Ok((order, clearance));
        };
        let (here, gone): (Vec<usize>, Vec<usize>) =
            order.iter().partition(|at| endpoint(at).is_on_device());
        for at in &gone {
            trace.skip(Some(endpoint(at)), denied.code(), &denied.to_string());
        }
        Ok((here.into(), clearance))
    }

    pub(super) fn breakers<R>(&self, change: impl FnOnce(&mut Vec<Breaker>) -> R) -> R {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut breakers)
    }
}

/// The error of a text that an endpoint does not take.
pub(super) fn too_long(endpoint: &Endpoint, question: &Question, bytes: usize) -> Option<Error> {
    let limit = endpoint.max_input_bytes as usize;
    (bytes > limit && matches!(question.input, Input::Text(_))).then(|| {
        Error::new(
            Code::InputTooLong,
            format!(
                "the input has {bytes} bytes, over the remote's limit of {limit}; shorten it or raise remote.maxInputBytes"
            ),
        )
    })
}

const NOT_CONFIGURED: &str = "no remote is configured; give `remote` to createSmallFirst";
const DENIED: &str = "the task's egress setting lets nothing leave this device";

/// Hands text to the page.
struct ToPage<'a, T>(&'a T);

impl<T: Transport> Deliver for ToPage<'_, T> {
    async fn deliver(&mut self, text: &str) -> std::result::Result<(), TransportError> {
        self.0.delta(text).await
    }
}

/// An answer of an earlier call.
fn cached(mut reply: Reply) -> Reply {
    reply.cached = true;
    // It cost nothing this time.
    reply.usage = None;
    reply
}
