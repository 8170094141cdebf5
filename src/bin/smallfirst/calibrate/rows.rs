//! The rows of a calibration: which tune and which certify, and whether they may.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use smallfirst::calibrate::RawRow;
use smallfirst::data::{self, Fingerprints, Row};
use smallfirst::evaluate::RemoteOutcome;
use smallfirst::runtime::Runtime;

use super::args::CalibrateArgs;
use crate::draft::BundleDraft;
use crate::fingerprint::hex;
use crate::folder::Folder;
use crate::out_of_fold::tuning_rows;
use crate::remote_answers;
use crate::rows::{fingerprints, first_lines, places, report_overlap};

/// The share of the calibration rows that may equal tuning rows: short texts repeat themselves.
const MOST_SHARED: f64 = 0.05;

/// The share of the rows that tune, where no --tune is given.
pub(super) const TUNE_SHARE: f64 = 0.3;

/// What the choices that come before the test are made by.
pub(super) enum Tuning {
    /// Out-of-fold predictions of the training rows, the groups of near-copies, and the rows' fingerprints.
    OutOfFold {
        rows: Vec<RawRow>,
        groups: Vec<usize>,
        prints: Fingerprints,
    },
    /// Fresh rows.
    Rows(Vec<Row>),
}

/// The out-of-fold predictions, where they are there and will do.
fn out_of_fold(
    args: &CalibrateArgs,
    draft: &BundleDraft,
    runtime: &Runtime<Folder>,
    task: &str,
) -> Result<Option<Tuning>> {
    if args.tune.is_some() || args.remote.given() || args.looks_at_vectors() {
        return Ok(None);
    }
    let bundle = runtime.bundle();
    let tiers = &bundle.task(task)?.tiers;
    let found = tuning_rows(draft, bundle.manifest(), tiers)?;
    let training = draft.stashed(&format!("{task}.train.json"));
    let (Some((rows, groups)), Some(prints)) = (found, training) else {
        return Ok(None);
    };
    let prints = serde_json::from_slice(&prints)?;
    Ok(Some(Tuning::OutOfFold {
        rows,
        groups,
        prints,
    }))
}

/// Whether the remote is right about each of the rows that tune, and of those that certify.
pub(super) struct RemoteRight {
    pub(super) tune: Vec<bool>,
    pub(super) cal: Vec<bool>,
}

/// The rows to tune on and to test on, and whether the remote is right about them, where one is named.
pub(super) fn rows(
    args: &CalibrateArgs,
    draft: &BundleDraft,
    runtime: &Runtime<Folder>,
    task: &str,
) -> Result<(Tuning, Vec<Row>, Option<RemoteRight>)> {
    args.columns.read_for(runtime.bundle(), task)?;
    let data = args.columns.read_labelled(&args.data)?;
    if let Some(tuning) = out_of_fold(args, draft, runtime, task)? {
        return Ok((tuning, data, None));
    }
    let places = places(&runtime.bundle().task(task)?.labels);
    let right = |rows: &[Row], outcomes: Vec<RemoteOutcome>| -> Vec<bool> {
        let truth = |row: &Row| places.get(row.label.as_deref()?).copied();
        let pairs = rows.iter().zip(outcomes);
        pairs
            .map(|(row, outcome)| outcome.label.is_some() && outcome.label == truth(row))
            .collect()
    };
    if args.tune.is_some() && args.remote.given() != args.tune_remote_answers.is_some() {
        bail!(
            "a certificate against the remote needs its answers to the tuning rows (--tune-remote-answers) and to the calibration rows (--remote-answers)"
        );
    }
    let of_data = match args.remote.given() {
        false => None,
        true => {
            args.remote.model()?;
            Some(right(&data, args.remote.outcomes(runtime, task, &data)?))
        }
    };
    if let Some(path) = &args.tune {
        let tune = args.columns.read_labelled(path)?;
        let of_tune = match &args.tune_remote_answers {
            None => None,
            Some(path) => Some(right(
                &tune,
                remote_answers::read(path, runtime, task, &tune)?,
            )),
        };
        let remote = of_tune
            .zip(of_data)
            .map(|(tune, cal)| RemoteRight { tune, cal });
        return Ok((Tuning::Rows(tune), data, remote));
    }
    let labels: Vec<Option<String>> = data.iter().map(|row| row.label.clone()).collect();
    let shares = [TUNE_SHARE, 1.0 - TUNE_SHARE];
    let parts = data::split(&fingerprints(&data).groups(), &labels, &shares, 0);
    let remote = of_data.map(|right| {
        let mut dealt = RemoteRight {
            tune: Vec::new(),
            cal: Vec::new(),
        };
        for (right, part) in right.into_iter().zip(&parts) {
            match part {
                0 => dealt.tune.push(right),
                _ => dealt.cal.push(right),
            }
        }
        dealt
    });
    let mut parts = parts.into_iter();
    let (tune, cal) = data.into_iter().partition(|_| parts.next() == Some(0));
    Ok((Tuning::Rows(tune), cal, remote))
}

/// Every second row to tune on, so that a sorted file is halved evenly.
pub(super) fn halves(rows: Vec<Row>) -> (Vec<Row>, Vec<Row>) {
    let mut odd = false;
    rows.into_iter().partition(|_| {
        odd = !odd;
        odd
    })
}

