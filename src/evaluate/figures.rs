//! How figures are written.

use super::metrics::Share;
use super::sweep::Oracle;

/// A share as a percentage with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The coverage of an oracle; a dash where no threshold keeps the risk.
pub(super) fn oracle_coverage(oracle: Option<Oracle>) -> String {
    oracle.map_or("-".into(), |oracle| percent(oracle.coverage.value))
}

/// A ratio as a percentage without decimals; a dash where there is none.
pub(super) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".into(), |ratio| format!("{:.0} %", 100.0 * ratio))
}

/// What the columns of the oracle say.
pub(super) const ORACLE: &str = "The oracle is the best threshold in hindsight: the one that answers the most of these rows with an error within the risk. The ratio of the coverage to the oracle's is above 100 % only where the error is above the risk.";

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
