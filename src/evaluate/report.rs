//! From observations to a report.

use std::collections::BTreeMap;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use super::bias::{Bias, bias};
use super::cost::{CostPoint, cost_quality};
use super::metrics::{self, Share, bins, class_counts, macro_f1, quantiles, selective};
use super::{Measured, Observation, Prediction};

/// Resamples for the interval of the macro-F1.
const RESAMPLES: usize = 200;
/// Points of a drawn curve.
const POINTS: usize = 200;
/// The most labels whose whole confusion matrix is listed.
const MATRIX_LABELS: usize = 20;

/// The evaluation of one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The task.
    pub task: String,
    /// Its name for people.
    pub title: String,
    /// Names the models and rules that were measured.
    pub fingerprint: String,
    /// The name of the data.
    pub dataset: String,
    /// Labelled rows.
    pub n: u64,
    /// Rows that every tier refuses: they are not answered locally, and are left out of accuracy.
    pub refused: u64,
    /// Out-of-scope rows, besides `n`.
    pub out_of_scope: u64,
    /// The rows that the certificates rest on.
    pub calibration: Option<CalibrationRows>,
    /// Rows that the training data has too: equal, and nearly equal.
    pub duplicates: Option<(usize, usize)>,
    /// Right answers among the labelled rows that some tier takes, thresholds aside.
    pub accuracy: Share,
    /// The mean F1 of the labels that occur.
    pub macro_f1: f64,
    /// Its 95 % interval, by the bootstrap (percentiles of 200 resamples).
    pub macro_f1_interval: (f64, f64),
    /// The labels that occur.
    pub classes: Vec<Class>,
    /// The named groups.
    pub slices: Vec<Slice>,
    /// The tiers, each by itself.
    pub tiers: Vec<TierFigures>,
    /// What each risk delivers.
    pub policies: Vec<PolicyFigures>,
    /// Area under the risk-coverage curve.
    pub aurc: f64,
    /// What of it a perfect order of the answers would avoid.
    pub eaurc: f64,
    /// The curve.
    pub risk_coverage: Vec<SelectivePoint>,
    /// Expected calibration error, 15 bins.
    pub ece: f64,
    /// The reliability curve; bins without rows are left out.
    pub reliability: Vec<Bin>,
    /// Brier score: the mean squared distance of the probabilities from the truth, summed over labels.
    pub brier: f64,
    /// Mean negative log-likelihood.
    pub nll: f64,
    /// How well out-of-scope rows are told, for each tier that scores them.
    pub ood: Vec<OodFigures>,
    /// Confusions: all pairs where labels are few, else the most frequent mistakes.
    pub confusion: Vec<Confusion>,
    /// The favourable label of the bias figures.
    pub positive: Option<String>,
    /// Local against remote, where the remote's answers are known: from nothing to everything remote.
    pub cost_quality: Vec<CostPoint>,
}

/// Figures of one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Class {
    /// The label.
    pub label: String,
    /// Right among the rows given this label.
    pub precision: Share,
    /// Found among the rows of this label.
    pub recall: Share,
    /// Their harmonic mean.
    pub f1: f64,
}

/// Figures of one named group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Slice {
    /// Its name.
    pub slice: String,
    /// Labelled rows.
    pub n: u64,
    /// As for all rows.
    pub accuracy: Share,
    /// What each risk delivers.
    pub policies: Vec<PolicySlice>,
    /// The group as the disadvantaged facet against all other rows.
    pub bias: Bias,
}

/// What a risk delivers for a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySlice {
    /// The risk.
    pub risk: f64,
    /// Answered locally.
    pub coverage: Share,
    /// Wrong among these.
    pub error: Share,
}

/// Figures of one tier.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierFigures {
    /// The head.
    pub name: String,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Right among the labelled rows it takes.
    pub accuracy: Share,
    /// Its expected calibration error.
    pub ece: f64,
    /// Milliseconds, natively on the machine that measured.
    pub median_ms: f64,
    /// The 95th percentile.
    pub p95_ms: f64,
}