/// Reports the rows that the training data has, too.
pub(super) fn warn_of_leaks(
    args: &CalibrateArgs,
    draft: &BundleDraft,
    task: &str,
    rows: &[Row],
    prints: &Fingerprints,
) -> Result<()> {
    if let Some(stashed) = draft.stashed(&format!("{task}.train.json")) {
        let trained: Fingerprints = serde_json::from_slice(&stashed)?;
        let overlap = prints.overlap(&trained);
        let name = args.data.display().to_string();
        report_overlap(&name, &overlap, |at| rows[at].line, rows.len());
    }
    Ok(())
}

/// Refuses calibration rows of which many are tuning rows, too: what was chosen by them looks better on them than it is.
pub(super) fn refuse_tuning_rows(
    tune: &Fingerprints,
    cal: &[Row],
    prints: &Fingerprints,
) -> Result<()> {
    refuse_shared(
        (cal, prints),
        tune,
        "calibration rows are tuning rows",
        ": a certificate needs rows that nothing was chosen by; deal the data with `smallfirst split`, or leave --tune out",
    )
}

/// Refuses final rows of which many are calibration rows, too: counted twice, they would promise too much.
pub(super) fn refuse_calibration_rows(cal: &Fingerprints, rows: &[Row]) -> Result<()> {
    refuse_shared(
        (rows, &fingerprints(rows)),
        cal,
        "final rows are calibration rows",
        ", and would count twice; give --final the rows that were evaluated",
    )
}

/// Refuses rows of which many are among others, and says so of a few. `what` names both, `why` says what is wrong with it.
fn refuse_shared(
    (rows, prints): (&[Row], &Fingerprints),
    others: &Fingerprints,
    what: &str,
    why: &str,
) -> Result<()> {
    let shared = prints.overlap(others).exact;
    let found = format!(
        "{} of {} {what}, too (lines {}, ...)",
        shared.len(),
        rows.len(),
        first_lines(shared.iter().map(|(at, _)| rows[*at].line))
    );
    if shared.len() as f64 > MOST_SHARED * rows.len() as f64 {
        bail!("{found}{why}");
    }
    if !shared.is_empty() {
        eprintln!("{found}");
    }
    Ok(())
}

/// Counts how often these rows were looked at for this task, and says what it does to the promise: whoever tries several rules
/// and keeps the one with the best certificate has tested them all.
pub(super) fn count_uses(
    args: &CalibrateArgs,
    draft: &BundleDraft,
    task: &str,
    rows: &[Row],
) -> Result<u64> {
    let name = format!("{task}.uses.json");
    let (count, uses) = counted(draft.stashed(&name).as_deref(), rows)?;
    if count > 1 {
        eprintln!(
            "these rows have now certified {count} times for \"{task}\": where the best of the certificates is kept, the chance that it does not hold is up to {:.2}; keep the first, calibrate on new rows, or divide --delta by the number of rules",
            (args.delta * count as f64).min(1.0)
        );
    }
    draft.stash_now(&name, &uses)?;
    Ok(count)
}

/// How often these rows were used, now included, and the counts to be stashed.
fn counted(stashed: Option<&[u8]>, rows: &[Row]) -> Result<(u64, Vec<u8>)> {
    let mut digest = Sha256::new();
    for row in rows {
        for part in [row.label.as_deref().unwrap_or_default(), &row.text] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    let mut uses: BTreeMap<String, u64> = match stashed {
        None => BTreeMap::new(),
        Some(json) => serde_json::from_slice(json).unwrap_or_default(),
    };
    let count = uses
        .entry(hex(&digest.finalize())[..16].to_owned())
        .or_default();
    *count += 1;
    Ok((*count, serde_json::to_vec(&uses)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: impl Iterator<Item = usize>) -> Vec<Row> {
        let row = |at| Row {
            line: at + 1,
            text: format!("the text of row number {at}, unlike all others"),
            label: Some("a".into()),
            slice: None,
        };
        texts.map(row).collect()
    }

    #[test]
    fn tuning_rows_among_the_calibration_rows_are_refused() {
        let cal = rows(0..100);
        let refused = |tune: &[Row]| {
            refuse_tuning_rows(&fingerprints(tune), &cal, &fingerprints(&cal)).is_err()
        };
        assert!(refused(&cal));
        assert!(refused(&rows(90..200)));
        // A few that occur twice in the world are no reason.
        assert!(!refused(&rows(97..200)));
        assert!(!refused(&rows(200..300)));
    }

    #[test]
    fn uses_are_counted_by_what_the_rows_say() {
        let (first, stashed) = counted(None, &rows(0..10)).unwrap();
        let (second, stashed) = counted(Some(&stashed), &rows(0..10)).unwrap();
        let (other, stashed) = counted(Some(&stashed), &rows(0..9)).unwrap();
        assert_eq!((first, second, other), (1, 2, 1));
        let (third, _) = counted(Some(&stashed), &rows(0..10)).unwrap();
        assert_eq!(third, 3);
        assert_eq!(counted(Some(b"nonsense"), &rows(0..10)).unwrap().0, 1);
    }
}
