//! Text to tensors.

mod hashed;
mod ngrams;
mod sentences;
mod tokens;

pub use hashed::buckets;
pub use ngrams::NgramVocabulary;
pub use sentences::{central, sentences};
pub use tokens::TextTokenizer;
