//! Fitting the temperature.

/// The temperatures tried.
const RANGE: (f64, f64) = (0.05, 20.0);

/// The temperature that minimises the mean negative log-likelihood of `labels` under
/// `softmax(logits / T)`, between 0.05 and 20, rounded to four decimals. `logits` has one row an
/// input, and `labels` the index of its right label. 1 when there are no rows.
///
/// The loss is convex in `1 / T`, so it has one minimum, which golden-section search finds.
pub fn fit_temperature(logits: &[&[f64]], labels: &[usize]) -> f64 {
    if logits.is_empty() {
        return 1.0;
    }
    let loss = |log_temperature: f64| {
        let temperature = log_temperature.exp();
        let rows = logits.iter().zip(labels);
        rows.map(|(row, &label)| negative_log_likelihood(row, label, temperature))
            .sum::<f64>()
    };
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (RANGE.0.ln(), RANGE.1.ln());
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut loss_a, mut loss_b) = (loss(a), loss(b));
    while high - low > 1e-6 {
        if loss_a <= loss_b {
            (high, b, loss_b) = (b, a, loss_a);
            a = high - ratio * (high - low);
            loss_a = loss(a);
        } else {
            (low, a, loss_a) = (a, b, loss_b);
            b = low + ratio * (high - low);
            loss_b = loss(b);
        }
    }
    ((low + high) / 2.0).exp().mul_add(1e4, 0.0).round() / 1e4
}

fn negative_log_likelihood(row: &[f64], label: usize, temperature: f64) -> f64 {
    let right = row.get(label).copied().unwrap_or(f64::NEG_INFINITY) / temperature;
    // The energy is minus the log-sum-exp.
    -super::energy(row, temperature) - right
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn the_temperature_that_made_the_labels_is_found_again() {
        let mut random = Random::new(7);
        for truth in [0.5, 1.0, 3.0] {
            let rows: Vec<Vec<f64>> = (0..20_000)
                .map(|_| (0..3).map(|_| 6.0 * random.uniform() - 3.0).collect())
                .collect();
            let labels: Vec<usize> = rows
                .iter()
                .map(|row| {
                    let probabilities = crate::calibrate::calibrate(row, truth).probabilities;
                    let mut left = random.uniform();
                    let drawn = probabilities.iter().position(|p| {
                        left -= p;
                        left < 0.0
                    });
                    drawn.unwrap_or(2)
                })
                .collect();
            let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
            let found = fit_temperature(&rows, &labels);
            assert!((found / truth - 1.0).abs() < 0.06, "{found} for {truth}");
        }
    }

    #[test]
    fn extremes_stay_in_range() {
        assert_eq!(fit_temperature(&[], &[]), 1.0);
        // Always right: as sharp as allowed. Always wrong: as soft as allowed.
        let row: &[f64] = &[1.0, 0.0];
        assert!((fit_temperature(&[row], &[0]) - 0.05).abs() < 1e-3);
        assert!((fit_temperature(&[row], &[1]) - 20.0).abs() < 1e-2);
    }
}
