//! A question on its way: what may leave, whether it was answered before, and then one endpoint after the other until
//! one answers.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};

use super::budget::{Bill, Book, Budget, Spent, UsageReport};
use super::cache::{AnswerCache, Cache};
use super::egress::{Egress, EgressReport, Ledger, Privacy};
use super::endpoint::Endpoint;
use super::exchange::{Deliver, exchange, request};
use super::failure::Failure;
use super::policy::{Admission, Breaker, Policy};
use super::provider::{Finish, Role, Said, Turn};
use super::question::{Question, Wanted};
use super::redact::{PersonalData, Redacted, Redactor, Restorer};
use super::transport::{Clock, Outgoing, Transport, TransportError};
use super::{Nowhere, Reply};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::{Attempt, Input, InputKind, Outcome, Output, RanOn, Sent, Usage, parse_output};

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
    options: RemoteOptions,
    redactor: Redactor,
    breakers: Mutex<Vec<Breaker>>,
    cache: Cache,
    ledger: Ledger,
    /// What was saved and is not in the book yet.
    saved: Mutex<Spent>,
}

/// What was tried for a call, and what left the device for it.
#[derive(Debug, Default)]
pub struct Trace {
    attempts: RefCell<Vec<Attempt>>,
    sent: RefCell<Vec<Sent>>,
}

impl Trace {
    /// Both lists.
    pub fn into_parts(self) -> (Vec<Attempt>, Vec<Sent>) {
        (self.attempts.into_inner(), self.sent.into_inner())
    }
}

/// Where the book is kept.
const BOOK: &str = "budget";

/// After how many saved requests they are written into the book.
const SAVED_AT_ONCE: u64 = 20;

/// How many tokens a reply is taken to have where nobody says.
const CHOICE_TOKENS: u64 = 16;
const TEXT_TOKENS: u64 = 512;

/// How many bytes of a text make a token, about.
const TOKEN_BYTES: u64 = 4;

