//! What the certified thresholds deliver on some rows.

use serde::Serialize;

use super::metrics::Share;
use super::{Measured, Observation, Policy};

/// What a risk delivers for a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySlice {
    /// The risk.
    pub risk: f64,
    /// Answered locally.
    pub coverage: Share,
    /// Wrong among these.
    pub error: Share,
}

pub(super) fn right(pairs: &[(usize, usize)]) -> Share {
    let right = pairs.iter().filter(|(t, p)| t == p).count();
    Share::of(right as u64, pairs.len() as u64)
}

/// Coverage and error of some rows at some thresholds.
pub(super) fn delivered(
    rows: &[&Observation],
    thresholds: Option<&[f64]>,
) -> (Share, Share, Vec<u64>) {
    let mut by_tier = Vec::new();
    let (mut answered, mut wrong) = (0, 0);
    for row in rows {
        by_tier.resize(by_tier.len().max(row.tiers.len()), 0);
        let Some((tier, p)) = thresholds.and_then(|t| row.answered(t)) else {
            continue;
        };
        by_tier[tier] += 1;
        answered += 1;
        wrong += u64::from(!row.is_right(p.label()));
    }
    (
        Share::of(answered, rows.len() as u64),
        Share::of(wrong, answered),
        by_tier,
    )
}

/// What each risk delivers for some rows.
pub(super) fn of_policies(measured: &Measured, rows: &[&Observation]) -> Vec<PolicySlice> {
    let of = |policy: &Policy| {
        let (coverage, error, _) = delivered(rows, policy.thresholds.as_deref());
        PolicySlice {
            risk: policy.risk,
            coverage,
            error,
        }
    };
    measured.policies.iter().map(of).collect()
}

pub(super) fn best_pairs(rows: &[&Observation]) -> Vec<(usize, usize)> {
    rows.iter()
        .filter_map(|row| Some((row.truth?, row.best()?.1.label())))
        .collect()
}
