//! One call's path through the runtime.

use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, MaybeDone, maybe_done, select};

use super::examine::refuse;
use super::learned::{Asked, Lookup};
use super::models::LoadedHead;
use super::{Clock, Runtime, check_risk};
use crate::bundle::{Source, TaskEntry, Thresholds};
use crate::error::{Code, Error, Result};
use crate::remote::{Question, Reply, Trace, Transport, Wanted};
use crate::route::{self, Facts, Mode, Obstacle, Plan, Verdict};
use crate::task::{
    Answer, Attempt, Input, Label, Outcome, Output, RanOn, Reason, Sent, TaskKind, Timing,
};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The task.
    pub task: &'a str,
    /// The input.
    pub input: Input<'a>,
    /// The mode; the runtime's own when absent.
    pub mode: Option<Mode>,
    /// The error rate allowed among locally given answers; the runtime's or the task's when absent.
    pub risk: Option<f64>,
    /// How many labels to list with their scores.
    pub top: usize,
    /// For a task the bundle does not have: the labels the remote may answer with.
    pub labels: Option<Vec<Label>>,
    /// For a task the bundle does not have: what to do, in one sentence.
    pub instruction: Option<String>,
    /// Where another runtime keeps the task's monitors: whether they are alarmed. This one keeps them when absent.
    pub alarmed: Option<bool>,
}

impl<'a> Call<'a> {
    /// A call with nothing special.
    pub fn new(task: &'a str, input: Input<'a>) -> Self {
        Call {
            task,
            input,
            mode: None,
            risk: None,
            top: 5,
            labels: None,
            instruction: None,
            alarmed: None,
        }
    }
}

/// A call on its way, with what was tried so far.
pub(super) struct Path<'a, S, T, C> {
    runtime: &'a Runtime<S>,
    call: &'a Call<'a>,
    transport: &'a T,
    clock: &'a C,
    /// The bundle's entry, when it has the task.
    task: Option<&'a TaskEntry>,
    mode: Mode,
    thresholds: Option<Thresholds>,
    /// A tier that should have run before the answering one could not; its certificate is then off.
    skipped: bool,
    /// Whether the input is one that calibration would have looked at, so that monitors count it.
    watched: bool,
    started: f64,
    timing: Timing,
    attempts: Vec<Attempt>,
    sent: Vec<Sent>,
    /// What examples say, where they were asked.
    lookup: Option<Lookup>,
    /// The first tier's head, which begins to load while the language is told.
    first: Option<Loading<'a>>,
}

/// A head on its way, or there.
type Loading<'a> = Pin<Box<MaybeDone<LocalBoxFuture<'a, Result<Arc<LoadedHead>>>>>>;

/// A local model's answer.
struct Local {
    tier: String,
    output: Output,
    confidence: f64,
    threshold: Option<f64>,
    in_distribution: bool,
}

impl Local {
    fn verdict(&self) -> Verdict {
        route::judge(self.confidence, self.threshold, self.in_distribution)
    }
}

/// What the examples are called where a tier is named.
const TIER: &str = "learned";

/// What came of the local tiers.
enum LocalOutcome {
    /// One was sure enough.
    Trusted(Local),
    /// None was; this is the surest, and why it is not enough.
    Best(Local, Reason),
    /// None gave an answer.
    None(Reason, Error),
}

