//! The probability that a label is right, from a few numbers that are there anyway: what the correctness head of a tier makes
//! of one input.
//!
//! The largest probability of a classifier orders the inputs of one kind well and mixes up kinds: a short text and a long one
//! with the same probability are not equally often right. A logistic regression on the probability, the length of the input
//! and the label tells them apart. One threshold on the probability of being right is the best rule there is (Chow 1970).

use crate::bundle::{Correctness, CorrectnessFeature, LabelTerm};
use crate::task::{Doubt, Input};

/// Probabilities closer to 0 or 1 count as this close: beyond it they are rounding.
const CLOSEST: f64 = 1e-6;

/// A group of terms that lowers the log-odds by as much is named as a doubt: the odds fall to 60 %.
const DOUBT: f64 = -0.5;

/// The length of an input, as correctness heads see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct InputSize {
    /// Its bytes, of a text in UTF-8.
    pub bytes: usize,
    /// The characters of a text.
    pub chars: usize,
    /// What white space divides a text into.
    pub words: usize,
}

impl InputSize {
    /// The length of an input.
    pub fn of(input: Input) -> Self {
        match input {
            Input::Text(text) => InputSize {
                bytes: text.len(),
                chars: text.chars().count(),
                words: text.split_whitespace().count(),
            },
            Input::Pair { text, second } => {
                let (a, b) = (
                    InputSize::of(Input::Text(text)),
                    InputSize::of(Input::Text(second)),
                );
                InputSize {
                    bytes: a.bytes + b.bytes,
                    chars: a.chars + b.chars,
                    words: a.words + b.words,
                }
            }
            other => InputSize {
                bytes: other.len(),
                ..InputSize::default()
            },
        }
    }
}

impl CorrectnessFeature {
    /// All of them.
    pub const ALL: [CorrectnessFeature; 6] = [
        CorrectnessFeature::Logit,
        CorrectnessFeature::Margin,
        CorrectnessFeature::Entropy,
        CorrectnessFeature::LogChars,
        CorrectnessFeature::LogBytes,
        CorrectnessFeature::LogWords,
    ];

    /// Its value for an input of this size with these probabilities.
    pub fn value(self, probabilities: &[f64], size: InputSize) -> f64 {
        let log = |count: usize| (1.0 + count as f64).ln();
        match self {
            CorrectnessFeature::Logit => logit(largest_two(probabilities).0),
            CorrectnessFeature::Margin => {
                let (first, second) = largest_two(probabilities);
                first.max(CLOSEST).ln() - second.max(CLOSEST).ln()
            }
            CorrectnessFeature::Entropy => {
                let terms = probabilities.iter().filter(|p| **p > 0.0);
                -terms.map(|p| p * p.ln()).sum::<f64>()
            }
            CorrectnessFeature::LogChars => log(size.chars),
            CorrectnessFeature::LogBytes => log(size.bytes),
            CorrectnessFeature::LogWords => log(size.words),
        }
    }

    fn doubts(self, short: bool) -> Doubt {
        match self {
            CorrectnessFeature::Logit
            | CorrectnessFeature::Margin
            | CorrectnessFeature::Entropy => Doubt::CloseLabels,
            CorrectnessFeature::LogChars
            | CorrectnessFeature::LogBytes
            | CorrectnessFeature::LogWords => match short {
                true => Doubt::ShortInput,
                false => Doubt::LongInput,
            },
        }
    }
}

impl Correctness {
    /// The probability that `label` is right, and what speaks against it, the weightiest first.
    pub fn judge(&self, probabilities: &[f64], label: usize, size: InputSize) -> (f64, Vec<Doubt>) {
        let mut log_odds = self.bias;
        let mut groups: Vec<(Doubt, f64)> = Vec::new();
        let mut add = |doubt: Doubt, amount: f64| {
            log_odds += amount;
            match groups.iter_mut().find(|(known, _)| *known == doubt) {
                Some((_, sum)) => *sum += amount,
                None => groups.push((doubt, amount)),
            }
        };
        let length = self.terms.iter().find(|term| term.feature.is_length());
        let short = length.is_none_or(|t| t.feature.value(probabilities, size) < t.mean);
        for term in &self.terms {
            let value = term.feature.value(probabilities, size);
            add(
                term.feature.doubts(short),
                term.weight * (value - term.mean),
            );
        }
        if let Some(&LabelTerm(offset, slope)) = self.labels.get(label) {
            let logit = CorrectnessFeature::Logit.value(probabilities, size);
            add(
                Doubt::ConfusedLabel,
                offset + slope * (logit - self.label_mean),
            );
        }
        groups.retain(|(_, sum)| *sum <= DOUBT);
        groups.sort_by(|a, b| a.1.total_cmp(&b.1));
        let doubts = groups.into_iter().map(|(doubt, _)| doubt).collect();
        (sigmoid(log_odds), doubts)
    }
}

