//! A text, or two, as a model takes them: ids, types, and where each token is in its text.

use tokenizers::pipeline::{
    Model, PipelineModel, PipelineModelScratch, PipelinePatternMatcher, PipelineToken,
    PreTokenizer, PreTokenizerScratch,
};

use super::TextTokenizer;
use super::canonical::{CONTINUES, SPACED, TRIMS};
use super::pieces::{Piece, pieces};
use super::traced::Traced;
use crate::error::{Code, Error, Result, excerpt};

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

/// What is kept from text to text: the words that were divided before.
pub(super) struct Scratch {
    model: PipelineModelScratch,
    split: PreTokenizerScratch,
    ids: Vec<PipelineToken>,
}

/// The tokens of one text.
#[derive(Default)]
struct Sequence {
    tokens: Vec<Token>,
    coarse: usize,
}

struct Token {
    id: u32,
    start: usize,
    end: usize,
    starts_word: bool,
}

impl TextTokenizer {
    /// The tokens of a text or, if there are two, of both as a pair, with special tokens around them if `special`.
    ///
    /// Places are those of Python's `tokenizers`. What spells a special token is text, as in [`TextTokenizer::ids`].
    ///
    /// # Errors
    /// [`Code::ModelInvalid`] when the tokenizer's own rules fail on the text.
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

    fn sequence(&self, text: &str, mask: Option<&str>) -> Result<Sequence> {
        let written = self.written(text);
        // The lock is only for keeping it: who comes while it is used takes a new one.
        let kept = self
            .scratch
            .try_lock()
            .ok()
            .and_then(|mut kept| kept.take());
        let mut scratch = kept.unwrap_or_else(|| {
            Box::new(Scratch {
                model: self.inner.get_model().init_scratch(),
                split: PreTokenizerScratch::default(),
                ids: Vec::new(),
            })
        });
        let mut sequence = Sequence::default();
        match mask {
            None => self.piece_by_piece(&written, 0, &mut scratch, &mut sequence)?,
            Some(mask) => self.masked(&written, mask, &mut scratch, &mut sequence)?,
        }
        if let Ok(mut kept) = self.scratch.try_lock() {
            *kept = Some(scratch);
        }
        self.trim(text, &mut sequence);
        self.mark_words(text, &mut sequence);
        Ok(sequence)
    }

    /// The tokens of a text in which every `mask` is the token of that name.
    fn masked(
        &self,
        text: &str,
        mask: &str,
        scratch: &mut Scratch,
        sequence: &mut Sequence,
    ) -> Result<()> {
        let (id, token) = self.special(mask).ok_or_else(|| {
            let mask = excerpt(mask, 40);
            let why = format!("{} has no special token \"{mask}\"", self.name);
            Error::new(Code::ModelInvalid, why)
        })?;
        let mut from = 0;
        for (start, found) in text.match_indices(mask) {
            let (mut before, mut after) = (&text[from..start], start + found.len());
            if token.lstrip {
                before = before.trim_end();
            }
            if token.rstrip {
                after = text.len() - text[after..].trim_start().len();
            }
            let start = from + before.len();
            self.piece_by_piece(before, from, scratch, sequence)?;
            sequence.special(id, start, after);
            from = after;
        }
        self.piece_by_piece(&text[from..], from, scratch, sequence)
    }

    /// The tokens of a text that begins at byte `base` of the original: first those added to the vocabulary that are not
    /// normalised, then those that are, and between them words.
    fn piece_by_piece(
        &self,
        text: &str,
        base: usize,
        scratch: &mut Scratch,
        sequence: &mut Sequence,
    ) -> Result<()> {
        let added = self.inner.get_added_vocabulary();
        let mut from = 0;
        while from < text.len() {
            let found = added.extract_next(text.as_bytes(), from, false, true);
            let found = found.filter(|&((_, end), _)| end > from);
            let ((start, end), token) = found
                .map_or(((text.len(), text.len()), None), |(place, id)| {
                    (place, Some(id))
                });
            if start > from {
                self.normalised(&text[from..start], base + from, scratch, sequence)?;
            }
            if let Some(id) = token {
                sequence.added(id, base + start, base + end);
            }
            from = end;
        }
        Ok(())
    }

    fn normalised(
        &self,
        text: &str,
        base: usize,
        scratch: &mut Scratch,
        sequence: &mut Sequence,
    ) -> Result<()> {
        let mut traced = Traced::new(text, base);
        for step in self.inner.get_normalizers() {
            traced.step(step, base).map_err(|e| self.failed(&e))?;
        }
        let places = traced.finished();
        let text = traced.text();
        let added = self.inner.get_added_vocabulary();
        let mut spans = Vec::new();
        let mut from = 0;
        while from < text.len() {
            let found = added.extract_next(text.as_bytes(), from, true, true);
            let found = found.filter(|&((_, end), _)| end > from);
            let ((start, end), token) = found
                .map_or(((text.len(), text.len()), None), |(place, id)| {
                    (place, Some(id))
                });
            let part = &text[from..start];
            spans.clear();
            if !part.is_empty() {
                let pre = self.inner.get_pre_tokenizer();
                pre.pre_tokenize(part, &mut scratch.split, &mut spans)
                    .map_err(|e| self.failed(&e))?;
            }
            for span in &spans {
                let word = &part[span.range()];
                let roles = self.inner.get_role_to_token();
                let model = self.inner.get_model();
                let (pieces, told) =
                    pieces(model, roles, word, &mut scratch.model, &mut scratch.ids)
                        .map_err(|e| self.failed(&e))?;
                let at = from + span.range().start;
                sequence.coarse += if told && !traced.untold {
                    0
                } else {
                    pieces.len()
                };
                sequence.tokens.extend(pieces.iter().map(|piece| {
                    let &Piece {
                        id,
                        start,
                        end,
                        unknown,
                    } = piece;
                    let (start, end) = places.origin(at + start, at + end);
                    Token {
                        id,
                        start,
                        end,
                        starts_word: unknown,
                    }
                }));
            }
            if let Some(id) = token {
                let (start, end) = places.origin(start, end);
                sequence.added(id, start, end);
            }
            from = end;
        }
        Ok(())
    }

    /// Takes the spaces off the places, where the tokenizer says so: tokens of bytes have the space before them in them.
    fn trim(&self, text: &str, sequence: &mut Sequence) {
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
    fn mark_words(&self, text: &str, sequence: &mut Sequence) {
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

/// How tokens of bytes spell a space.
const SPACE: char = '\u{120}';

impl Sequence {
    fn special(&mut self, id: u32, start: usize, end: usize) {
        self.tokens.push(Token {
            id,
            start,
            end,
            starts_word: true,
        });
    }

    fn added(&mut self, id: u32, start: usize, end: usize) {
        self.tokens.push(Token {
            id,
            start,
            end,
            starts_word: false,
        });
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