impl<'a, S: Source, T: Transport, C: Clock> Path<'a, S, T, C> {
    /// Checks what no answer can be given without.
    pub(super) fn new(
        runtime: &'a Runtime<S>,
        call: &'a Call<'a>,
        transport: &'a T,
        clock: &'a C,
    ) -> Result<Self> {
        if call.input.is_empty() {
            return Err(Error::new(
                Code::EmptyInput,
                "the input is empty; there is nothing to classify",
            ));
        }
        check_risk(call.risk)?;
        let task = match runtime.bundle.task(call.task) {
            Ok(entry) => {
                if entry.input != call.input.kind() {
                    return Err(Error::new(
                        Code::InputKind,
                        format!(
                            "the task \"{}\" reads {}, it was given {}",
                            call.task,
                            entry.input.as_str(),
                            call.input.kind().as_str()
                        ),
                    ));
                }
                if entry.kind != TaskKind::Classify {
                    return Err(Error::new(
                        Code::InvalidOption,
                        format!(
                            "the task \"{}\" writes text; call generate, not run",
                            call.task
                        ),
                    ));
                }
                Some(entry)
            }
            // A task of the caller's own is for the remote, if it says which labels there are.
            Err(_) if call.labels.as_ref().is_some_and(|l| l.len() >= 2) => None,
            Err(unknown) => return Err(unknown),
        };
        Ok(Path {
            runtime,
            call,
            transport,
            clock,
            task,
            thresholds: task.map(|t| runtime.bundle.thresholds(t, call.risk.or(runtime.risk))),
            skipped: false,
            watched: false,
            mode: call.mode.unwrap_or(runtime.mode),
            started: clock.now_ms(),
            timing: Timing::default(),
            attempts: Vec::new(),
            sent: Vec::new(),
            lookup: None,
            first: None,
        })
    }

    pub(super) async fn walk(mut self) -> Result<Answer> {
        let found = self.obstacle().await?;
        let obstacle = found.as_ref().map(|(obstacle, _)| *obstacle);
        let plan = route::plan(self.mode, obstacle);
        self.watched = plan == Plan::Local && self.call.alarmed.is_none();
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
                LocalOutcome::None(_, error) => Err(error.with_attempts(self.attempts)),
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
                Err(error.with_attempts(self.attempts))
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
        if let Some(error) = refuse(task, self.call.input) {
            let reason = match error.code() {
                Code::InputTooShort => Reason::InputTooShort,
                _ => Reason::InputTooLong,
            };
            return Ok(Some((Obstacle::Hard(reason), error)));
        }
        // Where the remote answers anyway, nothing is loaded to find the language.
        if matches!(self.mode, Mode::OnlyRemote | Mode::PreferRemote) {
            return Ok(None);
        }
        let runtime = self.runtime;
        let told = runtime.foreign_language(self.call.task, self.call.input, self.clock);
        let tier = task.tiers.first();
        let (foreign, timing) = match tier.filter(|tier| !runtime.models.is_loaded(tier)) {
            Some(tier) => {
                let loading = runtime.models.head(&runtime.bundle, tier).boxed_local();
                let first = self.first.insert(Box::pin(maybe_done(loading)));
                match select(pin!(told), first).await {
                    Either::Left((told, _)) => told,
                    Either::Right(((), told)) => told.await,
                }
            }
            None => told.await,
        };
        if foreign.is_some() {
            // Others who ask for it are not to wait while a remote is asked.
            self.first = None;
        }
        self.timing.load_ms += timing.load_ms;
        self.timing.infer_ms += timing.infer_ms;
        Ok(foreign.map(|error| (Obstacle::Soft(Reason::UnsupportedLanguage), error)))
    }

