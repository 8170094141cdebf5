//! A text that is normalised step by step, and what each of its characters stands for in the original.

use std::borrow::Cow;

use tokenizers::Result;
use tokenizers::pipeline::{Normalizer, PipelineNormalizer};

use super::steps;

/// Where something is in the original, in bytes. Texts of more than 4 GiB are not tokenized.
pub(super) type Origin = (u32, u32);

/// A text and, for each of its characters, the place of the characters of the original that it was made of.
///
/// Which character a step makes of which is what Python's `tokenizers` keeps in its `NormalizedString`. The library here
/// gives the changed text only, so every step is told again, character by character, and held against what it gave.
pub(super) struct Traced<'t> {
    text: Cow<'t, str>,
    origins: Vec<Origin>,
    /// Whether some step could not be told, so that some characters have the place of all that it changed.
    pub(super) untold: bool,
}

impl<'t> Traced<'t> {
    /// A text that begins at byte `base` of the original.
    pub(super) fn new(text: &'t str, base: usize) -> Self {
        let place = |at: usize| u32::try_from(base + at).unwrap_or(u32::MAX);
        let origins = text
            .char_indices()
            .map(|(at, c)| (place(at), place(at + c.len_utf8())))
            .collect();
        Traced {
            text: Cow::Borrowed(text),
            origins,
            untold: false,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Takes a step. The text began at byte `offset` of what is tokenized.
    pub(super) fn step(&mut self, step: &PipelineNormalizer, offset: usize) -> Result<()> {
        let next = match step.normalize(&self.text, offset)? {
            Cow::Borrowed(same) if same.len() == self.text.len() => return Ok(()),
            other => other.into_owned(),
        };
        if next == *self.text {
            return Ok(());
        }
        let told = steps::sources(step, &self.text, &next);
        self.origins = match told {
            Some(sources) => sources
                .into_iter()
                .map(|at| self.origins[at as usize])
                .collect(),
            None => {
                self.untold = true;
                self.outside(&next)
            }
        };
        self.text = Cow::Owned(next);
        Ok(())
    }

    /// The places of the characters of `next` where nobody can tell what was made of what: what both begin and end with is
    /// the same, and each character between stands for all that is between.
    fn outside(&self, next: &str) -> Vec<Origin> {
        let len = next.chars().count();
        let old = &self.origins;
        let shorter = old.len().min(len);
        let same = |pair: &(char, char)| pair.0 == pair.1;
        let begin = self.text.chars().zip(next.chars());
        let begin = begin.take_while(same).count();
        let end = self.text.chars().rev().zip(next.chars().rev());
        let end = end.take_while(same).count().min(shorter - begin);
        let changed = old.get(begin..old.len() - end).unwrap_or_default();
        let between = match changed {
            // Something new at one place: it stands for what is beside it.
            [] => *old
                .get(begin)
                .or_else(|| old.get(begin.wrapping_sub(1)))
                .unwrap_or(&(0, 0)),
            _ => changed.iter().fold((u32::MAX, 0), |all, one| {
                (all.0.min(one.0), all.1.max(one.1))
            }),
        };
        let mut origins = old[..begin].to_vec();
        origins.resize(len - end, between);
        origins.extend_from_slice(&old[old.len() - end..]);
        origins
    }

    /// The places of pieces of the text, by where each begins.
    pub(super) fn finished(&self) -> Finished<'_> {
        let starts = self.text.char_indices().map(|(at, _)| at).collect();
        Finished {
            starts,
            origins: &self.origins,
        }
    }
}

/// A text that takes no more steps.
pub(super) struct Finished<'a> {
    starts: Vec<usize>,
    origins: &'a [Origin],
}

impl Finished<'_> {
    /// What the bytes `start..end` of the text stand for: those of the characters that they are in.
    pub(super) fn origin(&self, start: usize, end: usize) -> (usize, usize) {
        let of = |byte: usize| {
            let character = self.starts.partition_point(|&at| at <= byte);
            self.origins.get(character.wrapping_sub(1)).copied()
        };
        match (of(start), of(end.saturating_sub(1).max(start))) {
            // Marks that changed places may end before they begin.
            (Some(first), Some(last)) => {
                (first.0.min(last.0) as usize, first.1.max(last.1) as usize)
            }
            _ => (0, 0),
        }
    }
}
