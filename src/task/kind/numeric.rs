//! The kinds of task that read numbers: sounds and rows of tables.

use super::forward::named;
use super::options::KindOptions;
use super::output::{KindOutput, Made, made};
use super::runs::{Hears, Runs};
use super::{labels, regression, voice};
use crate::error::{Code, Error, Result};
use crate::task::{Input, Label, TaskKind};

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
