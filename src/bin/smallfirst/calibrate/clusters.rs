//! Whether errors cluster, in words: certificates take rows as independent.

use smallfirst::bundle::Certificate;
use smallfirst::calibrate::{Decision, design_effect};

/// From this design effect on, a certificate promises more than rows of new clusters keep.
const NOTABLE: f64 = 2.0;

/// Says how much the errors at one certificate cluster by slice and by group of near-copies; `groups` has the group of each of
/// the first rows, and the rows behind them are out of scope.
pub(super) fn report_clusters(certificate: &Certificate, cal: &[Decision], groups: &[usize]) {
    let Some(thresholds) = &certificate.thresholds else {
        return;
    };
    let answered = cal.iter().zip(groups).filter_map(|(row, group)| {
        let (_, right) = row.answered(thresholds)?;
        Some((row.slice.as_deref(), *group, right))
    });
    let by_slice = answered
        .clone()
        .filter_map(|(slice, _, right)| Some((slice?, right)));
    let by_slice = design_effect(by_slice);
    let by_group = design_effect(answered.map(|(_, group, right)| (group, right)));
    let word = |effect: Option<f64>| effect.map_or("-".to_owned(), |effect| format!("{effect:.2}"));
    eprintln!(
        "errors at a risk of {} %: design effect {} by slice, {} by group of near-copies (1 where errors do not cluster)",
        100.0 * certificate.risk,
        word(by_slice),
        word(by_group)
    );
    if by_slice.is_some_and(|effect| effect >= NOTABLE) {
        eprintln!(
            "  errors cluster by slice: the promise is for inputs of these slices in these shares. Where a page meets new ones, or other shares, certify with --per-slice"
        );
    }
    if by_group.is_some_and(|effect| effect >= NOTABLE) {
        eprintln!("  errors cluster among near-copies: keep one row of each group in --data");
    }
}
