//! The path of a call whose task gives something else than one label or a text: its models on this device, cheapest first, and a
//! remote where that is not enough and can give the same output.

mod form;

use std::cell::Cell;

use super::Runtime;
use super::limits::{limit_violation, reason_of, wrong_input};
use super::numeric::LoadedNumeric;
use super::progress::{Progress, origin};
use super::unanswered;
use crate::bundle::{Source, TaskEntry, Thresholds};
use crate::error::{Code, Error, Result};
use crate::remote::{Host, Question, Reply, ResponseFormat, Trace};
use crate::route::{self, Facts, Mode, Obstacle, Plan, Verdict};
use crate::task::kind::{
    Form, KindOptions, KindOutput, Made, Numeric, is_for_remotes, perform, perform_numeric,
};
use crate::task::{Answer, AskedRisk, Attempt, Input, InputKind, Outcome, RanOn, Reason, TaskKind};

/// What is asked.
#[derive(Debug, Clone)]
pub struct KindCall<'a> {
    /// The task.
    pub task: &'a str,
    /// The input.
    pub input: Input<'a>,
    /// The mode; the runtime's own when absent.
    pub mode: Option<Mode>,
    /// The mean loss allowed among locally given answers; the runtime's or the task's when absent.
    pub risk: Option<f64>,
    /// What the kind is told.
    pub options: KindOptions,
    /// As [`super::Call::dry`].
    pub dry: bool,
}

/// A local model's answer.
struct Local {
    tier: String,
    output: KindOutput,
    confidence: Option<f64>,
    threshold: Option<f64>,
}

/// What came of the local models.
enum LocalOutcome {
    /// One was sure enough, or no remote could be.
    Trusted(Local, Reason),
    /// None was; this is the surest, and why that is not enough.
    Best(Local, Reason),
    /// None gave an answer.
    None(Error),
}

impl<S: Source> Runtime<S> {
    /// Answers one call of a task whose kind has models. Where the call has no options that decide the answer, it is made with
    /// those that the task was calibrated with.
    ///
    /// # Errors
    /// When there is no answer at all: why, with everything that was tried in [`Error::attempts`].
    pub async fn perform(
        &self,
        call: &KindCall<'_>,
        host: &impl Host,
    ) -> Result<Answer<KindOutput>> {
        let call = &KindCall {
            options: self.options_of(call),
            ..*call
        };
        let answer = KindPath::new(self, call, host)?.walk().await?;
        if !call.dry && (answer.ran_on != RanOn::Remote || answer.cached) {
            let (kind, bytes) = (call.input.kind(), call.input.len());
            self.remote.saved(kind, bytes, false, host).await;
        }
        Ok(answer)
    }

    /// The options that a call is answered with.
    fn options_of(&self, call: &KindCall<'_>) -> KindOptions {
        let own = &call.options;
        let entry = self.bundle.task(call.task).ok();
        let guarantee = entry.and_then(|entry| entry.guarantee.as_ref());
        let certified = guarantee.filter(|_| own.of_answers().is_empty());
        let certified = certified.and_then(|g| KindOptions::of(&g.options).ok());
        KindOptions {
            top_k: own.top_k,
            ..certified.unwrap_or_else(|| own.clone())
        }
    }

    /// What the first model of a task gives, for whoever measures it: no threshold, no remote.
    ///
    /// # Errors
    /// As [`Runtime::perform`].
    pub async fn measure_kind(
        &self,
        call: &KindCall<'_>,
        tier: usize,
        host: &impl Host,
    ) -> Result<Made> {
        let path = KindPath::new(self, call, host)?;
        let name = path.entry.tiers.get(tier);
        let name = name.ok_or_else(|| Error::new(Code::Internal, "the task has no such tier"))?;
        if let Some((_, error)) = limit_violation(path.entry, call.input) {
            return Err(error);
        }
        self.of_model(path.entry, name, call, || ()).await
    }

    /// What the first model of a task gives for a text, whatever its confidence: for what the runtime itself needs of it.
    ///
    /// # Errors
    /// [`Code::EmptyInput`], what the task's limits refuse, or why the model could not be run.
    pub(super) async fn of_first_model(
        &self,
        task: &str,
        text: &str,
        options: KindOptions,
    ) -> Result<KindOutput> {
        let entry = self.bundle.task(task)?;
        let input = Input::Text(text);
        if input.is_empty() {
            return Err(Error::new(Code::EmptyInput, "the text is empty"));
        }
        if let Some((_, error)) = limit_violation(entry, input) {
            return Err(error);
        }
        let model = first_model(entry)?;
        let call = KindCall {
            task,
            input,
            mode: None,
            risk: None,
            dry: true,
            options,
        };
        Ok(self.of_model(entry, model, &call, || ()).await?.output)
    }

