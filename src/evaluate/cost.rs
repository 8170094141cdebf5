//! What thresholds cost and bring, where the remote was asked for every row.

use serde::Serialize;

use super::{Measured, Observation};

/// Points of the cost-quality curve.
const COST_POINTS: usize = 40;

/// One division of labour between local and remote.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostPoint {
    /// The risk whose policy this is; nothing for the sweep of a shared threshold.
    pub risk: Option<f64>,
    /// The share of the rows that the remote is asked.
    pub remote: f64,
    /// The accuracy of both together.
    pub accuracy: f64,
    /// Remote tokens a row, on average.
    pub tokens: f64,
    /// Milliseconds a row, on average.
    pub milliseconds: f64,
}

/// The points of the curve, and those of the certified thresholds; none where the remote was not asked for every row.
pub(super) fn cost_quality(measured: &Measured, labelled: &[&Observation]) -> Vec<CostPoint> {
    if labelled.is_empty() || labelled.iter().any(|row| row.remote.is_none()) {
        return Vec::new();
    }
    let point = |risk: Option<f64>, thresholds: &[f64]| {
        let (mut asked, mut right, mut tokens, mut milliseconds) = (0.0, 0.0, 0.0, 0.0);
        for row in labelled {
            let answered = row.answered(thresholds);
            let ran = answered.map_or(row.tiers.len(), |(tier, _)| tier + 1);
            milliseconds += row
                .tiers
                .iter()
                .take(ran)
                .flatten()
                .map(|p| p.milliseconds)
                .sum::<f64>();
            let label = match (answered, row.remote) {
                (Some((_, p)), _) => Some(p.label()),
                (None, Some(remote)) => {
                    asked += 1.0;
                    tokens += remote.tokens as f64;
                    milliseconds += remote.milliseconds;
                    // Where the remote fails, the best local answer is given.
                    remote.label.or_else(|| row.best().map(|(_, p)| p.label()))
                }
                (None, None) => None,
            };
            right += if label.is_some_and(|l| row.is_right(l)) {
                1.0
            } else {
                0.0
            };
        }
        let n = labelled.len() as f64;
        CostPoint {
            risk,
            remote: asked / n,
            accuracy: right / n,
            tokens: tokens / n,
            milliseconds: milliseconds / n,
        }
    };
    let mut confidences: Vec<f64> = labelled
        .iter()
        .filter_map(|row| Some(row.best()?.1.confidence))
        .collect();
    confidences.sort_by(f64::total_cmp);
    let shared = |threshold: f64| point(None, &vec![threshold; measured.tiers.len()]);
    let mut points: Vec<CostPoint> = (0..COST_POINTS)
        .filter_map(|i| confidences.get(i * confidences.len() / COST_POINTS))
        .map(|&threshold| shared(threshold))
        .collect();
    // Above every confidence: all remote.
    points.push(shared(f64::INFINITY));
    let certified = measured
        .policies
        .iter()
        .filter_map(|p| Some((p.risk, p.thresholds.as_ref()?)));
    points.extend(certified.map(|(risk, thresholds)| point(Some(risk), thresholds)));
    points
}
