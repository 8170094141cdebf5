//! A task from labelled vectors: its head, how sure it may be, and what is certified of it on rows that it has not seen.
//!
//! What is done with which rows is decided by how many there are, before any model is fitted: where they could certify the loosest
//! risk without an error, [`CERTIFYING`] of them are kept from training and certify. The head is then never trained on these, also
//! where they certify nothing. As in the command line, the temperature and the candidates for thresholds come from out-of-fold
//! predictions of the training rows.

use super::cross_fit::{FOLDS, out_of_fold};
use super::linear::{Linear, Samples};
use super::{Options, train};
use crate::bundle::ModelOutput;
use crate::bundle::{Certificate, Reference};
use crate::calibrate::{
    Certifier, Decision, InputSize, OodScores, RawRow, RawScores, TierRule, choose_default,
    decisions, fit_temperature, logits, most_probable, rows_needed, smallest_n,
};
use crate::data::split;
use crate::engine::{Element, Model, Shape, Tensor, linear};
use crate::error::Result;
use crate::monitor::reference;

/// The share of the rows that certify.
const CERTIFYING: f64 = 0.4;

/// The risk for calls that name none, where the rows support it.
const PREFERRED: f64 = 0.05;

/// Up to so many different rows, each is left out by itself, and the penalty is chosen by that, too.
const EACH: usize = 40;

/// The rows of a task.
#[derive(Debug)]
pub struct Fitted<'a> {
    /// Their vectors, `[rows, width]`.
    pub vectors: &'a [f32],
    /// The numbers of a vector.
    pub width: usize,
    /// The class of each row.
    pub labels: &'a [u32],
    /// How many classes there are.
    pub classes: usize,
    /// A group for each row: rows of one group are the same, or nearly so.
    pub groups: &'a [usize],
    /// The length of each row's text.
    pub sizes: &'a [InputSize],
    /// The error rates to certify, in rising order.
    pub risks: &'a [f64],
    /// The chance, over calibration samples, that a certificate does not hold.
    pub delta: f64,
}

/// What came of them.
#[derive(Debug)]
pub struct TaskFit {
    /// The head, as a prepared file.
    pub head: Vec<u8>,
    /// What its logits are divided by.
    pub temperature: f64,
    /// The penalty that was chosen.
    pub l2: f64,
    /// How many rows trained.
    pub trained_on: usize,
    /// How many rows certified; none where there were too few.
    pub certified_on: usize,
    /// Into how many parts the training rows were cut, each of which was judged by a head that was trained on the others.
    pub folds: usize,
    /// Whether each different row was a part by itself.
    pub one_by_one: bool,
    /// How many of the training rows these heads have right.
    pub right: usize,
    /// How many of them have the commonest label.
    pub commonest: usize,
    /// One for each risk.
    pub certificates: Vec<Certificate>,
    /// For each risk about how many rows it takes in all; nothing where even the surest answers are wrong too often.
    pub needed: Vec<Option<u64>>,
    /// The risk for calls that name none.
    pub default_risk: f64,
    /// What live confidences are held against, where rows certified.
    pub reference: Option<Reference>,
}

/// Trains and calibrates.
///
/// # Errors
/// As [`train`].
pub fn fit_task(rows: &Fitted, options: &Options) -> Result<TaskFit> {
    let (training, certifying) = parts(rows, options.seed);
    let vectors: Vec<f32> = training
        .iter()
        .flat_map(|&row| vector(rows, row))
        .copied()
        .collect();
    let labels: Vec<u32> = training.iter().map(|&row| rows.labels[row]).collect();
    let groups = numbered(training.iter().map(|&row| rows.groups[row]));
    let samples = Samples {
        dense: &vectors,
        width: rows.width,
        sparse: &[],
        buckets: 0,
        labels: &labels,
        classes: rows.classes,
    };
    let distinct = groups.iter().max().map_or(0, |most| most + 1);
    let folds = if distinct <= EACH { distinct } else { FOLDS };
    let (model, l2, out_of_fold) = fitted(&samples, &groups, options, folds)?;
    let head = linear(&model.weights, &model.bias);

    let raw = |row: usize, logits: Vec<f64>| RawRow {
        truth: Some(rows.labels[row] as usize),
        slice: None,
        size: rows.sizes[row],
        tiers: vec![Some(RawScores {
            logits,
            vector: None,
            out_of_fold: None,
        })],
    };
    let tune: Vec<RawRow> = training
        .iter()
        .zip(&out_of_fold)
        .map(|(&row, values)| raw(row, logits(values, ModelOutput::Logits)))
        .collect();
    let pairs = || tune.iter().filter_map(|row| row.tiers[0].as_ref());
    let scores: Vec<&[f64]> = pairs().map(|raw| raw.logits.as_slice()).collect();
    let classes: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
    let temperature = fit_temperature(&scores, &classes);
    let right = scores.iter().zip(&classes);
    let right = right.filter(|(scores, class)| most_probable(scores) == **class);
    let right = right.count();

    // As a page will run it, to the last bit.
    let ready = Model::load("head", head.clone(), Element::F32, Shape::Row(rows.width))?;
    let cal = certifying
        .iter()
        .map(|&row| {
            let values = ready.run(Tensor::F32(vector(rows, row).to_vec()))?;
            Ok(raw(row, logits(&values, ModelOutput::Logits)))
        })
        .collect::<Result<Vec<RawRow>>>()?;
    let rule = [TierRule {
        temperature,
        correctness: None,
        ood: None,
    }];
    let decided = |rows: &[RawRow]| decisions(rows, &rule, &[OodScores::new()]);
    let (tune, cal) = (decided(&tune), decided(&cal));
    let certifier = Certifier {
        tune: &tune,
        tiers: 1,
        delta: rows.delta,
        per_slice: false,
        out_of_scope_share: None,
    };
    Ok(TaskFit {
        head,
        temperature,
        l2,
        trained_on: training.len(),
        certified_on: cal.len(),
        folds,
        one_by_one: folds == distinct,
        right,
        commonest: commonest(&labels, rows.classes),
        certificates: rows
            .risks
            .iter()
            .map(|&risk| certifier.certify(&cal, risk))
            .collect(),
        needed: needed(rows, &tune),
        default_risk: choose_default(&certifier, rows.risks, PREFERRED),
        reference: match cal.is_empty() {
            true => None,
            false => reference(&tune, &cal),
        },
    })
}

