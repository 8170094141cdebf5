//! An answer that stands in a text (extractive question answering; Rajpurkar et al. 2016): the span whose first and last tokens the
//! model finds likeliest.

use serde::{Deserialize, Serialize};

use super::entities::Utf16;
use super::forward::{Forward, Place, misshapen};
use super::numbers::softmax;
use crate::error::{Code, Error, Result};

/// The most tokens of an answer, where nobody says; as in transformers.
const MOST_TOKENS: usize = 15;

/// How many of the likeliest first and last tokens are paired.
const PAIRED: usize = 64;

/// The answers to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct QuestionOutput {
    /// The likeliest one.
    #[serde(flatten)]
    pub best: FoundAnswer,
    /// The likeliest ones, the best first.
    pub answers: Vec<FoundAnswer>,
}

/// A part of the text that answers a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FoundAnswer {
    /// The part, as it stands in the text.
    pub answer: String,
    /// Its probability, 0 to 1.
    pub score: f64,
    /// Where it begins in the text, in UTF-16 units, as JavaScript counts.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
}

pub(super) fn perform(
    (question, context): (&str, &str),
    top: Option<usize>,
    most: Option<usize>,
    model: &mut dyn Forward,
) -> Result<QuestionOutput> {
    let tokens = model.tokens(question, Some(context), false)?;
    let values = model.run(&tokens)?;
    let of = |name: &str| {
        let found = values.iter().find(|v| v.name == name).ok_or_else(|| {
            let why = format!("{} gives no output \"{name}\"", model.name());
            Error::new(Code::ModelOutput, why)
        })?;
        match found.numbers.len() == tokens.ids.len() {
            true => Ok(found),
            false => Err(misshapen(model.name(), found, "one value a token")),
        }
    };
    // What is not of the text is no answer; the first token stands for "there is none" and has its share.
    let within = |at: usize| match tokens.places.get(at).copied().flatten() {
        Some(place @ Place { second: true, .. }) => Some(place),
        _ => None,
    };
    let probabilities = |name: &str| -> Result<Vec<f64>> {
        let logits = of(name)?.numbers.iter().enumerate();
        let logits = logits.map(|(at, &logit)| match at == 0 || within(at).is_some() {
            true => f64::from(logit),
            false => f64::NEG_INFINITY,
        });
        Ok(softmax(logits))
    };
    let (starts, ends) = (probabilities("start_logits")?, probabilities("end_logits")?);
    let candidates = |of: &[f64]| {
        let best = super::numbers::largest(of, PAIRED);
        best.into_iter()
            .filter_map(|at| Some((at, within(at)?)))
            .collect::<Vec<_>>()
    };
    let most = most.unwrap_or(MOST_TOKENS);
    let lasts = candidates(&ends);
    let mut found: Vec<(f64, usize, usize)> = Vec::new();
    for (first, from) in candidates(&starts) {
        for &(last, to) in &lasts {
            if first <= last && last - first < most && from.start < to.end {
                found.push((starts[first] * ends[last], from.start, to.end));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.dedup_by(|a, b| (a.1, a.2) == (b.1, b.2));
    found.truncate(top.unwrap_or(1));
    let mut utf16 = Utf16::new(context);
    let answers = found.into_iter().map(|(score, start, end)| FoundAnswer {
        answer: context.get(start..end).unwrap_or_default().to_owned(),
        score,
        start: utf16.at(start),
        end: utf16.at(end),
    });
    let answers: Vec<FoundAnswer> = answers.collect();
    let best = answers.first().cloned().ok_or_else(|| {
        Error::new(
            Code::InputTooShort,
            "the text holds nothing that could be an answer",
        )
    })?;
    Ok(QuestionOutput { best, answers })
}