    /// What one model gives. `ready` hears when it is loaded.
    async fn of_model(
        &self,
        entry: &TaskEntry,
        name: &str,
        call: &KindCall<'_>,
        ready: impl FnOnce(),
    ) -> Result<Made> {
        let (labels, options) = (&entry.labels, &call.options);
        match (entry.input, call.input) {
            (InputKind::Image, Input::Image(pixels)) => {
                let model = self.models.sight(&self.bundle, name).await;
                ready();
                model?.see(pixels, labels, options)
            }
            (InputKind::Sound | InputKind::Table, input) => {
                let model = self.models.numeric(&self.bundle, name).await;
                ready();
                let of = |model| perform_numeric(entry.kind, labels, input, options, model);
                match &*model? {
                    LoadedNumeric::Sound(model) => of(Numeric::Runs(&mut model.asked())),
                    LoadedNumeric::Table(model) => of(Numeric::Runs(&mut model.asked())),
                    LoadedNumeric::Voice(model) => of(Numeric::Hears(&mut model.asked())),
                }
            }
            (_, input) => {
                let model = self.models.task_model(&self.bundle, name).await;
                ready();
                perform(entry.kind, labels, input, options, &mut model?.asked())
            }
        }
    }
}

/// A call on its way, with what was tried so far.
struct KindPath<'a, S, H> {
    runtime: &'a Runtime<S>,
    call: &'a KindCall<'a>,
    entry: &'a TaskEntry,
    host: &'a H,
    mode: Mode,
    thresholds: Thresholds,
    progress: Progress,
    /// A tier that should have run before the answering one could not; its certificate is then off.
    skipped: bool,
}

impl<'a, S: Source, H: Host> KindPath<'a, S, H> {
    fn new(runtime: &'a Runtime<S>, call: &'a KindCall<'a>, host: &'a H) -> Result<Self> {
        let entry = runtime.bundle.task(call.task)?;
        if call.input.is_empty() {
            let why = "the input is empty; there is nothing to work on";
            return Err(Error::new(Code::EmptyInput, why));
        }
        let given = call.input.kind();
        // Several labels are those of one text or of two.
        let texts = matches!(given, InputKind::Text | InputKind::Pair);
        if given != entry.input && !(entry.kind == TaskKind::MultiLabel && texts) {
            return Err(wrong_input(call.task, entry, call.input));
        }
        let asked = AskedRisk::of(call.risk, None)?.or(runtime.asked);
        let mut thresholds = runtime.thresholds(entry, asked);
        // Other options give other answers, which nobody calibrated.
        if !calibrated(entry, call) {
            thresholds.certified = None;
            thresholds.values = vec![None; entry.tiers.len()];
        }
        Ok(KindPath {
            runtime,
            call,
            entry,
            host,
            mode: match call.dry {
                true => Mode::OnlyLocal,
                false => call.mode.unwrap_or(runtime.mode),
            },
            thresholds,
            progress: Progress::new(host),
            skipped: false,
        })
    }

    fn for_remotes(&self) -> bool {
        let takes = self.runtime.remote.takes(self.call.input.kind());
        takes && is_for_remotes(self.entry.kind, &self.call.options)
    }