/// What every request adds to its input, in bytes: the task's own words.
const FRAME_BYTES: usize = 400;

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
        let redact = options.privacy.redact.clone();
        let redactor = Redactor::new(&redact.unwrap_or_default())?;
        Ok(Remote {
            redactor,
            breakers: Mutex::new(vec![Breaker::default(); options.endpoints.len()]),
            cache: Cache::new(options.answer_cache.clone()),
            ledger: Ledger::default(),
            saved: Mutex::default(),
            options,
        })
    }

    /// What left the device.
    pub fn egress(&self) -> EgressReport {
        self.ledger.report()
    }

    /// Whether a question of `task` is sent without people's names, so that somebody must find them first.
    pub fn redacts_names(&self, task: &str) -> bool {
        let privacy = &self.options.privacy;
        let redacts = privacy.of(task) == Egress::Redacted || privacy.redact.is_some();
        redacts
            && self.redactor.takes(PersonalData::Name)
            && self.options.endpoints.iter().any(|e| !e.is_on_device())
    }

    /// Forgets the answers that are kept.
    pub async fn forget(&self, transport: &impl Transport) {
        self.cache.clear(transport).await;
    }

    /// What was spent and saved, in all tabs.
    pub async fn usage(&self, transport: &impl Transport, clock: &impl Clock) -> UsageReport {
        let saved = std::mem::take(&mut *self.saved.lock().unwrap_or_else(PoisonError::into_inner));
        let now = clock.wall_ms();
        let mut report = UsageReport::default();
        book(transport, |book| {
            if saved.requests > 0 {
                book.save(saved, now);
            }
            report = book.report(now);
        })
        .await;
        report
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
        let estimate = estimate(endpoint, bytes + FRAME_BYTES, text);
        let due = {
            let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
            saved.add(&estimate);
            saved.requests >= SAVED_AT_ONCE
        };
        if due {
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
        transport: &T,
        clock: &C,
        trace: &Trace,
    ) -> Result<Reply> {
        // First of all: what may not leave is not answered from what left before, either.
        let order = self.order(question, transport, trace)?;
        let texts = question.texts();
        let key = question.hash(&texts, &self.options.endpoints);
        if let Some(reply) = self.cache.get(&key, transport).await {
            return Ok(kept(reply));
        }
        let flight = self.cache.flight(&key);
        let mut landed = flight.lock().await;
        if transport.aborted() {
            return Err(aborted());
        }
        match &*landed {
            // Somebody else asked the same in the meantime.
            Some(Ok(reply)) => return Ok(kept(reply.clone())),
            Some(Err(error)) => return Err(error.clone()),
            None => {}
        }
        let result = self
            .dispatch(
                question,
                &texts,
                order,
                transport,
                clock,
                trace,
                None::<&mut Nowhere>,
            )
            .await;
        match &result {
            Ok(reply) => self.cache.put(&key, reply, transport).await,
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
        transport: &T,
        clock: &C,
        trace: &Trace,
    ) -> Result<Reply> {
        let order = self.order(question, transport, trace)?;
        let texts = question.texts();
        let mut page = ToPage(transport);
        let key = question.hash(&texts, &self.options.endpoints);
        if let Some(reply) = self.cache.get(&key, transport).await {
            let delivered = page.deliver(&reply.text).await;
            return delivered.map(|()| kept(reply)).map_err(|_| aborted());
        }
        let result = self
            .dispatch(
                question,
                &texts,
                order,
                transport,
                clock,
                trace,
                Some(&mut page),
            )
            .await;
        if let Ok(reply) = &result {
            self.cache.put(&key, reply, transport).await;
        }
        result
    }

    /// The endpoints that may be asked, or why there are none.
    fn order(
        &self,
        question: &Question,
        transport: &impl Transport,
        trace: &Trace,
    ) -> Result<VecDeque<usize>> {
        let error = |code, what: &str| Err(Error::new(code, what));
        if self.options.endpoints.is_empty() {
            skip(trace, None, Code::RemoteNotConfigured, NOT_CONFIGURED);
            return error(Code::RemoteNotConfigured, NOT_CONFIGURED);
        }
        let denied = self.options.privacy.of(question.task) == Egress::Never;
        let mut order = VecDeque::new();
        let mut why = (Code::EgressDenied, DENIED);
        for (at, endpoint) in self.options.endpoints.iter().enumerate() {
            if denied && !endpoint.is_on_device() {
                skip(trace, Some(endpoint), Code::EgressDenied, DENIED);
            } else if !endpoint.works_offline() && !transport.online() {
                why = (Code::Offline, "the device is offline");
                skip(trace, Some(endpoint), why.0, why.1);
            } else {
                order.push_back(at);
            }
        }
        if order.is_empty() {
            return error(why.0, why.1);
        }
        Ok(order)
    }

    /// Prepares what is sent, and asks the endpoints of `order`.
    #[allow(clippy::too_many_arguments)]
    async fn dispatch<T: Transport, C: Clock, D: Deliver>(
        &self,
        question: &Question<'_>,
        texts: &[String],
        order: VecDeque<usize>,
        transport: &T,
        clock: &C,
        trace: &Trace,
        deliver: Option<&mut D>,
    ) -> Result<Reply> {
        let outgoing = self.outgoing(question, texts, &order, transport).await;
        // Where nothing may leave, a model on this device may still answer.
        let (order, outgoing) = match outgoing {
            Ok(outgoing) => (order, outgoing),
            Err(error) if error.code() == Code::EgressDenied => {
                let (here, gone): (Vec<_>, Vec<_>) = order
                    .into_iter()
                    .partition(|&at| self.options.endpoints[at].is_on_device());
                for at in gone {
                    let endpoint = self.options.endpoints.get(at);
                    skip(trace, endpoint, error.code(), &error.to_string());
                }
                if here.is_empty() {
                    return Err(error);
                }
                (here.into(), Leaving::default())
            }
            Err(error) => return Err(error),
        };
        let several = order.len() > 1;
        let way = Way {
            remote: self,
            question,
            texts,
            leaving: &outgoing,
            transport,
            clock,
            trace,
            order: RefCell::new(order),
            spent: Cell::new((0, 0, 0.0)),
            key: format!("{:016x}", (clock.uniform() * 2f64.powi(53)) as u64),
            tries: Cell::new(0),
        };
        if let Some(deliver) = deliver {
            return way.walk(deliver, true).await;
        }
        let work = async {
            let hedge = self.options.policy.hedge_after_ms.filter(|_| several);
            let Some(after) = hedge else {
                return way.walk(&mut Nowhere, false).await;
            };
            let second = async {
                transport.sleep(f64::from(after)).await;
                way.walk(&mut Nowhere, false).await
            };
            let mut nowhere = Nowhere;
            let first = way.walk(&mut nowhere, false);
            match select(pin!(first), pin!(second)).await {
                Either::Left((Err(error), second)) if !way.order_is_empty() => {
                    second.await.map_err(|_| error)
                }
                Either::Right((Err(error), first)) => first.await.map_err(|_| error),
                Either::Left((result, _)) | Either::Right((result, _)) => result,
            }
        };
        let deadline = self.options.policy.deadline_ms;
        match select(pin!(work), pin!(transport.sleep(f64::from(deadline)))).await {
            Either::Left((result, _)) => result,
            // The abort ends every wait, so the work ends by itself, in good order: what was under way is billed.
            Either::Right((_, work)) if transport.aborted() => work.await,
            Either::Right(_) => Err(Error::new(
                Code::RemoteTimeout,
                format!(
                    "no remote answered within {deadline} ms; raise policy.deadlineMs or use a faster model"
                ),
            )),
        }
    }

    /// Takes out personal data where that is wanted, and asks the page.
    async fn outgoing<T: Transport>(
        &self,
        question: &Question<'_>,
        texts: &[String],
        order: &VecDeque<usize>,
        transport: &T,
    ) -> Result<Leaving> {
        let privacy = &self.options.privacy;
        let egress = privacy.of(question.task);
        let leaves = order
            .iter()
            .any(|&at| !self.options.endpoints[at].is_on_device());
        if !leaves {
            return Ok(Leaving::default());
        }
        let denied = |why: String| Err(Error::new(Code::EgressDenied, why));
        let (mut texts, redacted) = if egress == Egress::Redacted || privacy.redact.is_some() {
            if matches!(question.input, Input::Bytes(_)) {
                return denied(
                    "personal data cannot be taken out of a file's bytes, so they are not sent; set the task's egress to \"allow\" without privacy.redact, if they may be".into(),
                );
            }
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            self.redactor.redact(&texts, question.names)
        } else {
            (texts.to_vec(), Redacted::default())
        };
        let ask = egress == Egress::Ask;
        if ask || privacy.before_remote {
            let endpoints = order.iter().map(|&at| &self.options.endpoints[at]);
            let endpoints = endpoints.filter(|e| !e.is_on_device());
            let outgoing = Outgoing {
                task: question.task.to_owned(),
                endpoints: endpoints.map(|e| e.name().to_owned()).collect(),
                text: texts.last().cloned().unwrap_or_default(),
                redactions: redacted.counts(),
                ask,
            };
            let consent = match transport.consent(&outgoing).await {
                Ok(consent) => consent,
                Err(TransportError::Aborted) => return Err(aborted()),
                // Who cannot be asked has not agreed.
                Err(TransportError::Page(why)) => {
                    return denied(format!(
                        "the page could not be asked whether this may leave the device: {}",
                        excerpt(&why, 200)
                    ));
                }
                Err(_) => {
                    return denied(
                        "the page could not be asked whether this may leave the device".into(),
                    );
                }
            };
            if !consent.allow {
                let why = consent.why.map(|why| format!(": {}", excerpt(&why, 200)));
                return denied(format!(
                    "the page did not allow this to leave the device{}",
                    why.unwrap_or_default()
                ));
            }
            if let (Some(text), Some(last)) = (consent.text, texts.last_mut()) {
                *last = text;
            }
        }
        Ok(Leaving { texts, redacted })
    }
}

const NOT_CONFIGURED: &str = "no remote is configured; give `remote` to createSmallFirst";
const DENIED: &str = "the task's egress setting lets nothing leave this device";

/// What leaves the device.
#[derive(Default)]
struct Leaving {
    texts: Vec<String>,
    redacted: Redacted,
}

/// One question on its way through the endpoints.
struct Way<'a, T, C> {
    remote: &'a Remote,
    question: &'a Question<'a>,
    /// As the caller said it, for models on this device.
    texts: &'a [String],
    leaving: &'a Leaving,
    transport: &'a T,
    clock: &'a C,
    trace: &'a Trace,
    /// The endpoints nobody has taken yet.
    order: RefCell<VecDeque<usize>>,
    /// Tokens of requests and replies and US dollars, over all tries.
    spent: Cell<(u64, u64, f64)>,
    key: String,
    tries: Cell<u32>,
}

