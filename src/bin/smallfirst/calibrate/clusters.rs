//! Whether errors cluster, in numbers and words: certificates take rows as independent.

use smallfirst::bundle::{Certificate, DesignEffects};
use smallfirst::calibrate::{Decision, design_effect};

/// From this design effect on, a certificate promises more than rows of new clusters keep.
const NOTABLE: f64 = 2.0;

/// How much the errors at one certificate cluster by slice and by group of near-copies; `groups` has the group of each of
/// the first rows, and the rows behind them are out of scope. Nothing where the risk is not certified.
pub(super) fn design_effects(
    certificate: &Certificate,
    cal: &[Decision],
    groups: &[usize],
) -> Option<DesignEffects> {
    let thresholds = certificate.thresholds.as_ref()?;
    let answered = cal.iter().zip(groups).filter_map(|(row, group)| {
        let (_, right) = row.answered(thresholds)?;
        Some((row.slice.as_deref(), *group, right))
    });
    let by_slice = answered
        .clone()
        .filter_map(|(slice, _, right)| Some((slice?, right)));
    Some(DesignEffects {
        risk: certificate.risk,
        slices: rounded(design_effect(by_slice)),
        near_copies: rounded(design_effect(
            answered.map(|(_, group, right)| (group, right)),
        )),
    })
}

/// The sum over clusters is in no fixed order, and the same rows are to make the same manifest.
fn rounded(effect: Option<f64>) -> Option<f64> {
    effect.map(|effect| (effect * 1e4).round() / 1e4)
}

/// Says it to whoever calibrates.
pub(super) fn report_clusters(effects: &DesignEffects) {
    let word = |effect: Option<f64>| effect.map_or("-".to_owned(), |effect| format!("{effect:.2}"));
    eprintln!(
        "errors at a risk of {} %: design effect {} by slice, {} by group of near-copies (1 where errors do not cluster)",
        100.0 * effects.risk,
        word(effects.slices),
        word(effects.near_copies)
    );
    if effects.slices.is_some_and(|effect| effect >= NOTABLE) {
        eprintln!(
            "  errors cluster by slice: the promise is for inputs of these slices in these shares. Where a page meets new ones, or other shares, certify with --per-slice"
        );
    }
    if effects.near_copies.is_some_and(|effect| effect >= NOTABLE) {
        eprintln!("  errors cluster among near-copies: keep one row of each group in --data");
    }
}

#[cfg(test)]
mod tests {
    use smallfirst::calibrate::TierDecision;

    use super::*;

    fn row(slice: &str, correct: bool) -> Decision {
        let tier = TierDecision {
            confidence: 0.9,
            correct,
            in_distribution: true,
        };
        Decision {
            tiers: vec![Some(tier)],
            slice: Some(slice.to_owned()),
            in_scope: true,
        }
    }

    #[test]
    fn the_design_effects_of_a_certificate_are_of_the_rows_it_answers() {
        let certificate = |thresholds: Option<Vec<f64>>| Certificate {
            mean_loss: None,
            p_value: None,
            risk: 0.5,
            thresholds,
            n: 6,
            errors: 2,
            bound: None,
            tiers: Vec::new(),
            slices: Default::default(),
        };
        // All errors are in one slice, and each is a near-copy of a right answer.
        let rows = ["a", "a", "b", "b", "b", "b"]
            .iter()
            .map(|slice| row(slice, *slice != "a"));
        let rows: Vec<Decision> = rows.collect();
        let groups = [0, 1, 0, 1, 2, 2];
        let of = |thresholds| design_effects(&certificate(thresholds), &rows, &groups);
        let effects = of(Some(vec![0.9])).unwrap();
        // Residuals by slice 4/3 and -4/3: 2 (16/9) 2 / (6 (1/3) (2/3)) = 16/3. By group 1/3, 1/3 and -2/3: (2/3) (3/2) / (4/3).
        assert_eq!(
            (effects.slices, effects.near_copies),
            (Some(5.3333), Some(0.75))
        );
        assert_eq!(effects.risk, 0.5);
        let nothing = of(Some(vec![0.95])).unwrap();
        assert_eq!((nothing.slices, nothing.near_copies), (None, None));
        assert_eq!(of(None), None);
    }
}
