//! The line of Platt scaling, fitted to labelled rows.

use crate::bundle::{Platt, logit};

/// The smallest slope: nearly none, where a model's own probability says nothing of how good its answers are.
const LEAST_SLOPE: f64 = 1e-3;

/// Fits the line to pairs of a stated probability and how good the answer was, 0 to 1, by Newton's method on the cross-entropy,
/// with a weak pull towards the identity so that answers that are all alike do not carry it away. Nothing where there are no pairs.
pub fn fit_platt(pairs: &[(f64, f64)]) -> Option<Platt> {
    const PULL: f64 = 1.0;
    if pairs.is_empty() {
        return None;
    }
    let points: Vec<(f64, f64)> = pairs.iter().map(|&(p, y)| (logit(p), y)).collect();
    let cost = |(a, b): (f64, f64)| {
        let pulled = PULL * ((a - 1.0).powi(2) + b * b) / 2.0;
        let each = points.iter().map(|&(x, y)| {
            let z = a * x + b;
            // ln(1 + e^z) - y z, without overflow.
            z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z
        });
        pulled + each.sum::<f64>()
    };
    let (mut a, mut b) = (1.0, 0.0);
    for _ in 0..100 {
        let (mut ga, mut gb) = (PULL * (a - 1.0), PULL * b);
        let (mut haa, mut hab, mut hbb) = (PULL, 0.0, PULL);
        for &(x, y) in &points {
            let p = 1.0 / (1.0 + (-(a * x + b)).exp());
            let w = p * (1.0 - p);
            ga += (p - y) * x;
            gb += p - y;
            haa += w * x * x;
            hab += w * x;
            hbb += w;
        }
        let determinant = haa * hbb - hab * hab;
        let step = (
            (hbb * ga - hab * gb) / determinant,
            (haa * gb - hab * ga) / determinant,
        );
        let now = cost((a, b));
        let halvings = (0..40).map(|n| 0.5_f64.powi(n));
        let next = halvings
            .map(|t| (a - t * step.0, b - t * step.1))
            .find(|&next| cost(next) < now);
        let Some(next) = next else { break };
        (a, b) = next;
    }
    Some(Platt {
        slope: a.max(LEAST_SLOPE),
        intercept: b,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn what_is_too_sure_of_itself_is_put_right() {
        let mut random = Random::new(5);
        // A model that states twice the logit of the truth.
        let pairs: Vec<(f64, f64)> = (0..4000)
            .map(|_| {
                let z = 6.0 * random.uniform() - 2.0;
                let truth = 1.0 / (1.0 + (-z).exp());
                let stated = 1.0 / (1.0 + (-2.0 * z).exp());
                (stated, f64::from(u8::from(random.uniform() < truth)))
            })
            .collect();
        let platt = fit_platt(&pairs).unwrap();
        assert!((platt.slope - 0.5).abs() < 0.05, "{platt:?}");
        assert!(platt.intercept.abs() < 0.1, "{platt:?}");
        let stated = 1.0 / (1.0 + (-2.0_f64).exp());
        assert!((platt.confidence(stated) - 0.731).abs() < 0.03);
        // The order stays.
        assert!(platt.confidence(0.9) > platt.confidence(0.8));
    }

    #[test]
    fn rows_that_say_nothing_give_a_line_that_can_be_used() {
        assert_eq!(fit_platt(&[]), None);
        let ill = [
            vec![(0.9, 1.0); 50],
            vec![(0.9, 0.0); 50],
            vec![(1.0, 0.0), (0.0, 1.0)],
            // The surer, the worse.
            (1..100)
                .map(|n| (f64::from(n) / 100.0, 1.0 - f64::from(n) / 100.0))
                .collect(),
        ];
        for pairs in ill {
            let platt = fit_platt(&pairs).unwrap();
            assert!(
                platt.slope > 0.0 && platt.intercept.is_finite(),
                "{platt:?}"
            );
            for stated in [0.0, 0.5, 1.0, f64::MIN_POSITIVE] {
                assert!((0.0..=1.0).contains(&platt.confidence(stated)));
            }
        }
    }
}
