//! The loss and its gradient.

use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use super::columns::Columns;
use super::linear::{Linear, Samples};
use super::solver::Problem;

/// How many rows a thread takes at a time. Fixed, so that sums do not depend on the cores.
const ROWS: usize = 512;

/// The least curvature that is thought to be along a parameter without a penalty.
const LEAST: f32 = 1e-6;

/// The rows of a fit. The dense features are standardised and then turned to their principal axes, which leaves the
/// penalised loss as it is: along those, unlike along the features, curvatures do not depend on each other, so that the
/// solver can scale each by itself.
pub(super) struct Objective {
    dense: Array2<f32>,
    sparse: Columns,
    labels: Vec<u32>,
    /// One weight a row; they average 1.
    row_weights: Vec<f32>,
    mean: Vec<f32>,
    scale: Vec<f32>,
    /// A principal axis a column, by standardised features.
    axes: Array2<f32>,
    buckets: usize,
    classes: usize,
}

/// An objective at one penalty. Parameters: `[width, classes]`, `[columns, classes]`, `[classes]`.
pub(super) struct Penalised<'o> {
    objective: &'o Objective,
    l2: f64,
}

impl Objective {
    pub(super) fn new(samples: &Samples<'_>, rows: &[usize], balanced: bool) -> Self {
        let (width, classes) = (samples.width, samples.classes);
        let mut dense = Array2::<f32>::zeros((rows.len(), width));
        for (mut out, &row) in dense.outer_iter_mut().zip(rows) {
            let from = &samples.dense[row * width..(row + 1) * width];
            out.iter_mut().zip(from).for_each(|(o, &v)| *o = v);
        }
        let n = rows.len().max(1) as f64;
        let mut mean = vec![0.0; width];
        let mut scale = vec![1.0; width];
        for (at, mut column) in dense.axis_iter_mut(Axis(1)).enumerate() {
            let average = column.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let spread = |&v: &f32| (f64::from(v) - average).powi(2);
            let deviation = (column.iter().map(spread).sum::<f64>() / n).sqrt();
            mean[at] = average as f32;
            // A column that does not vary says nothing; dividing by its noise would.
            if deviation > 1e-7 {
                scale[at] = deviation as f32;
            }
            column.mapv_inplace(|v| (v - mean[at]) / scale[at]);
        }
        let axes = principal_axes(&dense);
        let mut turned = Array2::zeros(dense.raw_dim());
        multiply(&dense, axes.view(), &mut turned);
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
        (self.mean.len() + self.sparse.len() + 1) * self.classes
    }

    pub(super) fn with_l2(&self, l2: f64) -> Penalised<'_> {
        Penalised {
            objective: self,
            l2,
        }
    }

    /// The parameters of the dense features, of the columns, and of the classes.
    fn parts<'p>(&self, parameters: &'p [f32]) -> (ArrayView2<'p, f32>, &'p [f32], &'p [f32]) {
        let (width, classes) = (self.mean.len(), self.classes);
        let (dense, rest) = parameters.split_at(width * classes);
        let (sparse, bias) = rest.split_at(self.sparse.len() * classes);
        (matrix(dense, width, classes), sparse, bias)
    }

    /// Parameters as a head for features as they come.
    pub(super) fn unscaled(&self, parameters: &[f32]) -> Linear {
        let classes = self.classes;
        let (turned, sparse, bias) = self.parts(parameters);
        let mut bias: Vec<f64> = bias.iter().map(|&v| f64::from(v)).collect();
        let mut weights = self.axes.dot(&turned);
        for (at, mut row) in weights.outer_iter_mut().enumerate() {
            let (mean, scale) = (f64::from(self.mean[at]), f64::from(self.scale[at]));
            for (weight, bias) in row.iter_mut().zip(&mut bias) {
                *bias -= f64::from(*weight) / scale * mean;
                *weight = (f64::from(*weight) / scale) as f32;
            }
        }
        Linear {
            weights: weights.into_iter().collect(),
            table: self.sparse.table(sparse, self.buckets, classes),
            bias: bias.iter().map(|&v| v as f32).collect(),
        }
    }

    /// A head as parameters to begin with. It may be of other rows.
    pub(super) fn scaled(&self, model: &Linear) -> Vec<f32> {
        let (width, classes) = (self.mean.len(), self.classes);
        let mut weights = matrix(&model.weights, width, classes).to_owned();
        let mut bias = model.bias.clone();
        for (at, mut row) in weights.outer_iter_mut().enumerate() {
            for (weight, bias) in row.iter_mut().zip(&mut bias) {
                *bias += *weight * self.mean[at];
                *weight *= self.scale[at];
            }
        }
        let turned = self.axes.t().dot(&weights);
        let mut parameters: Vec<f32> = turned.into_iter().collect();
        parameters.extend(self.sparse.weights(&model.table, classes));
        parameters.extend(bias);
        parameters
    }
}

