//! Text to tensors.

mod cues;
mod hashed;
mod names;
mod ngrams;
mod sentences;
mod tokens;

pub use hashed::buckets;
pub use names::{Tag, names};
pub use ngrams::NgramVocabulary;
pub use sentences::{central, sentences};
pub use tokens::TextTokenizer;
