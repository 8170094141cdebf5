//! What a kind of task asks of a model of images.

use smallfirst_image::{Fault, Processed};

use super::forward::Values;
use crate::error::{Error, Result};

/// What a kind of task may ask of one model of images.
pub trait Sees {
    /// The model's name, for errors.
    fn name(&self) -> &str;
    /// All outputs for the tensor of an image.
    ///
    /// # Errors
    /// When the model fails.
    fn run(&mut self, image: Processed) -> Result<Vec<Values>>;
}

/// What was wrong with a model's output.
pub(super) fn unfit(model: &dyn Sees, why: Fault) -> Error {
    let why = Error::from(why);
    Error::new(why.code(), format!("{}: {why}", model.name()))
}
