//! The path of a call whose task gives something else than one label or a text: its models on this device, cheapest first.

use super::Runtime;
use super::limits::{limit_violation, reason_of};
use super::numeric::LoadedNumeric;
use super::progress::Progress;
use crate::bundle::{Source, TaskEntry};
use crate::error::{Code, Error, Result};
use crate::remote::Host;
use crate::route::{Facts, Mode};
use crate::task::kind::{KindOptions, KindOutput, Made, Numeric, perform, perform_numeric};
use crate::task::{Answer, Attempt, Input, InputKind, Outcome, RanOn, Reason};

/// What is asked.
#[derive(Debug, Clone)]
pub struct KindCall<'a> {
    /// The task.
    pub task: &'a str,
    /// The input.
    pub input: Input<'a>,
    /// The mode; the runtime's own when absent.
    pub mode: Option<Mode>,
    /// What the kind is told.
    pub options: KindOptions,
}

impl<S: Source> Runtime<S> {
    /// Answers one call of a task whose kind has models. Nothing certifies these answers yet, and no remote is asked: it is the
    /// first model's that gives one.
    ///
    /// # Errors
    /// When no model gives an answer: why, with everything that was tried in [`Error::attempts`].
    pub async fn perform(
        &self,
        call: &KindCall<'_>,
        host: &impl Host,
    ) -> Result<Answer<KindOutput>> {
        let entry = self.bundle.task(call.task)?;
        if call.input.is_empty() {
            let why = "the input is empty; there is nothing to work on";
            return Err(Error::new(Code::EmptyInput, why));
        }
        if call.mode.unwrap_or(self.mode) == Mode::OnlyRemote {
            return Err(Error::new(
                Code::InvalidOption,
                format!(
                    "the task \"{}\" is of the kind {}, which only this device answers, and the mode asks for the remote alone",
                    call.task,
                    entry.kind.as_str()
                ),
            ));
        }
        if let Some((_, error)) = limit_violation(entry, call.input) {
            return Err(error);
        }
        let mut progress = Progress::new(host);
        let mut failure = None;
        for name in &entry.tiers {
            if host.aborted() {
                return Err(Error::aborted());
            }
            let from = host.now_ms();
            let made = self.made(entry, name, call, &mut progress, host).await;
            let ms = host.now_ms() - from;
            let mut attempt = Attempt::new(RanOn::Local, name, Outcome::Answered, ms);
            match made {
                Ok(made) => {
                    attempt.confidence = made.confidence;
                    progress.attempts.push(attempt);
                    return Ok(answer(call, name, made, progress, host));
                }
                // What the caller did wrong is no model's fault.
                Err(error) if of_the_caller(&error) => return Err(error),
                Err(error) => {
                    attempt.end(Outcome::Failed, error.code().as_str(), error.to_string());
                    progress.attempts.push(attempt);
                    failure = Some(error);
                }
            }
        }
        let failure =
            failure.unwrap_or_else(|| Error::new(Code::Internal, "the task has no tiers"));
        Err(failure.with_attempts(progress.attempts))
    }

    async fn made(
        &self,
        entry: &TaskEntry,
        name: &str,
        call: &KindCall<'_>,
        progress: &mut Progress,
        host: &impl Host,
    ) -> Result<Made> {
        if matches!(entry.input, InputKind::Sound | InputKind::Table) {
            return self
                .made_of_numbers(entry, name, call, progress, host)
                .await;
        }
        let from = host.now_ms();
        let model = self.models.task_model(&self.bundle, name).await;
        let loaded = host.now_ms();
        progress.timing.load_ms += loaded - from;
        let model = model?;
        let made = perform(
            entry.kind,
            &entry.labels,
            call.input,
            &call.options,
            &mut model.asked(),
        );
        progress.timing.infer_ms += host.now_ms() - loaded;
        made
    }

    /// The same of a model that reads sounds or tables.
    async fn made_of_numbers(
        &self,
        entry: &TaskEntry,
        name: &str,
        call: &KindCall<'_>,
        progress: &mut Progress,
        host: &impl Host,
    ) -> Result<Made> {
        let from = host.now_ms();
        let model = self.models.numeric(&self.bundle, name).await;
        let loaded = host.now_ms();
        progress.timing.load_ms += loaded - from;
        let of = |model: Numeric<'_>| {
            let options = &call.options;
            perform_numeric(entry.kind, &entry.labels, call.input, options, model)
        };
        let made = match &*model? {
            LoadedNumeric::Sound(model) => of(Numeric::Runs(&mut model.asked())),
            LoadedNumeric::Table(model) => of(Numeric::Runs(&mut model.asked())),
            LoadedNumeric::Voice(model) => of(Numeric::Hears(&mut model.asked())),
        };
        progress.timing.infer_ms += host.now_ms() - loaded;
        made
    }
}

fn of_the_caller(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::InvalidOption | Code::InputKind | Code::InvalidText | Code::EmptyInput
    ) || matches!(
        reason_of(error),
        Reason::InputTooShort | Reason::InputTooLong
    )
}

fn answer(
    call: &KindCall<'_>,
    tier: &str,
    made: Made,
    progress: Progress,
    host: &impl Host,
) -> Answer<KindOutput> {
    let facts = Facts::uncalibrated(Reason::LocalOnly, None, false);
    let origin = (RanOn::Local, tier.to_owned());
    Answer {
        confidence: made.confidence,
        ..progress.answer(call.task, made.output, origin, &facts, host)
    }
}
