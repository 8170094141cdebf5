//! The loss and its gradient.

use super::columns::Columns;
use super::linear::{Linear, Samples};
use super::matrix::{Matrix, ROWS, add_product, principal_axes, transposed_product};
use super::solver::Problem;
use super::threads::*;

/// The least curvature that is thought to be along a parameter without a penalty.
const LEAST: f32 = 1e-6;

/// The rows of a fit. The dense features are standardised and then turned to their principal axes, which leaves the
/// penalised loss as it is: along those, unlike along the features, curvatures do not depend on each other, so that the
/// solver can scale each by itself.
pub(super) struct Objective {
    dense: Matrix,
    sparse: Columns,
    labels: Vec<u32>,
    /// One weight a row; they average 1.
    row_weights: Vec<f32>,
    mean: Vec<f32>,
    scale: Vec<f32>,
    /// A principal axis a column, by standardised features.
    axes: Matrix,
    buckets: usize,
    classes: usize,
}

/// An objective at one penalty. Parameters: `[axes, classes]`, `[columns, classes]`, `[classes]`.
pub(super) struct Penalised<'o> {
    objective: &'o Objective,
    l2: f64,
}

impl Objective {
    pub(super) fn new(samples: &Samples<'_>, rows: &[usize], balanced: bool) -> Self {
        let (width, classes) = (samples.width, samples.classes);
        let mut dense = Matrix::zeros(rows.len(), width);
        if width > 0 {
            for (out, &row) in dense.values.chunks_exact_mut(width).zip(rows) {
                out.copy_from_slice(&samples.dense[row * width..(row + 1) * width]);
            }
        }
        let n = rows.len().max(1) as f64;
        let mut mean = vec![0.0; width];
        let mut scale = vec![1.0; width];
        for at in 0..width {
            let column = || dense.values.iter().skip(at).step_by(width);
            let average = column().map(|&v| f64::from(v)).sum::<f64>() / n;
            let spread = |&v: &f32| (f64::from(v) - average).powi(2);
            let deviation = (column().map(spread).sum::<f64>() / n).sqrt();
            mean[at] = average as f32;
            // A column that does not vary says nothing; dividing by its noise would.
            if deviation > 1e-7 {
                scale[at] = deviation as f32;
            }
        }
        if width > 0 {
            for row in dense.values.chunks_exact_mut(width) {
                for ((value, mean), scale) in row.iter_mut().zip(&mean).zip(&scale) {
                    *value = (*value - mean) / scale;
                }
            }
        }
        let axes = principal_axes(&dense);
        let turned = Matrix {
            columns: axes.columns,
            values: dense.times(&axes.values, axes.columns),
        };
        let labels: Vec<u32> = rows.iter().map(|&row| samples.labels[row]).collect();
        let mut counts = vec![0_usize; classes];
        labels.iter().for_each(|&label| counts[label as usize] += 1);
        let present = counts.iter().filter(|&&n| n > 0).count().max(1);
        let weight = |&label: &u32| {
            if balanced {
                rows.len() as f32 / (present * counts[label as usize]) as f32
            } else {
                1.0
            }
        };
        let sparse: Vec<&[u32]> = rows
            .iter()
            .map(|&row| samples.sparse.get(row).map_or(&[][..], Vec::as_slice))
            .collect();
        Objective {
            dense: turned,
            sparse: Columns::new(&sparse),
            row_weights: labels.iter().map(weight).collect(),
            labels,
            mean,
            scale,
            axes,
            buckets: samples.buckets,
            classes,
        }
    }

    pub(super) fn zero(&self) -> Vec<f32> {
        vec![0.0; self.parameters()]
    }