impl<T: Transport, C: Clock> Way<'_, T, C> {
    fn order_is_empty(&self) -> bool {
        self.order.borrow().is_empty()
    }

    /// Tries the endpoints in order until one answers.
    async fn walk(&self, deliver: &mut impl Deliver, stream: bool) -> Result<Reply> {
        let mut last = Error::new(
            Code::RemoteUnreachable,
            "every endpoint is being asked already",
        );
        loop {
            let Some(at) = self.order.borrow_mut().pop_front() else {
                return Err(last);
            };
            match self.endpoint(at, deliver, stream).await {
                Ok(reply) => return Ok(reply),
                Err(error) if matches!(error.code(), Code::Aborted | Code::RemoteInterrupted) => {
                    return Err(error);
                }
                Err(error) => last = error,
            }
        }
    }

    /// Tries one endpoint, again where that makes sense.
    async fn endpoint(&self, at: usize, deliver: &mut impl Deliver, stream: bool) -> Result<Reply> {
        let endpoint = &self.remote.options.endpoints[at];
        let policy = &self.remote.options.policy;
        let here = endpoint.is_on_device();
        let nothing = Redacted::default();
        let (texts, redacted) = if here {
            (self.texts, &nothing)
        } else {
            (&self.leaving.texts[..], &self.leaving.redacted)
        };
        let bytes: usize = texts.iter().map(String::len).sum();
        let limit = endpoint.max_input_bytes as usize;
        if bytes > limit && matches!(self.question.input, Input::Text(_)) {
            let error = Error::new(
                Code::InputTooLong,
                format!(
                    "the input has {bytes} bytes, over the remote's limit of {limit}; shorten it or raise remote.maxInputBytes"
                ),
            );
            skip(self.trace, Some(endpoint), error.code(), &error.to_string());
            return Err(error);
        }
        let mut prompt = self.question.prompt(texts, stream);
        let mut retries = 0;
        let mut repaired = false;
        loop {
            if self.transport.aborted() {
                return Err(aborted());
            }
            if let Admission::Until(until) =
                self.breakers(|b| b[at].admit(policy, self.clock.now_ms()))
            {
                let seconds = ((until - self.clock.now_ms()) / 1000.0).ceil();
                let error = Error::new(
                    Code::RemoteCircuitOpen,
                    format!(
                        "{} failed too often of late and is left alone for {seconds} s",
                        endpoint.name()
                    ),
                );
                skip(self.trace, Some(endpoint), error.code(), &error.to_string());
                return Err(error);
            }
            let request = match request(endpoint, at, &prompt, &self.key) {
                Ok(request) => request,
                Err(error) => {
                    self.breakers(|b| b[at].indifferent());
                    skip(self.trace, Some(endpoint), error.code(), &error.to_string());
                    return Err(error);
                }
            };
            let lease = match self.lease(endpoint, request.body.len(), here).await {
                Ok(lease) => lease,
                Err(error) => {
                    self.breakers(|b| b[at].indifferent());
                    skip(self.trace, Some(endpoint), error.code(), &error.to_string());
                    return Err(error);
                }
            };
            let attempt = self.begin(endpoint, &request.body, redacted, here);
            let from = self.clock.now_ms();
            let mut guarded = Guarded {
                given: false,
                restorer: Restorer::new(redacted),
                to: deliver,
            };
            let result = exchange(
                endpoint,
                &request,
                stream,
                self.transport,
                self.clock,
                &mut guarded,
            )
            .await;
            let mut given = guarded.given;
            let result = match result {
                Ok(said) => {
                    let rest = guarded.restorer.finish();
                    if rest.is_empty() {
                        Ok(said)
                    } else {
                        given = true;
                        let delivered = guarded.to.deliver(&rest).await;
                        delivered
                            .map(|()| said)
                            .map_err(|e| Failure::transport(endpoint, e))
                    }
                }
                failed => failed,
            };
            self.settle(endpoint, &lease, &result, request.body.len(), here)
                .await;
            let now = self.clock.now_ms();
            let judged = match result {
                Ok(said) => {
                    self.breakers(|b| b[at].succeeded());
                    self.judge(endpoint, said.clone(), redacted)
                        .map_err(|failure| (failure, Some(said)))
                }
                Err(failure) => {
                    self.breakers(|b| match failure.unhealthy {
                        true => b[at].failed(policy, now, failure.wait_ms),
                        false => b[at].indifferent(),
                    });
                    Err((failure, None))
                }
            };
            self.end(
                attempt,
                now - from,
                judged.as_ref().map(|_| ()).map_err(|(f, _)| &f.error),
            );
            let (failure, said) = match judged {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            if failure.error.code() == Code::Aborted {
                return Err(failure.error);
            }
            if given {
                // What was read cannot be taken back, so nobody else may begin anew.
                return Err(Error::new(
                    Code::RemoteInterrupted,
                    format!("the text broke off: {}", failure.error),
                ));
            }
            match said {
                Some(said)
                    if !repaired && failure.error.code() == Code::RemoteBadResponse && !stream =>
                {
                    repaired = true;
                    prompt.turns.push(Turn {
                        role: Role::Assistant,
                        // An empty turn is refused by some servers.
                        text: if said.text.is_empty() {
                            "{}".into()
                        } else {
                            excerpt(&said.text, 2000)
                        },
                    });
                    prompt.turns.push(Turn {
                        role: Role::User,
                        text: format!(
                            "That is not valid: {}. Answer again, with nothing but the JSON object that was asked for.",
                            excerpt(&failure.error.to_string(), 300)
                        ),
                    });
                }
                _ => {
                    let Some(wait) = policy.wait(&failure, retries, self.clock.uniform()) else {
                        return Err(failure.error);
                    };
                    retries += 1;
                    self.transport.sleep(wait).await;
                }
            }
        }
    }

    /// Holds what came back against what was wanted.
    fn judge(
        &self,
        endpoint: &Endpoint,
        said: Said,
        redacted: &Redacted,
    ) -> std::result::Result<Reply, Failure> {
        if let Some(words) = &said.refusal {
            return Err(Failure::refused(format!(
                "the remote refused: \"{}\"",
                excerpt(words, 200)
            )));
        }
        if said.finish == Finish::Filter {
            return Err(Failure::refused(
                "the remote's content filter stopped the reply",
            ));
        }
        if said.confidence.is_some_and(|c| !(0.0..=1.0).contains(&c)) {
            return Err(Failure::bad_reply(format!(
                "the remote states a confidence of {}, which is not between 0 and 1",
                said.confidence.unwrap_or_default()
            )));
        }
        let output = match self.question.wanted {
            Wanted::Choice(labels) => {
                if said.finish == Finish::Length {
                    return Err(Failure::bad_reply(
                        "the reply was cut off at the token limit; raise remote.maxTokens",
                    ));
                }
                let mut output: Output =
                    parse_output(&said.text, labels).map_err(|error| Failure {
                        error,
                        ..Failure::bad_reply("")
                    })?;
                let known = |s: &&crate::task::LabelScore| {
                    labels.iter().any(|l| l.id == s.label) && (0.0..=1.0).contains(&s.score)
                };
                output.scores = said.scores.iter().filter(known).cloned().collect();
                output.score = said.confidence;
                Some(output)
            }
            Wanted::Text { .. } if said.text.trim().is_empty() => {
                return Err(Failure::bad_reply("the reply is empty"));
            }
            Wanted::Text { .. } => None,
        };
        let (input, out, cost) = self.spent.get();
        Ok(Reply {
            text: match output {
                Some(_) => String::new(),
                None => redacted.restore(&said.text),
            },
            output,
            truncated: said.finish == Finish::Length,
            confidence: said.confidence,
            usage: (input + out > 0).then_some(Usage {
                input_tokens: input,
                output_tokens: out,
                cost_usd: endpoint.price.map(|_| cost),
            }),
            model: endpoint.model().to_owned(),
            on_device: endpoint.is_on_device(),
            cached: false,
        })
    }

    /// Asks the budget, and waits while others are under way.
    async fn lease(&self, endpoint: &Endpoint, bytes: usize, here: bool) -> Result<Option<String>> {
        if here {
            return Ok(None);
        }
        self.tries.set(self.tries.get() + 1);
        let id = format!(
            "{}-{}-{:08x}",
            self.key,
            self.tries.get(),
            (self.clock.uniform() * 4e9) as u32
        );
        let text = matches!(self.question.wanted, Wanted::Text { .. });
        let estimate = estimate(endpoint, bytes, text);
        let budget = &self.remote.options.budget;
        // A little longer than a try may take, so that it is never over before the try is.
        let lasts = f64::from(endpoint.timeout_ms) * 2.0 + 60_000.0;
        let waits_until = self.clock.now_ms() + f64::from(self.remote.options.policy.deadline_ms);
        loop {
            let now = self.clock.wall_ms();
            let mut admitted = Ok(());
            book(self.transport, |book| {
                admitted = book.admit(budget, &id, estimate, now, now + lasts)
            })
            .await;
            match admitted {
                Ok(()) => return Ok(Some(id)),
                Err(super::budget::Refusal::Busy) if self.clock.now_ms() < waits_until => {
                    self.transport
                        .sleep(20.0 + 80.0 * self.clock.uniform())
                        .await;
                    if self.transport.aborted() {
                        return Err(aborted());
                    }
                }
                Err(refusal) => return Err(refusal.into_error()),
            }
        }
    }

    /// Writes the bill of a try.
    async fn settle(
        &self,
        endpoint: &Endpoint,
        lease: &Option<String>,
        result: &std::result::Result<Said, Failure>,
        bytes: usize,
        here: bool,
    ) {
        let text = matches!(self.question.wanted, Wanted::Text { .. });
        let guess = estimate(endpoint, bytes, text);
        let bill = match result {
            Ok(said) => {
                let input = said.input_tokens.unwrap_or(guess.input_tokens);
                let written = said.text.len() as u64 / TOKEN_BYTES + 1;
                let output = said.output_tokens.unwrap_or(written);
                let cost = endpoint.price.map_or(0.0, |p| p.of(input, output));
                if !here || said.input_tokens.is_some() {
                    let (i, o, c) = self.spent.get();
                    self.spent.set((i + input, o + output, c + cost));
                }
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
        if let Some(id) = lease {
            let now = self.clock.wall_ms();
            book(self.transport, |book| book.settle(id, bill, now)).await;
        }
    }

    fn breakers<R>(&self, change: impl FnOnce(&mut Vec<Breaker>) -> R) -> R {
        let breakers = &self.remote.breakers;
        change(&mut breakers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down what is about to be sent. Until it ends, the attempt counts as called off: that is what it is when
    /// another answer comes first.
    fn begin(&self, endpoint: &Endpoint, body: &str, redacted: &Redacted, here: bool) -> usize {
        if !here {
            let sent = Sent {
                at: self.clock.wall_ms(),
                task: self.question.task.to_owned(),
                endpoint: endpoint.name().to_owned(),
                model: endpoint.model().to_owned(),
                bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
                body: body.to_owned(),
                redactions: redacted.counts(),
            };
            self.remote.ledger.write(sent.clone());
            self.trace.sent.borrow_mut().push(sent);
        }
        let mut attempts = self.trace.attempts.borrow_mut();
        attempts.push(attempt(endpoint, Outcome::Cancelled));
        attempts.len() - 1
    }

    fn end(&self, at: usize, ms: f64, result: std::result::Result<(), &Error>) {
        let mut attempts = self.trace.attempts.borrow_mut();
        let Some(attempt) = attempts.get_mut(at) else {
            return;
        };
        attempt.ms = ms;
        attempt.outcome = Outcome::Answered;
        if let Err(error) = result {
            attempt.outcome = Outcome::Failed;
            attempt.code = Some(error.code().to_string());
            attempt.message = Some(error.to_string());
        }
    }
}

/// Hands text to the page.
struct ToPage<'a, T>(&'a T);

impl<T: Transport> Deliver for ToPage<'_, T> {
    async fn deliver(&mut self, text: &str) -> std::result::Result<(), TransportError> {
        self.0.delta(text).await
    }
}

/// Puts personal data back and notes whether anything was handed over.
struct Guarded<'a, D> {
    given: bool,
    restorer: Restorer<'a>,
    to: &'a mut D,
}

impl<D: Deliver> Deliver for Guarded<'_, D> {
    async fn deliver(&mut self, text: &str) -> std::result::Result<(), TransportError> {
        let text = self.restorer.push(text);
        if text.is_empty() {
            return Ok(());
        }
        self.given = true;
        self.to.deliver(&text).await
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
async fn book(transport: &impl Transport, change: impl FnOnce(&mut Book)) {
    let mut change = Some(change);
    let mut update = |kept: Option<String>| {
        let mut book = Book::read(kept.as_deref());
        if let Some(change) = change.take() {
            change(&mut book);
        }
        Some(book.write())
    };
    transport.update(BOOK, &mut update).await;
}

fn attempt(endpoint: &Endpoint, outcome: Outcome) -> Attempt {
    Attempt {
        on: if endpoint.is_on_device() {
            RanOn::Builtin
        } else {
            RanOn::Remote
        },
        tier: endpoint.model().to_owned(),
        endpoint: Some(endpoint.name().to_owned()),
        outcome,
        ms: 0.0,
        confidence: None,
        threshold: None,
        code: None,
        message: None,
    }
}

/// Notes that an endpoint was not asked.
fn skip(trace: &Trace, endpoint: Option<&Endpoint>, code: Code, why: &str) {
    let mut skipped = match endpoint {
        Some(endpoint) => attempt(endpoint, Outcome::Skipped),
        None => Attempt {
            on: RanOn::Remote,
            tier: String::new(),
            endpoint: None,
            outcome: Outcome::Skipped,
            ms: 0.0,
            confidence: None,
            threshold: None,
            code: None,
            message: None,
        },
    };
    skipped.code = Some(code.to_string());
    skipped.message = Some(why.to_owned());
    trace.attempts.borrow_mut().push(skipped);
}

fn kept(mut reply: Reply) -> Reply {
    reply.cached = true;
    // It cost nothing this time.
    reply.usage = None;
    reply
}

fn aborted() -> Error {
    Error::new(Code::Aborted, "the call was aborted")
}