/// What a risk delivers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFigures {
    /// The error rate promised among locally answered rows.
    pub risk: f64,
    /// The thresholds; nothing when the risk is not certified.
    pub thresholds: Option<Vec<f64>>,
    /// Answered locally, of all rows.
    pub coverage: Share,
    /// Wrong among these.
    pub error: Share,
    /// Answered by each tier.
    pub by_tier: Vec<Share>,
    /// Whether the measured error is within the risk.
    #[serde(rename = "kept")]
    pub within_risk: bool,
}

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
}

/// A point of the risk-coverage curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SelectivePoint {
    /// The share of the most confident rows.
    pub coverage: f64,
    /// The error rate among them.
    pub risk: f64,
}

/// A bin of the reliability curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// The mean confidence.
    pub confidence: f64,
    /// The accuracy.
    pub accuracy: f64,
    /// Rows in it.
    pub n: u64,
}

/// How well a tier's out-of-distribution score tells out-of-scope rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OodFigures {
    /// The tier.
    pub tier: String,
    /// The chance that an out-of-scope row scores higher than one in scope.
    pub auroc: f64,
    /// Out-of-scope rows that the cut stops.
    pub stopped: Share,
    /// In-scope rows that it stops too.
    pub stopped_in_scope: Share,
}

/// How often one label was taken for another (or for itself).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confusion {
    /// The right label.
    pub truth: String,
    /// The label given.
    pub predicted: String,
    /// Rows.
    pub n: u64,
}

impl Report {
    /// The report of what was measured.
    pub fn new(measured: &Measured) -> Report {
        let labels = &measured.labels;
        let rows = &measured.rows;
        let labelled: Vec<&Observation> = rows.iter().filter(|row| row.truth.is_some()).collect();
        // Truth, and the most confident tier's prediction.
        let judged: Vec<(usize, &Prediction)> = labelled
            .iter()
            .filter_map(|row| Some((row.truth?, row.best()?.1)))
            .collect();
        let pairs: Vec<(usize, usize)> = judged.iter().map(|(t, p)| (*t, p.label())).collect();
        let confidences: Vec<(f64, bool)> = judged
            .iter()
            .map(|(truth, p)| (p.confidence, p.label() == *truth))
            .collect();
        let counts = class_counts(pairs.iter().copied(), labels.len());
        let present = labels
            .iter()
            .zip(&counts)
            .filter(|(_, c)| c.truth + c.predicted > 0);
        let curve = selective(&confidences);
        let n = judged.len().max(1) as f64;
        let mean = |f: &dyn Fn(usize, &Prediction) -> f64| {
            judged.iter().map(|(truth, p)| f(*truth, p)).sum::<f64>() / n
        };
        Report {
            task: measured.task.clone(),
            title: measured.title.clone(),
            fingerprint: measured.fingerprint.clone(),
            dataset: measured.dataset.clone(),
            n: labelled.len() as u64,
            refused: (labelled.len() - judged.len()) as u64,
            out_of_scope: (rows.len() - labelled.len()) as u64,
            calibration: measured.calibration,
            duplicates: measured.duplicates,
            accuracy: right(&pairs),
            macro_f1: macro_f1(&counts),
            macro_f1_interval: bootstrap(&pairs, labels.len()),
            classes: present
                .map(|(label, c)| Class {
                    label: label.clone(),
                    precision: Share::of(c.both, c.predicted),
                    recall: Share::of(c.both, c.truth),
                    f1: c.f1(),
                })
                .collect(),
            slices: slices(measured, &labelled),
            tiers: (0..measured.tiers.len())
                .map(|tier| tier_figures(measured, tier))
                .collect(),
            policies: measured
                .policies
                .iter()
                .map(|policy| policy_figures(measured, policy.risk, policy.thresholds.as_deref()))
                .collect(),
            aurc: curve.aurc,
            eaurc: curve.eaurc,
            risk_coverage: thinned(&curve.risks),
            ece: metrics::expected_calibration_error(&confidences),
            reliability: bins(&confidences)
                .iter()
                .filter(|bin| bin.n > 0)
                .map(|bin| Bin {
                    confidence: bin.confidence / bin.n as f64,
                    accuracy: bin.right as f64 / bin.n as f64,
                    n: bin.n,
                })
                .collect(),
            brier: mean(&|truth, p| {
                let off = |(label, q): (usize, &f64)| {
                    (q - if label == truth { 1.0 } else { 0.0 }).powi(2)
                };
                p.probabilities.iter().enumerate().map(off).sum()
            }),
            nll: mean(&|truth, p| {
                let q = p.probabilities.get(truth).copied().unwrap_or(0.0);
                -q.max(f64::MIN_POSITIVE).ln()
            }),
            ood: ood_figures(measured),
            confusion: confusion(&pairs, labels),
            positive: measured.positive.and_then(|at| labels.get(at).cloned()),
            cost_quality: cost_quality(measured, &labelled),
        }
    }
}

