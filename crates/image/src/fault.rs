//! What stops an image.

use std::fmt;

/// What was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An image or a tensor of no pixels.
    Empty,
    /// More pixels than an image may have ([`MAX_PIXELS`](crate::MAX_PIXELS)), or a tensor (a sixth of that).
    TooLarge {
        /// How wide it is, or would be.
        width: u64,
        /// How high it is, or would be.
        height: u64,
    },
    /// As many bytes as the size does not need.
    Bytes {
        /// Four for each pixel.
        needed: usize,
        /// What there were.
        given: usize,
    },
    /// A processor that asks for what is not supported, or for what cannot be: in words.
    Config(String),
    /// A model's output that is not of the expected kind: in words.
    Output(String),
    /// A file that is no image, or a damaged one: in words.
    File(String),
}

/// The result of what may stop.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("the image has no pixels"),
            Fault::TooLarge { width, height } => {
                write!(f, "{width} x {height} are too many pixels")
            }
            Fault::Bytes { needed, given } => {
                write!(f, "the pixels take {needed} bytes, and {given} were given")
            }
            Fault::Config(what) | Fault::Output(what) | Fault::File(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Fault {}

/// Stops with what is wrong with a processor.
pub(crate) fn config<T>(what: impl Into<String>) -> Result<T> {
    Err(Fault::Config(what.into()))
}

/// Stops with what is wrong with an output.
pub(crate) fn output<T>(what: impl Into<String>) -> Result<T> {
    Err(Fault::Output(what.into()))
}
