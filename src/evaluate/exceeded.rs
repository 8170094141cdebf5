//! Where test rows exceed a promise, and what differs between them and the calibration rows: in words, since a table of figures
//! does not say it.

use super::calibration::CalibrationRows;
use super::figures::{interval, percent};
use super::report::Report;

/// One sentence or more for each risk whose promise the rows exceed, and one for each excess.
pub fn exceeded(r: &Report) -> Vec<String> {
    let over = r
        .policies
        .iter()
        .filter(|p| p.thresholds.is_some() && !p.within_risk);
    let against = r
        .against_remote
        .iter()
        .flat_map(|figures| figures.exceeded());
    over.map(|p| {
        let by_chance = match p.error.low <= p.risk {
            true => ", which chance alone may explain",
            false => "",
        };
        let first = format!(
            "At a risk of {}, {} of the local answers are wrong: more than promised{by_chance}.",
            percent(p.risk),
            interval(&p.error)
        );
        let differs = r
            .calibration
            .and_then(|calibration| strays(r, &calibration));
        [Some(first), differs]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    })
    .chain(against)
    .collect()
}

/// How the share of out-of-scope rows differs, where it is larger than what was certified.
fn strays(r: &Report, calibration: &CalibrationRows) -> Option<String> {
    let here = r.out_of_scope as f64 / (r.n + r.out_of_scope).max(1) as f64;
    let certified = calibration.certified_share();
    (here > certified).then(|| {
        format!(
            "{} of these rows are out of scope, where any local answer is wrong; the certificate is for {}{}. Certify for the share that you expect: `smallfirst calibrate --out-of-scope-share`.",
            percent(here),
            match calibration.out_of_scope_share {
                Some(_) => "shares up to ",
                None => "the calibration rows' ",
            },
            percent(certified)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::calibration::tests::calibration;
    use super::super::report::tests::measured;
    use super::*;

    /// The sample's rows, of which many more are wrong than promised, with other calibration rows.
    fn said(risk: f64, calibration: Option<CalibrationRows>) -> Vec<String> {
        let mut measured = measured();
        measured.policies[1].risk = risk;
        measured.calibration = calibration;
        exceeded(&Report::new(&measured))
    }

    #[test]
    fn what_exceeds_a_promise_is_said_with_what_differs() {
        let calibration = |out_of_scope, share| Some(calibration(out_of_scope, share));
        let plain = said(0.2, None);
        assert_eq!(plain.len(), 1, "{plain:?}");
        assert!(plain[0].starts_with("At a risk of 20.0 %, "), "{plain:?}");
        assert!(
            plain[0].ends_with("more than promised, which chance alone may explain."),
            "{plain:?}"
        );
        let strays = said(0.2, calibration(50, None));
        assert!(
            strays[0].contains("16.7 % of these rows are out of scope"),
            "{strays:?}"
        );
        assert!(
            strays[0].contains("for the calibration rows' 5.0 %"),
            "{strays:?}"
        );
        let share = said(0.2, calibration(50, Some(0.1)));
        assert!(share[0].contains("for shares up to 10.0 %"), "{share:?}");
        // What the certificate is for is no difference.
        assert_eq!(said(0.2, calibration(300, None)), plain);
        assert_eq!(said(0.2, calibration(50, Some(0.2))), plain);
    }

    #[test]
    fn a_promise_that_is_kept_needs_no_words() {
        assert!(said(0.9, None).is_empty());
    }
}
