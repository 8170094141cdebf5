//! A model that is played: words are tokens, and what it gives is said beforehand.

use super::forward::{Forward, Place, Tokens, Values};
use crate::error::Result;
use crate::task::Pooling;

pub(crate) struct Played {
    letters: usize,
    values: Vec<Values>,
    /// For each run what is given, where it is not always the same.
    pub(crate) runs: Vec<Vec<Values>>,
    pub(crate) seen: Vec<Tokens>,
    tokens: usize,
}

/// The id of the mask token.
pub(crate) const MASK: i64 = 7;

impl Played {
    /// One whose tokens have so many letters at most.
    pub(crate) fn of(text: &str, letters: usize) -> Self {
        let mut played = Played {
            letters,
            values: Vec::new(),
            runs: Vec::new(),
            seen: Vec::new(),
            tokens: 0,
        };
        played.tokens = played.tokens(text, None, true).unwrap().ids.len();
        played
    }

    pub(crate) fn gives(&mut self, name: &str, shape: Vec<usize>, numbers: Vec<f32>) {
        let name = name.to_owned();
        self.values.push(Values {
            name,
            shape,
            numbers,
        });
    }

    /// For each token a row of logits, of which this one is the largest.
    pub(crate) fn gives_rows(&mut self, best: &[usize], labels: usize) {
        assert_eq!(best.len(), self.tokens, "tokens");
        let row = |best: usize| (0..labels).map(move |at| if at == best { 4.0 } else { 0.0 });
        let numbers = best.iter().flat_map(|&best| row(best)).collect();
        self.gives("logits", vec![1, best.len(), labels], numbers);
    }

    fn words(&self, text: &str, second: bool, into: &mut Tokens) {
        let mut at = 0;
        for word in text.split(' ') {
            let mut begins = true;
            let mut from = at;
            at += word.len();
            while from < at {
                let letters = text[from..at].char_indices().nth(self.letters);
                let end = letters.map_or(at, |(bytes, _)| from + bytes);
                let id = if word == "[MASK]" {
                    MASK
                } else {
                    100 + from as i64
                };
                into.ids.push(id);
                into.types.push(i64::from(second));
                into.places.push(Some(Place {
                    second,
                    start: from,
                    end,
                }));
                into.begins.push(begins);
                (from, begins) = (end, false);
            }
            at += 1;
        }
    }
}

impl Forward for Played {
    fn name(&self) -> &str {
        "played"
    }

    fn tokens(&self, text: &str, second: Option<&str>, _: bool) -> Result<Tokens> {
        let mut tokens = Tokens::default();
        let special = |tokens: &mut Tokens, id, second: bool| {
            tokens.ids.push(id);
            tokens.types.push(i64::from(second));
            tokens.places.push(None);
            tokens.begins.push(true);
        };
        special(&mut tokens, 1, false);
        self.words(text, false, &mut tokens);
        special(&mut tokens, 2, false);
        if let Some(second) = second {
            self.words(second, true, &mut tokens);
            special(&mut tokens, 2, true);
        }
        Ok(tokens)
    }

    fn mask_id(&self) -> Option<i64> {
        Some(MASK)
    }

    fn words(&self, ids: &[i64]) -> Result<String> {
        let words: Vec<String> = ids.iter().map(|id| format!("w{id}")).collect();
        Ok(words.join(" "))
    }

    fn run(&mut self, tokens: &Tokens) -> Result<Vec<Values>> {
        self.seen.push(tokens.clone());
        Ok(match self.runs.is_empty() {
            true => self.values.clone(),
            false => self.runs.remove(0),
        })
    }

    fn pooling(&self) -> Option<Pooling> {
        None
    }

    fn normalizes(&self) -> bool {
        false
    }
}
