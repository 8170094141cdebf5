//! The tokens of a tokenizer by their names and ids, and what a list of ids says.

use tokenizers::vocab::bucket_added_vocabulary::AddedToken;

use super::bounds::MOST_ID;
use super::{TextTokenizer, UNWRITTEN};
use crate::error::Result;

/// The ids of the special tokens that models have for some use, by what they are commonly called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Specials {
    /// Stands for a word that is to be guessed.
    pub mask: Option<i64>,
    /// Begins a text.
    pub begins: Option<i64>,
    /// Ends a text, or parts two.
    pub separates: Option<i64>,
    /// Fills shorter texts up.
    pub pads: Option<i64>,
    /// Stands for what the vocabulary has no token for.
    pub unknown: Option<i64>,
}

const MASKS: [&str; 4] = ["[MASK]", "<mask>", "<|mask|>", "[mask]"];
const BEGINS: [&str; 5] = ["[CLS]", "<s>", "<cls>", "[BOS]", "<bos>"];
const SEPARATES: [&str; 5] = ["[SEP]", "</s>", "<sep>", "[EOS]", "<eos>"];
const PADS: [&str; 4] = ["[PAD]", "<pad>", "<|pad|>", "[pad]"];
const UNKNOWNS: [&str; 3] = ["[UNK]", "<unk>", "[unk]"];

/// How many ids without a token end the vocabulary.
const GAP: u32 = 1 << 12;

impl TextTokenizer {
    /// The token of an id, as the vocabulary has it.
    pub fn token(&self, id: i64) -> Option<String> {
        let id = u32::try_from(id).ok()?;
        let added = self.inner.get_added_vocabulary().simple_id_to_token(id);
        let token = added.or_else(|| self.inner.get_model().id_to_token(id))?;
        Some(match token.strip_prefix(UNWRITTEN) {
            Some(name) if self.renamed => name.to_owned(),
            _ => token,
        })
    }

    /// The id of a token that is spelt as the vocabulary has it. Looks through all of it, but for added tokens.
    pub fn id_of(&self, token: &str) -> Option<i64> {
        let added = self.inner.get_added_vocabulary();
        let unwritten = || added.token_to_id(&format!("{UNWRITTEN}{token}"));
        let id = match added.token_to_id(token) {
            Some(id) => Some(id),
            None if self.renamed => unwritten(),
            None => None,
        };
        if let Some(id) = id {
            return Some(id.into());
        }
        let mut found = None;
        self.walk(|id, name| {
            let same = name == token;
            if same {
                found = Some(id.into());
            }
            !same
        });
        found
    }

    /// How many ids there are: one more than the largest.
    pub fn vocabulary(&self) -> usize {
        let added = self.inner.get_added_vocabulary().get_vocab();
        let mut largest = added.into_values().max();
        self.walk(|id, _| {
            largest = largest.max(Some(id));
            true
        });
        largest.map_or(0, |id| id as usize + 1)
    }

    /// Calls with the tokens of the model in the order of their ids, until it says not to.
    fn walk(&self, mut each: impl FnMut(u32, &str) -> bool) {
        let mut missing = 0;
        for id in (0..MOST_ID).map_while(|id| u32::try_from(id).ok()) {
            match self.inner.get_model().id_to_token(id) {
                Some(token) if !each(id, &token) => return,
                Some(_) => missing = 0,
                None if missing == GAP => return,
                None => missing += 1,
            }
        }
    }

    /// The special tokens by their uses: those the file names, else those around a text, else those of the common names.
    pub fn specials(&self) -> Specials {
        let template = &self.inner.get_post_processor().single;
        let around = |token: Option<&(tokenizers::pipeline::PipelineToken, u8)>| {
            token.map(|(token, _)| i64::from(token.id()))
        };
        let named = |role: &str, names: &[&str]| {
            let declared = self.inner.get_token_for_role(role);
            let names = declared.into_iter().chain(names.iter().copied());
            let mut ids = names.filter_map(|name| self.special(name));
            ids.next().map(|(id, _)| i64::from(id))
        };
        Specials {
            mask: named("mask_token", &MASKS),
            begins: around(template.prefix.first()).or_else(|| named("cls_token", &BEGINS)),
            separates: around(template.suffix.last()).or_else(|| named("sep_token", &SEPARATES)),
            pads: named("pad_token", &PADS),
            unknown: named("unk_token", &UNKNOWNS),
        }
    }

    /// The special token of a name.
    pub(super) fn special(&self, name: &str) -> Option<(u32, AddedToken)> {
        let added = self.inner.get_added_vocabulary();
        let unwritten = format!("{UNWRITTEN}{name}");
        let id = added.token_to_id(name);
        let id = id.or_else(|| added.token_to_id(&unwritten).filter(|_| self.renamed))?;
        let token = added.get_added_tokens_decoder().remove(&id)?;
        token.special.then_some((id, token))
    }

    /// The text that ids stand for, by the tokenizer's decoder; without special tokens if `skip_special`.
    ///
    /// # Errors
    /// [`crate::error::Code::ModelInvalid`] when the decoder fails.
    pub fn decode(&self, ids: &[i64], skip_special: bool) -> Result<String> {
        // What is no id has no token.
        let ids: Vec<u32> = ids.iter().filter_map(|&id| id.try_into().ok()).collect();
        let text = self.inner.decode(&ids, skip_special);
        let text = text.map_err(|e| self.failed(&e))?;
        Ok(match self.renamed {
            true => text.replace(UNWRITTEN, ""),
            false => text,
        })
    }
}
