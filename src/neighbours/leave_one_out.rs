//! From which score on examples may answer: fixed-sequence testing with exact binomial p-values, as for the bundle's own
//! thresholds, on each example's answer by the others (leave-one-out).
//!
//! What is promised is less than what a bundle's certificate promises. "Wrong" is what the remote would have answered otherwise.
//! And leave-one-out answers depend on each other a little: an example is a neighbour of a few others. How well the
//! promise holds on real streams is measured by `smallfirst simulate`; in use, a share of the answers is checked with the remote.

use crate::calibrate::{first_rows, last_rejected, p_value, upper_bound};

/// The family-wise probability, over all estimates of a task, of certifying too low a threshold.
const DELTA: f64 = 0.05;

/// How many examples the first estimate waits for. From then on there is one whenever they have doubled.
const FIRST: u64 = 100;

/// How many thresholds are tried at most.
const STEPS: usize = 20;

/// From which score on examples may answer at a risk, and what speaks for it.
#[derive(Debug, Clone, Copy, PartialEq)]
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

/// Which estimate is due when `total` examples have come since the beginning: the first is 0.
pub fn interim_look(total: u64) -> Option<u32> {
    (total / FIRST).checked_ilog2()
}

/// The chance that the estimate `look` may promise too much. Over all of them they add up to [`DELTA`].
fn delta(look: u32) -> f64 {
    let j = f64::from(look);
    DELTA / ((j + 1.0) * (j + 2.0))
}

/// Finds the threshold for `risk`, from scores and whether the answers were the remote's.
pub fn certify_leave_one_out(
    mut answers: Vec<(f64, bool)>,
    risk: f64,
    look: u32,
) -> ThresholdEstimate {
    let nothing = ThresholdEstimate {
        risk,
        threshold: None,
        n: 0,
        wrong: 0,
        bound: 1.0,
    };
    let delta = delta(look);
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
        let &(threshold, _) = answers.get(rows.checked_sub(1)?)?;
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
        bound: upper_bound(n, wrong, delta),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn rulings_come_whenever_the_examples_have_doubled_and_their_chances_add_up() {
        let looks = [99, 100, 199, 200, 399, 400, 12_800].map(interim_look);
        assert_eq!(
            looks,
            [None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(7)]
        );
        let spent: f64 = (0..10_000).map(delta).sum();
        assert!(spent <= DELTA && spent > 0.999 * DELTA);
    }

    #[test]
    fn nothing_is_promised_without_evidence() {
        let few = vec![(1.0, true); 20];
        assert_eq!(certify_leave_one_out(few, 0.05, 0).threshold, None);
        let coin = (0..1000).map(|i| (1.0, i % 2 == 0)).collect();
        assert_eq!(certify_leave_one_out(coin, 0.05, 0).threshold, None);
        assert_eq!(certify_leave_one_out(Vec::new(), 0.05, 0).threshold, None);
    }

    #[test]
    fn right_answers_are_trusted_down_to_where_they_turn_wrong() {
        // Right above a score of 0.5, a coin below.
        let answers: Vec<_> = (0..1000)
            .map(|i| (f64::from(i) / 1000.0, i >= 500 || i % 2 == 0))
            .collect();
        let estimate = certify_leave_one_out(answers, 0.05, 3);
        let threshold = estimate.threshold.unwrap();
        assert!((0.4..0.6).contains(&threshold), "{threshold}");
        assert!(estimate.bound <= 0.05 && estimate.n >= 400);
    }

    /// With independent answers the chance of promising too much is at most the estimate's share of delta.
    #[test]
    fn too_much_is_promised_as_seldom_as_stated() {
        let mut random = Random::new(3);
        let (runs, risk) = (2000, 0.05);
        let broken = (0..runs).filter(|_| {
            let answer = |r: &mut Random| {
                let score = r.uniform();
                (score, r.uniform() >= 0.12 * (1.0 - score))
            };
            let answers = (0..400).map(|_| answer(&mut random)).collect();
            // Among those from s on, 0.06 (1 - s) are wrong: above the risk below s = 1/6.
            certify_leave_one_out(answers, risk, 0)
                .threshold
                .is_some_and(|t| t < 1.0 / 6.0)
        });
        let share = broken.count() as f64 / f64::from(runs);
        assert!(share <= delta(0) + 0.01, "{share}");
    }
}
