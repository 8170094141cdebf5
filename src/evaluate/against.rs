//! What the certificates against a remote deliver on rows that nothing has seen, where the remote's answers to them are known.

use serde::Serialize;

use super::figures::{interval, percent};
use super::metrics::{Share, Z};
use super::{Measured, Observation};
use crate::bundle::{AgainstRemote, ExcessCertificate};
use crate::calibrate::visible_difference;

/// Local answers beside those of the remote that was certified against.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgainstFigures {
    /// The remote's model.
    pub model: String,
    /// The largest share of labels that the certificates take to be wrong, at random.
    pub label_errors: f64,
    /// What the remote has wrong of all rows. About out-of-scope rows it counts as right, as it does in the certificates.
    pub remote_error: Share,
    /// What each excess delivers, in rising order.
    pub promises: Vec<ExcessFigures>,
}

/// What one excess delivers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExcessFigures {
    /// The promise: of the local answers, at most so many more are wrong than of the remote's to the same inputs, as a share.
    pub excess: f64,
    /// The thresholds; nothing when the excess is not certified.
    pub thresholds: Option<Vec<f64>>,
    /// Answered locally, of all rows.
    pub coverage: Share,
    /// Of these, what the local models have wrong.
    pub error: Share,
    /// Of these, what the remote has wrong.
    pub remote_error: Share,
    /// The first of both less the second.
    pub difference: Difference,
    /// The most that the difference may be by labels of which the assumed share is wrong: such labels hide a part of it.
    pub most: f64,
    /// Whether it is within that.
    #[serde(rename = "kept")]
    pub within_excess: bool,
}

/// A difference of two shares of the same rows, with its 95 % interval (normal, of the paired differences).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The difference.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Difference {
    /// Of `n` rows, `only_first` are wrong in the first way alone, and `only_second` in the second alone.
    fn of(only_first: u64, only_second: u64, n: u64) -> Difference {
        if n == 0 {
            return Difference {
                value: 0.0,
                low: -1.0,
                high: 1.0,
            };
        }
        let (first, second, n) = (only_first as f64, only_second as f64, n as f64);
        let value = (first - second) / n;
        let half = Z * (((first + second) / n - value * value) / n).sqrt();
        Difference {
            value,
            low: (value - half).max(-1.0),
            high: (value + half).min(1.0),
        }
    }
}

impl AgainstFigures {
    /// One sentence for each promise that the rows exceed.
    pub(super) fn exceeded(&self) -> impl Iterator<Item = String> + '_ {
        let over = self.promises.iter();
        let over = over.filter(|p| p.thresholds.is_some() && !p.within_excess);
        over.map(|p| {
            let by_chance = match p.difference.low <= p.most {
                true => ", which chance alone may explain",
                false => "",
            };
            format!(
                "At an excess of {}, {} of the local answers are wrong and {} of the remote's to the same inputs: {} points more, and at most {} are promised{by_chance}.",
                percent(p.excess),
                interval(&p.error),
                percent(p.remote_error.value),
                points(p.difference.value),
                points(p.most),
            )
        })
    }
}

/// A difference of percentages, without the sign for percent.
pub(super) fn points(difference: f64) -> String {
    format!("{:.2}", 100.0 * difference)
}

/// A difference with its interval.
pub(super) fn points_interval(difference: &Difference) -> String {
    let [value, low, high] = [difference.value, difference.low, difference.high].map(points);
    format!("{value} ({low} to {high})")
}

/// The figures; nothing where nothing was certified against a remote, or its answers to the labelled rows are not known.
pub(super) fn against(measured: &Measured) -> Option<AgainstFigures> {
    let certified = measured.against_remote.as_ref()?;
    let known = |row: &&Observation| row.truth.is_none() || row.remote.is_some();
    let rows: Vec<&Observation> = measured.rows.iter().filter(known).collect();
    if rows.iter().all(|row| row.remote.is_none()) {
        return None;
    }
    let remote_wrong = rows.iter().filter(|row| !remote_right(row)).count();
    let promises = certified.certificates.iter();
    Some(AgainstFigures {
        model: certified.model.clone(),
        label_errors: certified.label_errors,
        remote_error: Share::of(remote_wrong as u64, rows.len() as u64),
        promises: promises
            .map(|certificate| promise(certified, certificate, measured.labels.len(), &rows))
            .collect(),
    })
}

/// Nobody knows what the remote says of an out-of-scope row. That it is right is the worst case for the local answers.
fn remote_right(row: &Observation) -> bool {
    row.truth.is_none() || row.remote.is_some_and(|remote| remote.label == row.truth)
}

fn promise(
    certified: &AgainstRemote,
    certificate: &ExcessCertificate,
    labels: usize,
    rows: &[&Observation],
) -> ExcessFigures {
    let (mut answered, mut both, mut only_local, mut only_remote) = (0, 0, 0, 0);
    for row in rows {
        let thresholds = certificate.thresholds.as_deref();
        let Some((_, local)) = thresholds.and_then(|thresholds| row.answered(thresholds)) else {
            continue;
        };
        answered += 1;
        match (row.is_right(local.label()), remote_right(row)) {
            (false, false) => both += 1,
            (false, true) => only_local += 1,
            (true, false) => only_remote += 1,
            (true, true) => {}
        }
    }
    let difference = Difference::of(only_local, only_remote, answered);
    let most = certificate.excess * visible_difference(labels, certified.label_errors);
    ExcessFigures {
        excess: certificate.excess,
        thresholds: certificate.thresholds.clone(),
        coverage: Share::of(answered, rows.len() as u64),
        error: Share::of(both + only_local, answered),
        remote_error: Share::of(both + only_remote, answered),
        difference,
        most,
        within_excess: difference.value <= most,
    }
}

