//! Text to tensors.

mod characters;
mod cues;
mod hashed;
mod names;
mod ngram_table;
mod ngrams;
mod sentences;
mod tokens;

pub use characters::{SCRIPTS, Script, ngrams as character_ngrams};
pub use hashed::buckets;
pub use names::{Tag, names};
pub use ngram_table::NgramTable;
pub use ngrams::NgramVocabulary;
pub use sentences::{central, sentences};
pub use tokens::{Encoded, Part, Place, Specials, TextTokenizer};
