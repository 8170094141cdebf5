//! Thresholds for graded losses, with a certificate: as in `certify`, but what a local answer costs is a number from 0 to 1 and
//! its mean over the answered inputs is what is bounded. One minus the F1 of a document's spans, a character error rate and one
//! minus an intersection over union are such losses; so is the difference of two errors ([`super::Against`]).
//!
//! The candidates and their order come from TUNE, as there. The p-value of each is that of a test by betting, for which the CAL
//! rows are put into an order drawn by a seed.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::SeedableRng;

use super::accept::{Decides, first_accepted, most_confident};
use super::betting::{fewest_losses, mean_p_value};
use super::candidates::{evenly_spaced, from_the_best};
use super::fixed_sequence::{first_rows, last_rejected};
use crate::data::shuffle;

/// The order of the rows is drawn by it. Any number would do, but it must not be chosen by what it brings.
const ORDER_SEED: u64 = 17;

/// What one tier decides on one row, and what its answer costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradedTier {
    /// The calibrated confidence.
    pub confidence: f64,
    /// Whether the row passes the tier's out-of-distribution threshold.
    pub in_distribution: bool,
    /// From 0, a perfect answer, to 1. What is no number from 0 to 1 counts as 1.
    pub loss: f64,
}

impl Decides for GradedTier {
    fn confidence(&self) -> f64 {
        self.confidence
    }

    fn in_distribution(&self) -> bool {
        self.in_distribution
    }
}

/// What the tiers decide on one row; nothing where a tier does not take the input.
pub type GradedRow = Vec<Option<GradedTier>>;

/// Finds thresholds below which losses stay.
#[derive(Debug)]
pub struct GradedCertifier<'a> {
    /// The rows that lay out the candidates and their order.
    pub tune: &'a [GradedRow],
    /// How many tiers there are; they share one threshold.
    pub tiers: usize,
    /// The chance, over calibration samples, that the certificate does not hold.
    pub delta: f64,
    /// The smallest loss that an answer can have; it says how many rows a first candidate needs.
    pub least: f64,
}

/// A certified threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradedCertificate {
    /// What every tier's confidence must reach.
    pub threshold: f64,
    /// Calibration rows answered locally.
    pub n: u64,
    /// The mean of their losses.
    pub mean: f64,
    /// The chance of such losses if their true mean were at least the one that is promised.
    pub p_value: f64,
}

impl GradedCertifier<'_> {
    /// The loosest threshold for which the mean loss of what is answered is certified to be below `most`; nothing where none is.
    pub fn certify(&self, cal: &[GradedRow], most: f64) -> Option<GradedCertificate> {
        let cal = in_drawn_order(cal);
        let tune = in_drawn_order(self.tune);
        let candidates = self.candidates(cal.len(), most);
        let sequence = from_the_best(&candidates, |threshold| {
            mean_p_value(self.losses(&tune, threshold), most)
        });
        let tested = sequence.into_iter().map(|threshold| {
            let p_value = mean_p_value(self.losses(&cal, threshold), most);
            (threshold, p_value)
        });
        let (threshold, p_value) = last_rejected(tested, self.delta, |(_, p)| *p)?;
        let n = self.losses(&cal, threshold).count();
        let sum: f64 = self.losses(&cal, threshold).sum();
        Some(GradedCertificate {
            threshold,
            n: n as u64,
            mean: sum / n.max(1) as f64,
            p_value,
        })
    }

    /// What the answers at a threshold cost.
    fn losses<'r>(&self, rows: &'r [&GradedRow], threshold: f64) -> impl Iterator<Item = f64> + 'r {
        let thresholds = vec![threshold; self.tiers];
        let answers = rows
            .iter()
            .filter_map(move |row| first_accepted(row, &thresholds).map(|(_, tier)| tier.loss));
        answers.map(|loss| match (0.0..=1.0).contains(&loss) {
            true => loss,
            false => 1.0,
        })
    }

    fn candidates(&self, cal_rows: usize, most: f64) -> Vec<f64> {
        let best = self.tune.iter().filter_map(|row| {
            let tiers = row.iter().flatten().enumerate();
            most_confident(tiers.filter(|(_, tier)| tier.in_distribution))
        });
        let mut confidences: Vec<f64> = best.map(|(_, tier)| tier.confidence).collect();
        confidences.sort_by(f64::total_cmp);
        let Some(&loosest) = confidences.first() else {
            return Vec::new();
        };
        let scale = cal_rows as f64 / self.tune.len().max(1) as f64;
        let all = confidences.len() as f64 * scale;
        let needed = first_rows(fewest_losses(self.least, most, self.delta) as f64, all) / scale;
        let strictest = confidences
            .len()
            .checked_sub(needed.ceil().max(1.0) as usize);
        let from = strictest.and_then(|at| confidences.get(at).copied());
        evenly_spaced(&confidences, from.unwrap_or(loosest))
    }
}

