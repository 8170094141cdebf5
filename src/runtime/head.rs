//! Heads: an input to calibrated probabilities, and how much it is like the training data.

use std::sync::Arc;

use super::encoder::LoadedEncoder;
use super::features::Reader;
#[cfg(feature = "onnx")]
use super::table_model::LoadedTable;
use crate::bundle::{Correctness, Limits, ModelOutput};
use crate::calibrate::{self, Calibrated, InputSize, OodScorer};
use crate::engine::{Model, Tensor};
use crate::error::{Code, Error, Result};
use crate::task::Input;

/// What a head reads.
pub(super) enum Feed {
    Encoder(Arc<LoadedEncoder>),
    Reader(Reader),
    /// A whole model, which gives the scores itself.
    #[cfg(feature = "onnx")]
    Table(LoadedTable),
}

/// A head that can be run.
pub(super) struct LoadedHead {
    pub(super) feed: Feed,
    /// None where the feed is a whole model.
    pub(super) model: Option<Model>,
    pub(super) output: ModelOutput,
    pub(super) temperature: f64,
    pub(super) correctness: Option<Correctness>,
    pub(super) addend: Option<(Reader, Model)>,
    pub(super) ood: Option<(OodScorer, f64)>,
}

/// What a head makes of one input.
#[derive(Debug, Clone)]
pub struct Scored {
    /// One logit a label.
    pub logits: Vec<f64>,
    /// Their calibrated probabilities.
    pub calibrated: Calibrated,
    /// The encoder's vector, where the head has an encoder.
    pub vector: Option<Vec<f32>>,
    /// The out-of-distribution score and the most it may be, where the head has one.
    pub ood: Option<(f64, f64)>,
}

impl Scored {
    /// Whether the input is enough like the training data; true where nothing tells.
    pub fn in_distribution(&self) -> bool {
        self.ood.is_none_or(|(score, cut)| score <= cut)
    }
}

impl LoadedHead {
    /// What the head makes of one input.
    ///
    /// # Errors
    /// [`Code::InputTooShort`] or [`Code::InputTooLong`] when the input is not for this model,
    /// otherwise what failed.
    pub(super) fn run(&self, input: Input, limits: &Limits) -> Result<Scored> {
        let (values, vector) = match &self.feed {
            Feed::Reader(reader) => (self.values(reader.tensor(input, limits)?)?, None),
            Feed::Encoder(encoder) => {
                let vector = encoder.run(input, limits)?;
                (self.values(Tensor::F32(vector.clone()))?, Some(vector))
            }
            #[cfg(feature = "onnx")]
            Feed::Table(table) => (table.scores(input)?, None),
        };
        if values.is_empty() {
            return Err(Error::new(Code::ModelOutput, "the head gave no values"));
        }
        let mut logits = calibrate::logits(&values, self.output);
        if let Some((reader, model)) = &self.addend {
            let added = model.run(reader.tensor(input, limits)?)?;
            if added.len() != logits.len() {
                return Err(Error::new(
                    Code::ModelOutput,
                    format!(
                        "the head gives {} values and its addend {}; they belong to different tasks",
                        logits.len(),
                        added.len()
                    ),
                ));
            }
            for (logit, added) in logits.iter_mut().zip(added) {
                *logit += f64::from(added);
            }
        }
        let mut calibrated = calibrate::calibrate(&logits, self.temperature);
        let ood = match &self.ood {
            None => None,
            Some((scorer, threshold)) => {
                let score =
                    scorer.score(&logits, self.temperature, &calibrated, vector.as_deref())?;
                Some((score, *threshold))
            }
        };
        // The size is counted where a head asks for it: that reads the whole input.
        if let Some(head) = &self.correctness {
            calibrated = calibrated.judged(head, InputSize::of(input));
        }
        Ok(Scored {
            logits,
            calibrated,
            vector,
            ood,
        })
    }

    fn values(&self, tensor: Tensor) -> Result<Vec<f32>> {
        match &self.model {
            Some(model) => model.run(tensor),
            None => Err(Error::new(Code::Internal, "the head has no model")),
        }
    }
}
