//! A certificate against the remote: on the inputs that are answered here, the share of wrong answers is at most `excess` above
//! the remote's. It is for those who would otherwise send everything: where the remote errs as well, or the labels do, an
//! absolute error rate may be out of reach that nobody keeps.
//!
//! On each answered row `W`, one where the local answer is wrong less one where the remote's is, is -1, 0 or 1, and `(W + 1) / 2`
//! is a loss from 0 to 1 whose mean is at most `(1 + excess) / 2` where the promise holds. So this is a graded loss ([`GradedCertifier`]).
//!
//! Labels that are wrong at random shrink the difference that is seen: with a share `eta` of them and `K` labels to
//! `1 - K eta / (K - 1)` of what it is. What is tested is therefore the excess times this factor.

use super::decision::Decision;
use super::graded::{GradedCertifier, GradedRow, GradedTier};
use crate::bundle::ExcessCertificate;

/// What is known of one labelled row.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What the tiers decide.
    pub decision: Decision,
    /// Whether the remote's answer is right.
    pub remote_right: bool,
}

/// Finds thresholds for the rows of one task, held against a remote.
#[derive(Debug)]
pub struct Against<'a> {
    /// The rows that lay out the candidates and their order.
    pub tune: &'a [Compared],
    /// How many tiers there are.
    pub tiers: usize,
    /// How many labels the task has.
    pub labels: usize,
    /// The chance, over calibration samples, that a certificate does not hold.
    pub delta: f64,
    /// The largest share of labels that may be wrong, at random.
    pub label_errors: f64,
}

impl Against<'_> {
    /// What remains to be seen of a difference of errors, as a share; 0 where labels are as good as drawn by lot.
    pub fn visible(&self) -> f64 {
        visible_difference(self.labels, self.label_errors)
    }

    /// The thresholds at one excess, certified on `cal`.
    pub fn certify(&self, cal: &[Compared], excess: f64) -> ExcessCertificate {
        let none = ExcessCertificate {
            excess,
            thresholds: None,
            n: 0,
            errors: 0,
            remote_errors: 0,
            p_value: None,
        };
        let tune: Vec<GradedRow> = self.tune.iter().map(graded).collect();
        let graded_cal: Vec<GradedRow> = cal.iter().map(graded).collect();
        let certifier = GradedCertifier {
            tune: &tune,
            tiers: self.tiers,
            delta: self.delta,
            // As good as the remote: to be better on every row is too much to hope for.
            least: 0.5,
        };
        let most = (1.0 + excess * self.visible()) / 2.0;
        let Some(found) = certifier.certify(&graded_cal, most) else {
            return none;
        };
        let thresholds = vec![found.threshold; self.tiers];
        let (mut errors, mut remote_errors) = (0, 0);
        for row in cal {
            if let Some((_, right)) = row.decision.answered(&thresholds) {
                errors += u64::from(!right);
                remote_errors += u64::from(!row.remote_right);
            }
        }
        ExcessCertificate {
            thresholds: Some(thresholds),
            n: found.n,
            errors,
            remote_errors,
            p_value: Some(found.p_value),
            ..none
        }
    }
}

/// What remains to be seen of a difference of errors by `labels` labels of which a share is wrong at random; 0 where they are as
/// good as drawn by lot.
pub fn visible_difference(labels: usize, label_errors: f64) -> f64 {
    let labels = labels.max(2) as f64;
    (1.0 - labels * label_errors / (labels - 1.0)).max(0.0)
}

