//! Where the tokens of a word are in it, by how they are spelt.

use std::collections::BTreeMap;

use tokenizers::Result;
use tokenizers::models::wordpiece::PipelineWordPiece;
use tokenizers::pipeline::{Model, PipelineModel, PipelineModelScratch, PipelineToken};

use super::UNWRITTEN;
use super::canonical::{CONTINUES, ENDS, UNKNOWN};

/// A token of a word.
pub(super) struct Piece {
    pub(super) id: u32,
    /// Where it is in the word, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it stands for what the vocabulary has no token for.
    pub(super) unknown: bool,
}

/// The tokens of a word, and whether their places in it could be told; if not, each has that of the whole word.
pub(super) fn pieces(
    model: &PipelineModel,
    roles: &BTreeMap<String, String>,
    word: &str,
    scratch: &mut PipelineModelScratch,
    ids: &mut Vec<PipelineToken>,
) -> Result<(Vec<Piece>, bool)> {
    if word.is_empty() {
        return Ok((Vec::new(), true));
    }
    if let PipelineModel::Unigram(model) = model {
        let unknown = model.unk_id();
        let piece = |token: tokenizers::Token| Piece {
            id: token.id,
            start: token.offsets.0,
            end: token.offsets.1,
            unknown: Some(token.id as usize) == unknown,
        };
        let tokens = model.tokenize(word)?;
        return Ok((tokens.into_iter().map(piece).collect(), true));
    }
    ids.clear();
    model.tokenize_pipeline(word, scratch, ids)?;
    let told = match model {
        PipelineModel::BPE(bytes) => merged(model, bytes.is_byte_level(), roles, word, ids),
        PipelineModel::WordPiece(model) => divided(model, word, ids),
        // Of words, one is a token.
        _ => None,
    };
    let one = ids.len() == 1;
    if let Some(pieces) = told {
        return Ok((pieces, true));
    }
    let unknown = |id| match model {
        PipelineModel::WordLevel(words) => {
            words.id_to_token(id).as_deref() == Some(&words.unk_token)
        }
        _ => one,
    };
    let whole = ids.iter().map(|token| Piece {
        id: token.id(),
        start: 0,
        end: word.len(),
        unknown: unknown(token.id()),
    });
    Ok((whole.collect(), one))
}

fn divided(model: &PipelineWordPiece, word: &str, ids: &[PipelineToken]) -> Option<Vec<Piece>> {
    let prefix = model.continuing_subword_prefix();
    let mut at = 0;
    let mut pieces = Vec::with_capacity(ids.len());
    for token in ids {
        let spelt = model.id_to_token(token.id())?;
        let spelt = match at {
            0 => spelt.as_str(),
            _ => spelt.strip_prefix(prefix)?,
        };
        let unknown = ids.len() == 1 && Some(spelt) == model.unk_token();
        let end = match unknown {
            true => word.len(),
            false => at + spelt.len(),
        };
        if !unknown && word.get(at..end) != Some(spelt) {
            return None;
        }
        pieces.push(Piece {
            id: token.id(),
            start: at,
            end,
            unknown,
        });
        at = end;
    }
    (at == word.len()).then_some(pieces)
}

/// Of byte pairs. In a vocabulary of bytes every character of a token's spelling is a byte; in one of characters, a
/// character that it has not may be told by its bytes or by the token for what is unknown.
fn merged(
    model: &PipelineModel,
    of_bytes: bool,
    roles: &BTreeMap<String, String>,
    word: &str,
    ids: &[PipelineToken],
) -> Option<Vec<Piece>> {
    let spell = |token: &PipelineToken| model.id_to_token(token.id());
    let affix = |role| roles.get(role).map_or("", String::as_str);
    let bare = |spelt: &str, n: usize| -> String {
        let ends = if n + 1 == ids.len() { affix(ENDS) } else { "" };
        let continues = if n == 0 { "" } else { affix(CONTINUES) };
        let bare = spelt.strip_prefix(continues).unwrap_or(spelt);
        bare.strip_suffix(ends).unwrap_or(bare).to_owned()
    };
    let unknown = roles.get(UNKNOWN);
    let left_out = !of_bytes && unknown.is_none();
    let bytes = word.as_bytes();
    let mut at = 0;
    let mut pieces = Vec::with_capacity(ids.len());
    for (n, token) in ids.iter().enumerate() {
        let spelt = spell(token)?;
        let rest = bytes.get(at..)?;
        let mut unknown =
            unknown.is_some_and(|unknown| spelt.trim_start_matches(UNWRITTEN) == unknown);
        let len = if of_bytes {
            unknown = false;
            spelt.chars().count()
        } else if unknown {
            let first = word.get(at..)?.chars().next()?.len_utf8();
            match ids.get(n + 1) {
                None => rest.len(),
                // If unknown characters next to each other were one token, there were not two.
                Some(other) if other.id() == token.id() => first,
                Some(other) => {
                    let next = spell(other)?;
                    first + until(word.get(at + first..)?, &bare(&next, n + 1), &next)?
                }
            }
        } else {
            let bare = bare(&spelt, n);
            if byte(&spelt).is_some_and(|byte| rest.first() == Some(&byte)) {
                1
            } else {
                // Characters that nothing stands for are left out, before a token and in it.
                let rest = word.get(at..)?;
                let start = until(rest, &bare, &spelt)?;
                at += start;
                let rest = &rest[start..];
                match rest.starts_with(&bare) {
                    true => bare.len(),
                    false if left_out => spread(rest, &bare)?,
                    false => return None,
                }
            }
        };
        let end = at + len;
        pieces.push(Piece {
            id: token.id(),
            start: at,
            end,
            unknown,
        });
        at = end;
    }
    // What is left at the end is left out, too, where characters can be.
    (at == bytes.len() || left_out && at < bytes.len()).then_some(pieces)
}

/// How long it is to where a token begins. A character that is no token by itself is not in one either, so that is where its
/// first character is, or its byte.
fn until(rest: &str, bare: &str, spelt: &str) -> Option<usize> {
    let character = bare.chars().next().and_then(|c| rest.find(c));
    character.or_else(|| {
        let byte = byte(spelt)?;
        rest.bytes().position(|other| other == byte)
    })
}

/// How far the characters of a token go in a text that has others among them.
fn spread(rest: &str, bare: &str) -> Option<usize> {
    let mut end = 0;
    for c in bare.chars() {
        end += rest.get(end..)?.find(c)? + c.len_utf8();
    }
    Some(end)
}

/// The byte that a token such as `<0x0A>` stands for.
fn byte(spelt: &str) -> Option<u8> {
    let digits = spelt.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.len() == 2)
}
