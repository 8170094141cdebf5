//! One question from its beginning to its answer: whether it may be asked at all, whether it was answered before, what of it
//! may leave, and then the endpoints.

use std::collections::VecDeque;

use super::Reply;
use super::attachment::Medium;
use super::cache::fits;
use super::client::{People, Remote};
use super::egress::Egress;
use super::egress::clearance::{self, Clearance};
use super::egress::prompt::Payload;
use super::endpoint::Endpoint;
use super::exchange::Deliver;
use super::failover::Failover;
use super::host::{Host, TransportError};
use super::question::{Question, too_long};
use super::redact::PersonalData;
use super::trace::Trace;
use crate::error::{Code, Error, Result};
use crate::task::Input;

/// What a call begins with.
struct Begun {
    /// The endpoints that may be asked.
    order: VecDeque<usize>,
    payload: Payload,
    /// The hash of the question.
    key: String,
    /// The answer of an earlier call, where it may be that of this one.
    cached_reply: Option<Reply>,
}

impl Remote {
    /// Asks and gives the answer.
    ///
    /// # Errors
    /// One of the `Remote…` codes, [`Code::Offline`], [`Code::EgressDenied`], [`Code::OverBudget`],
    /// [`Code::InputTooLong`], or [`Code::Aborted`].
    pub async fn ask<H: Host>(
        &self,
        question: &Question<'_>,
        people: &impl People,
        host: &H,
        trace: &Trace,
    ) -> Result<Reply> {
        let Begun {
            order,
            payload,
            key,
            cached_reply,
        } = self.begin(question, host, trace).await?;
        if let Some(reply) = cached_reply {
            return Ok(reply);
        }
        let flight = self.cache.flight(&key);
        let mut landed = flight.lock().await;
        if host.aborted() {
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
                .clear(question, payload, order, people, host, trace)
                .await?;
            Failover::new(self, question, &clearance, order, host, trace)
                .answer()
                .await
        };
        let result = result.await;
        match &result {
            Ok(reply) => self.cache.put(&key, reply, host.wall_ms(), host).await,
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
    pub async fn stream<H: Host>(
        &self,
        question: &Question<'_>,
        people: &impl People,
        host: &H,
        trace: &Trace,
    ) -> Result<Reply> {
        let Begun {
            order,
            payload,
            key,
            cached_reply,
        } = self.begin(question, host, trace).await?;
        let mut page = ToPage(host);
        if let Some(reply) = cached_reply {
            let delivered = page.deliver(&reply.text).await;
            return delivered.map(|()| reply).map_err(|_| Error::aborted());
        }
        let (order, clearance) = self
            .clear(question, payload, order, people, host, trace)
            .await?;
        let reply = Failover::new(self, question, &clearance, order, host, trace)
            .text(&mut page)
            .await?;
        let now = host.wall_ms();
        self.cache.put(&key, &reply, now, host).await;
        Ok(reply)
    }

    /// What every call begins with: who may be asked, and whether the question was answered before.
    async fn begin(
        &self,
        question: &Question<'_>,
        host: &impl Host,
        trace: &Trace,
    ) -> Result<Begun> {
        if self.options.endpoints.is_empty() {
            trace.skip(None, Code::RemoteNotConfigured, NOT_CONFIGURED);
            return Err(Error::new(Code::RemoteNotConfigured, NOT_CONFIGURED));
        }
        #[cfg_attr(
            not(feature = "onnx"),
            expect(unused_mut, reason = "nothing is attached")
        )]
        let mut payload = question.payload();
        // First of all: what may not leave is not answered from what left before, either.
        let order = self.order(question, payload.bytes(), host, trace)?;
        // Only now: a large image takes its time.
        #[cfg(feature = "onnx")]
        {
            payload.attachment = super::attachment::attachment(question.input)?;
        }
        let key = question.hash(&payload, &self.options.endpoints);
        let fits = |reply: &Reply| fits(reply, question.wanted, &self.options.endpoints);
        let cached_reply = self.cache.get(&key, host.wall_ms(), fits, host).await;
        Ok(Begun {
            order,
            payload,
            key,
            cached_reply: cached_reply.map(cached),
        })
    }

    /// The endpoints that may be asked, or why there are none.
    fn order(
        &self,
        question: &Question,
        bytes: usize,
        host: &impl Host,
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
            why = if let Some(medium) = question.medium().filter(|m| !endpoint.accepts.contains(m))
            {
                not_accepted(medium)
            } else if !endpoint.works_offline() && !host.online() {
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
        host: &impl Host,
        trace: &Trace,
    ) -> Result<(VecDeque<usize>, Clearance<'_>)> {
        let endpoint = |at: &usize| &self.options.endpoints[*at];
        let endpoints: Vec<&Endpoint> = order.iter().map(endpoint).collect();
        let leaves = endpoints.iter().any(|e| !e.is_on_device());
        let privacy = &self.options.privacy;
        let by = self.redacts_by();
        let wanted = self.redactor.takes(PersonalData::Name) || by.is_some();
        let looks = leaves && privacy.redacts(question.task) && wanted;
        let names = match looks {
            true => people.names(&question.words(&payload), by).await,
            false => Ok(Vec::new()),
        };
        let request = clearance::Request {
            payload,
            opaque: match question.input {
                Input::Bytes(_) => Some("a file's bytes"),
                _ => question.medium().map(|_| question.input.kind().as_str()),
            },
            names,
            endpoints: &endpoints,
        };
        let cleared = Clearance::new(request, privacy, &self.redactor, host);
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
}

fn not_accepted(medium: Medium) -> Error {
    let what = medium.as_str();
    Error::new(
        Code::RemoteNotConfigured,
        format!(
            "the remote is not asked about {what}s; list \"{what}\" in remote.accepts if its model takes them and they may leave the device"
        ),
    )
}

const NOT_CONFIGURED: &str = "no remote is configured; give `remote` to createSmallFirst";
const DENIED: &str = "the task's egress setting lets nothing leave this device";

/// Hands text to the page.
struct ToPage<'a, H>(&'a H);

impl<H: Host> Deliver for ToPage<'_, H> {
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
