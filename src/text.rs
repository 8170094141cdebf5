//! Text to tensors.

mod ngrams;
mod tokens;

pub use ngrams::NgramVocabulary;
pub use tokens::TextTokenizer;
