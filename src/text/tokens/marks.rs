//! What is made of the places of tokens once they are known: spaces come off, and words begin.

use tokenizers::pipeline::PipelineModel;

use super::TextTokenizer;
use super::canonical::{CONTINUES, SPACED, TRIMS};
use super::sequence::Sequence;

/// How tokens of bytes spell a space.
const SPACE: char = '\u{120}';

impl TextTokenizer {
    /// Takes the spaces off the places, where the tokenizer says so: tokens of bytes have the space before them in them.
    pub(super) fn trim(&self, text: &str, sequence: &mut Sequence) {
        let roles = self.inner.get_role_to_token();
        if !roles.contains_key(TRIMS) {
            return;
        }
        let spaced = roles.contains_key(SPACED);
        let space = |c: &char| *c == SPACE || c.is_whitespace();
        for (n, token) in sequence.tokens.iter_mut().enumerate() {
            let Some(spelt) = self.token(i64::from(token.id)) else {
                continue;
            };
            let mut leading = spelt.chars().take_while(space).count();
            let trailing = spelt.chars().rev().take_while(space).count();
            // A space that was put before the text is not in it.
            if spaced && leading == 1 && (n == 0 || token.start == 0) {
                leading = 0;
            }
            let within = text.get(token.start..token.end).unwrap_or_default();
            let mut kept = within.chars();
            kept.by_ref().take(leading).for_each(drop);
            token.start = token.end - kept.as_str().len();
            kept.by_ref().rev().take(trailing).for_each(drop);
            token.end = token.start + kept.as_str().len();
        }
    }

    /// Which tokens begin words. Where pieces that go on with a word are marked, a token that is spelt as its place is long
    /// begins one; elsewhere, one with a space at its place or before it. What is unknown is a word.
    pub(super) fn mark_words(&self, text: &str, sequence: &mut Sequence) {
        let marked = match self.inner.get_model() {
            PipelineModel::WordPiece(model) => !model.continuing_subword_prefix().is_empty(),
            _ => {
                let prefix = self.inner.get_role_to_token().get(CONTINUES);
                prefix.is_some_and(|prefix| !prefix.is_empty())
            }
        };
        for token in &mut sequence.tokens {
            let place = text.get(token.start..token.end).unwrap_or_default();
            token.starts_word |= if marked {
                let spelt = self.token(i64::from(token.id)).unwrap_or_default();
                let len = spelt.chars().count();
                // Not the whole place, which is as long as the text at worst.
                place.chars().take(len + 1).count() == len
            } else {
                let before = text.get(..token.start).unwrap_or_default();
                let here = text.get(token.start..).unwrap_or_default();
                before.is_empty() || before.ends_with(' ') || here.starts_with(' ')
            };
        }
    }
}