    /// Runs the tiers, cheapest first, until one is sure enough.
    async fn local(&mut self) -> Result<LocalOutcome> {
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
            if self.transport.aborted() {
                return Err(Error::aborted());
            }
            let from = self.clock.now_ms();
            let result = self.tier(task, name, threshold).await;
            let ms = self.clock.now_ms() - from;
            let mut attempt = Attempt {
                on: RanOn::Local,
                tier: name.clone(),
                endpoint: None,
                outcome: Outcome::Answered,
                ms,
                confidence: None,
                threshold: None,
                code: None,
                message: None,
            };
            match result {
                Ok(local) => {
                    attempt.confidence = Some(local.confidence);
                    attempt.threshold = local.threshold;
                    if at == 0 && self.watched {
                        self.watch(local.confidence);
                    }
                    match local.verdict() {
                        Verdict::Trust => {
                            self.attempts.push(attempt);
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
                Err(error) => {
                    // An input that a tier does not take was not taken in calibration either.
                    self.skipped |=
                        !matches!(error.code(), Code::InputTooShort | Code::InputTooLong);
                    attempt.outcome = Outcome::Failed;
                    attempt.code = Some(error.code().to_string());
                    attempt.message = Some(error.to_string());
                    failure = Some(error);
                }
            }
            self.attempts.push(attempt);
        }
        Ok(match (best, failure) {
            (Some((local, reason)), _) => LocalOutcome::Best(local, reason),
            (None, Some(error)) => {
                let reason = match error.code() {
                    Code::InputTooShort => Reason::InputTooShort,
                    Code::InputTooLong => Reason::InputTooLong,
                    _ => Reason::ModelUnavailable,
                };
                LocalOutcome::None(reason, error)
            }
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
        let from = self.clock.now_ms();
        // Tiers run in order, so what began to load is the one asked for now.
        let head = match self.first.take() {
            Some(mut first) => {
                first.as_mut().await;
                let made = first.as_mut().take_output();
                made.unwrap_or_else(|| Err(Error::new(Code::Internal, "a head was taken twice")))
            }
            None => self.runtime.models.head(&self.runtime.bundle, name).await,
        };
        let loaded = self.clock.now_ms();
        self.timing.load_ms += loaded - from;
        let scored = head?.run(self.call.input, &task.limits);
        self.timing.infer_ms += self.clock.now_ms() - loaded;
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
        })
    }

    /// Shows the input monitor the first tier's confidence.
    fn watch(&self, confidence: f64) {
        if let Some(reference) = self.task.and_then(TaskEntry::reference) {
            let uniform = self.clock.uniform();
            self.runtime
                .watch
                .seen(self.call.task, reference, confidence, uniform);
        }
    }

    /// The risk that counts for this call.
    fn risk(&self) -> Option<f64> {
        match &self.thresholds {
            Some(thresholds) => thresholds.risk,
            None => self.call.risk.or(self.runtime.risk),
        }
    }

    /// Turns to the remote where the mode allows it, and else to the best there is.
    async fn escalate(
        mut self,
        reason: Reason,
        best: Option<Local>,
        local_error: Option<Error>,
    ) -> Result<Answer> {
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
                .with_attempts(self.attempts)),
        }
    }

    /// The error where neither side answered.
    fn refusal(self, remote: Error, local: Option<Error>) -> Error {
        let error = match local {
            Some(local) => neither(self.mode, local, remote),
            None => remote,
        };
        error.with_attempts(self.attempts)
    }

    /// Asks the remotes, and notes what was tried and sent.
    async fn remote(&mut self) -> Result<Reply> {
        if self.transport.aborted() {
            return Err(Error::aborted());
        }
        let (instruction, labels) = self.question();
        let question = Question {
            bundled: self.task.is_some(),
            task: self.call.task,
            instruction: &instruction,
            input: self.call.input,
            wanted: Wanted::Choice(&labels),
        };
        let trace = Trace::default();
        let from = self.clock.now_ms();
        let runtime = self.runtime;
        let asked = runtime
            .remote
            .ask(&question, runtime, self.transport, self.clock, &trace);
        let result = asked.await;
        self.timing.remote_ms += self.clock.now_ms() - from;
        let (attempts, sent) = trace.into_parts();
        self.attempts.extend(attempts);
        self.sent.extend(sent);
        if let (Ok(reply), Some(lookup)) = (&result, &self.lookup) {
            let input = self.call.input;
            self.runtime
                .learn(lookup, reply, input, self.transport, self.clock)
                .await;
        }
        result
    }