    async fn walk(mut self) -> Result<Answer<KindOutput>> {
        let found = limit_violation(self.entry, self.call.input);
        let obstacle = found.as_ref().map(|(reason, _)| Obstacle::Hard(*reason));
        // Where no remote can answer, nobody is asked, whatever the mode.
        if !self.for_remotes() {
            if self.mode == Mode::OnlyRemote {
                let (task, kind) = (self.call.task, self.entry.kind.as_str());
                let given = self.call.input.kind().as_str();
                let why = match is_for_remotes(self.entry.kind, &self.call.options) {
                    true => format!("no remote takes {given} (remote.accepts)"),
                    false => format!("it is of the kind {kind}, which only this device answers"),
                };
                return Err(Error::new(
                    Code::InvalidOption,
                    format!("the task \"{task}\": {why}, and the mode asks for the remote alone"),
                ));
            }
            if let Some((_, error)) = found {
                return Err(error);
            }
            return match self.local().await? {
                LocalOutcome::Trusted(local, reason) | LocalOutcome::Best(local, reason) => {
                    Ok(self.answer_locally(local, reason, None))
                }
                LocalOutcome::None(error) => Err(error.with_attempts(self.progress.attempts)),
            };
        }
        match route::plan(self.mode, obstacle) {
            Plan::Local | Plan::LocalDegraded(_) => match self.local().await? {
                LocalOutcome::Trusted(local, reason) => {
                    Ok(self.answer_locally(local, reason, None))
                }
                LocalOutcome::Best(local, reason) => self.escalate(reason, Ok(local)).await,
                LocalOutcome::None(error) => self.escalate(reason_of(&error), Err(error)).await,
            },
            Plan::Remote {
                reason,
                local_if_failed,
            } => match self.remote().await {
                Ok(reply) => self.answer_remotely(&reply, reason),
                Err(error) if error.code() == Code::Aborted || of_the_caller(&error) => Err(error),
                Err(error) if local_if_failed => match self.local().await? {
                    LocalOutcome::Trusted(local, _) | LocalOutcome::Best(local, _) => {
                        let reason = match reason {
                            Reason::Mode => Reason::RemoteFailed,
                            other => other,
                        };
                        Ok(self.answer_locally(local, reason, Some(&error)))
                    }
                    LocalOutcome::None(local) => Err(self.refusal(error, Some(local))),
                },
                Err(error) => Err(self.refusal(error, found.map(|(_, error)| error))),
            },
            Plan::Refuse(_) => {
                let error = found.map_or_else(
                    || Error::new(Code::Internal, "refused for no reason"),
                    |(_, error)| error,
                );
                Err(error.with_attempts(self.progress.attempts))
            }
        }
    }

    /// Turns to the remote where the mode allows it, and else to the best there is.
    async fn escalate(
        mut self,
        reason: Reason,
        local: Result<Local>,
    ) -> Result<Answer<KindOutput>> {
        let failure = match self.mode {
            Mode::OnlyLocal => None,
            _ => match self.remote().await {
                Ok(reply) => return self.answer_remotely(&reply, reason),
                Err(error) if error.code() == Code::Aborted => return Err(error),
                Err(error) => Some(error),
            },
        };
        match (local, failure) {
            (Ok(local), failure) => Ok(self.answer_locally(local, reason, failure.as_ref())),
            (Err(local), Some(failure)) => Err(self.refusal(failure, Some(local))),
            (Err(local), None) => Err(local.with_attempts(self.progress.attempts)),
        }
    }

    /// The error where neither side answered.
    fn refusal(self, remote: Error, local: Option<Error>) -> Error {
        unanswered::refusal(self.mode, remote, local, self.progress.attempts)
    }