fn graded(row: &Compared) -> GradedRow {
    let wrong = |right: bool| if right { 0.0 } else { 1.0 };
    let tiers = row.decision.tiers.iter();
    tiers
        .map(|tier| {
            tier.map(|tier| GradedTier {
                confidence: tier.confidence,
                in_distribution: tier.in_distribution,
                loss: (wrong(tier.correct) - wrong(row.remote_right) + 1.0) / 2.0,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::{Certifier, TierDecision};
    use crate::testing::Random;

    /// A world of two labels: the confidence `u` is uniform, a local answer is wrong with probability `0.2 (1 - u)^3`, the
    /// remote's in 5 % of the rows, and a label in `label_errors` of them. What is right is told by the label.
    fn draw(random: &mut Random, n: usize, label_errors: f64) -> Vec<Compared> {
        let mut one = || {
            let u = random.uniform();
            let local = random.uniform() >= 0.2 * (1.0 - u).powi(3);
            let remote = random.uniform() >= 0.05;
            let label = random.uniform() >= label_errors;
            Compared {
                decision: Decision {
                    tiers: vec![Some(TierDecision {
                        confidence: u,
                        correct: local == label,
                        in_distribution: true,
                    })],
                    slice: None,
                    in_scope: true,
                },
                remote_right: remote == label,
            }
        };
        (0..n).map(|_| one()).collect()
    }

    /// The true error rate at or above a threshold, less the remote's.
    fn true_excess(threshold: f64) -> f64 {
        0.05 * (1.0 - threshold).powi(3) - 0.05
    }

    fn against(tune: &[Compared], label_errors: f64) -> Against<'_> {
        Against {
            tune,
            tiers: 1,
            labels: 2,
            delta: 0.05,
            label_errors,
        }
    }

    #[test]
    fn wrong_labels_hide_no_excess_where_they_are_assumed() {
        let mut random = Random::new(31);
        // A remote that is always right, so that the excess of a threshold t is 0.05 (1 - t)^3: 2 % at t = 0.263.
        let draws = 200;
        let mut broken = [0, 0];
        for _ in 0..draws {
            let mut perfect = |n| {
                let mut rows = draw(&mut random, n, 0.0);
                for row in &mut rows {
                    let wrong = random.uniform() < 0.1;
                    row.remote_right = !wrong;
                    if let Some(Some(tier)) = row.decision.tiers.first_mut() {
                        tier.correct ^= wrong;
                    }
                }
                rows
            };
            let (tune, cal) = (perfect(1000), perfect(4000));
            for (at, assumed) in [0.0, 0.1].into_iter().enumerate() {
                let found = against(&tune, assumed).certify(&cal, 0.02);
                let excess = found.thresholds.map(|t| 0.05 * (1.0 - t[0]).powi(3));
                broken[at] += usize::from(excess.is_some_and(|excess| excess > 0.02));
            }
        }
        println!(
            "2 % above a perfect remote, 10 % of the labels wrong: broken in {broken:?} of {draws} draws (none, 10 % assumed)"
        );
        let most = 200.0 * 0.05 + 3.0 * (200.0_f64 * 0.05 * 0.95).sqrt();
        assert!(broken[1] as f64 <= most, "{broken:?}");
    }

    #[test]
    fn it_certifies_where_no_absolute_risk_can_be() {
        let mut random = Random::new(32);
        let draws = 60;
        let (mut absolute, mut coverage, mut broken) = (0, 0.0, 0);
        for _ in 0..draws {
            let (tune, cal) = (draw(&mut random, 1000, 0.06), draw(&mut random, 3000, 0.06));
            let decisions = |rows: &[Compared]| -> Vec<Decision> {
                rows.iter().map(|row| row.decision.clone()).collect()
            };
            let (plain_tune, plain_cal) = (decisions(&tune), decisions(&cal));
            let certifier = Certifier {
                tune: &plain_tune,
                tiers: 1,
                delta: 0.05,
                per_slice: false,
                out_of_scope_share: None,
            };
            absolute += usize::from(certifier.certify(&plain_cal, 0.05).thresholds.is_some());
            let found = against(&tune, 0.06).certify(&cal, 0.02);
            if let Some(thresholds) = found.thresholds {
                assert!(found.n > 0 && found.p_value.unwrap() <= 0.05);
                coverage += (1.0 - thresholds[0]) / draws as f64;
                broken += usize::from(true_excess(thresholds[0]) > 0.02);
            }
        }
        println!(
            "labels 6 % wrong, a remote with 5 % errors: an absolute 5 % is certified in {absolute} of {draws} draws; 2 % above the remote answers {coverage:.3}"
        );
        // An absolute 5 % would be untrue of the labels, and is certified by chance alone.
        assert!(absolute <= 6 && broken == 0, "{absolute} {broken}");
        assert!(coverage > 0.3, "{coverage}");
    }

    #[test]
    fn the_promise_is_broken_in_at_most_delta_of_the_draws() {
        let mut random = Random::new(33);
        let draws = 200;
        let mut broken = 0;
        for _ in 0..draws {
            // A remote that errs in 1 % only: 2 % above it is reached where 0.05 (1 - t)^3 = 0.03, at t = 0.157.
            let mut rows = |n| {
                let mut rows = draw(&mut random, n, 0.0);
                for row in &mut rows {
                    row.remote_right = random.uniform() >= 0.01;
                }
                rows
            };
            let (tune, cal) = (rows(1000), rows(4000));
            let found = against(&tune, 0.0).certify(&cal, 0.02);
            let excess = found.thresholds.map(|t| 0.05 * (1.0 - t[0]).powi(3) - 0.01);
            broken += usize::from(excess.is_some_and(|excess| excess > 0.02));
        }
        println!("2 % above a remote with 1 % errors: broken in {broken} of {draws} draws");
        assert!(broken as f64 <= 200.0 * 0.05 + 3.0 * (200.0_f64 * 0.05 * 0.95).sqrt());
    }

    #[test]
    fn labels_drawn_by_lot_certify_nothing() {
        let mut random = Random::new(34);
        let rows = draw(&mut random, 3000, 0.5);
        let against = against(&rows, 0.5);
        assert_eq!(against.visible(), 0.0);
        assert_eq!(against.certify(&rows, 0.001).thresholds, None);
        assert_eq!(against.certify(&[], 0.02).thresholds, None);
    }
}
