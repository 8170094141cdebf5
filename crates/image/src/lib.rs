//! Images to tensors, and a model's tensors back to boxes and lines of text.
//!
//! [`Pixels`] come from a page's canvas or from `decode` (natively, a feature). An [`ImageProcessor`] makes the tensor that a model was trained on: its
//! steps are read from Hugging Face's `preprocessor_config.json` ([`ImageProcessor::of_config`]) or held by a manifest. It tells with
//! the tensor where in it the image lies ([`Geometry`]), so that [`detect`] can give boxes in pixels of the original. [`ocr`] finds and
//! reads lines of text. [`score`] measures both.
//!
//! Nothing here reads files or runs models, and everything has a bound: [`Fault`] says what was too large.

mod config;
#[cfg(feature = "decode")]
mod decode;
pub mod detect;
#[cfg(feature = "encode")]
mod encode;
mod fault;
pub mod ocr;
mod pixels;
mod processor;
mod resample;
pub mod score;
mod sort;

pub use config::CLASSES;
#[cfg(feature = "decode")]
pub use decode::decode;
#[cfg(feature = "encode")]
pub use encode::{Picture, picture};
pub use fault::{Fault, Result};
pub use pixels::{MAX_PIXELS, Pixels};
pub use processor::{
    Channels, Data, Element, Geometry, ImageProcessor, Layout, Pad, PadTo, Processed, Resize, Size,
    Target,
};
pub use resample::{Filter, resize};

#[cfg(test)]
mod tests;
