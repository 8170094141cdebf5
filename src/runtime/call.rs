//! One call's path through the runtime.

use std::pin::pin;

use futures_util::FutureExt;
use futures_util::future::{Either, maybe_done, select};

use super::Runtime;
use super::limits::limit_violation;
use super::local::{Local, LocalOutcome};
use super::path::{Call, Path};
use super::progress::origin;
use super::unanswered;
use crate::bundle::Source;
use crate::error::{Code, Error, Result};
use crate::remote::{Host, Question, Reply, ResponseFormat, Trace};
use crate::route::{self, Facts, Mode, Obstacle, Plan};
use crate::task::{Answer, InputKind, Output, RanOn, Reason};

impl<S: Source> Runtime<S> {
    /// Answers one call.
    ///
    /// # Errors
    /// When there is no answer at all: why, with everything that was tried in
    /// [`Error::attempts`].
    pub async fn run(&self, call: &Call<'_>, host: &impl Host) -> Result<Answer> {
        let answer = Path::new(self, call, host)?.walk().await?;
        if !call.dry && (answer.ran_on != RanOn::Remote || answer.cached) {
            let (kind, bytes) = (call.input.kind(), call.input.len());
            self.remote.saved(kind, bytes, false, host).await;
        }
        Ok(answer)
    }
}