    /// Where a fit begins: at the shares of the labels. From zero the first way down would lead there instead, along all the
    /// features that most rows have, and a step along these says nothing of the others.
    pub(super) fn start(&self) -> Vec<f32> {
        let mut shares = vec![0.0_f32; self.classes];
        for (&label, weight) in self.labels.iter().zip(&self.row_weights) {
            shares[label as usize] += weight;
        }
        let mut start = self.zero();
        let biases = start.len() - self.classes;
        for (bias, share) in start[biases..].iter_mut().zip(shares) {
            // A label without a row, as one with half a row.
            *bias = (share.max(0.5) / self.labels.len().max(1) as f32).ln();
        }
        start
    }

    fn parameters(&self) -> usize {
        (self.axes.columns + self.sparse.len() + 1) * self.classes
    }

    pub(super) fn with_l2(&self, l2: f64) -> Penalised<'_> {
        Penalised {
            objective: self,
            l2,
        }
    }

    /// The parameters of the axes, of the columns, and of the classes.
    fn parts<'p>(&self, parameters: &'p [f32]) -> (&'p [f32], &'p [f32], &'p [f32]) {
        let (dense, rest) = parameters.split_at(self.axes.columns * self.classes);
        let (sparse, bias) = rest.split_at(self.sparse.len() * self.classes);
        (dense, sparse, bias)
    }

    /// Parameters as a head for features as they come.
    pub(super) fn unscaled(&self, parameters: &[f32]) -> Linear {
        let classes = self.classes;
        let (turned, sparse, bias) = self.parts(parameters);
        let mut bias: Vec<f64> = bias.iter().map(|&v| f64::from(v)).collect();
        let mut weights = vec![0.0; self.mean.len() * classes];
        add_product(
            &self.axes.values,
            self.axes.columns,
            turned,
            classes,
            &mut weights,
        );
        for (at, row) in weights.chunks_exact_mut(classes).enumerate() {
            let (mean, scale) = (f64::from(self.mean[at]), f64::from(self.scale[at]));
            for (weight, bias) in row.iter_mut().zip(&mut bias) {
                *bias -= f64::from(*weight) / scale * mean;
                *weight = (f64::from(*weight) / scale) as f32;
            }
        }
        Linear {
            weights,
            table: self.sparse.table(sparse, self.buckets, classes),
            bias: bias.iter().map(|&v| v as f32).collect(),
        }
    }

    /// A head as parameters to begin with. It may be of other rows.
    pub(super) fn scaled(&self, model: &Linear) -> Vec<f32> {
        let classes = self.classes;
        let mut weights = model.weights.clone();
        let mut bias = model.bias.clone();
        for (at, row) in weights.chunks_exact_mut(classes).enumerate() {
            for (weight, bias) in row.iter_mut().zip(&mut bias) {
                *bias += *weight * self.mean[at];
                *weight *= self.scale[at];
            }
        }
        let axes = &self.axes;
        let mut parameters = transposed_product(&axes.values, axes.columns, &weights, classes);
        parameters.extend(self.sparse.weights(&model.table, classes));
        parameters.extend(bias);
        parameters
    }
}

impl Objective {
    /// For each parameter, the sum over all rows of a number by score times what its feature's value counts.
    fn gathered(&self, scores: &[f32], counts: impl Fn(f32) -> f32 + Sync, into: &mut [f32]) {
        let (axes, classes) = (self.axes.columns, self.classes);
        let (dense, rest) = into.split_at_mut(axes * classes);
        let (sparse, bias) = rest.split_at_mut(self.sparse.len() * classes);
        // The rows' parts are added in their order.
        let parts: Vec<(Vec<f32>, Vec<f32>)> = scores
            .par_chunks(ROWS * classes)
            .enumerate()
            .map(|(part, scores)| {
                let rows = self.dense.rows(part * ROWS, scores.len() / classes);
                let values: Vec<f32> = rows.iter().copied().map(&counts).collect();
                let mut sums = vec![0.0; classes];
                for row in scores.chunks_exact(classes) {
                    sums.iter_mut().zip(row).for_each(|(sum, s)| *sum += s);
                }
                (transposed_product(&values, axes, scores, classes), sums)
            })
            .collect();
        dense
            .par_chunks_mut(classes)
            .enumerate()
            .for_each(|(at, out)| {
                for (class, out) in out.iter_mut().enumerate() {
                    let at = at * classes + class;
                    *out = parts
                        .iter()
                        .map(|(part, _)| f64::from(part[at]))
                        .sum::<f64>() as f32;
                }
            });
        for (class, out) in bias.iter_mut().enumerate() {
            *out = parts
                .iter()
                .map(|(_, part)| f64::from(part[class]))
                .sum::<f64>() as f32;
        }
        sparse
            .par_chunks_mut(classes)
            .with_min_len(64)
            .enumerate()
            .for_each(|(column, out)| {
                out.fill(0.0);
                for (row, value) in self.sparse.column(column) {
                    let value = counts(*value);
                    let from = *row as usize * classes;
                    let scores = &scores[from..from + classes];
                    out.iter_mut()
                        .zip(scores)
                        .for_each(|(o, s)| *o += value * s);
                }
            });
    }
}

