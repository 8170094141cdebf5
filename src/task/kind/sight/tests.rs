//! Kinds that read images, against models that are played.

mod detection;
mod ocr;
mod vectors;

use smallfirst_image::{ImageProcessor, Processed};

use super::*;
use crate::task::kind::Values;

/// A model that gives what was said beforehand.
pub(super) struct Painted {
    /// What each run gives; the last goes on.
    runs: Vec<Vec<Values>>,
    /// The shapes of the tensors that it was given.
    pub(super) seen: Vec<Vec<usize>>,
}

impl Painted {
    pub(super) fn giving(runs: Vec<Vec<Values>>) -> Self {
        let seen = Vec::new();
        Painted { runs, seen }
    }
}

impl Sees for Painted {
    fn name(&self) -> &str {
        "painted.onnx"
    }

    fn run(&mut self, image: Processed) -> Result<Vec<Values>> {
        self.seen.push(image.shape);
        Ok(match self.runs.len() {
            1 => self.runs[0].clone(),
            _ => self.runs.remove(0),
        })
    }
}

pub(super) fn values(name: &str, shape: &[usize], numbers: &[f32]) -> Values {
    Values {
        name: name.to_owned(),
        shape: shape.to_vec(),
        numbers: numbers.to_vec(),
    }
}

/// A white image.
pub(super) fn white(width: u32, height: u32) -> Pixels {
    let bytes = 4 * width as usize * height as usize;
    Pixels::new(width, height, vec![255; bytes]).unwrap()
}

pub(super) fn labels(names: &[&str]) -> Vec<Label> {
    let label = |name: &&str| Label {
        id: (*name).to_owned(),
        title: None,
    };
    names.iter().map(label).collect()
}

/// The tensor is the image as it is.
pub(super) fn plain() -> ImageProcessor {
    ImageProcessor::default()
}
