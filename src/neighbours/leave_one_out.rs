//! From which score on examples may answer: fixed-sequence testing with exact binomial p-values, as for the bundle's own
//! thresholds, on each example's answer by the others (leave-one-out).
//!
//! What is promised is less than what a bundle's certificate promises. "Wrong" is what the remote would have answered otherwise.
//! And leave-one-out answers depend on each other a little: an example is a neighbour of a few others. How well the
//! promise holds on real streams is measured by `smallfirst simulate`; in use, a share of the answers is checked with the remote.

use serde::{Deserialize, Serialize};

use crate::calibrate::{first_rows, last_rejected, p_value, upper_bound};

/// How many thresholds are tried at most.
const STEPS: usize = 20;

/// Thresholds and bounds have nine decimal places, so that they are the same after they were stored as text.
const DIGITS: f64 = 1e9;

/// From which score on examples may answer at a risk, and what speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdEstimate {
    /// The risk.
    pub risk: f64,
    /// The least score; nothing when no threshold could be supported.
    pub threshold: Option<f64>,
    /// How many examples were answered from the others.
    pub n: u64,
    /// Disagreements with the remote among them.
    pub wrong: u64,
    /// Upper confidence bound on the true disagreement rate.
    pub bound: f64,
}

impl ThresholdEstimate {
    /// Where nothing speaks for any threshold.
    pub fn none(risk: f64) -> Self {
        ThresholdEstimate {
            risk,
            threshold: None,
            n: 0,
            wrong: 0,
            bound: 1.0,
        }
    }
}

/// Finds the threshold for `risk`, from scores and whether the answers were the remote's. `delta` is the probability that it may
/// be too low.
pub fn certify_leave_one_out(
    mut answers: Vec<(f64, bool)>,
    risk: f64,
    delta: f64,
) -> ThresholdEstimate {
    let nothing = ThresholdEstimate::none(risk);
    answers.sort_by(|a, b| b.0.total_cmp(&a.0));
    // The fewest answers that could support it, if none is wrong; three times as many leave room for a wrong one.
    let least = (delta.ln() / (1.0 - risk).ln()).ceil().max(1.0);
    let all = answers.len() as f64;
    if all < least {
        return nothing;
    }
    let first = first_rows(least, all);
    let sequence = (0..STEPS).map_while(|step| {
        let share = step as f64 / (STEPS - 1) as f64;
        let rows = (first * (all / first).powf(share)).round() as usize;
        let &(score, _) = answers.get(rows.checked_sub(1)?)?;
        let threshold = (score * DIGITS).floor() / DIGITS;
        // Equal scores are answered alike.
        let n = answers.partition_point(|a| a.0 >= threshold);
        let wrong = answers.iter().take(n).filter(|a| !a.1).count();
        Some((threshold, n as u64, wrong as u64))
    });
    let found = last_rejected(sequence, delta, |&(_, n, wrong)| p_value(n, wrong, risk));
    found.map_or(nothing, |(threshold, n, wrong)| ThresholdEstimate {
        risk,
        threshold: Some(threshold),
        n,
        wrong,
        bound: ((upper_bound(n, wrong, delta) * DIGITS).ceil() / DIGITS).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn nothing_is_promised_without_evidence() {
        let few = vec![(1.0, true); 20];
        assert_eq!(certify_leave_one_out(few, 0.05, 0.025).threshold, None);
        let coin = (0..1000).map(|i| (1.0, i % 2 == 0)).collect();
        assert_eq!(certify_leave_one_out(coin, 0.05, 0.025).threshold, None);
        assert_eq!(
            certify_leave_one_out(Vec::new(), 0.05, 0.025).threshold,
            None
        );
    }

    #[test]
    fn right_answers_are_trusted_down_to_where_they_turn_wrong() {
        // Right above a score of 0.5, a coin below.
        let answers: Vec<_> = (0..1000)
            .map(|i| (f64::from(i) / 1000.0, i >= 500 || i % 2 == 0))
            .collect();
        let estimate = certify_leave_one_out(answers, 0.05, 0.0025);
        let threshold = estimate.threshold.unwrap();
        assert!((0.4..0.6).contains(&threshold), "{threshold}");
        assert!(estimate.bound <= 0.05 && estimate.n >= 400);
    }

    /// With independent answers the chance of promising too much is at most delta.
    #[test]
    fn too_much_is_promised_as_seldom_as_stated() {
        let mut random = Random::new(3);
        let (runs, risk, delta) = (2000, 0.05, 0.025);
        let broken = (0..runs).filter(|_| {
            let answer = |r: &mut Random| {
                let score = r.uniform();
                (score, r.uniform() >= 0.12 * (1.0 - score))
            };
            let answers = (0..400).map(|_| answer(&mut random)).collect();
            // Among those from s on, 0.06 (1 - s) are wrong: above the risk below s = 1/6.
            certify_leave_one_out(answers, risk, delta)
                .threshold
                .is_some_and(|t| t < 1.0 / 6.0)
        });
        let share = broken.count() as f64 / f64::from(runs);
        assert!(share <= delta + 0.01, "{share}");
    }
}