fn right(pairs: &[(usize, usize)]) -> Share {
    let right = pairs.iter().filter(|(t, p)| t == p).count();
    Share::of(right as u64, pairs.len() as u64)
}

fn bootstrap(pairs: &[(usize, usize)], classes: usize) -> (f64, f64) {
    if pairs.is_empty() {
        return (0.0, 1.0);
    }
    let mut random = Pcg32::seed_from_u64(0);
    let mut found: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = (0..pairs.len()).map(|_| pairs[random.next_u64() as usize % pairs.len()]);
            macro_f1(&class_counts(drawn, classes))
        })
        .collect();
    found.sort_by(f64::total_cmp);
    let at = |q: f64| found[(q * (RESAMPLES - 1) as f64).round() as usize];
    (at(0.025), at(0.975))
}

/// Coverage and error of some rows at some thresholds.
fn delivered(rows: &[&Observation], thresholds: Option<&[f64]>) -> (Share, Share, Vec<u64>) {
    let mut by_tier = Vec::new();
    let (mut answered, mut wrong) = (0, 0);
    for row in rows {
        by_tier.resize(by_tier.len().max(row.tiers.len()), 0);
        let Some((tier, p)) = thresholds.and_then(|t| row.answered(t)) else {
            continue;
        };
        by_tier[tier] += 1;
        answered += 1;
        wrong += u64::from(!row.is_right(p.label()));
    }
    (
        Share::of(answered, rows.len() as u64),
        Share::of(wrong, answered),
        by_tier,
    )
}

fn policy_figures(measured: &Measured, risk: f64, thresholds: Option<&[f64]>) -> PolicyFigures {
    let rows: Vec<&Observation> = measured.rows.iter().collect();
    let (coverage, error, by_tier) = delivered(&rows, thresholds);
    PolicyFigures {
        risk,
        thresholds: thresholds.map(<[f64]>::to_vec),
        coverage,
        error,
        by_tier: by_tier
            .into_iter()
            .map(|n| Share::of(n, rows.len() as u64))
            .collect(),
        within_risk: error.value <= risk,
    }
}

fn slices(measured: &Measured, labelled: &[&Observation]) -> Vec<Slice> {
    let mut groups: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    for row in labelled {
        if let Some(slice) = &row.slice {
            groups.entry(slice).or_default().push(row);
        }
    }
    groups
        .iter()
        .map(|(name, rows)| {
            let others = labelled
                .iter()
                .filter(|row| row.slice.as_deref() != Some(name));
            let others: Vec<&Observation> = others.copied().collect();
            let of = |policy: &super::Policy| {
                let (coverage, error, _) = delivered(rows, policy.thresholds.as_deref());
                PolicySlice {
                    risk: policy.risk,
                    coverage,
                    error,
                }
            };
            Slice {
                slice: (*name).to_owned(),
                n: rows.len() as u64,
                accuracy: right(&best_pairs(rows)),
                policies: measured.policies.iter().map(of).collect(),
                bias: bias(&best_pairs(&others), &best_pairs(rows), measured.positive),
            }
        })
        .collect()
}

