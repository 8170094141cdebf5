//! Fitting a correctness head on the tuning rows, and deciding whether it is worth having.
//!
//! The head is a logistic regression with a quadratic penalty on standardised features; the labels' terms have a penalty of
//! their own, since most labels have few rows. Newton's method solves it: the labels' part of the Hessian is made of blocks of
//! two, so that a step costs one small system whatever the number of labels (Schur complement; Boyd and Vandenberghe 2004,
//! appendix C.4). All that is chosen, the penalty and whether to take the head at all, is chosen by scores that rows
//! get from heads fitted without them.

use nalgebra::{DMatrix, DVector, Matrix2, Vector2};

use super::calibrate;
use super::correctness::{InputSize, logit, sigmoid};
use super::decision::{RawRow, TierRule};
use super::selective::selective;
use crate::bundle::{Correctness, CorrectnessFeature, CorrectnessTerm, LabelTerm, OutOfFold};

/// The penalty of the features' weights, in rows.
const FEATURE_PENALTY: f64 = 1.0;

/// The penalties of the labels' terms to choose from; the last leaves them out.
const LABEL_PENALTIES: [Option<f64>; 5] = [Some(3.0), Some(10.0), Some(30.0), Some(100.0), None];

/// How many parts the rows are cut into: each is scored by a head that was fitted on the others.
const FOLDS: usize = 5;

/// Fewer right or wrong answers than this tell too little.
const LEAST_OF_A_KIND: usize = 30;

/// By what factor the area under the risk-coverage curve must fall; less is noise.
const LEAST_GAIN: f64 = 0.98;

/// Newton's method needs far fewer steps where it needs any.
const MOST_STEPS: usize = 50;

/// One tuning row, as one tier sees it.
#[derive(Debug, Clone)]
struct FitRow {
    /// The calibrated probabilities.
    probabilities: Vec<f64>,
    /// The label that was chosen.
    label: usize,
    /// Whether it is the right one.
    correct: bool,
    /// The length of the input.
    size: InputSize,
    /// Rows of one group are in one part: near-copies of each other.
    group: usize,
}

/// What came of fitting.
#[derive(Debug, Clone, PartialEq)]
pub enum Fit {
    /// A head, and what each row got from one that was fitted without it.
    Taken(Correctness, Vec<f64>),
    /// None orders the rows enough better than the largest probability does: the areas under the risk-coverage curve without
    /// and with it.
    NoBetter(OutOfFold),
    /// There are too few right or too few wrong answers among so many rows.
    TooFew(usize),
}

/// Fits a head for a tier with so many `labels`; where it is taken, the tier's rule gets it, and the rows get their out-of-fold
/// scores. `groups` has the group of near-copies that each of the first rows belongs to. Rows that are out of scope come behind
/// them and have no part in the fit: they are for the out-of-distribution score, since nobody knows how many there will be.
pub fn fit_tier(
    tune: &mut [RawRow],
    groups: &[usize],
    tier: usize,
    rule: &mut TierRule,
    labels: usize,
    text: bool,
) -> Fit {
    let said = tune.iter().zip(groups).enumerate();
    let (places, rows): (Vec<usize>, Vec<FitRow>) = said
        .filter_map(|(at, (row, &group))| {
            let raw = row.tiers.get(tier)?.as_ref()?;
            let truth = row.truth?;
            let calibrated = calibrate(&raw.logits, rule.temperature);
            let label = calibrated.label();
            let row = FitRow {
                probabilities: calibrated.probabilities,
                label,
                correct: truth == label,
                size: row.size,
                group,
            };
            Some((at, row))
        })
        .unzip();
    let fit = fit_correctness(&rows, labels, text);
    if let Fit::Taken(head, scores) = &fit {
        for (at, score) in places.into_iter().zip(scores) {
            if let Some(raw) = &mut tune[at].tiers[tier] {
                raw.out_of_fold = Some(*score);
            }
        }
        rule.correctness = Some(head.clone());
    }
    fit
}

