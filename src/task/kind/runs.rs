//! What kinds of task that read sounds or tables ask of a model. It makes its own tensors of these, so a kind asks for its
//! numbers alone ([`Runs`]), or for what it hears from window to window ([`Hears`]).

use smallfirst_sound::VoiceState;

use super::forward::{Values, misshapen};
use crate::error::Result;
use crate::task::Input;

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

/// The numbers of the one row that an output has.
pub(super) fn row<'v>(model: &str, values: &'v Values, wanted: &str) -> Result<&'v [f32]> {
    match values.shape[..] {
        [_] | [1, _] if !values.numbers.is_empty() => Ok(&values.numbers),
        _ => Err(misshapen(model, values, wanted)),
    }
}