impl<S: Source, H: Host> Path<'_, S, H> {
    async fn walk(mut self) -> Result<Answer> {
        let found = self.obstacle().await?;
        let obstacle = found.as_ref().map(|(obstacle, _)| *obstacle);
        let plan = route::plan(self.mode, obstacle);
        self.watched = plan == Plan::Local && self.call.alarmed.is_none() && !self.call.dry;
        match plan {
            Plan::Local => match self.local().await? {
                LocalOutcome::Trusted(local) => {
                    Ok(self.answer_locally(local, Reason::Confident, None))
                }
                LocalOutcome::Best(local, reason) => self.escalate(reason, Some(local), None).await,
                LocalOutcome::None(reason, error) => self.escalate(reason, None, Some(error)).await,
            },
            _ if self.recall(obstacle).await => self.answer_by_example(),
            Plan::LocalDegraded(reason) => match self.local().await? {
                LocalOutcome::Trusted(local) | LocalOutcome::Best(local, _) => {
                    Ok(self.answer_locally(local, reason, None))
                }
                LocalOutcome::None(_, error) => Err(error.with_attempts(self.progress.attempts)),
            },
            Plan::Remote {
                reason,
                local_if_failed,
            } => match self.remote().await {
                Ok(reply) => self.answer_remotely(reply, reason),
                Err(error) if error.code() == Code::Aborted => Err(error),
                Err(_) if self.may_answer_by_example() => self.answer_by_example(),
                Err(error) if local_if_failed => {
                    let reason = match reason {
                        Reason::Mode => Reason::RemoteFailed,
                        other => other,
                    };
                    match self.local().await? {
                        LocalOutcome::Trusted(local) | LocalOutcome::Best(local, _) => {
                            Ok(self.answer_locally(local, reason, Some(&error)))
                        }
                        LocalOutcome::None(_, local) => Err(self.refusal(error, Some(local))),
                    }
                }
                Err(error) => Err(self.refusal(error, found.map(|(_, error)| error))),
            },
            Plan::Refuse(_) => {
                let error = found.map_or_else(
                    || Error::new(Code::Internal, "refused for no reason"),
                    |(_, e)| e,
                );
                Err(error.with_attempts(self.progress.attempts))
            }
        }
    }

    /// What keeps a local answer from being trusted, with the error it is where nobody else answers.
    async fn obstacle(&mut self) -> Result<Option<(Obstacle, Error)>> {
        let Some(task) = self.task else {
            let error = match self.runtime.bundle.task(self.call.task) {
                Err(error) => error,
                Ok(_) => Error::new(Code::Internal, "a known task is unknown"),
            };
            return Ok(Some((Obstacle::Hard(Reason::UnknownTask), error)));
        };
        if let Some((reason, error)) = limit_violation(task, self.call.input) {
            return Ok(Some((Obstacle::Hard(reason), error)));
        }
        // Where the remote answers anyway, nothing is loaded to find the language.
        if matches!(self.mode, Mode::OnlyRemote | Mode::PreferRemote) {
            return Ok(None);
        }
        let runtime = self.runtime;
        let detected = runtime.foreign_language(self.call.task, self.call.input, self.host);
        let tier = task.tiers.first();
        let (foreign, timing) = match tier.filter(|tier| !runtime.models.is_loaded(tier)) {
            Some(tier) => {
                let loading = runtime.models.head(&runtime.bundle, tier).boxed_local();
                let first = self.first.insert(Box::pin(maybe_done(loading)));
                match select(pin!(detected), first).await {
                    Either::Left((detected, _)) => detected,
                    Either::Right(((), detected)) => detected.await,
                }
            }
            None => detected.await,
        };
        if foreign.is_some() {
            // Others who ask for it are not to wait while a remote is asked.
            self.first = None;
        }
        self.progress.timing.load_ms += timing.load_ms;
        self.progress.timing.infer_ms += timing.infer_ms;
        Ok(foreign.map(|error| (Obstacle::Soft(Reason::UnsupportedLanguage), error)))
    }

    /// Turns to the remote where the mode allows it, and else to the best there is.
    async fn escalate(
        mut self,
        reason: Reason,
        best: Option<Local>,
        local_error: Option<Error>,
    ) -> Result<Answer> {
        let best = match best {
            Some(local) if !self.remote_may_help(reason, &local) => {
                return Ok(self.answer_locally(local, Reason::RemoteUnlikelyToHelp, None));
            }
            best => best,
        };
        if self.recall(None).await {
            return self.answer_by_example();
        }
        let failure = if self.mode == Mode::OnlyLocal {
            None
        } else {
            match self.remote().await {
                Ok(reply) => return self.answer_remotely(reply, reason),
                Err(error) if error.code() == Code::Aborted => return Err(error),
                Err(_) if self.may_answer_by_example() => return self.answer_by_example(),
                Err(error) => Some(error),
            }
        };
        match (best, failure) {
            (Some(local), failure) => Ok(self.answer_locally(local, reason, failure.as_ref())),
            (None, Some(failure)) => Err(self.refusal(failure, local_error)),
            (None, None) => Err(local_error
                .unwrap_or_else(|| Error::new(Code::Internal, "no answer and no error"))
                .with_attempts(self.progress.attempts)),
        }
    }

    /// The error where neither side answered.
    fn refusal(self, remote: Error, local: Option<Error>) -> Error {
        unanswered::refusal(self.mode, remote, local, self.progress.attempts)
    }

    /// Asks the remotes, and notes what was tried and sent.
    async fn remote(&mut self) -> Result<Reply> {
        if self.host.aborted() {
            return Err(Error::aborted());
        }
        let kind = self.call.input.kind();
        if kind == InputKind::Table {
            return Err(Error::new(
                Code::RemoteNotConfigured,
                format!("remotes are not asked about {}", kind.as_str()),
            ));
        }
        let (instruction, labels) = self.question();
        let question = Question {
            bundled: self.task.is_some(),
            task: self.call.task,
            instruction: &instruction,
            input: self.call.input,
            wanted: ResponseFormat::Choice(&labels),
        };
        let trace = Trace::default();
        let from = self.host.now_ms();
        let runtime = self.runtime;
        let asked = runtime.remote.ask(&question, runtime, self.host, &trace);
        let result = asked.await;
        self.progress.remote(trace, from, self.host);
        if let (Ok(reply), Some(lookup)) = (&result, &self.lookup) {
            let input = self.call.input;
            self.runtime.learn(lookup, reply, input, self.host).await;
        }
        result
    }

    fn answer_remotely(self, reply: Reply, reason: Reason) -> Result<Answer> {
        let origin = origin(&reply);
        let audit = self.audit_of(&reply);
        let Some(output) = reply.output else {
            return Err(Error::new(Code::Internal, "a choice without an output"));
        };
        let local = self
            .progress
            .attempts
            .iter()
            .rev()
            .find(|a| a.on == RanOn::Local && a.confidence.is_some());
        let doubts = local.map(|a| a.doubts.clone()).unwrap_or_default();
        let facts = Facts {
            reason,
            confidence: local.and_then(|a| a.confidence),
            threshold: local.and_then(|a| a.threshold),
            asked: self.asked(),
            guarantee: None,
            remote_problem: None,
            remote_answered: true,
            doubts: &doubts,
            learned: None,
            remote_accuracy: None,
        };
        let output = Output {
            scores: output.scores.into_iter().take(self.call.top).collect(),
            ..output
        };
        Ok(Answer {
            confidence: reply.confidence,
            usage: reply.usage,
            audit,
            cached: reply.cached,
            ..self
                .progress
                .answer(self.call.task, output, origin, &facts, self.host)
        })
    }
}
