//! How well out-of-scope rows are told from those in scope.

use serde::Serialize;

use super::metrics::{self, Share};
use super::{Measured, Prediction};

/// How well a tier's out-of-distribution score tells out-of-scope rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OodFigures {
    /// The tier.
    pub tier: String,
    /// The chance that an out-of-scope row scores higher than one in scope.
    pub auroc: f64,
    /// Out-of-scope rows that the cut stops.
    pub stopped: Share,
    /// In-scope rows that it stops too.
    pub stopped_in_scope: Share,
}

/// The figures of each tier that scores rows of both kinds.
pub(super) fn ood_figures(measured: &Measured) -> Vec<OodFigures> {
    (0..measured.tiers.len())
        .filter_map(|tier| {
            let said = |in_scope: bool| -> Vec<&Prediction> {
                let rows = measured
                    .rows
                    .iter()
                    .filter(|row| row.truth.is_some() == in_scope);
                rows.filter_map(|row| row.tiers.get(tier)?.as_ref())
                    .collect()
            };
            let (inside, outside) = (said(true), said(false));
            let scores =
                |of: &[&Prediction]| -> Vec<f64> { of.iter().filter_map(|p| p.ood).collect() };
            let stopped = |of: &[&Prediction]| {
                let n = of.iter().filter(|p| !p.in_distribution).count();
                Share::of(n as u64, of.len() as u64)
            };
            Some(OodFigures {
                tier: measured.tiers[tier].0.clone(),
                auroc: metrics::auroc(&scores(&inside), &scores(&outside))?,
                stopped: stopped(&outside),
                stopped_in_scope: stopped(&inside),
            })
        })
        .collect()
}
