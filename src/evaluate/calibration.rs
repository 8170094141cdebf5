//! What the certificates rest on, in numbers and words: they promise for inputs like the calibration rows, and as much as these
//! rows can support.

use serde::Serialize;

use super::figures::percent;
use crate::bundle::{DesignEffects, Guarantee};

/// The rows that a certificate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CalibrationRows {
    /// How many there were.
    pub rows: u64,
    /// How many of them are out of scope.
    pub out_of_scope: u64,
    /// The largest share of out-of-scope inputs that the certificates hold for, where they were made for one.
    pub out_of_scope_share: Option<f64>,
    /// The chance, over calibration samples, that a certificate does not hold.
    pub delta: f64,
    /// How often the rows had certified for this task, where that was counted.
    pub uses: Option<u64>,
    /// How much the errors of the default risk's certificate cluster, where that was measured.
    pub design_effects: Option<DesignEffects>,
}

impl From<&Guarantee> for CalibrationRows {
    fn from(guarantee: &Guarantee) -> Self {
        CalibrationRows {
            rows: guarantee.rows,
            out_of_scope: guarantee.out_of_scope,
            out_of_scope_share: guarantee.out_of_scope_share,
            delta: guarantee.delta,
            uses: guarantee.uses,
            design_effects: guarantee.design_effects,
        }
    }
}

impl CalibrationRows {
    /// The share of out-of-scope inputs that the certificates hold for: the largest one, or that of the rows.
    pub(super) fn certified_share(&self) -> f64 {
        let of_rows = self.out_of_scope as f64 / self.rows.max(1) as f64;
        self.out_of_scope_share.unwrap_or(of_rows)
    }

    /// One sentence for each thing that stands beside a certificate.
    pub fn sentences(&self) -> Vec<String> {
        let share = percent(self.certified_share());
        let share = match self.out_of_scope_share {
            Some(_) => format!("up to {share}"),
            None => format!("as many, {share},"),
        };
        let rows = format!(
            "The certificates rest on {} calibration rows, {} of them out of scope, and hold for inputs of which {share} are out of scope.",
            self.rows, self.out_of_scope
        );
        let uses = self.uses.map(|uses| match uses {
            0 | 1 => "The rows had certified no other rule of this task.".to_owned(),
            _ => format!(
                "The rows have certified {uses} times for this task: if the best of these certificates was kept, the chance that it does not hold is up to {} instead of {}.",
                percent((self.delta * uses as f64).min(1.0)),
                percent(self.delta)
            ),
        });
        let effects = self.design_effects.and_then(|effects| {
            let of = [
                effects.slices.map(|effect| format!("{effect:.2} by slice")),
                effects
                    .near_copies
                    .map(|effect| format!("{effect:.2} by group of near-copies")),
            ];
            let of: Vec<String> = of.into_iter().flatten().collect();
            (!of.is_empty()).then(|| {
                format!(
                    "At a risk of {}, the errors on these rows have a design effect of {}: the certificate takes rows as independent, which is a design effect of 1.",
                    percent(effects.risk),
                    of.join(" and ")
                )
            })
        });
        [Some(rows), uses, effects].into_iter().flatten().collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A thousand rows, of which so many are out of scope.
    pub(in crate::evaluate) fn calibration(
        out_of_scope: u64,
        out_of_scope_share: Option<f64>,
    ) -> CalibrationRows {
        CalibrationRows {
            rows: 1000,
            out_of_scope,
            out_of_scope_share,
            delta: 0.05,
            uses: None,
            design_effects: None,
        }
    }

    #[test]
    fn the_share_that_a_certificate_holds_for_is_said() {
        let said = |calibration: CalibrationRows| calibration.sentences().join(" ");
        let of_rows = said(calibration(50, None));
        assert!(
            of_rows.ends_with("50 of them out of scope, and hold for inputs of which as many, 5.0 %, are out of scope."),
            "{of_rows}"
        );
        let share = said(calibration(50, Some(0.1)));
        assert!(
            share.ends_with("hold for inputs of which up to 10.0 % are out of scope."),
            "{share}"
        );
    }

    #[test]
    fn uses_and_design_effects_are_said_where_they_are_known() {
        let mut rows = calibration(0, None);
        assert_eq!(rows.sentences().len(), 1);
        rows.uses = Some(1);
        assert!(rows.sentences()[1].contains("no other rule"));
        rows.uses = Some(3);
        assert!(
            rows.sentences()[1].contains("3 times")
                && rows.sentences()[1].contains("up to 15.0 % instead of 5.0 %"),
            "{:?}",
            rows.sentences()
        );
        rows.design_effects = Some(DesignEffects {
            risk: 0.02,
            slices: Some(1.5),
            near_copies: Some(1.0),
        });
        let said = &rows.sentences()[2];
        assert!(
            said.contains("At a risk of 2.0 %")
                && said.contains("1.50 by slice and 1.00 by group of near-copies"),
            "{said}"
        );
        rows.design_effects = Some(DesignEffects {
            risk: 0.02,
            slices: None,
            near_copies: None,
        });
        assert_eq!(rows.sentences().len(), 2);
    }
}
