//! From observations to a report.

use std::collections::BTreeMap;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use super::against::{AgainstFigures, against};
use super::behaviour::Behaviour;
use super::beyond::{Beyond, beyond};
use super::bias::{Bias, bias};
use super::calibration::CalibrationRows;
use super::cost::{CostPoint, cost_quality};
use super::delivered::{PolicySlice, best_pairs, delivered, of_policies, right};
use super::metrics::{self, Share, bins, class_counts, macro_f1, quantiles};
use super::ood::{OodFigures, ood_figures};
use super::sweep::{Oracle, SelectivePoint, Sweep};
use super::{Measured, Observation, Policy, Prediction};
use crate::calibrate::selective;

/// Resamples for the interval of the macro-F1.
const RESAMPLES: usize = 200;
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
    /// What is delivered of each certificate against a remote, where its answers are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against_remote: Option<AgainstFigures>,
    /// Area under the risk-coverage curve of the same rows and answers as the accuracy.
    pub aurc: f64,
    /// What of it a perfect order of the answers would avoid.
    pub eaurc: f64,
    /// What a shared threshold delivers as it falls, on all rows as the figures of the risks: out-of-scope rows are wrong
    /// where they are answered. At most 40 points, and those of the certified and of the oracle's thresholds.
    pub risk_coverage: Vec<SelectivePoint>,
    /// The same for an ideal order of the rows: all that some tier answers rightly come first.
    pub ideal_order: Vec<SelectivePoint>,
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
    /// Behavioural tests, by kind and capability.
    pub behaviour: Vec<Behaviour>,
    /// Kinds of input that the rows have few or none of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<Beyond>,
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
    /// What the best threshold in hindsight answers of the same rows; nothing where none keeps the risk on them.
    pub oracle: Option<Oracle>,
    /// The coverage divided by the oracle's; above 1 only where the measured error is above the risk, or the tiers'
    /// thresholds differ.
    pub of_oracle: Option<f64>,
    /// Whether the measured error is within the risk.
    #[serde(rename = "kept")]
    pub within_risk: bool,
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
        let curve = selective(confidences.iter().copied());
        let sweep = Sweep::of(rows);
        let policies: Vec<PolicyFigures> = measured
            .policies
            .iter()
            .map(|policy| policy_figures(measured, policy, &sweep))
            .collect();
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
            against_remote: against(measured),
            aurc: curve.aurc,
            eaurc: curve.eaurc,
            risk_coverage: sweep.curve(policies.iter().flat_map(shared_thresholds)),
            ideal_order: sweep.ideal(),
            policies,
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
            behaviour: measured.behaviour.clone(),
            beyond: beyond(measured),
        }
    }
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

fn policy_figures(measured: &Measured, policy: &Policy, sweep: &Sweep) -> PolicyFigures {
    let rows: Vec<&Observation> = measured.rows.iter().collect();
    let (coverage, error, by_tier) = delivered(&rows, policy.thresholds.as_deref());
    let oracle = sweep.oracle(policy.risk);
    PolicyFigures {
        risk: policy.risk,
        thresholds: policy.thresholds.clone(),
        coverage,
        error,
        by_tier: by_tier
            .into_iter()
            .map(|n| Share::of(n, rows.len() as u64))
            .collect(),
        oracle,
        of_oracle: oracle.map(|oracle| coverage.value / oracle.coverage.value),
        within_risk: error.value <= policy.risk,
    }
}

/// The thresholds of a risk that lie on the curve: the oracle's, and the certified one where all tiers share it.
fn shared_thresholds(policy: &PolicyFigures) -> impl Iterator<Item = f64> + use<> {
    let certified = policy.thresholds.as_deref().and_then(|thresholds| {
        let first = *thresholds.first()?;
        thresholds.iter().all(|t| *t == first).then_some(first)
    });
    let oracle = policy.oracle.map(|oracle| oracle.threshold);
    certified.into_iter().chain(oracle)
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
            Slice {
                slice: (*name).to_owned(),
                n: rows.len() as u64,
                accuracy: right(&best_pairs(rows)),
                policies: of_policies(measured, rows),
                bias: bias(&best_pairs(&others), &best_pairs(rows), measured.positive),
            }
        })
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

#[cfg(test)]
pub(super) mod tests;
