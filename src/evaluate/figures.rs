//! How figures are written.

use super::metrics::Share;

/// A share as a percentage with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A share with its interval.
pub(super) fn interval(share: &Share) -> String {
    if share.n == 0 {
        return "-".into();
    }
    format!(
        "{:.1} % ({:.1} to {:.1})",
        100.0 * share.value,
        100.0 * share.low,
        100.0 * share.high
    )
}
