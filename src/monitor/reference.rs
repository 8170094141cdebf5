//! What live confidences are held against.

use crate::bundle::Reference;
use crate::calibrate::Decision;

/// Inner borders of the histogram.
const EDGES: usize = 31;

/// The first tier's confidences on rows that are in scope: borders from TUNE's quantiles, counts from CAL. How many rows
/// are out of scope is the files' choice, and says nothing of live inputs.
pub fn reference(tune: &[Decision], cal: &[Decision]) -> Option<Reference> {
    let first = |rows: &[Decision]| -> Vec<f64> {
        let tier = |row: &Decision| row.tiers.first().copied().flatten();
        rows.iter()
            .filter(|row| row.in_scope)
            .filter_map(tier)
            .map(|tier| tier.confidence)
            .collect()
    };
    let mut sorted = first(tune);
    sorted.sort_by(f64::total_cmp);
    let quantile = |i: usize| sorted.get(i * sorted.len() / (EDGES + 1)).copied();
    let mut edges: Vec<f64> = (1..=EDGES).filter_map(quantile).collect();
    edges
        .iter_mut()
        .for_each(|edge| *edge = (*edge * 1e6).round() / 1e6);
    edges.dedup();
    let mut counts = vec![0; edges.len() + 1];
    for confidence in first(cal) {
        counts[edges.partition_point(|&edge| edge <= confidence)] += 1;
    }
    (!edges.is_empty()).then_some(Reference { edges, counts })
}
