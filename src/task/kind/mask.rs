//! Words for a gap in a text (masked language modelling; Devlin et al. 2019).

use serde::{Deserialize, Serialize};

use super::forward::{Forward, misshapen, named};
use super::numbers::{largest, softmax};
use crate::error::{Code, Error, Result};

/// How many words are given, where nobody says.
const TOP: usize = 5;

/// The words that a gap may stand for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MaskOutput {
    /// For each gap, the likeliest words first.
    pub masks: Vec<Vec<Filling>>,
}

/// A word for a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Filling {
    /// Its probability, 0 to 1.
    pub score: f64,
    /// Its id.
    #[cfg_attr(test, ts(type = "number"))]
    pub token: i64,
    /// The word.
    pub text: String,
    /// The text with the gap filled.
    pub sequence: String,
}

pub(super) fn perform(
    text: &str,
    top: Option<usize>,
    model: &mut dyn Forward,
) -> Result<(MaskOutput, f64)> {
    let no_mask = || {
        let why = format!("the tokenizer of {} has no mask token", model.name());
        Error::new(Code::ModelInvalid, why)
    };
    let mask = model.mask_id().ok_or_else(no_mask)?;
    let tokens = model.tokens(text, None, true)?;
    let gaps = tokens.ids.iter().enumerate().filter(|(_, id)| **id == mask);
    let gaps: Vec<usize> = gaps.map(|(at, _)| at).collect();
    if gaps.is_empty() {
        return Err(Error::new(
            Code::InvalidText,
            "the text has no mask token; put it where the gap is, for example \"Paris is the [MASK] of France.\"",
        ));
    }
    let values = model.run(&tokens)?;
    let logits = named(model.name(), &values, &["logits"])?;
    let words = match logits.shape[..] {
        [1, n, words] if n == tokens.ids.len() && words > 0 => words,
        _ => {
            let wanted = format!("[1, {}, words]", tokens.ids.len());
            return Err(misshapen(model.name(), logits, &wanted));
        }
    };
    let top = top.unwrap_or(TOP);
    let mut confidence = 1.0;
    let mut masks = Vec::with_capacity(gaps.len());
    for &at in &gaps {
        let row = logits.numbers.iter().skip(at * words).take(words);
        let probabilities = softmax(row.map(|&v| f64::from(v)));
        let mut fillings = Vec::new();
        for best in largest(&probabilities, top) {
            let token = best as i64;
            let mut ids = tokens.ids.clone();
            ids[at] = token;
            fillings.push(Filling {
                score: probabilities[best],
                token,
                text: model.words(&[token])?,
                sequence: model.words(&ids)?,
            });
        }
        confidence *= fillings.first().map_or(0.0, |best| best.score);
        masks.push(fillings);
    }
    Ok((MaskOutput { masks }, confidence))
}
