//! The kinds of task that read numbers: sounds and rows of tables. The model that serves them makes its own tensors of these, so a
//! kind asks for its numbers alone ([`Runs`]), or for what it hears from window to window ([`Hears`]).

use smallfirst_sound::VoiceState;

use super::forward::{Values, misshapen, named};
use super::{KindOptions, KindOutput, Made, labels, made, regression, voice};
use crate::error::{Code, Error, Result};
use crate::task::{Input, Label, TaskKind};

/// What a kind of task asks of a model that reads sounds or tables.
pub trait Runs {
    /// The model's name, for errors.
    fn name(&self) -> &str;
    /// All outputs of numbers for an input.
    ///
    /// # Errors
    /// What is wrong with the input, or how the model fails.
    fn run(&mut self, input: Input<'_>) -> Result<Vec<Values>>;
    /// Whether its numbers for labels are probabilities already.
    fn gives_probabilities(&self) -> bool;
}

/// What a kind of task asks of a model that hears a sound window by window.
pub trait Hears {
    /// The model's name, for errors.
    fn name(&self) -> &str;
    /// The rate that it hears at.
    fn rate(&self) -> u32;
    /// The probability that a window is speech. The state is what the model keeps from window to window.
    ///
    /// # Errors
    /// When the model fails.
    fn hear(&mut self, window: &[f32], state: &mut VoiceState) -> Result<f32>;
}

/// A model of numbers, as a kind of task asks it.
pub enum Numeric<'m> {
    /// One that gives numbers for an input.
    Runs(&'m mut dyn Runs),
    /// One that hears.
    Hears(&'m mut dyn Hears),
}

/// Has a model do a task of a kind that reads sounds or tables.
///
/// # Errors
/// As [`super::perform`]; [`Code::ModelInvalid`] when the model is for another kind.
pub fn perform_numeric(
    kind: TaskKind,
    labels: &[Label],
    input: Input<'_>,
    options: &KindOptions,
    model: Numeric<'_>,
) -> Result<Made> {
    let takes: &[&str] = match kind {
        TaskKind::MultiLabel => &["topK", "threshold"],
        TaskKind::VoiceActivityDetection => &voice::OPTIONS,
        _ => &[],
    };
    options.check(kind, takes)?;
    match (kind, input, model) {
        (TaskKind::MultiLabel, Input::Sound { .. }, Numeric::Runs(model)) => {
            let values = model.run(input)?;
            let found = named(model.name(), &values, &["logits"])?;
            let (threshold, top) = (options.threshold, options.top_k.map(|k| k as usize));
            let given = labels::Given {
                model: model.name(),
                values: found,
                probabilities: model.gives_probabilities(),
            };
            let (output, sure) = labels::of_values(&given, labels, threshold, top)?;
            Ok(made(KindOutput::Labels(output), Some(sure)))
        }
        (
            TaskKind::VoiceActivityDetection,
            Input::Sound { samples, rate },
            Numeric::Hears(model),
        ) => {
            let (output, sure) = voice::perform((samples, rate), options, model)?;
            Ok(made(KindOutput::Voice(output), Some(sure)))
        }
        (TaskKind::Regression, Input::Table(_), Numeric::Runs(model)) => {
            let output = regression::perform(input, model)?;
            Ok(made(KindOutput::Regression(output), None))
        }
        (TaskKind::VoiceActivityDetection, Input::Sound { .. }, Numeric::Runs(model)) => {
            Err(Error::new(
                Code::ModelInvalid,
                format!(
                    "{} keeps no state from window to window, and a voice detector does",
                    model.name()
                ),
            ))
        }
        (TaskKind::MultiLabel, Input::Sound { .. }, Numeric::Hears(model)) => Err(Error::new(
            Code::ModelInvalid,
            format!(
                "{} hears window by window, and gives no labels",
                model.name()
            ),
        )),
        (_, input, _) => Err(Error::new(
            Code::InputKind,
            format!("{} does not read {}", kind.as_str(), input.kind().as_str()),
        )),
    }
}

/// The numbers of the one row that an output has.
pub(super) fn row<'v>(model: &str, values: &'v Values, wanted: &str) -> Result<&'v [f32]> {
    match values.shape[..] {
        [_] | [1, _] if !values.numbers.is_empty() => Ok(&values.numbers),
        _ => Err(misshapen(model, values, wanted)),
    }
}
