//! From a head's numbers to a calibrated confidence, and from labelled data to thresholds. Pure.
//!
//! Temperature scaling divides the logits by one number fitted on held-out data before the softmax
//! (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2). It changes no label.
//!
//! What a page needs is in this file. What makes heads is below it: with the feature `training` fitting the temperature and the
//! certified thresholds (`certify`), with the feature `cli` the others (`graded` for losses between 0 and 1, `against_remote`), the
//! method they are compared with (`sgr`), and the out-of-distribution scores (`ood`).

mod accept;
#[cfg(feature = "cli")]
mod against_remote;
#[cfg(feature = "cli")]
mod betting;
mod binomial;
#[cfg(feature = "training")]
mod candidates;
#[cfg(feature = "training")]
mod certify;
#[cfg(feature = "cli")]
mod clusters;
mod correctness;
#[cfg(feature = "cli")]
mod correctness_fit;
#[cfg(feature = "training")]
mod decision;
mod fixed_sequence;
#[cfg(feature = "cli")]
mod graded;
#[cfg(feature = "cli")]
mod kinds;
#[cfg(feature = "cli")]
pub mod ood;
mod ood_score;
#[cfg(feature = "cli")]
mod ood_select;
#[cfg(feature = "cli")]
mod platt_fit;
#[cfg(feature = "cli")]
mod selective;
#[cfg(feature = "cli")]
mod sgr;
#[cfg(feature = "training")]
mod temperature;

pub use accept::{Decides, accepts, first_accepted, most_confident};
#[cfg(feature = "cli")]
pub use against_remote::{Against, Compared, visible_difference};
#[cfg(feature = "cli")]
pub use betting::mean_p_value;
pub use binomial::{p_value, upper_bound};
#[cfg(feature = "training")]
pub use certify::{Certifier, choose_default, rows_needed, smallest_n};
#[cfg(feature = "cli")]
pub use clusters::design_effect;
pub use correctness::InputSize;
#[cfg(feature = "cli")]
pub use correctness_fit::{Fit, fit_tier};
#[cfg(feature = "training")]
pub use decision::{Decision, OodScores, RawRow, RawScores, TierDecision, TierRule, decisions};
pub(crate) use fixed_sequence::{first_rows, last_rejected};
#[cfg(feature = "cli")]
pub use graded::{GradedCertificate, GradedCertifier, GradedRow, GradedTier};
#[cfg(feature = "cli")]
pub use kinds::{KindCalibration, Stated, StatedRow, calibrate_kind, graded};
pub use ood_score::OodScorer;
#[cfg(feature = "cli")]
pub use ood_select::{OodSelection, OodTrial, select_ood};
#[cfg(feature = "cli")]
pub use platt_fit::fit_platt;
#[cfg(feature = "cli")]
pub use selective::{Selective, selective, selective_loss};
#[cfg(feature = "cli")]
pub use sgr::{Selected, sgr};
#[cfg(feature = "training")]
pub use temperature::fit_temperature;

use crate::bundle::{Correctness, ModelOutput};
use crate::task::Doubt;

/// Probabilities of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// One probability a label, calibrated by the temperature; they sum to one.
    pub probabilities: Vec<f64>,
    /// The probability that the label is right: the largest of them, or what a correctness head makes of them.
    pub confidence: f64,
    /// What speaks against the label, the weightiest first, where a correctness head says so.
    pub doubts: Vec<Doubt>,
}

impl Calibrated {
    /// The place of the chosen label.
    pub fn label(&self) -> usize {
        most_probable(&self.probabilities)
    }

    /// The largest probability.
    pub fn largest(&self) -> f64 {
        largest(&self.probabilities)
    }

    /// The same, with the confidence of a correctness head.
    pub fn judged(mut self, head: &Correctness, size: InputSize) -> Self {
        (self.confidence, self.doubts) = head.judge(&self.probabilities, self.label(), size);
        self
    }
}

