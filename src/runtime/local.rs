//! The local tiers of a call: run one after the other, and an answer made of the one that is confident enough.

use futures_util::future::join;

use super::limits::reason_of;
use super::monitors;
use super::path::Path;
use super::unanswered;
use crate::bundle::{Source, TaskEntry};
use crate::error::{Code, Error, Result};
use crate::remote::Host;
use crate::route::{self, Facts, Verdict};
use crate::task::{Answer, AskedRisk, Attempt, Doubt, Outcome, Output, RanOn, Reason};

/// A local model's answer.
pub(super) struct Local {
    tier: String,
    pub(super) output: Output,
    pub(super) confidence: f64,
    threshold: Option<f64>,
    in_distribution: bool,
    doubts: Vec<Doubt>,
}

impl Local {
    fn verdict(&self) -> Verdict {
        route::judge(self.confidence, self.threshold, self.in_distribution)
    }
}

/// What came of the local tiers.
pub(super) enum LocalOutcome {
    /// One was confident enough.
    Trusted(Local),
    /// None was; this is the most confident, and why that is not enough.
    Best(Local, Reason),
    /// None gave an answer.
    None(Reason, Error),
}

impl<S: Source, H: Host> Path<'_, S, H> {
    /// Runs the tiers, cheapest first, until one is confident enough.
    pub(super) async fn local(&mut self) -> Result<LocalOutcome> {
        let Some(task) = self.task else {
            return Ok(LocalOutcome::None(
                Reason::UnknownTask,
                Error::new(Code::UnknownTask, "the bundle has no such task"),
            ));
        };
        let mut best: Option<(Local, Reason)> = None;
        let mut failure = None;
        let thresholds = self
            .thresholds
            .as_ref()
            .map_or_else(Vec::new, |t| t.values.clone());
        for (at, (name, threshold)) in task.tiers.iter().zip(thresholds).enumerate() {
            if self.host.aborted() {
                return Err(Error::aborted());
            }
            let from = self.host.now_ms();
            let result = self.tier(task, name, threshold).await;
            let ms = self.host.now_ms() - from;
            let mut attempt = Attempt::new(RanOn::Local, name, Outcome::Answered, ms);
            match result {
                Ok(local) => {
                    attempt.confidence = Some(local.confidence);
                    attempt.threshold = local.threshold;
                    attempt.doubts.clone_from(&local.doubts);
                    if at == 0 {
                        self.watch(&attempt);
                    }
                    match local.verdict() {
                        Verdict::Trust => {
                            self.progress.attempts.push(attempt);
                            return Ok(LocalOutcome::Trusted(local));
                        }
                        Verdict::Distrust(reason) => {
                            attempt.outcome = Outcome::Escalated;
                            if best
                                .as_ref()
                                .is_none_or(|(b, _)| local.confidence > b.confidence)
                            {
                                best = Some((local, reason));
                            }
                        }
                    }
                }
                // What the caller did wrong is no model's fault, and nobody else reads it either.
                Err(error) if error.code() == Code::InputKind => return Err(error),
                Err(error) => {
                    // An input that a tier does not take was not taken in calibration either.
                    self.skipped |=
                        !matches!(error.code(), Code::InputTooShort | Code::InputTooLong);
                    attempt.end(Outcome::Failed, error.code().as_str(), error.to_string());
                    failure = Some(error);
                }
            }
            self.progress.attempts.push(attempt);
        }
        Ok(match (best, failure) {
            (Some((local, reason)), _) => LocalOutcome::Best(local, reason),
            (None, Some(error)) => LocalOutcome::None(reason_of(&error), error),
            (None, None) => LocalOutcome::None(
                Reason::ModelUnavailable,
                Error::new(Code::Internal, "the task has no tiers"),
            ),
        })
    }

    /// Runs one tier of a task, loading it first if need be.
    async fn tier(
        &mut self,
        task: &TaskEntry,
        name: &str,
        threshold: Option<f64>,
    ) -> Result<Local> {
        let from = self.host.now_ms();
        // Tiers run in order, so what began to load is the one asked for now.
        let (runtime, first) = (self.runtime, self.first.take());
        let head = async {
            let Some(mut first) = first else {
                return runtime.models.head(&runtime.bundle, name).await;
            };
            first.as_mut().await;
            let made = first.as_mut().take_output();
            made.unwrap_or_else(|| Err(Error::new(Code::Internal, "a head was taken twice")))
        };
        // What monitors saw on earlier pages comes while the model loads: no answer is guaranteed before it is known.
        let kept = async {
            if self.call.alarmed.is_none() {
                runtime.resume_stored(self.call.task, self.host).await;
            }
        };
        let (head, ()) = join(head, kept).await;
        let loaded = self.host.now_ms();
        self.progress.timing.load_ms += loaded - from;
        let scored = head?.run(self.call.input, &task.limits);
        self.progress.timing.infer_ms += self.host.now_ms() - loaded;
        let scored = scored?;
        Ok(Local {
            tier: name.to_owned(),
            output: Output::from_probabilities(
                &task.labels,
                &scored.calibrated.probabilities,
                self.call.top,
            )?,
            confidence: scored.calibrated.confidence,
            threshold,
            in_distribution: scored.in_distribution(),
            doubts: scored.calibrated.doubts,
        })
    }

    /// Shows the input monitor what the first tier gave.
    fn watch(&self, first: &Attempt) {
        let confidence = monitors::watched(!self.watched, Some(first));
        let reference = self.task.and_then(TaskEntry::reference);
        if let (Some(confidence), Some(reference)) = (confidence, reference) {
            let uniform = self.host.uniform();
            self.runtime
                .watch
                .seen(self.call.task, reference, confidence, uniform);
        }
    }

    pub(super) fn answer_locally(
        self,
        local: Local,
        reason: Reason,
        failure: Option<&Error>,
    ) -> Answer {
        let problem = failure.map(unanswered::problem);
        let own = || self.runtime.ended(self.call.task);
        let holds =
            reason == Reason::Confident && !self.skipped && !self.call.alarmed.unwrap_or_else(own);
        let certified = self.thresholds.as_ref().and_then(|t| t.certified);
        let guarantee = certified.filter(|_| holds);
        let facts = Facts {
            reason,
            confidence: Some(local.confidence),
            threshold: local.threshold,
            asked: self.asked(),
            guarantee,
            remote_problem: problem,
            remote_answered: false,
            doubts: &local.doubts,
            learned: None,
            remote_accuracy: self.remote_accuracy,
        };
        // Whoever keeps no monitors draws nothing: whoever does will, when it adopts the answer.
        let audit = match local.threshold {
            Some(threshold)
                if guarantee.is_some() && self.call.alarmed.is_none() && !self.call.dry =>
            {
                let (task, confidence) = (self.call.task, local.confidence);
                let runtime = self.runtime;
                // What is monitored is an error rate, not an excess over somebody else's.
                let risk = self.asked().and_then(AskedRisk::as_absolute);
                runtime.draw(task, risk, confidence, threshold, self.host)
            }
            _ => None,
        };
        let origin = (RanOn::Local, local.tier);
        Answer {
            confidence: Some(local.confidence),
            calibrated: self.task.is_some_and(|task| task.guarantee.is_some()),
            threshold: local.threshold,
            degraded: reason != Reason::Confident,
            audit,
            ..self
                .progress
                .answer(self.call.task, local.output, origin, &facts, self.host)
        }
    }
}
