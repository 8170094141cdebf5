//! The figures themselves.

use serde::Serialize;

/// The quantile of the normal distribution for 95 % intervals.
pub(super) const Z: f64 = 1.959_964;

/// A share with its Wilson 95 % interval (Wilson 1927).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The share; 0 of none is 0.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Of how many.
    pub n: u64,
}

impl Share {
    /// `hits` of `n`.
    pub fn of(hits: u64, n: u64) -> Share {
        if n == 0 {
            return Share {
                value: 0.0,
                low: 0.0,
                high: 1.0,
                n,
            };
        }
        let (total, p) = (n as f64, hits as f64 / n as f64);
        let centre = (p + Z * Z / (2.0 * total)) / (1.0 + Z * Z / total);
        let half = Z / (1.0 + Z * Z / total)
            * (p * (1.0 - p) / total + Z * Z / (4.0 * total * total)).sqrt();
        Share {
            value: p,
            low: (centre - half).clamp(0.0, p),
            high: (centre + half).clamp(p, 1.0),
            n,
        }
    }
}

/// Counts of one class, from pairs of truth and prediction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct ClassCounts {
    pub(super) truth: u64,
    pub(super) predicted: u64,
    pub(super) both: u64,
}

impl ClassCounts {
    pub(super) fn f1(&self) -> f64 {
        let all = self.truth + self.predicted;
        if all == 0 {
            0.0
        } else {
            2.0 * self.both as f64 / all as f64
        }
    }
}

pub(super) fn class_counts(
    pairs: impl IntoIterator<Item = (usize, usize)>,
    classes: usize,
) -> Vec<ClassCounts> {
    let mut counts = vec![ClassCounts::default(); classes];
    for (truth, predicted) in pairs {
        counts[truth].truth += 1;
        counts[predicted].predicted += 1;
        counts[truth].both += u64::from(truth == predicted);
    }
    counts
}

/// The mean F1 over the classes that occur in the truth.
pub(super) fn macro_f1(counts: &[ClassCounts]) -> f64 {
    let present: Vec<f64> = counts
        .iter()
        .filter(|c| c.truth > 0)
        .map(ClassCounts::f1)
        .collect();
    if present.is_empty() {
        return 0.0;
    }
    present.iter().sum::<f64>() / present.len() as f64
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BinCounts {
    pub(super) n: u64,
    pub(super) confidence: f64,
    pub(super) right: u64,
}

const BINS: usize = 15;

/// Fifteen bins of equal width.
pub(super) fn bins(rows: &[(f64, bool)]) -> Vec<BinCounts> {
    let mut bins = vec![
        BinCounts {
            n: 0,
            confidence: 0.0,
            right: 0
        };
        BINS
    ];
    for &(confidence, right) in rows {
        let at = ((confidence * BINS as f64) as usize).min(BINS - 1);
        bins[at].n += 1;
        bins[at].confidence += confidence;
        bins[at].right += u64::from(right);
    }
    bins
}

/// The expected calibration error over fifteen bins of equal width (Guo et al. 2017): the mean
/// distance of confidence and accuracy. `rows` are pairs of confidence and whether the answer is
/// right.
pub fn expected_calibration_error(rows: &[(f64, bool)]) -> f64 {
    let distance: f64 = bins(rows)
        .iter()
        .map(|bin| (bin.confidence - bin.right as f64).abs())
        .sum();
    distance / rows.len().max(1) as f64
}

/// See [`crate::calibrate::ood::auroc`].
pub fn auroc(in_scope: &[f64], out_of_scope: &[f64]) -> Option<f64> {
    crate::calibrate::ood::auroc(in_scope, out_of_scope)
}

/// The median and the 95th percentile.
pub(super) fn quantiles(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let place = (q * values.len().saturating_sub(1) as f64).round() as usize;
        values.get(place).copied().unwrap_or(0.0)
    };
    (at(0.5), at(0.95))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn wilson_intervals() {
        // Known values for 8 of 10 and for 0 of 20.
        let share = Share::of(8, 10);
        close(share.value, 0.8);
        assert!((share.low - 0.4902).abs() < 1e-3 && (share.high - 0.9433).abs() < 1e-3);
        let none = Share::of(0, 20);
        assert!(none.low == 0.0 && (none.high - 0.1611).abs() < 1e-3);
        assert_eq!((Share::of(0, 0).low, Share::of(0, 0).high), (0.0, 1.0));
    }

    #[test]
    fn f1_by_hand() {
        // Truth a a a b; predicted a a b b: precision 1, 1/2; recall 2/3, 1.
        let counts = class_counts([(0, 0), (0, 0), (0, 1), (1, 1)], 3);
        close(counts[0].f1(), 0.8);
        close(counts[1].f1(), 2.0 / 3.0);
        // The third class does not occur and does not count.
        close(macro_f1(&counts), (0.8 + 2.0 / 3.0) / 2.0);
        assert_eq!(macro_f1(&[]), 0.0);
    }

    #[test]
    fn calibration_error_by_hand() {
        close(
            expected_calibration_error(&[(0.8, true), (0.8, false)]),
            0.3,
        );
        close(expected_calibration_error(&[(1.0, true), (1.0, true)]), 0.0);
        // Two bins: |0.9 - 1| and |0.2 - 0|, half the rows each.
        close(
            expected_calibration_error(&[(0.9, true), (0.2, false)]),
            0.15,
        );
        close(expected_calibration_error(&[]), 0.0);
    }

    #[test]
    fn quantiles_of_few_values() {
        assert_eq!(quantiles(&mut [3.0, 1.0, 2.0]), (2.0, 3.0));
        assert_eq!(quantiles(&mut []), (0.0, 0.0));
    }
}
