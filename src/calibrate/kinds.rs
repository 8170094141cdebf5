//! From what the models of a task gave on labelled rows, graded by a loss, to confidences and certificates.

use super::accept::first_accepted;
use super::candidates::first_supported;
use super::graded::{GradedCertifier, GradedRow, GradedTier};
use super::platt_fit::fit_platt;
use crate::bundle::{Certificate, Counts, Platt};

/// What one model stated on one row, and what its answer costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    /// The probability that it stated.
    pub probability: f64,
    /// From 0, a perfect answer, to 1.
    pub loss: f64,
}

/// One row, with what each tier stated; nothing where a tier gave no answer.
pub type StatedRow = Vec<Option<Stated>>;

/// The confidences and certificates of a task whose answers are graded.
#[derive(Debug, Clone, PartialEq)]
pub struct KindCalibration {
    /// For each tier, what makes a confidence of what it states.
    pub platt: Vec<Option<Platt>>,
    /// One for each risk.
    pub certificates: Vec<Certificate>,
    /// The risk that counts when a call asks for none.
    pub default_risk: f64,
}

/// Fits confidences on the TUNE rows, whose target is one minus the loss, and certifies thresholds on the CAL rows, which nothing
/// else is chosen by.
pub fn calibrate_kind(
    (tune, cal): (&[StatedRow], &[StatedRow]),
    tiers: usize,
    risks: &[f64],
    delta: f64,
) -> KindCalibration {
    let platt: Vec<Option<Platt>> = (0..tiers)
        .map(|tier| {
            let stated = tune.iter().filter_map(|row| row.get(tier).copied()?);
            let pairs: Vec<(f64, f64)> = stated
                .map(|stated| (stated.probability, 1.0 - stated.loss.clamp(0.0, 1.0)))
                .collect();
            fit_platt(&pairs)
        })
        .collect();
    let (tune, cal) = (graded(tune, &platt), graded(cal, &platt));
    let certifier = GradedCertifier {
        tune: &tune,
        tiers,
        delta,
        least: 0.0,
    };
    let certificates = risks.iter().map(|&risk| {
        let Some(found) = certifier.certify(&cal, risk) else {
            return Certificate {
                risk,
                thresholds: None,
                n: 0,
                errors: 0,
                mean_loss: None,
                p_value: None,
                bound: None,
                tiers: Vec::new(),
                slices: Default::default(),
            };
        };
        let thresholds = vec![found.threshold; tiers];
        let mut counts = vec![Counts::default(); tiers];
        for (tier, answer) in cal
            .iter()
            .filter_map(|row| first_accepted(row, &thresholds))
        {
            counts[tier].n += 1;
            counts[tier].errors += u64::from(answer.loss > 0.0);
        }
        Certificate {
            risk,
            thresholds: Some(thresholds),
            n: found.n,
            errors: counts.iter().map(|of| of.errors).sum(),
            mean_loss: Some(found.mean),
            p_value: Some(found.p_value),
            bound: None,
            tiers: counts,
            slices: Default::default(),
        }
    });
    let certificates = certificates.collect();
    // Chosen by the tuning rows, so that no risk is picked for what the calibration rows brought.
    const PREFERRED: f64 = 0.05;
    let supported = |risk| certifier.certify(&tune, risk).is_some();
    let default_risk = first_supported(risks, PREFERRED, supported);
    KindCalibration {
        platt,
        certificates,
        default_risk,
    }
}

/// The rows with confidences in place of what models stated.
pub fn graded(rows: &[StatedRow], platt: &[Option<Platt>]) -> Vec<GradedRow> {
    let confidence = |stated: &Stated, platt: &Option<Platt>| match platt {
        Some(platt) => platt.confidence(stated.probability),
        None => stated.probability,
    };
    let row = |row: &StatedRow| {
        let tiers = row.iter().zip(platt);
        let tier = |(stated, platt): (&Option<Stated>, &Option<Platt>)| {
            stated.as_ref().map(|stated| GradedTier {
                confidence: confidence(stated, platt),
                in_distribution: true,
                loss: stated.loss,
            })
        };
        tiers.map(tier).collect()
    };
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// A model that states twice the logit of how good its answers are on average.
    fn draw(random: &mut Random, n: usize) -> Vec<StatedRow> {
        let mut one = || {
            let quality = random.uniform().clamp(0.01, 0.99);
            let logit = (quality / (1.0 - quality)).ln();
            let probability = 1.0 / (1.0 + (-2.0 * logit).exp());
            // A span found, half found, or missed.
            let loss = match random.uniform() < quality {
                true => 0.0,
                false => 1.0,
            };
            vec![Some(Stated { probability, loss })]
        };
        (0..n).map(|_| one()).collect()
    }

    #[test]
    fn certified_mean_losses_hold_in_all_but_delta_of_the_draws_after_platt_scaling() {
        let mut random = Random::new(41);
        let (draws, risk, delta) = (200, 0.1, 0.1);
        let (mut broken, mut certified, mut slopes) = (0, 0, 0.0);
        for _ in 0..draws {
            let (tune, cal) = (draw(&mut random, 1500), draw(&mut random, 3000));
            let found = calibrate_kind((&tune, &cal), 1, &[risk], delta);
            let platt = found.platt[0].unwrap();
            slopes += platt.slope / f64::from(draws);
            let Some(thresholds) = &found.certificates[0].thresholds else {
                continue;
            };
            certified += 1;
            let fresh = graded(&draw(&mut random, 20_000), &found.platt);
            let losses = fresh
                .iter()
                .filter_map(|row| first_accepted(row, thresholds));
            let (mut n, mut sum) = (0.0, 0.0);
            for (_, tier) in losses {
                n += 1.0;
                sum += tier.loss;
            }
            broken += usize::from(n > 0.0 && sum / n > risk);
        }
        assert!((slopes - 0.5).abs() < 0.02, "{slopes}");
        println!("graded kinds: certified in {certified} of {draws}, broken in {broken}");
        let allowed = f64::from(draws) * delta;
        assert!(broken as f64 <= allowed + 3.0 * (allowed * (1.0 - delta)).sqrt());
        assert!(certified > draws * 3 / 4, "{certified}");
    }

    #[test]
    fn rows_that_prove_nothing_certify_nothing() {
        let mut random = Random::new(42);
        let tune = draw(&mut random, 400);
        let wrong: Vec<StatedRow> = (0..900)
            .map(|_| {
                vec![Some(Stated {
                    probability: 0.99,
                    loss: 1.0,
                })]
            })
            .collect();
        let silent: Vec<StatedRow> = vec![vec![None]; 900];
        let few = draw(&mut random, 15);
        for cal in [&wrong, &silent, &few, &Vec::new()] {
            let found = calibrate_kind((&tune, cal), 1, &[0.05], 0.05);
            assert_eq!(found.certificates[0].thresholds, None);
        }
        let found = calibrate_kind((&[], &tune), 1, &[0.05], 0.05);
        assert_eq!((found.platt[0], found.default_risk), (None, 0.05));
        assert_eq!(found.certificates[0].thresholds, None);
    }
}