/// Fits a head. Whether texts or bytes are read decides which lengths there are.
fn fit_correctness(rows: &[FitRow], labels: usize, text: bool) -> Fit {
    let right = rows.iter().filter(|row| row.correct).count();
    if right.min(rows.len() - right) < LEAST_OF_A_KIND {
        return Fit::TooFew(rows.len());
    }
    let features = features(text);
    let folds: Vec<usize> = rows.iter().map(|row| fold(row.group)).collect();
    let scored = |penalty: Option<f64>| {
        let mut scores = vec![0.0; rows.len()];
        for part in 0..FOLDS {
            let others = rows.iter().zip(&folds).filter(|(_, fold)| **fold != part);
            let others: Vec<&FitRow> = others.map(|(row, _)| row).collect();
            let head = fitted(&others, &features, labels, penalty);
            for (at, row) in rows.iter().enumerate().filter(|(at, _)| folds[*at] == part) {
                scores[at] = head.judge(&row.probabilities, row.label, row.size).0;
            }
        }
        (penalty, scores)
    };
    let loss = |scores: &[f64]| -> f64 {
        let terms = rows
            .iter()
            .zip(scores)
            .map(|(row, &score)| match row.correct {
                true => -score.max(f64::MIN_POSITIVE).ln(),
                false => -(1.0 - score).max(f64::MIN_POSITIVE).ln(),
            });
        terms.sum()
    };
    let tried = LABEL_PENALTIES.map(scored);
    let best = tried
        .into_iter()
        .min_by(|a, b| loss(&a.1).total_cmp(&loss(&b.1)));
    let Some((penalty, scores)) = best else {
        return Fit::TooFew(rows.len());
    };
    let plain = rows.iter().map(|row| row.probabilities[row.label]);
    let right = || rows.iter().map(|row| row.correct);
    let figures = OutOfFold {
        rows: rows.len() as u64,
        plain: rounded(selective(plain.zip(right())).aurc),
        head: rounded(selective(scores.iter().copied().zip(right())).aurc),
    };
    if figures.head > figures.plain * LEAST_GAIN {
        return Fit::NoBetter(figures);
    }
    let all: Vec<&FitRow> = rows.iter().collect();
    let head = Correctness {
        out_of_fold: Some(figures),
        ..fitted(&all, &features, labels, penalty)
    };
    Fit::Taken(head, scores)
}

/// The features of texts, and of bytes.
fn features(text: bool) -> Vec<CorrectnessFeature> {
    let of_texts = [CorrectnessFeature::LogChars, CorrectnessFeature::LogWords];
    let all = CorrectnessFeature::ALL.into_iter();
    all.filter(|feature| text || !of_texts.contains(feature))
        .collect()
}

/// The part that a group of rows is in, as if drawn.
fn fold(group: usize) -> usize {
    let mixed = (group as u64)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 32) as usize) % FOLDS
}

/// To six decimals: more are noise, and bytes in a manifest.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// The head that these rows ask for.
fn fitted(
    rows: &[&FitRow],
    features: &[CorrectnessFeature],
    labels: usize,
    penalty: Option<f64>,
) -> Correctness {
    let design = Design::of(rows, features);
    let (dense, blocks) = design.solve(labels, penalty);
    let terms = features.iter().zip(&design.scales).enumerate();
    let terms = terms.map(|(at, (&feature, &(mean, scale)))| CorrectnessTerm {
        feature,
        weight: rounded(dense[at + 1] / scale),
        mean: rounded(mean),
    });
    // The logit is the first feature, and standardised for the labels' slopes, too.
    let (label_mean, scale) = design.scales.first().copied().unwrap_or((0.0, 1.0));
    let blocks = blocks.into_iter().flatten();
    Correctness {
        version: 1,
        bias: rounded(dense[0]),
        terms: terms.collect(),
        labels: blocks
            .map(|block| LabelTerm(rounded(block[0]), rounded(block[1] / scale)))
            .collect(),
        label_mean: rounded(label_mean),
        out_of_fold: None,
    }
}

/// The rows as numbers.
struct Design {
    /// A one and the standardised features, row by row.
    values: Vec<DVector<f64>>,
    labels: Vec<usize>,
    targets: Vec<f64>,
    /// Each feature's mean and standard deviation.
    scales: Vec<(f64, f64)>,
}

impl Design {
    fn of(rows: &[&FitRow], features: &[CorrectnessFeature]) -> Self {
        let value = |row: &FitRow, feature: &CorrectnessFeature| {
            feature.value(&row.probabilities, row.size)
        };
        let count = rows.len().max(1) as f64;
        let scales: Vec<(f64, f64)> = features
            .iter()
            .map(|feature| {
                let mean = rows.iter().map(|row| value(row, feature)).sum::<f64>() / count;
                let squares = rows.iter().map(|row| (value(row, feature) - mean).powi(2));
                let deviation = (squares.sum::<f64>() / count).sqrt();
                // A feature that is the same for all rows tells nothing, and is not blown up.
                (mean, if deviation > 1e-9 { deviation } else { 1.0 })
            })
            .collect();
        let values = rows.iter().map(|row| {
            let standard = features.iter().zip(&scales);
            let standard =
                standard.map(|(feature, (mean, scale))| (value(row, feature) - mean) / scale);
            DVector::from_iterator(features.len() + 1, std::iter::once(1.0).chain(standard))
        });
        Design {
            values: values.collect(),
            labels: rows.iter().map(|row| row.label).collect(),
            targets: rows
                .iter()
                .map(|row| f64::from(u8::from(row.correct)))
                .collect(),
            scales,
        }
    }

