//! The tokens of one text and where they are, by the same steps that give their ids.

use tokenizers::pipeline::{
    Model, PipelinePatternMatcher, PreTokenizer, PreTokenizerScratch, Span,
};

use super::TextTokenizer;
use super::pieces::{Piece, pieces};
use super::scratch::Scratch;
use super::traced::Traced;
use crate::error::{Code, Error, Result, excerpt};

/// The tokens of one text.
#[derive(Default)]
pub(super) struct Sequence {
    pub(super) tokens: Vec<Token>,
    pub(super) coarse: usize,
}

pub(super) struct Token {
    pub(super) id: u32,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) starts_word: bool,
}

impl TextTokenizer {
    /// The tokens of a text in which `mask`, if there is one, is the special token of that name.
    pub(super) fn sequence(&self, text: &str, mask: Option<&str>) -> Result<Sequence> {
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
                self.pre_tokenize(part, &mut scratch.split, &mut spans)
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

    fn pre_tokenize(
        &self,
        text: &str,
        scratch: &mut PreTokenizerScratch,
        spans: &mut Vec<Span>,
    ) -> tokenizers::Result<()> {
        #[cfg(feature = "expressions")]
        if let Some(splits) = &self.splits {
            return splits.pre_tokenize(text, scratch, spans);
        }
        let pre = self.inner.get_pre_tokenizer();
        pre.pre_tokenize(text, scratch, spans)
    }
}

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
