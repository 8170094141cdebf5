//! Which thresholds are tested, and in which order rows are looked at.

/// How many candidates are laid out.
const STEPS: usize = 60;

/// Thresholds of evenly spaced coverage, strictest first: from `from` to the smallest of `confidences`, which are in rising
/// order.
pub(super) fn evenly_spaced(confidences: &[f64], from: f64) -> Vec<f64> {
    let first = confidences.len() - confidences.partition_point(|&c| c < from);
    let steps = (0..STEPS).filter_map(|step| {
        let share = step as f64 / (STEPS - 1) as f64;
        let rows = first as f64 + share * (confidences.len() - first) as f64;
        let at = confidences.len() - (rows.round() as usize).clamp(1, confidences.len().max(1));
        // Rounded down, so that a stored threshold keeps the rows it was chosen for.
        Some((confidences.get(at)? * 1e6).floor() / 1e6)
    });
    let mut thresholds: Vec<f64> = steps.collect();
    thresholds.dedup();
    thresholds
}

/// The candidates from the one that the tuning rows support best, by how far they are from rejecting each. Before it, thresholds
/// are so strict that few rows are left to speak for them, and one unlucky error would end the walk.
pub(super) fn from_the_best(candidates: &[f64], excess: impl Fn(f64) -> f64) -> Vec<f64> {
    let excesses = candidates.iter().map(|&threshold| excess(threshold));
    let best = excesses
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(at, _)| at);
    candidates.get(best..).unwrap_or_default().to_vec()
}

/// The smallest of the risks, from the preferred one on, that the tuning rows support; the preferred one where none is.
pub(super) fn first_supported(
    risks: &[f64],
    preferred: f64,
    supported: impl Fn(f64) -> bool,
) -> f64 {
    let mut upwards = risks.iter().copied().filter(|&risk| risk >= preferred);
    upwards.find(|&risk| supported(risk)).unwrap_or(preferred)
}
