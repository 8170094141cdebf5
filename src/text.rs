//! Text to tensors.

mod hashed;
mod ngrams;
mod tokens;

pub use hashed::buckets;
pub use ngrams::NgramVocabulary;
pub use tokens::TextTokenizer;