    /// The weights of the one and the features, and the labels' terms where they have a penalty.
    fn solve(
        &self,
        labels: usize,
        penalty: Option<f64>,
    ) -> (DVector<f64>, Option<Vec<Vector2<f64>>>) {
        let width = self.scales.len() + 1;
        let share = self.targets.iter().sum::<f64>() / self.targets.len().max(1) as f64;
        let mut dense = DVector::zeros(width);
        dense[0] = logit(share);
        let mut blocks = penalty.map(|_| vec![Vector2::zeros(); labels]);
        let mut loss = self.loss(&dense, blocks.as_deref(), penalty);
        for _ in 0..MOST_STEPS {
            let (step, steps) = self.step(&dense, blocks.as_deref(), penalty);
            let mut length = 1.0;
            let next = loop {
                let tried = &dense - &step * length;
                let tried_blocks = blocks.as_ref().map(|blocks| {
                    let both = blocks.iter().zip(&steps);
                    both.map(|(block, step)| block - step * length)
                        .collect::<Vec<_>>()
                });
                let found = self.loss(&tried, tried_blocks.as_deref(), penalty);
                if found <= loss || length < 1e-6 {
                    break (found, tried, tried_blocks);
                }
                length /= 2.0;
            };
            let gain = loss - next.0;
            if gain <= 0.0 {
                break;
            }
            (loss, dense, blocks) = next;
            if gain <= 1e-9 * loss.abs() {
                break;
            }
        }
        (dense, blocks)
    }

    fn log_odds(&self, row: usize, dense: &DVector<f64>, blocks: Option<&[Vector2<f64>]>) -> f64 {
        let values = &self.values[row];
        let block = blocks.and_then(|blocks| blocks.get(self.labels[row]));
        values.dot(dense) + block.map_or(0.0, |block| block[0] + block[1] * values[1])
    }

    /// The penalised loss.
    fn loss(
        &self,
        dense: &DVector<f64>,
        blocks: Option<&[Vector2<f64>]>,
        penalty: Option<f64>,
    ) -> f64 {
        let rows = (0..self.values.len()).map(|row| {
            let z = self.log_odds(row, dense, blocks);
            // -log sigmoid(z) or -log sigmoid(-z), without overflow.
            let z = if self.targets[row] > 0.5 { -z } else { z };
            z.max(0.0) + (-z.abs()).exp().ln_1p()
        });
        let features = dense.iter().skip(1).map(|w| w * w).sum::<f64>();
        let blocks = blocks
            .into_iter()
            .flatten()
            .map(Vector2::norm_squared)
            .sum::<f64>();
        rows.sum::<f64>() + (FEATURE_PENALTY * features + penalty.unwrap_or(0.0) * blocks) / 2.0
    }

    /// Newton's step: the inverse Hessian times the gradient.
    fn step(
        &self,
        dense: &DVector<f64>,
        blocks: Option<&[Vector2<f64>]>,
        penalty: Option<f64>,
    ) -> (DVector<f64>, Vec<Vector2<f64>>) {
        let width = dense.len();
        let count = blocks.map_or(0, <[_]>::len);
        let mut gradient = DVector::zeros(width);
        let mut hessian = DMatrix::zeros(width, width);
        let own = penalty.unwrap_or(0.0);
        let mut label_gradients: Vec<Vector2<f64>> = blocks
            .into_iter()
            .flatten()
            .map(|block| block * own)
            .collect();
        let mut label_hessians = vec![Matrix2::identity() * own; count];
        // Of each label, with the dense weights.
        let mut mixed = vec![DMatrix::zeros(width, 2); count];
        for at in 1..width {
            gradient[at] = FEATURE_PENALTY * dense[at];
            hessian[(at, at)] = FEATURE_PENALTY;
        }
        // The bias has no penalty; this keeps the system solvable.
        hessian[(0, 0)] = 1e-9;
        for (row, values) in self.values.iter().enumerate() {
            let p = sigmoid(self.log_odds(row, dense, blocks));
            let (error, weight) = (p - self.targets[row], p * (1.0 - p));
            gradient.axpy(error, values, 1.0);
            hessian.ger(weight, values, values, 1.0);
            let label = self.labels[row];
            if label < count {
                let x = Vector2::new(1.0, values[1]);
                label_gradients[label] += x * error;
                label_hessians[label] += x * x.transpose() * weight;
                mixed[label].ger(weight, values, &x, 1.0);
            }
        }
        let inverses: Vec<Matrix2<f64>> = label_hessians
            .iter()
            .map(|h| h.try_inverse().unwrap_or_else(Matrix2::zeros))
            .collect();
        let mut right = gradient;
        for label in 0..count {
            let reduced = &mixed[label] * inverses[label];
            hessian -= &reduced * mixed[label].transpose();
            right -= &reduced * label_gradients[label];
        }
        let step = match hessian.cholesky() {
            Some(cholesky) => cholesky.solve(&right),
            None => right,
        };
        let steps = (0..count).map(|label| {
            let moved: DVector<f64> = mixed[label].transpose() * &step;
            inverses[label] * (label_gradients[label] - Vector2::new(moved[0], moved[1]))
        });
        let steps = steps.collect();
        (step, steps)
    }
}

#[cfg(test)]
mod tests;