#[cfg(test)]
mod tests {
    use super::super::RemoteOutcome;
    use super::super::report::tests::measured;
    use super::super::{Report, card, html, text};
    use super::*;

    fn certificate(excess: f64, thresholds: Option<Vec<f64>>) -> ExcessCertificate {
        ExcessCertificate {
            excess,
            thresholds,
            n: 0,
            errors: 0,
            remote_errors: 0,
            p_value: None,
        }
    }

    /// The sample with a remote that says spam of everything: of the six rows, one is out of scope and one refused.
    fn compared() -> Measured {
        let mut measured = measured();
        for row in measured.rows.iter_mut().filter(|row| row.truth.is_some()) {
            row.remote = Some(RemoteOutcome {
                label: Some(1),
                milliseconds: 1.0,
                tokens: 1,
            });
        }
        measured.against_remote = Some(AgainstRemote {
            model: "big".into(),
            label_errors: 0.1,
            certificates: vec![
                certificate(0.01, None),
                certificate(0.05, Some(vec![0.8, 0.8])),
            ],
        });
        measured
    }

    #[test]
    fn both_are_counted_on_the_rows_that_are_answered_locally() {
        let figures = Report::new(&compared()).against_remote.unwrap();
        // Of the labelled rows, three are ham.
        assert_eq!(
            (figures.remote_error.value, figures.remote_error.n),
            (0.5, 6)
        );
        let [none, some] = &figures.promises[..] else {
            panic!("{figures:?}");
        };
        assert_eq!((none.coverage.value, none.error.n), (0.0, 0));
        // At 0.8, all are answered but the refused one. Wrong are the fourth, which the remote has right, and the one out of
        // scope, about which the remote counts as right; of the remote's, the first and the third are wrong.
        assert_eq!((some.coverage.value, some.coverage.n), (5.0 / 6.0, 6));
        assert_eq!((some.error.value, some.remote_error.value), (0.4, 0.4));
        assert_eq!(some.difference.value, 0.0);
        // Four of five rows differ, so the interval is wide: 1.96 * sqrt(0.8 / 5).
        assert!((some.difference.high - 0.784).abs() < 1e-3, "{some:?}");
        assert!((some.difference.low + 0.784).abs() < 1e-3, "{some:?}");
        // Of two labels, a tenth wrong: four fifths of a difference are seen.
        assert!((some.most - 0.04).abs() < 1e-12, "{some:?}");
        assert!(some.within_excess);
    }

    #[test]
    fn it_is_written_wherever_the_report_is() {
        let r = Report::new(&compared());
        for written in [text::render(&r), html::render(&r)] {
            for word in ["big", "0.00 (-78.40 to 78.40)", "50.0 %", "4.00"] {
                assert!(written.contains(word), "{word}: {written}");
            }
        }
        let json = serde_json::to_value(&r).unwrap();
        assert_eq!(json["againstRemote"]["promises"][1]["kept"], true);
    }

    #[test]
    fn a_promise_that_the_rows_exceed_is_told() {
        let mut measured = compared();
        // A remote that is always right.
        for row in &mut measured.rows {
            let truth = row.truth;
            if let Some(remote) = &mut row.remote {
                remote.label = truth;
            }
        }
        let r = Report::new(&measured);
        let told = "At an excess of 5.0 %, 40.0 % (11.8 to 76.9) of the local answers are wrong and 0.0 % of the remote's to the same inputs: 40.00 points more, and at most 4.00 are promised, which chance alone may explain.";
        for written in [
            text::render(&r),
            html::render(&r),
            card::render(&r, &card::About::default()),
        ] {
            assert!(written.contains(told), "{written}");
        }
        assert!(
            super::super::exceeded(&Report::new(&compared()))
                .iter()
                .all(|said| !said.contains("excess"))
        );
    }

    #[test]
    fn nothing_is_said_without_the_remotes_answers_or_a_certificate() {
        let mut silent = compared();
        silent.rows.iter_mut().for_each(|row| row.remote = None);
        assert_eq!(Report::new(&silent).against_remote, None);
        let mut uncertified = compared();
        uncertified.against_remote = None;
        let r = Report::new(&uncertified);
        assert_eq!(r.against_remote, None);
        // So that evaluations of bundles that know no remote stay as they are.
        let json = serde_json::to_value(&r).unwrap();
        assert!(json.get("againstRemote").is_none());
        // Where no row is answered, there is no difference to speak of.
        let mut strict = compared();
        if let Some(against) = &mut strict.against_remote {
            against.certificates[1].thresholds = Some(vec![1.0, 1.0]);
        }
        let figures = Report::new(&strict).against_remote.unwrap();
        let promise = &figures.promises[1];
        assert_eq!((promise.error.n, promise.difference.value), (0, 0.0));
        assert!(promise.within_excess);
    }
}
