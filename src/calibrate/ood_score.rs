//! The out-of-distribution score of one input: higher is less like the training data.

use super::{Calibrated, energy};
use crate::bundle::OodMethod;
use crate::engine::{Element, Model, Shape, Tensor};
use crate::error::{Code, Error, Result};

/// A method, with its model where it has one.
#[derive(Debug)]
pub struct OodScorer {
    method: OodMethod,
    model: Option<Model>,
}

impl OodScorer {
    /// A method that looks at the logits alone, or one whose `model` (its name and its file) takes the head's input.
    ///
    /// # Errors
    /// Why the model could not be loaded.
    pub fn load(
        method: OodMethod,
        model: Option<(&str, Vec<u8>)>,
        (element, shape): (Element, Shape),
    ) -> Result<Self> {
        let model = model.map(|(name, file)| Model::load(name, file, element, shape));
        Ok(OodScorer {
            method,
            model: model.transpose()?,
        })
    }

    /// The score, from the head's logits, what they are at the head's temperature, and the encoder's vector.
    ///
    /// # Errors
    /// Why the model could not be run.
    pub fn score(
        &self,
        logits: &[f64],
        temperature: f64,
        calibrated: &Calibrated,
        vector: Option<&[f32]>,
    ) -> Result<f64> {
        match (self.method, &self.model, vector) {
            (OodMethod::Msp, ..) => Ok(1.0 - calibrated.largest()),
            (OodMethod::Energy, ..) => Ok(energy(logits, temperature)),
            (_, Some(model), Some(vector)) => model
                .run(Tensor::F32(vector.to_vec()))?
                .first()
                .map(|&score| f64::from(score))
                .ok_or_else(|| Error::new(Code::ModelOutput, "the OOD model gave no score")),
            _ => Err(Error::new(
                Code::Internal,
                "an OOD method without its model passed validation",
            )),
        }
    }
}
