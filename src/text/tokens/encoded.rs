//! A text, or two, as a model takes them: ids, types, and where each token is in its text.

use tokenizers::pipeline::PipelineToken;

use super::TextTokenizer;
use super::sequence::Sequence;
use crate::error::Result;

/// The tokens of a text or of a pair of texts. All lists are of the same length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// What a model takes as `input_ids`.
    pub ids: Vec<i64>,
    /// What a model takes as `token_type_ids`.
    pub type_ids: Vec<i64>,
    /// Where each token is.
    pub places: Vec<Place>,
    /// Whether a token begins a word, as the pipelines of transformers guess it. Special tokens do.
    pub starts_word: Vec<bool>,
    /// How many tokens have the place of all that is divided together, since their own could not be told.
    pub coarse: usize,
}

/// Where a token is, in bytes of its text, between characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The text that it is in. A special token is in none.
    pub part: Option<Part>,
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// One of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The text, or the first of two.
    First,
    /// The second of two.
    Second,
}

impl TextTokenizer {
    /// The tokens of a text or, if there are two, of both as a pair, with special tokens around them if `special`.
    ///
    /// Places are those of Python's `tokenizers`. What spells a special token is text, as in [`TextTokenizer::ids`].
    ///
    /// # Errors
    /// [`crate::Code::ModelInvalid`] when the tokenizer's own rules fail on the text.
    pub fn encoded(&self, text: &str, pair: Option<&str>, special: bool) -> Result<Encoded> {
        let first = self.sequence(text, None)?;
        let second = pair.map(|pair| self.sequence(pair, None)).transpose()?;
        Ok(self.around(first, second, special))
    }

    /// As [`TextTokenizer::encoded`] of one text in which `mask`, the name of the mask token, is that token.
    ///
    /// # Errors
    /// As [`TextTokenizer::encoded`], and when the tokenizer has no such special token.
    pub fn encoded_with_mask(&self, text: &str, mask: &str, special: bool) -> Result<Encoded> {
        let first = self.sequence(text, Some(mask))?;
        Ok(self.around(first, None, special))
    }

    fn around(&self, first: Sequence, second: Option<Sequence>, special: bool) -> Encoded {
        let templates = self.inner.get_post_processor();
        let template = match second {
            Some(_) => &templates.pair,
            None => &templates.single,
        };
        let mut all = Encoded::default();
        let put = |all: &mut Encoded, tokens: &[(PipelineToken, u8)]| {
            for &(token, type_id) in tokens.iter().filter(|_| special) {
                all.push(token.id(), type_id, (None, 0, 0), true);
            }
        };
        put(&mut all, &template.prefix);
        all.append(first, template.a_type_id, Part::First);
        put(&mut all, &template.infix);
        if let Some(second) = second {
            all.append(second, template.b_type_id.unwrap_or(0), Part::Second);
        }
        put(&mut all, &template.suffix);
        all
    }
}

impl Encoded {
    fn push(&mut self, id: u32, type_id: u8, place: (Option<Part>, usize, usize), word: bool) {
        let (part, start, end) = place;
        self.ids.push(i64::from(id));
        self.type_ids.push(i64::from(type_id));
        self.places.push(Place { part, start, end });
        self.starts_word.push(word);
    }

    fn append(&mut self, sequence: Sequence, type_id: u8, part: Part) {
        self.coarse += sequence.coarse;
        for token in sequence.tokens {
            let place = (Some(part), token.start, token.end);
            self.push(token.id, type_id, place, token.starts_word);
        }
    }
}
