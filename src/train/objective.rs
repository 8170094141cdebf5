//! The loss and its gradient.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Gradient};
use ndarray::{Array2, ArrayView2, Axis, s};

use super::{Linear, Samples};

/// Into how many parts the rows are split. Fixed, so that sums do not depend on the cores.
const CHUNKS: usize = 16;

/// By how much n-grams are enlarged for the fit (and the table with it afterwards). A standardised
/// column has squares that add up to the number of rows, a bucket's to very little: under one penalty
/// it would have no say.
const GAIN: f32 = 10.0;

/// The rows of a fit, standardised.
pub(super) struct Objective<'a> {
    dense: Array2<f32>,
    sparse: Vec<&'a [u32]>,
    labels: Vec<u32>,
    /// One weight a row; they average 1.
    row_weights: Vec<f32>,
    mean: Vec<f32>,
    scale: Vec<f32>,
    buckets: usize,
    classes: usize,
}

/// An objective at one penalty. Parameters: `[width, classes]`, `[buckets, classes]`, `[classes]`.
pub(super) struct Penalised<'o, 'a> {
    objective: &'o Objective<'a>,
    l2: f64,
    /// The last point: the optimiser asks for its cost and its gradient one after the other.
    last: RefCell<Option<Point>>,
}

struct Point {
    at: Vec<f64>,
    cost: f64,
    gradient: Vec<f64>,
}

impl<'a> Objective<'a> {
    pub(super) fn new(samples: &Samples<'a>, rows: &[usize], balanced: bool) -> Self {
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
        Objective {
            dense,
            sparse: rows
                .iter()
                .filter_map(|&row| samples.sparse.get(row).map(Vec::as_slice))
                .collect(),
            row_weights: labels.iter().map(weight).collect(),
            labels,
            mean,
            scale,
            buckets: samples.buckets,
            classes,
        }
    }

    pub(super) fn zero(&self) -> Vec<f64> {
        vec![0.0; (self.mean.len() + self.buckets + 1) * self.classes]
    }

    pub(super) fn with_l2(&self, l2: f64) -> Penalised<'_, 'a> {
        Penalised {
            objective: self,
            l2,
            last: RefCell::new(None),
        }
    }

    /// Parameters as a head for features that are not standardised.
    pub(super) fn unscaled(&self, parameters: &[f64]) -> Linear {
        let (width, classes) = (self.mean.len(), self.classes);
        let (weights, rest) = parameters.split_at(width * classes);
        let (table, bias) = rest.split_at(self.buckets * classes);
        let mut bias = bias.to_vec();
        let mut scaled = Vec::with_capacity(weights.len());
        for (at, row) in weights.chunks_exact(classes).enumerate() {
            let (mean, scale) = (f64::from(self.mean[at]), f64::from(self.scale[at]));
            for (weight, bias) in row.iter().zip(&mut bias) {
                scaled.push((weight / scale) as f32);
                *bias -= weight / scale * mean;
            }
        }
        Linear {
            weights: scaled,
            table: table.iter().map(|&v| v as f32 * GAIN).collect(),
            bias: bias.iter().map(|&v| v as f32).collect(),
        }
    }