/// The rows in an order that does not depend on what they are.
fn in_drawn_order(rows: &[GradedRow]) -> Vec<&GradedRow> {
    let mut rows: Vec<&GradedRow> = rows.iter().collect();
    let mut random = Pcg32::seed_from_u64(ORDER_SEED);
    shuffle(&mut rows, &mut random);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn row(confidence: f64, loss: f64) -> GradedRow {
        vec![Some(GradedTier {
            confidence,
            in_distribution: true,
            loss,
        })]
    }

    /// A known world: the confidence is uniform, and the loss of an answer is uniform from 0 to `1 - confidence`; so the mean
    /// loss of all at or above a threshold `t` is `(1 - t) / 4`.
    fn draw(random: &mut Random, n: usize) -> Vec<GradedRow> {
        let mut one = || {
            let confidence = random.uniform();
            row(confidence, (1.0 - confidence) * random.uniform())
        };
        (0..n).map(|_| one()).collect()
    }

    fn certifier(tune: &[GradedRow]) -> GradedCertifier<'_> {
        GradedCertifier {
            tune,
            tiers: 1,
            delta: 0.05,
            least: 0.0,
        }
    }

    #[test]
    fn the_mean_loss_exceeds_the_promise_in_at_most_delta_of_the_draws() {
        let mut random = Random::new(21);
        let (draws, most) = (600, 0.1);
        let (mut broken, mut coverage) = (0, 0.0);
        for _ in 0..draws {
            let (tune, cal) = (draw(&mut random, 500), draw(&mut random, 1000));
            if let Some(found) = certifier(&tune).certify(&cal, most) {
                broken += usize::from((1.0 - found.threshold) / 4.0 > most);
                coverage += (1.0 - found.threshold) / draws as f64;
            }
        }
        println!(
            "graded losses: broken in {broken} of {draws} draws, coverage {coverage:.3} of 0.4"
        );
        assert!(broken as f64 <= 600.0 * 0.05 + 3.0 * (600.0_f64 * 0.05 * 0.95).sqrt());
        // The loosest threshold that keeps the promise answers 40 %.
        assert!(coverage > 0.3, "{coverage}");
    }

    #[test]
    fn a_file_sorted_by_its_losses_certifies_no_more_than_a_shuffled_one() {
        let mut random = Random::new(22);
        let draws = 300;
        let mut broken = 0;
        for _ in 0..draws {
            let tune = draw(&mut random, 500);
            // Half of the answers are worthless, whatever the confidence, and stand last.
            let mut cal = draw(&mut random, 500);
            cal.extend((0..500).map(|_| row(random.uniform(), 1.0)));
            broken += usize::from(certifier(&tune).certify(&cal, 0.1).is_some());
        }
        assert_eq!(broken, 0);
    }

    #[test]
    fn too_little_evidence_certifies_nothing() {
        let mut random = Random::new(23);
        let tune = draw(&mut random, 500);
        assert_eq!(certifier(&tune).certify(&draw(&mut random, 20), 0.1), None);
        assert_eq!(certifier(&tune).certify(&[], 0.1), None);
        assert_eq!(certifier(&[]).certify(&draw(&mut random, 1000), 0.1), None);
        // All wrong, all of one confidence, and losses that are none.
        for loss in [1.0, f64::NAN, -5.0] {
            let cal: Vec<GradedRow> = (0..1000).map(|_| row(0.7, loss)).collect();
            assert_eq!(certifier(&cal).certify(&cal, 0.1), None);
        }
        // All right and of one confidence: everything is answered.
        let cal: Vec<GradedRow> = (0..1000).map(|_| row(0.7, 0.0)).collect();
        let found = certifier(&cal).certify(&cal, 0.1).unwrap();
        assert_eq!((found.n, found.mean), (1000, 0.0));
    }

    #[test]
    fn tiers_share_a_threshold_and_what_is_out_of_distribution_is_not_answered() {
        let tier = |confidence, in_distribution, loss| {
            Some(GradedTier {
                confidence,
                in_distribution,
                loss,
            })
        };
        let rows: Vec<GradedRow> = (0..900)
            .map(|at| match at % 3 {
                // The second tier answers.
                0 => vec![tier(0.2, true, 1.0), tier(0.9, true, 0.0)],
                1 => vec![tier(0.9, false, 1.0), None],
                _ => vec![tier(0.9, true, 0.0), tier(0.95, true, 1.0)],
            })
            .collect();
        let certifier = GradedCertifier {
            tune: &rows,
            tiers: 2,
            delta: 0.05,
            least: 0.0,
        };
        let found = certifier.certify(&rows, 0.1).unwrap();
        assert_eq!((found.n, found.mean), (600, 0.0));
    }
}