impl Problem for Penalised<'_> {
    fn scores(&self, of: &[f32]) -> Vec<f32> {
        let objective = self.objective;
        let classes = objective.classes;
        let (dense, sparse, bias) = objective.parts(of);
        let mut out = vec![0.0; objective.labels.len() * classes];
        out.par_chunks_mut(ROWS * classes)
            .enumerate()
            .for_each(|(part, out)| {
                let first = part * ROWS;
                for row in out.chunks_exact_mut(classes) {
                    row.copy_from_slice(bias);
                }
                let values = objective.dense.rows(first, out.len() / classes);
                add_product(values, objective.axes.columns, dense, classes, out);
                for (row, out) in (first..).zip(out.chunks_exact_mut(classes)) {
                    for (column, value) in objective.sparse.row(row) {
                        let from = *column as usize * classes;
                        let weights = &sparse[from..from + classes];
                        out.iter_mut()
                            .zip(weights)
                            .for_each(|(o, w)| *o += value * w);
                    }
                }
            });
        out
    }

    fn loss(&self, scores: &[f32], along: &[f32], step: f32, slopes: &mut [f32]) -> (f64, f64) {
        let objective = self.objective;
        let (classes, rows) = (objective.classes, objective.labels.len());
        let n = rows.max(1) as f32;
        let parts: Vec<(f64, f64)> = slopes
            .par_chunks_mut(ROWS * classes)
            .zip(scores.par_chunks(ROWS * classes))
            .zip(along.par_chunks(ROWS * classes))
            .enumerate()
            .map(|(part, ((slopes, scores), along))| {
                let (mut loss, mut slope) = (0.0, 0.0);
                let rows = slopes
                    .chunks_exact_mut(classes)
                    .zip(scores.chunks_exact(classes))
                    .zip(along.chunks_exact(classes));
                for (row, ((out, scores), along)) in (part * ROWS..).zip(rows) {
                    let label = objective.labels[row] as usize;
                    let weight = objective.row_weights[row];
                    for ((out, score), along) in out.iter_mut().zip(scores).zip(along) {
                        *out = score + step * along;
                    }
                    let largest = out.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let right = out[label] - largest;
                    out.iter_mut().for_each(|o| *o = exp(*o - largest));
                    let total: f32 = out.iter().sum();
                    loss += f64::from(weight) * f64::from(total.ln() - right);
                    // From scores to the slope of the loss: weight (softmax - one-hot).
                    let share = weight / (total * n);
                    out.iter_mut().for_each(|o| *o *= share);
                    out[label] -= weight / n;
                    slope += f64::from(out.iter().zip(along).map(|(o, a)| o * a).sum::<f32>());
                }
                (loss, slope)
            })
            .collect();
        let (loss, slope) = parts
            .iter()
            .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        (loss / f64::from(n), slope)
    }

    fn gradient(&self, slopes: &[f32], into: &mut [f32]) {
        self.objective.gathered(slopes, |value| value, into);
    }

    fn penalty(&self) -> (usize, f32) {
        let penalised = self.objective.parameters() - self.objective.classes;
        (penalised, self.l2 as f32)
    }

    fn scale(&self, slopes: &[f32]) -> Vec<f32> {
        let objective = self.objective;
        let classes = objective.classes;
        let n = objective.labels.len().max(1) as f32;
        // A score's curvature is p (1 - p), a parameter's the sum of those times its feature's squares.
        let mut curvatures = slopes.to_vec();
        let rows = curvatures.chunks_exact_mut(classes);
        for ((row, label), weight) in rows.zip(&objective.labels).zip(&objective.row_weights) {
            row[*label as usize] += weight / n;
            for out in row {
                let p = (*out * n / weight).clamp(0.0, 1.0);
                *out = weight / n * p * (1.0 - p);
            }
        }
        let mut scale = vec![0.0; objective.parameters()];
        objective.gathered(&curvatures, |value| value * value, &mut scale);
        let (penalised, l2) = self.penalty();
        for (at, out) in scale.iter_mut().enumerate() {
            let penalty = if at < penalised { l2 } else { LEAST };
            *out = 1.0 / (*out + penalty);
        }
        scale
    }
}

