//! What models of images have in a manifest beside their processors: how text is found and read. How a detector's outputs are boxes
//! is described by [`Boxes`](crate::task::kind::Boxes).

#[cfg(feature = "onnx")]
mod check;

use serde::{Deserialize, Serialize};

#[cfg(feature = "onnx")]
pub(crate) use check::{boxes, detector};
#[cfg(feature = "onnx")]
pub(super) use check::{check_model, check_task};

/// How lines of text are found, and by which model they are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ocr {
    /// Places of the model's map above this are of text. Default: 0.2.
    #[serde(default = "threshold")]
    pub threshold: f32,
    /// Boxes whose mean in the map is below this are dropped. Default: 0.4.
    #[serde(default = "box_threshold")]
    pub box_threshold: f32,
    /// How much boxes are widened: by this many times their area through their circumference. Default: 1.4.
    #[serde(default = "unclip")]
    pub unclip: f32,
    /// The most regions that are looked at, from the top. Default: 1000.
    #[serde(default = "most")]
    pub most: u32,
    /// The model that reads a line.
    pub recogniser: Recogniser,
}

/// A model that reads a line of text, as PaddleOCR's do: `f32 [1, 3, height, width]` to probabilities `f32 [1, steps, characters]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recogniser {
    /// The path of the ONNX model.
    pub file: String,
    /// The path of its characters, a line each in UTF-8, without the blank before them and the space behind them. Absent: the field
    /// `character` of the ONNX file's metadata, as PaddleOCR's exports have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dictionary: Option<String>,
    /// The height of its input. Default: 48.
    #[serde(default = "height")]
    pub height: u32,
}

fn threshold() -> f32 {
    0.2
}

fn box_threshold() -> f32 {
    0.4
}

fn unclip() -> f32 {
    1.4
}

fn most() -> u32 {
    1000
}

fn height() -> u32 {
    48
}

impl Ocr {
    /// With the usual settings.
    pub fn new(recogniser: Recogniser) -> Ocr {
        Ocr {
            threshold: threshold(),
            box_threshold: box_threshold(),
            unclip: unclip(),
            most: most(),
            recogniser,
        }
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let dictionary = self.recogniser.dictionary.as_deref();
        std::iter::once(self.recogniser.file.as_str()).chain(dictionary)
    }

    /// Its files, to be moved.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let Recogniser {
            file, dictionary, ..
        } = &mut self.recogniser;
        std::iter::once(file).chain(dictionary)
    }
}

impl Recogniser {
    /// With the usual settings.
    pub fn new(file: impl Into<String>, dictionary: Option<String>) -> Recogniser {
        Recogniser {
            file: file.into(),
            dictionary,
            height: height(),
        }
    }
}

#[cfg(all(test, feature = "onnx"))]
pub(super) mod tests;
