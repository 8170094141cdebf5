//! Selection with guaranteed risk (Geifman and El-Yaniv 2017, "Selective Classification for Deep
//! Neural Networks", algorithm 1), to compare with.

use super::binomial::upper_bound;

/// What the search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Selected {
    /// The confidence from which inputs are answered.
    pub threshold: f64,
    /// The share of the rows at or above it.
    pub coverage: f64,
    /// The bound of the error rate among those.
    pub bound: f64,
}

/// Searches the threshold with the most coverage whose bound is at most `risk`, by bisection over
/// the sorted confidences; each of the `ceil(log2(rows))` bounds is taken at `delta` over their
/// number. `rows` are pairs of confidence and whether the answer is right.
pub fn sgr(rows: &[(f64, bool)], risk: f64, delta: f64) -> Option<Selected> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let m = sorted.len();
    let steps = (m as f64).log2().ceil().max(1.0) as usize;
    let (mut low, mut high) = (0, m);
    let mut found = None;
    for _ in 0..steps {
        let middle = low + (high - low).div_ceil(2);
        let at = middle.min(m.checked_sub(1)?);
        let selected = &sorted[at..];
        let errors = selected.iter().filter(|(_, correct)| !correct).count();
        let bound = upper_bound(selected.len() as u64, errors as u64, delta / steps as f64);
        if bound <= risk {
            found = Some(Selected {
                threshold: sorted[at].0,
                coverage: selected.len() as f64 / m as f64,
                bound,
            });
            high = middle;
        } else {
            low = middle;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_below_a_confidence_are_left_out() {
        // 2000 rows, right from 0.25 upwards and wrong below.
        let rows: Vec<(f64, bool)> = (0..2000)
            .map(|i| (f64::from(i) / 2000.0, i >= 500))
            .collect();
        let found = sgr(&rows, 0.05, 0.05).unwrap();
        assert!(found.bound <= 0.05);
        // The risk leaves room for some of the wrong ones just below 0.25.
        assert!((0.2..0.25).contains(&found.threshold), "{found:?}");
    }

    #[test]
    fn too_few_rows_certify_nothing() {
        let rows: Vec<(f64, bool)> = (0..40).map(|i| (f64::from(i), true)).collect();
        assert_eq!(sgr(&rows, 0.05, 0.05), None);
        assert_eq!(sgr(&[], 0.05, 0.05), None);
    }
}