/// The place of the largest of some probabilities or logits; of equal ones, the first.
pub fn most_probable(values: &[f64]) -> usize {
    let later = |best: usize, next: usize| match values[next] > values[best] {
        true => next,
        false => best,
    };
    (0..values.len()).reduce(later).unwrap_or(0)
}

/// A head's numbers as logits. For [`ModelOutput::Probabilities`] these are the logarithms; a
/// probability of 0 (or below, from rounding) counts as the smallest positive `f32`.
pub fn logits(values: &[f32], output: ModelOutput) -> Vec<f64> {
    let logit = |&v: &f32| match output {
        ModelOutput::Logits => f64::from(v),
        ModelOutput::Probabilities => f64::from(v.max(f32::MIN_POSITIVE)).ln(),
    };
    values.iter().map(logit).collect()
}

/// Calibrates one input's logits. All must be finite and there must be at least one; the engine
/// sees to that.
pub fn calibrate(logits: &[f64], temperature: f64) -> Calibrated {
    let probabilities = softmax(logits.iter().map(|logit| logit / temperature).collect());
    Calibrated {
        confidence: largest(&probabilities),
        probabilities,
        doubts: Vec::new(),
    }
}

fn largest(probabilities: &[f64]) -> f64 {
    probabilities.iter().copied().fold(0.0, f64::max)
}

/// The energy of an input at a temperature: minus the log-sum-exp of the scaled logits (Liu et al.
/// 2020, "Energy-based Out-of-distribution Detection", equation 4, divided by the temperature).
/// Higher means less like the training data.
pub fn energy(logits: &[f64], temperature: f64) -> f64 {
    let scaled = || logits.iter().map(|logit| logit / temperature);
    let largest = scaled().fold(f64::NEG_INFINITY, f64::max);
    -(largest + scaled().map(|l| (l - largest).exp()).sum::<f64>().ln())
}

/// Softmax, shifted by the largest logit so that it cannot overflow.
fn softmax(mut logits: Vec<f64>) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for logit in &mut logits {
        *logit = (*logit - largest).exp();
    }
    let sum: f64 = logits.iter().sum();
    for value in &mut logits {
        *value /= sum;
    }
    logits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn softmax_of_equal_logits_is_uniform_and_extremes_do_not_overflow() {
        let out = calibrate(&logits(&[5.0; 4], ModelOutput::Logits), 1.0);
        assert!(out.probabilities.iter().all(|&p| close(p, 0.25)));
        let out = calibrate(
            &logits(&[f32::MAX, f32::MIN, 0.0], ModelOutput::Logits),
            0.01,
        );
        assert!(close(out.confidence, 1.0));
        assert!(out.probabilities.iter().all(|p| p.is_finite()));
    }

    #[test]
    fn known_values() {
        let out = calibrate(&logits(&[1.0, 2.0, 3.0], ModelOutput::Logits), 1.0);
        assert!((out.confidence - 0.665_240_955_774_821_7).abs() < 1e-12);
        // Two classes at temperature T: sigmoid((a - b) / T).
        let out = calibrate(&logits(&[2.0, 0.0], ModelOutput::Logits), 4.0);
        assert!(close(out.confidence, 1.0 / (1.0 + (-0.5_f64).exp())));
    }

    #[test]
    fn probabilities_at_temperature_one_stay_as_they_are() {
        let out = calibrate(
            &logits(&[0.5, 0.25, 0.25, 0.0], ModelOutput::Probabilities),
            1.0,
        );
        for (p, q) in out.probabilities.iter().zip([0.5, 0.25, 0.25, 0.0]) {
            assert!(close(*p, q));
        }
    }

    #[test]
    fn a_higher_temperature_is_less_sure_and_keeps_the_order() {
        let values = [0.3, 2.0, -1.0];
        let sharp = calibrate(&logits(&values, ModelOutput::Logits), 0.5);
        let soft = calibrate(&logits(&values, ModelOutput::Logits), 2.0);
        assert!(sharp.confidence > soft.confidence);
        for out in [sharp, soft] {
            assert!(out.probabilities[1] > out.probabilities[0]);
            assert!(out.probabilities[0] > out.probabilities[2]);
        }
    }
}
