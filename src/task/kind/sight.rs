//! The kinds of task that read images: which models each has, and how it is done with them.

use smallfirst_image::ocr::Detector;
use smallfirst_image::{ImageProcessor, Pixels};

use super::detection::{self, Boxes};
use super::image_vectors;
use super::ocr::{self, Reading};
use super::options::KindOptions;
use super::output::{KindOutput, Made};
use super::sees::Sees;
use crate::error::{Code, Error, Result};
use crate::task::{Label, Pooling, TaskKind};

/// The models of a task that reads images, and how they are used.
pub enum Sight<'m> {
    /// One whose outputs are boxes around objects.
    Objects {
        /// What makes its tensor.
        processor: &'m ImageProcessor,
        /// How its outputs are boxes.
        boxes: &'m Boxes,
        /// The model.
        model: &'m mut dyn Sees,
    },
    /// One whose outputs are vectors.
    Vectors {
        /// What makes its tensor.
        processor: &'m ImageProcessor,
        /// How its vectors become one, and whether that gets length 1, where a call does not say.
        usual: (Option<Pooling>, bool),
        /// The model.
        model: &'m mut dyn Sees,
    },
    /// One that finds lines of text, and one that reads them.
    Text {
        /// How lines are found.
        detector: &'m Detector,
        /// The model that finds them.
        finds: &'m mut dyn Sees,
        /// How lines are read.
        reading: &'m Reading,
        /// The model that reads them.
        reads: &'m mut dyn Sees,
    },
}

/// Has the models of a task of images do it.
///
/// # Errors
/// [`Code::InvalidOption`] when the kind has no use for an option, otherwise what failed.
pub fn see(
    pixels: &Pixels,
    labels: &[Label],
    options: &KindOptions,
    sight: Sight<'_>,
) -> Result<Made> {
    Ok(match sight {
        Sight::Objects {
            processor,
            boxes,
            model,
        } => {
            options.check(TaskKind::ObjectDetection, &["topK", "threshold"])?;
            let asked = detection::Asked {
                threshold: threshold(options)?,
                top: options.top_k.map(|k| k as usize),
            };
            let (output, sure) =
                detection::perform(pixels, labels, &asked, (processor, boxes), model)?;
            Made {
                output: KindOutput::Objects(output),
                confidence: Some(sure),
            }
        }
        Sight::Vectors {
            processor,
            usual,
            model,
        } => {
            let takes = ["pool", "pooling", "normalize", "precision"];
            options.check(TaskKind::FeatureExtraction, &takes)?;
            let output = image_vectors::perform(pixels, options, usual, processor, model)?;
            Made {
                output: KindOutput::Vectors(output),
                confidence: None,
            }
        }
        Sight::Text {
            detector,
            finds,
            reading,
            reads,
        } => {
            options.check(TaskKind::Ocr, &["threshold"])?;
            let threshold = threshold(options)?;
            let (output, sure) =
                ocr::perform(pixels, threshold, (detector, finds), (reading, reads))?;
            Made {
                output: KindOutput::Read(output),
                confidence: Some(sure),
            }
        }
    })
}

/// The threshold that is asked for.
fn threshold(options: &KindOptions) -> Result<Option<f64>> {
    match options.threshold {
        Some(odd) if !(0.0..=1.0).contains(&odd) => Err(Error::new(
            Code::InvalidOption,
            format!("threshold must be 0 to 1, not {odd}"),
        )),
        threshold => Ok(threshold),
    }
}

#[cfg(test)]
mod tests;