/// e to a power that is not above 0, to within five millionths, in steps that a processor takes for several numbers at a time.
fn exp(x: f32) -> f32 {
    // Below this it is less than f32's smallest normal number.
    let x = x.max(-87.0);
    // e^x = 2^whole * 2^part, with a part between -1/2 and 1/2.
    let scaled = x * std::f32::consts::LOG2_E;
    let shifted = scaled + 12_582_912.0;
    let whole = shifted - 12_582_912.0;
    let part = (scaled - whole) * std::f32::consts::LN_2;
    let mut sum = 1.0 / 720.0;
    for factor in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = sum * part + factor;
    }
    sum * f32::from_bits(((whole as i32 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn exp_is_within_five_millionths() {
        for at in 0..=87_000 {
            let x = -(at as f32) / 1000.0;
            let exact = f64::from(x).exp();
            let off = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(off < 5e-6, "{x}: {off}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e30) < 1e-37);
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_cost() {
        let mut random = Random::new(1);
        let dense: Vec<f32> = (0..60).map(|_| random.uniform() as f32).collect();
        let sparse: Vec<Vec<u32>> = (0..20).map(|i| vec![i % 5, 5 + i % 3]).collect();
        let labels: Vec<u32> = (0..20).map(|i| i % 3).collect();
        let samples = Samples {
            dense: &dense,
            width: 3,
            sparse: &sparse,
            buckets: 8,
            labels: &labels,
            classes: 3,
        };
        let rows: Vec<usize> = (0..20).collect();
        let objective = Objective::new(&samples, &rows, true);
        let penalised = objective.with_l2(0.1);
        let at: Vec<f32> = objective
            .zero()
            .iter()
            .map(|_| random.uniform() as f32 - 0.5)
            .collect();
        let scores = penalised.scores(&at);
        let mut slopes = vec![0.0; scores.len()];
        let none = slopes.clone();
        penalised.loss(&scores, &none, 0.0, &mut slopes);
        let mut gradient = vec![0.0; at.len()];
        penalised.gradient(&slopes, &mut gradient);
        for i in 0..at.len() {
            let mut along = vec![0.0; at.len()];
            along[i] = 1.0;
            let ahead = penalised.scores(&along);
            let loss = |by: f32| penalised.loss(&scores, &ahead, by, &mut slopes.clone());
            let slope = (loss(1e-2).0 - loss(-1e-2).0) / 2e-2;
            let off = (slope - f64::from(gradient[i])).abs();
            assert!(off < 1e-4, "{i}: {slope} {}", gradient[i]);
            assert!((loss(0.0).1 - f64::from(gradient[i])).abs() < 1e-5);
        }
        // A head of features as they come, and back.
        let back = objective.scaled(&objective.unscaled(&at));
        for (back, at) in back.iter().zip(&at) {
            assert!((back - at).abs() < 1e-4, "{back} {at}");
        }
    }
}