    /// Asks the examples, where this device is asked first and they may know. True when they are to answer.
    async fn recall(&mut self, obstacle: Option<Obstacle>) -> bool {
        let local_first = matches!(self.mode, Mode::OnlyLocal | Mode::PreferLocal);
        let open = match obstacle {
            Some(Obstacle::Hard(reason)) => reason == Reason::UnknownTask,
            Some(Obstacle::Soft(_)) | None => true,
        };
        if !local_first || !open {
            return false;
        }
        let (instruction, labels) = self.question();
        let asked = Asked {
            task: self.call.task,
            entry: self.task,
            instruction: &instruction,
            labels: &labels,
            input: self.call.input,
            risk: self.risk(),
        };
        let from = self.clock.now_ms();
        let lookup = self
            .runtime
            .look_up(&asked, self.transport, self.clock, &mut self.timing)
            .await;
        let advice = lookup.as_ref().and_then(|lookup| lookup.advice.as_ref());
        // Where no remote may be asked, nothing can be checked.
        let check = lookup.as_ref().is_some_and(|l| l.audit) && self.mode != Mode::OnlyLocal;
        if let Some(advice) = advice {
            let (outcome, against) = match advice.threshold {
                None => (Outcome::Escalated, "nothing may answer yet".to_owned()),
                Some(least) if !advice.trusted => (
                    Outcome::Escalated,
                    format!("{least:.3} is the least that may answer"),
                ),
                Some(_) if check => (Outcome::Escalated, "checked with the remote".to_owned()),
                Some(least) => (Outcome::Answered, format!("at least {least:.3} may answer")),
            };
            self.attempts.push(Attempt {
                on: RanOn::Local,
                tier: TIER.to_owned(),
                endpoint: None,
                outcome,
                ms: self.clock.now_ms() - from,
                confidence: None,
                threshold: None,
                code: None,
                message: Some(format!(
                    "{} examples give \"{}\" a score of {:.3}; {against}",
                    advice.learned.examples, advice.label, advice.score
                )),
            });
        }
        self.lookup = lookup;
        self.may_answer_by_example() && !check
    }

    fn may_answer_by_example(&self) -> bool {
        self.lookup.as_ref().is_some_and(|l| l.trusted().is_some())
    }

    fn answer_by_example(self) -> Result<Answer> {
        let advice = self.lookup.and_then(|lookup| lookup.advice);
        let labels = match self.task {
            Some(task) => task.labels.clone(),
            None => self.call.labels.clone().unwrap_or_default(),
        };
        let advice =
            advice.ok_or_else(|| Error::new(Code::Internal, "examples answered without advice"))?;
        let title = labels.into_iter().find(|label| label.id == advice.label);
        let learned = advice.learned;
        let explanation = route::explain(Facts {
            reason: Reason::Learned,
            confidence: None,
            threshold: None,
            risk: Some(learned.risk),
            guaranteed: false,
            remote_problem: None,
            remote_answered: false,
            learned: Some(&learned),
        });
        Ok(Answer {
            task: self.call.task.to_owned(),
            output: Output {
                label: advice.label,
                title: title.and_then(|label| label.title),
                score: None,
                scores: Vec::new(),
            },
            ran_on: RanOn::Local,
            tier: TIER.to_owned(),
            reason: Reason::Learned,
            explanation,
            confidence: Some(1.0 - learned.bound),
            calibrated: true,
            threshold: Some(1.0 - learned.risk),
            risk: Some(learned.risk),
            guaranteed: false,
            degraded: false,
            attempts: self.attempts,
            timing: Timing {
                total_ms: self.clock.now_ms() - self.started,
                ..self.timing
            },
            usage: None,
            cached: false,
            learned: Some(learned),
            sent: self.sent,
        })
    }

    /// What the remote is asked: the bundle's own words for its tasks, the caller's for others.
    fn question(&self) -> (String, Vec<Label>) {
        match self.task {
            Some(task) => (task.instruction.clone(), task.labels.clone()),
            None => (
                self.call.instruction.clone().unwrap_or_else(|| {
                    format!("Classify the input for the task \"{}\".", self.call.task)
                }),
                self.call.labels.clone().unwrap_or_default(),
            ),
        }
    }

