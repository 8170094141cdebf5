//! The rows that a task is learnt from, and why they may not do.

use crate::calibrate::InputSize;
use crate::error::{Code, Error};

/// The rows that are used.
pub(super) struct Usable {
    pub texts: Vec<String>,
    pub vectors: Vec<f32>,
    pub width: usize,
    pub classes: Vec<u32>,
    pub labels: Vec<String>,
    pub sizes: Vec<InputSize>,
    pub groups: Vec<usize>,
}

/// The rows cannot be learnt from.
pub(super) fn data(what: String) -> Error {
    Error::new(Code::InvalidData, format!("train: {what}"))
}