    /// Runs the models, cheapest first, until one is sure enough.
    async fn local(&mut self) -> Result<LocalOutcome> {
        let mut best: Option<(Local, Reason)> = None;
        let mut failure = None;
        let thresholds = self.thresholds.values.clone();
        for (name, threshold) in self.entry.tiers.iter().zip(thresholds) {
            if self.host.aborted() {
                return Err(Error::aborted());
            }
            let from = self.host.now_ms();
            let made = self.made(name).await;
            let ms = self.host.now_ms() - from;
            let mut attempt = Attempt::new(RanOn::Local, name, Outcome::Answered, ms);
            match made {
                Ok((output, confidence)) => {
                    attempt.confidence = confidence;
                    attempt.threshold = threshold;
                    let local = Local {
                        tier: name.clone(),
                        output,
                        confidence,
                        threshold,
                    };
                    let verdict = match confidence {
                        Some(confidence) => route::judge(confidence, threshold, true),
                        // There is nothing to be sure of.
                        None => Verdict::Distrust(Reason::LocalOnly),
                    };
                    match verdict {
                        Verdict::Trust => {
                            self.progress.attempts.push(attempt);
                            return Ok(LocalOutcome::Trusted(local, Reason::Confident));
                        }
                        Verdict::Distrust(Reason::Uncertified | Reason::LocalOnly)
                            if !self.for_remotes() =>
                        {
                            self.progress.attempts.push(attempt);
                            return Ok(LocalOutcome::Trusted(local, Reason::LocalOnly));
                        }
                        Verdict::Distrust(reason) => {
                            attempt.outcome = Outcome::Escalated;
                            let surer = best
                                .as_ref()
                                .is_none_or(|(best, _)| local.confidence > best.confidence);
                            if surer {
                                best = Some((local, reason));
                            }
                        }
                    }
                }
                // What the caller did wrong is no model's fault.
                Err(error) if of_the_caller(&error) => return Err(error),
                Err(error) => {
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
            (None, Some(failure)) => LocalOutcome::None(failure),
            (None, None) => LocalOutcome::None(Error::new(Code::Internal, "the task has no tiers")),
        })
    }

    /// What one model gives, and how sure it is: calibrated where it was.
    async fn made(&mut self, name: &str) -> Result<(KindOutput, Option<f64>)> {
        let from = self.host.now_ms();
        let (runtime, host) = (self.runtime, self.host);
        let loaded = Cell::new(from);
        let ready = || loaded.set(host.now_ms());
        let made = runtime.of_model(self.entry, name, self.call, ready).await;
        self.progress.timing.load_ms += loaded.get() - from;
        self.progress.timing.infer_ms += host.now_ms() - loaded.get();
        let made = made?;
        let platt = runtime.bundle.manifest().models.get(name);
        let platt = platt.and_then(|model| model.platt);
        let confidence = made.confidence.map(|stated| match platt {
            Some(platt) => platt.confidence(stated),
            None => stated,
        });
        Ok((made.output, confidence))
    }

    /// Asks the remotes, and notes what was tried and sent.
    async fn remote(&mut self) -> Result<Reply> {
        if self.host.aborted() {
            return Err(Error::aborted());
        }
        let form = self.form()?;
        let question = Question {
            // Labels that the caller names may name somebody.
            bundled: self.call.options.candidate_labels.is_none(),
            task: self.call.task,
            instruction: &self.entry.instruction,
            input: self.call.input,
            wanted: ResponseFormat::Json(&form),
        };
        let trace = Trace::default();
        let from = self.host.now_ms();
        let runtime = self.runtime;
        let asked = runtime.remote.ask(&question, runtime, self.host, &trace);
        let result = asked.await;
        self.progress.remote(trace, from, self.host);
        result
    }

    fn form(&self) -> Result<Form<'a>> {
        let (entry, call) = (self.entry, self.call);
        Form::new(entry.kind, &entry.labels, call.input, &call.options)
    }

    fn answer_locally(
        self,
        local: Local,
        reason: Reason,
        failure: Option<&Error>,
    ) -> Answer<KindOutput> {
        let problem = failure.map(unanswered::problem);
        let holds = reason == Reason::Confident && !self.skipped;
        let facts = Facts {
            confidence: local.confidence,
            threshold: local.threshold,
            asked: self.thresholds.asked,
            guarantee: self.thresholds.certified.filter(|_| holds),
            ..Facts::uncalibrated(reason, problem, false)
        };
        let calibrated = calibrated(self.entry, self.call);
        let origin = (RanOn::Local, local.tier);
        Answer {
            confidence: local.confidence,
            calibrated,
            threshold: local.threshold,
            degraded: !matches!(reason, Reason::Confident | Reason::LocalOnly),
            ..self
                .progress
                .answer(self.call.task, local.output, origin, &facts, self.host)
        }
    }

    fn answer_remotely(self, reply: &Reply, reason: Reason) -> Result<Answer<KindOutput>> {
        let output = self.form()?.read(&reply.text)?;
        let attempts = self.progress.attempts.iter().rev();
        let local = attempts
            .filter(|a| a.on == RanOn::Local)
            .find(|a| a.confidence.is_some());
        let facts = Facts {
            confidence: local.and_then(|a| a.confidence),
            threshold: local.and_then(|a| a.threshold),
            asked: self.thresholds.asked,
            ..Facts::uncalibrated(reason, None, true)
        };
        Ok(Answer {
            confidence: reply.confidence,
            usage: reply.usage,
            cached: reply.cached,
            ..self
                .progress
                .answer(self.call.task, output, origin(reply), &facts, self.host)
        })
    }
}

/// The cheapest model of a task.
pub(super) fn first_model(entry: &TaskEntry) -> Result<&String> {
    let model = entry.tiers.first();
    model.ok_or_else(|| Error::new(Code::Internal, "the task has no model"))
}

/// Whether a call's answers are made as those that were calibrated.
fn calibrated(entry: &TaskEntry, call: &KindCall<'_>) -> bool {
    let guarantee = entry.guarantee.as_ref();
    guarantee.is_some_and(|guarantee| guarantee.options == call.options.of_answers())
}

fn of_the_caller(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::InvalidOption | Code::InputKind | Code::InvalidText | Code::EmptyInput
    )
}

#[cfg(test)]
mod tests;
