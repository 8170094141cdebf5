//! Where the tokens of a text are, by its words alone.

use super::TextTokenizer;
use crate::error::{Code, Error, Result};

/// The most words that are looked at together to find the place of a token.
const TOGETHER: usize = 16;

impl TextTokenizer {
    /// The ids of `text`, and where each token is in it, in bytes: the place of its word, or of the part of the word
    /// that is divided off by punctuation. Special tokens are nowhere (0 to 0).
    ///
    /// # Errors
    /// As [`TextTokenizer::ids`], and when the tokens of the text are not those of its words.
    pub fn places(&self, text: &str, special: bool) -> Result<Vec<(i64, (usize, usize))>> {
        let plain = self.encode(text, false)?;
        let spans = words(text);
        let mut places = Vec::with_capacity(plain.len());
        let mut from = 0;
        while from < spans.len() {
            let rest = &plain[places.len()..];
            // Where the tokens of one word are not those it has in the text, those of it and its neighbours may be.
            let most = spans.len().min(from + TOGETHER);
            let together = (from..most).find_map(|last| {
                let span = (spans[from].0, spans[last].1);
                let ids = self.within(text, span, rest)?;
                Some((last, span, ids))
            });
            let Some((last, span, ids)) = together else {
                return Err(self.unplaced());
            };
            let parts = parts(text, span);
            let mut placed = Vec::new();
            let mut left = &rest[..ids];
            let divided = parts.iter().all(|&part| {
                let Some(ids) = self.within(text, part, left) else {
                    return false;
                };
                let (of, others) = left.split_at(ids);
                placed.extend(of.iter().map(|&id| (id, part)));
                left = others;
                true
            });
            if !divided || !left.is_empty() {
                let bare = bare(text, span);
                placed = rest[..ids].iter().map(|&id| (id, bare)).collect();
            }
            places.extend(placed);
            from = last + 1;
        }
        if places.len() != plain.len() {
            return Err(self.unplaced());
        }
        if !special {
            return Ok(places);
        }
        let whole = self.encode(text, true)?;
        let before = (0..=whole.len().saturating_sub(plain.len()))
            .find(|&at| whole[at..].starts_with(&plain))
            .ok_or_else(|| self.unplaced())?;
        let mut all: Vec<_> = whole.iter().map(|&id| (id, (0, 0))).collect();
        all[before..before + places.len()].copy_from_slice(&places);
        Ok(all)
    }

    /// How many of the tokens that `ids` begins with are those of a part of `text`, by itself or, as byte-level
    /// tokenizers have it, with the space before it.
    fn within(&self, text: &str, (start, end): (usize, usize), ids: &[i64]) -> Option<usize> {
        let space = text.get(..start)?.chars().next_back();
        let spaced = space
            .filter(|c| c.is_whitespace())
            .map(|c| start - c.len_utf8());
        [Some(start), spaced]
            .into_iter()
            .flatten()
            .find_map(|start| {
                let own = self.encode(text.get(start..end)?, false).ok()?;
                ids.starts_with(&own).then_some(own.len())
            })
    }

    fn unplaced(&self) -> Error {
        Error::new(
            Code::ModelInvalid,
            format!(
                "{} divides a text otherwise than its words; a tagger needs a tokenizer that keeps to words",
                self.name
            ),
        )
    }
}

/// Where the words of a text are: what stands between white space. Of the control characters only tabs and ends of lines
/// are that; tokenizers leave the others out.
fn words(text: &str) -> Vec<(usize, usize)> {
    let place = |word: &str| {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        (start, start + word.len())
    };
    let space = |c: char| c.is_whitespace() && (!c.is_control() || matches!(c, '\t' | '\n' | '\r'));
    text.split(space)
        .filter(|word| !word.is_empty())
        .map(place)
        .collect()
}

/// A word without the punctuation around it, unless it is nothing but that.
fn bare(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    let word = text.get(start..end).unwrap_or_default();
    let edge = |c: char| !c.is_alphanumeric();
    let from = word.len() - word.trim_start_matches(edge).len();
    let to = word.trim_end_matches(edge).len();
    if from < to {
        (start + from, start + to)
    } else {
        (start, end)
    }
}

/// The parts of a word: runs of letters and digits with their marks, and every other character by itself.
fn parts(text: &str, (start, end): (usize, usize)) -> Vec<(usize, usize)> {
    use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
    let joins =
        |c: char| c.is_alphanumeric() || c.general_category_group() == GeneralCategoryGroup::Mark;
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (at, c) in text.get(start..end).unwrap_or_default().char_indices() {
        let (from, to) = (start + at, start + at + c.len_utf8());
        match parts.last_mut() {
            Some(part) if open && joins(c) => part.1 = to,
            _ => parts.push((from, to)),
        }
        open = joins(c);
    }
    parts
}
