//! The tagger: people's names in a text, token by token.

use std::sync::Arc;

use crate::engine::{Model, Tensor};
use crate::error::{Code, Error, Result};
use crate::text::{Tag, TextTokenizer, names};

/// A tagger that can be run.
pub(super) struct LoadedTagger {
    pub(super) tokenizer: Arc<TextTokenizer>,
    pub(super) model: Model,
    pub(super) special: bool,
    /// What each of its labels is to a name.
    pub(super) tags: Vec<Tag>,
    pub(super) most: usize,
}

/// How many tokens two parts of a text that is too long have in common: a name is shorter.
const OVERLAP: usize = 16;

/// How many tokens of a part are left for special ones.
const SPECIAL: usize = 4;

impl LoadedTagger {
    /// The names of people in `text`.
    pub(super) fn names(&self, text: &str) -> Result<Vec<String>> {
        let plain = self.tokenizer.places(text, false)?;
        let room = self.most - SPECIAL;
        let mut found = Vec::new();
        let mut from = 0;
        while from < plain.len() {
            let to = plain.len().min(from + room);
            let (first, last) = (plain[from].1.0, plain[to - 1].1.1);
            // Cut by itself, a part may have a few tokens more or fewer.
            let part = text.get(first..last).unwrap_or_default();
            found.extend(self.part(part)?.into_iter().map(str::to_owned));
            if to == plain.len() {
                break;
            }
            from = to - OVERLAP;
        }
        Ok(found)
    }

    fn part<'a>(&self, text: &'a str) -> Result<Vec<&'a str>> {
        let tokens = self.tokenizer.places(text, self.special)?;
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let ids = tokens.iter().map(|token| token.0).collect();
        let scores = self.model.run(Tensor::I64(ids))?;
        let labels = self.tags.len();
        if scores.len() != tokens.len() * labels {
            return Err(Error::new(
                Code::ModelOutput,
                format!(
                    "the tagger gave {} scores for {} tokens and {labels} labels",
                    scores.len(),
                    tokens.len()
                ),
            ));
        }
        let best = scores.chunks_exact(labels).map(|scores| {
            let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.and_then(|(at, _)| self.tags.get(at)).copied()
        });
        let tagged: Vec<_> = tokens
            .iter()
            .zip(best)
            .map(|(token, tag)| (token.1, tag.unwrap_or(Tag::Other)))
            .collect();
        Ok(names(text, &tagged))
    }
}
