//! Lines of text in images, as PaddleOCR finds and reads them (its models of the kinds DB and CTC).
//!
//! The caller runs the two models:
//!
//! 1. [`Detector::prepare`] makes the tensor of the first one, [`Detector::boxes`] makes boxes of the map that it gives, and
//!    [`reading_order`] says in which order they are read.
//! 2. [`TextBox::cut`] takes each line out of the image, straightened; [`line_input`] makes the tensor of the second model, and
//!    [`Dictionary::read`] the text of what it gives.

mod detector;
mod dictionary;
mod hull;
mod line;
mod order;
mod region;
mod warp;

pub use detector::{Detector, TextBox};
pub use dictionary::{Dictionary, Line};
pub use line::{LINE_HEIGHT, line_input};
pub use order::{reading_order, reading_rows};