    fn answer_locally(self, local: Local, reason: Reason, failure: Option<&Error>) -> Answer {
        let problem = failure.map(|e| match e.code() {
            Code::RemoteNotConfigured => "none is configured",
            Code::Offline => "the device is offline",
            code => code.as_str(),
        });
        let certified = self
            .thresholds
            .as_ref()
            .is_some_and(|t| t.certified_risk.is_some());
        let own = || self.runtime.watch.alarmed(self.call.task);
        let guaranteed = reason == Reason::Confident
            && certified
            && !self.skipped
            && !self.call.alarmed.unwrap_or_else(own);
        let risk = self.risk();
        let explanation = route::explain(Facts {
            reason,
            confidence: Some(local.confidence),
            threshold: local.threshold,
            risk,
            guaranteed,
            remote_problem: problem,
            remote_answered: false,
            learned: None,
        });
        Answer {
            task: self.call.task.to_owned(),
            output: local.output,
            ran_on: RanOn::Local,
            tier: local.tier,
            reason,
            explanation,
            confidence: Some(local.confidence),
            calibrated: true,
            threshold: local.threshold,
            risk,
            guaranteed,
            degraded: reason != Reason::Confident,
            attempts: self.attempts,
            timing: Timing {
                total_ms: self.clock.now_ms() - self.started,
                ..self.timing
            },
            usage: None,
            cached: false,
            learned: None,
            sent: self.sent,
        }
    }

    fn answer_remotely(self, reply: Reply, reason: Reason) -> Result<Answer> {
        let Some(output) = reply.output else {
            return Err(Error::new(Code::Internal, "a choice without an output"));
        };
        let local = self
            .attempts
            .iter()
            .rev()
            .find(|a| a.on == RanOn::Local && a.confidence.is_some());
        let explanation = route::explain(Facts {
            reason,
            confidence: local.and_then(|a| a.confidence),
            threshold: local.and_then(|a| a.threshold),
            risk: self.risk(),
            guaranteed: false,
            remote_problem: None,
            remote_answered: true,
            learned: None,
        });
        let risk = self.risk();
        Ok(Answer {
            task: self.call.task.to_owned(),
            output: Output {
                scores: output.scores.into_iter().take(self.call.top).collect(),
                ..output
            },
            ran_on: if reply.on_device {
                RanOn::Builtin
            } else {
                RanOn::Remote
            },
            tier: reply.model,
            reason,
            explanation,
            confidence: reply.confidence,
            calibrated: false,
            threshold: None,
            risk,
            guaranteed: false,
            degraded: false,
            attempts: self.attempts,
            timing: Timing {
                total_ms: self.clock.now_ms() - self.started,
                ..self.timing
            },
            usage: reply.usage,
            cached: reply.cached,
            learned: None,
            sent: self.sent,
        })
    }
}

/// The error where neither side answered: the local one when no remote was there to be tried, because configuring one is
/// optional and the input's own problem is what the caller can mend. Where it is the bundle that failed, both are told, first
/// the side that was asked first: that the remote failed, too, does not say which file is missing.
pub(super) fn neither(mode: Mode, local: Error, remote: Error) -> Error {
    let both =
        |first: Error, second: Error| Error::new(first.code(), format!("{first} (and {second})"));
    if remote.code() == Code::RemoteNotConfigured && mode != Mode::OnlyRemote {
        return both(local, remote);
    }
    match local.code() {
        Code::BundleUnreachable
        | Code::FileMissing
        | Code::FileSize
        | Code::HashMismatch
        | Code::ModelInvalid
        | Code::ModelOutput => match mode {
            Mode::OnlyLocal | Mode::PreferLocal => both(local, remote),
            Mode::PreferRemote | Mode::OnlyRemote => both(remote, local),
        },
        _ => remote,
    }
}