/// The log-odds of a probability.
pub(super) fn logit(probability: f64) -> f64 {
    let p = probability.clamp(CLOSEST, 1.0 - CLOSEST);
    (p / (1.0 - p)).ln()
}

/// The probability of some log-odds.
pub(super) fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The largest and the second largest; 0 for what is not there.
fn largest_two(probabilities: &[f64]) -> (f64, f64) {
    probabilities
        .iter()
        .fold((0.0, 0.0), |(first, second), &p| match p > first {
            true => (p, first),
            false => (first, p.max(second)),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::CorrectnessTerm;

    fn head() -> Correctness {
        let term = |feature, weight, mean| CorrectnessTerm {
            feature,
            weight,
            mean,
        };
        Correctness {
            version: 1,
            bias: 1.0,
            terms: vec![
                term(CorrectnessFeature::Logit, 0.5, 2.0),
                term(CorrectnessFeature::LogChars, 1.0, 4.0),
            ],
            labels: vec![LabelTerm(0.0, 0.0), LabelTerm(-2.0, 0.5)],
            label_mean: 2.0,
            out_of_fold: None,
        }
    }

    #[test]
    fn the_terms_add_up_to_log_odds() {
        let p = [0.9, 0.1];
        let size = InputSize::of(Input::Text("seven of"));
        let log_odds = 1.0 + 0.5 * (9f64.ln() - 2.0) + (9f64.ln() - 4.0);
        let (confidence, doubts) = head().judge(&p, 0, size);
        assert!((confidence - sigmoid(log_odds)).abs() < 1e-12);
        assert_eq!(doubts, [Doubt::ShortInput]);
        let p = [0.1, 0.9];
        let (confused, doubts) = head().judge(&p, 1, size);
        let log_odds = log_odds - 2.0 + 0.5 * (9f64.ln() - 2.0);
        assert!((confused - sigmoid(log_odds)).abs() < 1e-12);
        assert_eq!(doubts, [Doubt::ConfusedLabel, Doubt::ShortInput]);
    }

    #[test]
    fn a_label_or_an_input_without_a_term_adds_nothing() {
        let (confidence, _) = head().judge(&[0.2, 0.2, 0.6], 2, InputSize::default());
        let log_odds = 1.0 + 0.5 * (1.5f64.ln() - 2.0) - 4.0;
        assert!((confidence - sigmoid(log_odds)).abs() < 1e-12);
    }

    #[test]
    fn features_are_finite_at_the_ends() {
        for p in [vec![1.0, 0.0], vec![0.5, 0.5], vec![1.0], vec![0.0, 0.0]] {
            for feature in CorrectnessFeature::ALL {
                let value = feature.value(&p, InputSize::of(Input::Bytes(&[])));
                assert!(value.is_finite(), "{feature:?} of {p:?}: {value}");
            }
        }
        assert_eq!(
            CorrectnessFeature::Margin.value(&[0.25, 0.5, 0.25], InputSize::default()),
            2f64.ln()
        );
        let size = InputSize::of(Input::Text("zwei Wörter"));
        assert_eq!((size.bytes, size.chars, size.words), (12, 11, 2));
    }

    #[test]
    fn an_input_is_long_where_a_head_has_seen_shorter_ones() {
        let mut head = head();
        head.terms[1].weight = -1.0;
        let long = "word ".repeat(100);
        let (_, doubts) = head.judge(&[0.9, 0.1], 0, InputSize::of(Input::Text(&long)));
        assert_eq!(doubts, [Doubt::LongInput]);
    }
}
