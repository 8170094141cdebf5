//! An answer that stands in a text (extractive question answering; Rajpurkar et al. 2016): the span whose first and last tokens the
//! model finds likeliest.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::entities::Utf16;
use super::forward::{Forward, Place, misshapen};
use super::numbers::{f1, softmax};
use super::schema::object_of;
use crate::error::{Code, Error, Result, excerpt};
use crate::task::json_of;

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
    /// Its probability, 0 to 1; `null` where a remote answered.
    pub score: Option<f64>,
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
        score: Some(score),
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

/// What a remote is told of the shape of its answer.
pub(super) const RULES: &str = "Answer with JSON only: {\"answer\": …}, where the answer is the shortest part of the text that answers the \
                                question, copied letter by letter.";

/// The JSON schema of a remote's answer. The place is not asked for: it follows from the text.
pub(super) fn schema() -> Value {
    object_of(&[("answer", json!({ "type": "string" }))])
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    answer: String,
}

/// Reads a remote's answer, which must stand in the text. Where it does so more than once, the first place is taken.
pub(super) fn read(reply: &str, context: &str) -> Result<QuestionOutput> {
    let reply: Reply = json_of(reply)?;
    let answer = reply.answer.trim();
    let place = context.find(answer).filter(|_| !answer.is_empty());
    let start = place.ok_or_else(|| {
        Error::new(
            Code::RemoteBadResponse,
            format!(
                "the remote's answer does not stand in the text: \"{}\"",
                excerpt(answer, 80)
            ),
        )
    })?;
    let mut utf16 = Utf16::new(context);
    let best = FoundAnswer {
        answer: answer.to_owned(),
        score: None,
        start: utf16.at(start),
        end: utf16.at(start + answer.len()),
    };
    Ok(QuestionOutput {
        answers: vec![best.clone()],
        best,
    })
}

/// An answer's words without case, punctuation and English articles, as SQuAD's evaluation compares them (Rajpurkar et al. 2016).
fn words(answer: &str) -> Vec<String> {
    let plain: String = answer
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .flat_map(char::to_lowercase)
        .collect();
    let words = plain.split_whitespace();
    words
        .filter(|word| !matches!(*word, "a" | "an" | "the"))
        .map(str::to_owned)
        .collect()
}

/// How well an answer agrees with the best of those that are right: the F1 of their words, and whether they are the same.
pub(super) fn agreement(answer: &str, right: &[String]) -> (f64, bool) {
    let given = words(answer);
    let one = |right: &String| {
        let wanted = words(right);
        let mut rest = wanted.clone();
        let both = given.iter().filter(|word| {
            let found = rest.iter().position(|other| other == *word);
            found.map(|at| rest.swap_remove(at)).is_some()
        });
        let both = both.count();
        (f1(both, given.len(), wanted.len()), given == wanted)
    };
    let best = |a: (f64, bool), b: (f64, bool)| (a.0.max(b.0), a.1 || b.1);
    right.iter().map(one).fold((0.0, false), best)
}