fn vector<'a>(rows: &Fitted<'a>, row: usize) -> &'a [f32] {
    &rows.vectors[row * rows.width..(row + 1) * rows.width]
}

/// The rows that train, and those that certify.
fn parts(rows: &Fitted, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let all = 0..rows.labels.len();
    let loosest = rows.risks.last().copied().unwrap_or(1.0);
    let least = smallest_n(0, loosest, rows.delta) as f64;
    if CERTIFYING * (rows.labels.len() as f64) < least {
        return (all.collect(), Vec::new());
    }
    let names: Vec<Option<String>> = rows.labels.iter().map(|l| Some(l.to_string())).collect();
    let dealt = split(rows.groups, &names, &[1.0 - CERTIFYING, CERTIFYING], seed);
    all.partition(|&row| dealt[row] == 0)
}

/// Groups as numbers from 0 on, without gaps.
fn numbered(groups: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut known = std::collections::BTreeMap::new();
    groups
        .map(|group| {
            let next = known.len();
            *known.entry(group).or_insert(next)
        })
        .collect()
}

/// The head, its penalty, and the logits of each row from heads that were trained without it.
fn fitted(
    samples: &Samples,
    groups: &[usize],
    options: &Options,
    folds: usize,
) -> Result<(Linear, f64, Vec<Vec<f32>>)> {
    let alone = |l2: f64| Options {
        l2: vec![l2],
        ..options.clone()
    };
    if folds == FOLDS {
        let trained = train(samples, groups, options, |_| {})?;
        let mut logits = out_of_fold(samples, groups, options, &[trained.l2], folds)?;
        return Ok((trained.model, trained.l2, logits.pop().unwrap_or_default()));
    }
    // Of so few, a fifth says too little of a penalty.
    let each = out_of_fold(samples, groups, options, &options.l2, folds)?;
    let best = options
        .l2
        .iter()
        .zip(each)
        .map(|(l2, logits)| (loss(&logits, samples.labels), *l2, logits))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    let (l2, logits) = best.map_or((1.0, Vec::new()), |(_, l2, logits)| (l2, logits));
    let trained = train(samples, groups, &alone(l2), |_| {})?;
    Ok((trained.model, l2, logits))
}

/// The sum of the negative log-likelihoods.
fn loss(values: &[Vec<f32>], labels: &[u32]) -> f64 {
    let rows = values.iter().zip(labels);
    rows.map(|(values, label)| {
        let logits = logits(values, ModelOutput::Logits);
        -crate::calibrate::energy(&logits, 1.0) - logits[*label as usize]
    })
    .sum()
}

fn commonest(labels: &[u32], classes: usize) -> usize {
    let of = |class: u32| labels.iter().filter(|&&label| label == class).count();
    (0..classes as u32).map(of).max().unwrap_or(0)
}

/// About how many rows there must be in all: what certifies is a share of them.
fn needed(rows: &Fitted, tune: &[Decision]) -> Vec<Option<u64>> {
    rows.risks
        .iter()
        .map(|&risk| {
            let least = smallest_n(0, risk, rows.delta);
            let certifying = rows_needed(tune, risk, rows.delta)?.max(least);
            Some((certifying as f64 / CERTIFYING).ceil() as u64)
        })
        .collect()
}

#[cfg(test)]
mod tests;
