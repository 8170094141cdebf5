//! How good boxes and texts are, beside the right ones.

mod precision;
mod text;

pub use precision::{Precision, Scene, Truth, average_precision};
pub use text::{character_error_rate, edits};
