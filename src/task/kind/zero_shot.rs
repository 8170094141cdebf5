//! Classification by labels that the caller names: a model of natural-language inference says whether the text entails "This example
//! is {label}." (Yin et al. 2019).

use super::forward::{Forward, misshapen, named};
use super::numbers::{largest, softmax};
use crate::error::{Code, Error, Result};
use crate::task::{Label, LabelScore, Output, parse_output};

const TEMPLATE: &str = "This example is {}.";

/// The most labels that are held against a text: each is a run of the model.
const MOST_LABELS: usize = 1000;

/// What is asked beside the text.
pub(super) struct Asked<'a> {
    pub(super) candidates: &'a [String],
    pub(super) template: Option<&'a str>,
    /// Whether several labels may hold.
    pub(super) several: bool,
    /// How many labels are listed.
    pub(super) top: Option<usize>,
}

pub(super) fn perform(
    text: &str,
    relations: &[Label],
    asked: &Asked<'_>,
    model: &mut dyn Forward,
) -> Result<(Output, f64)> {
    let candidates = asked.candidates;
    check(candidates)?;
    let template = asked.template.unwrap_or(TEMPLATE);
    if !template.contains("{}") {
        return Err(Error::new(
            Code::InvalidOption,
            "hypothesisTemplate must have {} where the label goes",
        ));
    }
    let (entails, contradicts) = relations_of(model.name(), relations)?;
    // Whether each label is judged by itself.
    let each = asked.several || candidates.len() == 1;
    let mut logits = Vec::with_capacity(candidates.len());
    for label in candidates {
        let hypothesis = template.replacen("{}", label, 1);
        let tokens = model.tokens(text, Some(&hypothesis), false)?;
        let values = model.run(&tokens)?;
        let found = named(model.name(), &values, &["logits"])?;
        if found.numbers.len() != relations.len() {
            let wanted = format!("one value for each of {} relations", relations.len());
            return Err(misshapen(model.name(), found, &wanted));
        }
        let at = |at: usize| f64::from(found.numbers[at]);
        logits.push((at(entails), at(contradicts)));
    }
    let scores: Vec<f64> = match each {
        true => logits
            .iter()
            .map(|&(entails, contradicts)| softmax([entails, contradicts])[0])
            .collect(),
        false => softmax(logits.iter().map(|&(entails, _)| entails)),
    };
    let order = largest(&scores, candidates.len());
    let best = order[0];
    let most = asked.top.unwrap_or(candidates.len());
    let output = Output {
        label: candidates[best].clone(),
        title: None,
        score: Some(scores[best]),
        scores: order
            .into_iter()
            .take(most)
            .map(|at| LabelScore {
                label: candidates[at].clone(),
                score: scores[at],
            })
            .collect(),
    };
    Ok((output, scores[best]))
}

/// Holds the labels to choose from against what they may be.
pub(super) fn check(candidates: &[String]) -> Result<()> {
    if candidates.is_empty() || candidates.len() > MOST_LABELS {
        return Err(Error::new(
            Code::InvalidOption,
            format!(
                "candidateLabels must name 1 to {MOST_LABELS} labels, and has {}",
                candidates.len()
            ),
        ));
    }
    Ok(())
}

/// The labels to choose from, as those of a task.
pub(super) fn choices(candidates: &[String]) -> Vec<Label> {
    let label = |id: &String| Label {
        id: id.clone(),
        title: None,
    };
    candidates.iter().map(label).collect()
}

/// Reads a remote's answer: one of the labels.
pub(super) fn read(reply: &str, candidates: &[String]) -> Result<Output> {
    parse_output(reply, &choices(candidates))
}

/// The numbers of the labels for "entails" and "contradicts".
fn relations_of(model: &str, relations: &[Label]) -> Result<(usize, usize)> {
    let find = |names: &[&str]| {
        relations
            .iter()
            .position(|label| names.iter().any(|name| label.id.eq_ignore_ascii_case(name)))
    };
    let entails = find(&["entailment"]);
    let contradicts = find(&["contradiction", "not_entailment"]);
    entails.zip(contradicts).ok_or_else(|| {
        Error::new(
            Code::ModelInvalid,
            format!(
                "{model} has no labels entailment and contradiction (or not_entailment); zero-shot classification needs a model of \
                 natural-language inference"
            ),
        )
    })
}