    /// The mean weighted cross-entropy and its gradient.
    fn evaluate(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        let small: Vec<f32> = parameters.iter().map(|&v| v as f32).collect();
        let rows = self.labels.len();
        let size = rows.div_ceil(CHUNKS).max(1);
        let ranges: Vec<(usize, usize)> = (0..rows.div_ceil(size))
            .map(|chunk| (chunk * size, rows.min((chunk + 1) * size)))
            .collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut cost = 0.0;
        let mut gradient = vec![0.0; parameters.len()];
        for batch in ranges.chunks(cores) {
            let parts: Vec<(f64, Vec<f32>)> = std::thread::scope(|scope| {
                let small = &small;
                let running: Vec<_> = batch
                    .iter()
                    .map(|&(from, to)| scope.spawn(move || self.chunk(small, from, to)))
                    .collect();
                // A thread that panicked contributes nothing but a cost nobody accepts.
                let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                    thread.join().unwrap_or((f64::NAN, Vec::new()))
                };
                running.into_iter().map(join).collect()
            });
            for (part, slope) in parts {
                cost += part;
                for (sum, value) in gradient.iter_mut().zip(slope) {
                    *sum += f64::from(value);
                }
            }
        }
        let n = rows.max(1) as f64;
        gradient.iter_mut().for_each(|g| *g /= n);
        (cost / n, gradient)
    }

    fn chunk(&self, parameters: &[f32], from: usize, to: usize) -> (f64, Vec<f32>) {
        let (width, classes) = (self.mean.len(), self.classes);
        let (weights, rest) = parameters.split_at(width * classes);
        let (table, bias) = rest.split_at(self.buckets * classes);
        let dense = self.dense.slice(s![from..to, ..]);
        let mut logits = match ArrayView2::from_shape((width, classes), weights) {
            Ok(weights) if width > 0 => dense.dot(&weights),
            _ => Array2::zeros((to - from, classes)),
        };
        let mut cost = 0.0;
        for (at, mut row) in logits.outer_iter_mut().enumerate() {
            row.iter_mut().zip(bias).for_each(|(l, b)| *l += b);
            let (value, present) = self.sparse_row(from + at);
            for &bucket in present {
                let from = bucket as usize * classes;
                let entries = &table[from..from + classes];
                row.iter_mut()
                    .zip(entries)
                    .for_each(|(l, w)| *l += value * w);
            }
            // From logits to the slope of the loss: weight (softmax - one-hot).
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let label = self.labels[from + at] as usize;
            let weight = self.row_weights[from + at];
            let right = row[label] - largest;
            row.mapv_inplace(|l| (l - largest).exp());
            let sum = row.sum();
            cost += f64::from(weight) * f64::from(sum.ln() - right);
            row.mapv_inplace(|e| weight * e / sum);
            row[label] -= weight;
        }
        let mut gradient = vec![0.0; parameters.len()];
        let (to_weights, rest) = gradient.split_at_mut(width * classes);
        let (to_table, to_bias) = rest.split_at_mut(self.buckets * classes);
        if width > 0 {
            let product = dense.t().dot(&logits);
            to_weights
                .iter_mut()
                .zip(&product)
                .for_each(|(g, p)| *g = *p);
        }
        for (at, row) in logits.outer_iter().enumerate() {
            to_bias
                .iter_mut()
                .zip(row)
                .for_each(|(g, slope)| *g += slope);
            let (value, present) = self.sparse_row(from + at);
            for &bucket in present {
                let from = bucket as usize * classes;
                let entries = &mut to_table[from..from + classes];
                entries
                    .iter_mut()
                    .zip(row)
                    .for_each(|(g, slope)| *g += value * slope);
            }
        }
        (cost, gradient)
    }

    /// The value of a row's present buckets, and which they are.
    fn sparse_row(&self, row: usize) -> (f32, &'a [u32]) {
        let present = self.sparse.get(row).copied().unwrap_or(&[]);
        (GAIN / (present.len().max(1) as f32).sqrt(), present)
    }
}

impl Penalised<'_, '_> {
    fn at<T>(&self, parameters: &[f64], take: impl Fn(&Point) -> T) -> T {
        let mut last = self.last.borrow_mut();
        if let Some(point) = last.as_ref().filter(|point| point.at == parameters) {
            return take(point);
        }
        let (mut cost, mut gradient) = self.objective.evaluate(parameters);
        let penalised = parameters.len() - self.objective.classes;
        for (slope, &value) in gradient.iter_mut().zip(parameters).take(penalised) {
            cost += self.l2 / 2.0 * value * value;
            *slope += self.l2 * value;
        }
        let point = Point {
            at: parameters.to_vec(),
            cost,
            gradient,
        };
        let taken = take(&point);
        *last = Some(point);
        taken
    }
}

impl CostFunction for Penalised<'_, '_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, parameters: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.at(parameters, |point| point.cost))
    }
}

impl Gradient for Penalised<'_, '_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.at(parameters, |point| point.gradient.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

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
        let at: Vec<f64> = objective
            .zero()
            .iter()
            .map(|_| random.uniform() - 0.5)
            .collect();
        let gradient = penalised.gradient(&at).unwrap();
        for i in (0..at.len()).step_by(3) {
            let shifted = |by: f64| {
                let mut at = at.clone();
                at[i] += by;
                penalised.cost(&at).unwrap()
            };
            let slope = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
            assert!(
                (slope - gradient[i]).abs() < 1e-4,
                "{i}: {slope} {}",
                gradient[i]
            );
        }
    }
}
