//! What is said of a trained task.

use std::collections::BTreeMap;

use serde::Serialize;

use super::usable::Usable;
use crate::train::TaskFit;

/// How many rows are named of those that are told of.
const NAMED: usize = 5;

/// What training found, and what of it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TrainingReport {
    /// The task.
    pub task: String,
    /// The encoder whose vectors it was learnt from.
    pub encoder: String,
    /// Each label, with how many rows it has.
    pub labels: Vec<LabelRows>,
    /// How many rows were used.
    pub rows: usize,
    /// The rows that were left out, and why.
    pub left_out: RowsTold,
    /// Rows with the text of another one and another label. They are used: such is the noise of the labels.
    pub contradictions: RowsTold,
    /// How many rows are copies or near-copies of others. All of them stay together where rows are parted.
    pub copies: usize,
    /// How many rows the head was trained on.
    pub trained_on: usize,
    /// How many rows were kept from training to certify; none where there were too few.
    pub certified_on: usize,
    /// How often the training rows were right.
    pub accuracy: TrainingAccuracy,
    /// One for each risk, in rising order.
    pub certificates: Vec<TrainedCertificate>,
    /// The risk that counts for calls that name none; `null` where nothing is certified for it.
    pub risk: Option<f64>,
}

/// A label and its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LabelRows {
    /// The label.
    pub id: String,
    /// How many rows it has.
    pub rows: usize,
}

/// How many rows there are of some sort, and the first ones in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RowsTold {
    /// How many.
    pub count: usize,
    /// The first ones.
    pub first: Vec<String>,
}

/// How often training rows were right by heads that were trained without them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TrainingAccuracy {
    /// How many were right.
    pub right: usize,
    /// Of how many.
    pub of: usize,
    /// Into how many parts they were cut; as many as there are different rows where each was left out by itself.
    pub parts: usize,
    /// Whether each different row was left out by itself.
    pub leave_one_out: bool,
    /// How many would be right if the commonest label were always said.
    pub commonest: usize,
}

/// What was certified at one risk, or what it would take.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TrainedCertificate {
    /// The error rate allowed among local answers.
    pub risk: f64,
    /// The confidence that an answer needs; `null` where none could be certified.
    pub threshold: Option<f64>,
    /// How many of the certifying rows are answered at it.
    #[cfg_attr(test, ts(type = "number"))]
    pub answered: u64,
    /// How many of these are wrong.
    #[cfg_attr(test, ts(type = "number"))]
    pub wrong: u64,
    /// With 95 % confidence no more than this share is wrong; `null` where nothing was certified.
    pub bound: Option<f64>,
    /// Where nothing was certified: about how many rows it takes in all, if they are as these are; `null` where even the surest
    /// answers are wrong too often, so that more rows alone do not help.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub rows_needed: Option<u64>,
}

/// A trained task: what is to be said of it, and the files of a bundle that has it alone.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedBundle {
    /// What was found.
    pub report: TrainingReport,
    /// The files, with `manifest.json`.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl RowsTold {
    pub(super) fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(what());
        }
    }
}

/// What is said of it.
pub(super) fn report(
    task: &str,
    encoder: &str,
    usable: &Usable,
    fitted: &TaskFit,
    left_out: RowsTold,
    contradictions: RowsTold,
) -> TrainingReport {
    let mut counts = vec![0; usable.labels.len()];
    usable
        .classes
        .iter()
        .for_each(|&class| counts[class as usize] += 1);
    let different = usable.groups.iter().max().map_or(0, |most| most + 1);
    let labels: Vec<LabelRows> = usable
        .labels
        .iter()
        .zip(&counts)
        .map(|(id, &rows)| LabelRows {
            id: id.clone(),
            rows,
        })
        .collect();
    let certificates: Vec<TrainedCertificate> = fitted
        .certificates
        .iter()
        .zip(&fitted.needed)
        .map(|(certificate, needed)| {
            let threshold = certificate
                .thresholds
                .as_ref()
                .and_then(|t| t.first().copied());
            TrainedCertificate {
                risk: certificate.risk,
                threshold,
                answered: certificate.n,
                wrong: certificate.errors,
                bound: certificate.bound,
                rows_needed: if threshold.is_none() { *needed } else { None },
            }
        })
        .collect();
    let certified = certificates
        .iter()
        .rfind(|c| c.risk <= fitted.default_risk && c.threshold.is_some());
    TrainingReport {
        task: task.to_owned(),
        encoder: encoder.to_owned(),
        rows: usable.classes.len(),
        left_out,
        contradictions,
        copies: usable.classes.len() - different,
        trained_on: fitted.trained_on,
        certified_on: fitted.certified_on,
        accuracy: TrainingAccuracy {
            right: fitted.right,
            of: fitted.trained_on,
            parts: fitted.folds,
            leave_one_out: fitted.one_by_one,
            commonest: fitted.commonest,
        },
        risk: certified.map(|_| fitted.default_risk),
        labels,
        certificates,
    }
}
