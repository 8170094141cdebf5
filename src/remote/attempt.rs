//! One endpoint: asked, asked again where that may help, its reply held against what was wanted.

use super::Reply;
use super::egress::clearance::{Conversation, strings};
use super::egress::departure::Departure;
use super::endpoint::Endpoint;
use super::exchange::{Deliver, exchange};
use super::failover::Failover;
use super::failure::Failure;
use super::host::{Host, TransportError};
use super::policy::Admission;
use super::provider::Completion;
use super::provider::finish::Finish;
use super::question::{ResponseFormat, too_long};
use super::redact::Restorer;
use crate::error::{Code, Error, Result, excerpt};
use crate::task::{LabelScore, Usage, parse_output};

impl<H: Host> Failover<'_, H> {
    /// Tries one endpoint, again where that makes sense.
    pub(super) async fn endpoint(
        &self,
        at: usize,
        deliver: &mut impl Deliver,
        stream: bool,
    ) -> Result<Reply> {
        let endpoint = &self.remote.options.endpoints[at];
        let skip = |error: Error| {
            let trace = self.door.trace;
            trace.skip(Some(endpoint), error.code(), &error.to_string());
            error
        };
        let mut conversation = self.clearance.conversation(endpoint).map_err(skip)?;
        // Placeholders may be longer than what they stand for.
        if let Some(error) = too_long(endpoint, self.question, conversation.bytes()) {
            return Err(skip(error));
        }
        let policy = &self.remote.options.policy;
        let mut retries = 0;
        let mut repaired = false;
        loop {
            if self.door.host.aborted() {
                return Err(Error::aborted());
            }
            self.admitted(at).map_err(skip)?;
            let departed = self.door.depart(at, &conversation, stream);
            let departure = departed.await.map_err(|error| {
                self.remote.breakers(|b| b[at].indifferent());
                skip(error)
            })?;
            let (result, given) = self
                .send(endpoint, &departure, &conversation, deliver, stream)
                .await;
            self.door.settle(&departure, endpoint, &result).await;
            self.count(endpoint, &departure, &result);
            let said = result.as_ref().ok().map(|said| said.text.clone());
            let judged = self.judged(at, result, &conversation);
            let outcome = judged.as_ref().map(|_| ());
            self.door.ended(&departure, outcome.map_err(|f| &f.error));
            let failure = match judged {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
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
                    conversation.ask_again(&said, &failure.error.to_string());
                }
                _ => {
                    let uniform = self.door.host.uniform();
                    let Some(wait) = policy.wait(&failure, retries, uniform) else {
                        return Err(failure.error);
                    };
                    retries += 1;
                    self.door.host.sleep(wait).await;
                }
            }
        }
    }

    /// Asks the endpoint's breaker.
    fn admitted(&self, at: usize) -> Result<()> {
        let policy = &self.remote.options.policy;
        let now = self.door.host.now_ms();
        let Admission::Until(until) = self.remote.breakers(|b| b[at].admit(policy, now)) else {
            return Ok(());
        };
        let seconds = ((until - now) / 1000.0).ceil();
        Err(Error::new(
            Code::RemoteCircuitOpen,
            format!(
                "{} failed too often of late and is left alone for {seconds} s",
                self.remote.options.endpoints[at].name()
            ),
        ))
    }

    /// Sends one request, and says whether any of the reply was handed over.
    async fn send(
        &self,
        endpoint: &Endpoint,
        departure: &Departure,
        conversation: &Conversation<'_>,
        deliver: &mut impl Deliver,
        stream: bool,
    ) -> (std::result::Result<Completion, Failure>, bool) {
        let mut guarded = Guarded {
            given: false,
            restorer: Restorer::new(conversation.redacted()),
            to: deliver,
        };
        let result = exchange(
            endpoint,
            departure.request(),
            stream,
            self.door.host,
            &mut guarded,
        )
        .await;
        let Ok(said) = result else {
            return (result, guarded.given);
        };
        let rest = guarded.restorer.finish();
        if rest.is_empty() {
            return (Ok(said), guarded.given);
        }
        let delivered = guarded.to.deliver(&rest).await;
        let result = delivered.map(|()| said);
        (result.map_err(|e| Failure::transport(endpoint, e)), true)
    }

    /// Adds up what the tries used.
    fn count(
        &self,
        endpoint: &Endpoint,
        departure: &Departure,
        result: &std::result::Result<Completion, Failure>,
    ) {
        let Ok(said) = result else { return };
        if !endpoint.is_on_device() || said.input_tokens.is_some() {
            let (input, output, cost) = departure.lease().spent(endpoint, said);
            let (i, o, c) = self.spent.get();
            self.spent.set((i + input, o + output, c + cost));
        }
    }

    /// The reply, or what is wrong with it; the breaker hears of it.
    fn judged(
        &self,
        at: usize,
        result: std::result::Result<Completion, Failure>,
        conversation: &Conversation<'_>,
    ) -> std::result::Result<Reply, Failure> {
        match result {
            Ok(said) => {
                self.remote.breakers(|b| b[at].succeeded());
                let endpoint = &self.remote.options.endpoints[at];
                self.judge(endpoint, said, conversation)
            }
            Err(failure) => {
                let policy = &self.remote.options.policy;
                let now = self.door.host.now_ms();
                self.remote.breakers(|b| match failure.unhealthy {
                    true => b[at].failed(policy, now, failure.wait_ms),
                    false => b[at].indifferent(),
                });
                Err(failure)
            }
        }
    }

    /// Holds what came back against what was wanted.
    fn judge(
        &self,
        endpoint: &Endpoint,
        said: Completion,
        conversation: &Conversation<'_>,
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
        let is_text = matches!(self.question.wanted, ResponseFormat::Text { .. });
        if said.finish == Finish::Length && !is_text {
            return Err(Failure::bad_reply(
                "the reply was cut off at the token limit; raise remote.maxTokens",
            ));
        }
        let failed = |error| Failure {
            error,
            ..Failure::bad_reply("")
        };
        let mut text = String::new();
        let output = match self.question.wanted {
            ResponseFormat::Choice(_) => {
                // Labels are sent as they were cleared, and given as the caller knows them.
                let mut output = parse_output(&said.text, conversation.labels()).map_err(failed)?;
                let scores = said.scores.iter().filter_map(|s| {
                    let label = conversation.original(&s.label)?.id.clone();
                    let score = s.score;
                    (0.0..=1.0)
                        .contains(&score)
                        .then_some(LabelScore { label, score })
                });
                output.scores = scores.collect();
                if let Some(label) = conversation.original(&output.label) {
                    output.label = label.id.clone();
                    output.title = label.title.clone();
                }
                output.score = said.confidence;
                Some(output)
            }
            ResponseFormat::Text { .. } if said.text.trim().is_empty() => {
                return Err(Failure::bad_reply("the reply is empty"));
            }
            ResponseFormat::Text { .. } => {
                text = conversation.redacted().restore(&said.text);
                None
            }
            ResponseFormat::Json(form) => {
                let mut answer = form.find(&said.text).map_err(failed)?;
                strings(&mut answer, &mut |part| {
                    *part = conversation.redacted().restore(part);
                });
                text = answer.to_string();
                form.check(&text).map_err(failed)?;
                None
            }
        };
        let (input, out, cost) = self.spent.get();
        Ok(Reply {
            text,
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