fn best_pairs(rows: &[&Observation]) -> Vec<(usize, usize)> {
    rows.iter()
        .filter_map(|row| Some((row.truth?, row.best()?.1.label())))
        .collect()
}

fn tier_figures(measured: &Measured, tier: usize) -> TierFigures {
    let (name, bytes) = &measured.tiers[tier];
    let said = measured
        .rows
        .iter()
        .filter_map(|row| Some((row.truth, row.tiers.get(tier)?.as_ref()?)));
    let mut times: Vec<f64> = said.clone().map(|(_, p)| p.milliseconds).collect();
    let labelled: Vec<(usize, &Prediction)> = said.filter_map(|(t, p)| Some((t?, p))).collect();
    let pairs: Vec<(usize, usize)> = labelled.iter().map(|(t, p)| (*t, p.label())).collect();
    let confidences: Vec<(f64, bool)> = labelled
        .iter()
        .map(|(truth, p)| (p.confidence, p.label() == *truth))
        .collect();
    let (median_ms, p95_ms) = quantiles(&mut times);
    TierFigures {
        name: name.clone(),
        bytes: *bytes,
        accuracy: right(&pairs),
        ece: metrics::expected_calibration_error(&confidences),
        median_ms,
        p95_ms,
    }
}

fn ood_figures(measured: &Measured) -> Vec<OodFigures> {
    (0..measured.tiers.len())
        .filter_map(|tier| {
            let said = |in_scope: bool| -> Vec<&Prediction> {
                let rows = measured
                    .rows
                    .iter()
                    .filter(|row| row.truth.is_some() == in_scope);
                rows.filter_map(|row| row.tiers.get(tier)?.as_ref())
                    .collect()
            };
            let (inside, outside) = (said(true), said(false));
            let scores =
                |of: &[&Prediction]| -> Vec<f64> { of.iter().filter_map(|p| p.ood).collect() };
            let stopped = |of: &[&Prediction]| {
                let n = of.iter().filter(|p| !p.in_distribution).count();
                Share::of(n as u64, of.len() as u64)
            };
            Some(OodFigures {
                tier: measured.tiers[tier].0.clone(),
                auroc: metrics::auroc(&scores(&inside), &scores(&outside))?,
                stopped: stopped(&outside),
                stopped_in_scope: stopped(&inside),
            })
        })
        .collect()
}

fn confusion(pairs: &[(usize, usize)], labels: &[String]) -> Vec<Confusion> {
    let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for pair in pairs {
        *counts.entry(*pair).or_default() += 1;
    }
    let mut found: Vec<((usize, usize), u64)> = counts.into_iter().collect();
    if labels.len() > MATRIX_LABELS {
        found.retain(|((truth, predicted), _)| truth != predicted);
        found.sort_by_key(|(pair, n)| (std::cmp::Reverse(*n), *pair));
        found.truncate(MATRIX_LABELS);
    }
    found
        .into_iter()
        .map(|((truth, predicted), n)| Confusion {
            truth: labels[truth].clone(),
            predicted: labels[predicted].clone(),
            n,
        })
        .collect()
}

fn thinned(risks: &[f64]) -> Vec<SelectivePoint> {
    let n = risks.len();
    let step = n.div_ceil(POINTS).max(1);
    let last = n.checked_sub(1);
    let places = (0..n).filter(|at| (at + 1) % step == 0 || Some(*at) == last);
    places
        .map(|at| SelectivePoint {
            coverage: (at + 1) as f64 / n as f64,
            risk: risks[at],
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests;
