//! Differences between a slice and the other rows, as Amazon SageMaker Clarify defines them.

use serde::Serialize;

/// Post-training bias figures with the names and definitions of Amazon SageMaker Clarify; `d` is the
/// group, `a` all other rows. Nothing where a figure is not defined.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct Bias {
    /// Difference in positive proportions in predicted labels: `q'_a - q'_d`.
    pub dppl: Option<f64>,
    /// Disparate impact: `q'_d / q'_a`.
    pub di: Option<f64>,
    /// Accuracy difference: `ACC_a - ACC_d`.
    pub ad: Option<f64>,
    /// Recall difference: `TPR_a - TPR_d`.
    pub rd: Option<f64>,
}

/// The figures of the rows `d` against those of the rows `a`, by truth and prediction.
pub(super) fn bias(a: &[(usize, usize)], d: &[(usize, usize)], positive: Option<usize>) -> Bias {
    let share = |of: usize, n: usize| (n > 0).then(|| of as f64 / n as f64);
    let accuracy =
        |rows: &[(usize, usize)]| share(rows.iter().filter(|(t, p)| t == p).count(), rows.len());
    let proportion = |rows: &[(usize, usize)]| {
        let positive = positive?;
        share(
            rows.iter().filter(|(_, p)| *p == positive).count(),
            rows.len(),
        )
    };
    let recall = |rows: &[(usize, usize)]| {
        let positive = positive?;
        let of = rows.iter().filter(|(t, _)| *t == positive);
        share(
            of.clone().filter(|(_, p)| *p == positive).count(),
            of.count(),
        )
    };
    let difference = |a: Option<f64>, d: Option<f64>| Some(a? - d?);
    let (of_a, of_d) = (proportion(a), proportion(d));
    Bias {
        dppl: difference(of_a, of_d),
        di: of_a
            .filter(|q| *q > 0.0)
            .and_then(|of_a| Some(of_d? / of_a)),
        ad: difference(accuracy(a), accuracy(d)),
        rd: difference(recall(a), recall(d)),
    }
}
