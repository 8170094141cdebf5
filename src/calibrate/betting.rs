//! What losses between 0 and 1 say of their mean: a test by betting (Waudby-Smith and Ramdas 2024, "Estimating means of bounded
//! random variables by betting", section 4). For losses of 0 and 1 alone the binomial test is exact and better.

/// The largest share of what it may lose that a bet risks.
const MOST_AT_STAKE: f64 = 0.75;

/// The p-value of the hypothesis that the mean of independent losses is at least `mean`, between 0 and 1.
///
/// A gambler whose bets pay where losses are below `mean` cannot expect to gain while the hypothesis holds, so that the largest
/// capital ever held is at least `1 / p` with a chance of at most `p` (Ville's inequality). Each bet depends on the losses before
/// it alone. The p-value therefore depends on their order, which must be independent of them: a sorted file proves nothing.
///
/// A loss outside 0 to 1 counts as 1.
pub fn mean_p_value(losses: impl IntoIterator<Item = f64>, mean: f64) -> f64 {
    if !(mean > 0.0 && mean < 1.0) {
        return 1.0;
    }
    // One loss of 1/2 with a variance of 1/4 stands before the first.
    let (mut seen, mut sum, mut squares) = (1.0, 0.5, 0.25);
    let (mut capital, mut most) = (0.0_f64, 0.0_f64);
    for loss in losses {
        let loss = if (0.0..=1.0).contains(&loss) {
            loss
        } else {
            1.0
        };
        let gap = mean - sum / seen;
        let stake = gap / (squares / seen + gap * gap);
        let stake = stake.clamp(0.0, MOST_AT_STAKE / (1.0 - mean));
        capital += (stake * (mean - loss)).ln_1p();
        most = most.max(capital);
        seen += 1.0;
        sum += loss;
        let off = loss - sum / seen;
        squares += off * off;
    }
    (-most).exp()
}

/// The fewest losses that reject a mean of `mean` or more at `delta` where each of them is `least`.
pub(super) fn fewest_losses(least: f64, mean: f64, delta: f64) -> usize {
    const MOST: usize = 1 << 20;
    let enough = |n: usize| mean_p_value(std::iter::repeat_n(least, n), mean) <= delta;
    let mut high = 1;
    while high < MOST && !enough(high) {
        high *= 2;
    }
    let mut low = high / 2;
    // The p-value falls in how many there are, so the border can be bisected.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// In how many of `draws` samples the hypothesis is rejected at 5 %.
    fn rejected(draws: usize, n: usize, mean: f64, mut loss: impl FnMut() -> f64) -> usize {
        let samples = (0..draws).map(|_| -> Vec<f64> { (0..n).map(|_| loss()).collect() });
        samples
            .filter(|losses| mean_p_value(losses.iter().copied(), mean) <= 0.05)
            .count()
    }

    #[test]
    fn a_true_hypothesis_is_rejected_in_at_most_delta_of_the_samples() {
        let mut random = Random::new(3);
        let (draws, n) = (2000, 400);
        let most = 2000.0 * 0.05 + 3.0 * (2000.0_f64 * 0.05 * 0.95).sqrt();
        // At the edge: zeros and ones, three values, and a continuum.
        let mut zero_one = || f64::from(random.uniform() < 0.1);
        assert!(rejected(draws, n, 0.1, &mut zero_one) as f64 <= most);
        let mut random = Random::new(4);
        let mut three = || match random.uniform() {
            u if u < 0.06 => 1.0,
            u if u < 0.10 => 0.0,
            _ => 0.5,
        };
        assert!(rejected(draws, n, 0.51, &mut three) as f64 <= most);
        let mut random = Random::new(5);
        let mut square = || random.uniform().powi(2);
        assert!(rejected(draws, n, 1.0 / 3.0, &mut square) as f64 <= most);
    }

    #[test]
    fn a_false_hypothesis_is_rejected() {
        let mut random = Random::new(6);
        let mut loss = || 0.1 * random.uniform();
        assert!(rejected(200, 400, 0.1, &mut loss) >= 199);
        let mut random = Random::new(7);
        let mut loss = || f64::from(random.uniform() < 0.02);
        assert!(rejected(200, 600, 0.05, &mut loss) >= 150);
    }

    #[test]
    fn golden_numbers() {
        assert_eq!(mean_p_value([], 0.1), 1.0);
        // The first stake is (m - 1/2) / (1/4 + (m - 1/2)^2), but not below 0; nothing is at stake where m < 1/2.
        assert_eq!(mean_p_value([0.0], 0.1), 1.0);
        let stake: f64 = 0.25 / (0.25 + 0.0625);
        let p = mean_p_value([0.0], 0.75);
        assert!((p - 1.0 / (1.0 + stake * 0.75)).abs() < 1e-12);
        // What was won is not lost again: the largest capital counts.
        assert_eq!(mean_p_value([0.0, 1.0, 1.0], 0.75), p);
        for mean in [0.0, 1.0, f64::NAN, -1.0] {
            assert_eq!(mean_p_value([0.0; 1000], mean), 1.0);
        }
    }

    #[test]
    fn a_loss_that_is_none_counts_as_the_worst() {
        let with = |last: f64| mean_p_value([0.0, 0.0, last, 0.0, 0.0, 0.0], 0.6);
        for wrong in [f64::NAN, -1.0, 2.0, f64::INFINITY] {
            assert_eq!(with(wrong), with(1.0));
        }
        assert!(with(1.0) > with(0.0));
    }

    #[test]
    fn the_fewest_losses_are_found() {
        for (least, mean) in [(0.0, 0.05), (0.5, 0.51), (0.5, 0.525)] {
            let n = fewest_losses(least, mean, 0.05);
            let p = |n| mean_p_value(std::iter::repeat_n(least, n), mean);
            assert!(p(n) <= 0.05 && p(n - 1) > 0.05, "{n}");
        }
    }
}