impl Objective {
    /// For each parameter, the sum over all rows of a number by score times what its feature's value counts.
    fn gathered(&self, scores: &[f32], counts: impl Fn(f32) -> f32 + Sync, into: &mut [f32]) {
        let (width, classes) = (self.mean.len(), self.classes);
        let (dense, rest) = into.split_at_mut(width * classes);
        let (sparse, bias) = rest.split_at_mut(self.sparse.len() * classes);
        // The rows' parts are added in their order.
        let parts: Vec<(Vec<f32>, Vec<f32>)> = scores
            .par_chunks(ROWS * classes)
            .enumerate()
            .map(|(part, scores)| {
                let first = part * ROWS;
                let rows = scores.len() / classes;
                let of = matrix(scores, rows, classes);
                let values = self.dense.slice(s![first..first + rows, ..]).mapv(&counts);
                let product = if width > 0 {
                    values.t().dot(&of)
                } else {
                    Array2::zeros((0, classes))
                };
                let sums = of.sum_axis(Axis(0));
                (product.into_iter().collect(), sums.to_vec())
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

/// Rows of a matrix in memory.
fn matrix(values: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    // What has no rows may have no columns either.
    ArrayView2::from_shape((rows, columns), values)
        .unwrap_or_else(|_| ArrayView2::from(&[] as &[[f32; 0]]))
}

/// The directions in which standardised rows vary, each by itself.
fn principal_axes(dense: &Array2<f32>) -> Array2<f32> {
    let width = dense.ncols();
    let parts: Vec<Array2<f32>> = (0..dense.nrows().div_ceil(ROWS))
        .into_par_iter()
        .map(|part| {
            let rows = part * ROWS..dense.nrows().min((part + 1) * ROWS);
            let rows = dense.slice(s![rows, ..]);
            rows.t().dot(&rows)
        })
        .collect();
    let mut products = DMatrix::<f64>::zeros(width, width);
    for part in &parts {
        for ((row, column), value) in part.indexed_iter() {
            products[(row, column)] += f64::from(*value);
        }
    }
    if width == 0 {
        return Array2::zeros((0, 0));
    }
    let axes = products.symmetric_eigen().eigenvectors;
    Array2::from_shape_fn((width, width), |(row, column)| axes[(row, column)] as f32)
}

/// The product of rows with a matrix, on all cores.
fn multiply(rows: &Array2<f32>, with: ArrayView2<'_, f32>, out: &mut Array2<f32>) {
    let outs = out.axis_chunks_iter_mut(Axis(0), ROWS);
    let parts: Vec<_> = rows.axis_chunks_iter(Axis(0), ROWS).zip(outs).collect();
    parts.into_par_iter().for_each(|(rows, mut out)| {
        ndarray::linalg::general_mat_mul(1.0, &rows, &with, 0.0, &mut out);
    });
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
                let rows = out.len() / classes;
                if let (true, Ok(mut out)) = (
                    dense.nrows() > 0,
                    ArrayViewMut2::from_shape((rows, classes), &mut *out),
                ) {
                    let values = objective.dense.slice(s![first..first + rows, ..]);
                    ndarray::linalg::general_mat_mul(1.0, &values, &dense, 1.0, &mut out);
                }
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
