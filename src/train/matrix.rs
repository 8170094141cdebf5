//! Matrices of rows, their products, and the directions in which rows vary.

use nalgebra::DMatrix;

use super::threads::*;
use crate::engine::kernels::{self, Activation, Epilogue};

/// How many rows a thread takes at a time. Fixed, so that sums do not depend on the cores.
pub(super) const ROWS: usize = 512;

/// The least variance that counts as one, as a share of the largest: below it is what rounding leaves of none.
const RANK: f64 = 1e-9;

/// Numbers in rows, one after another.
pub(super) struct Matrix {
    pub(super) columns: usize,
    pub(super) values: Vec<f32>,
}

impl Matrix {
    pub(super) fn zeros(rows: usize, columns: usize) -> Self {
        Matrix {
            columns,
            values: vec![0.0; rows * columns],
        }
    }

    /// So many rows from `first` on.
    pub(super) fn rows(&self, first: usize, rows: usize) -> &[f32] {
        &self.values[first * self.columns..(first + rows) * self.columns]
    }

    /// The product with `[columns, n]`, as rows.
    pub(super) fn times(&self, with: &[f32], n: usize) -> Vec<f32> {
        let rows = self.values.len().checked_div(self.columns).unwrap_or(0);
        let mut out = vec![0.0; rows * n];
        if n > 0 {
            out.par_chunks_mut(ROWS * n)
                .enumerate()
                .for_each(|(part, out)| {
                    let values = self.rows(part * ROWS, out.len() / n);
                    add_product(values, self.columns, with, n, out);
                });
        }
        out
    }
}

fn of(data: &[f32], row_stride: usize, col_stride: usize) -> kernels::Matrix<'_> {
    kernels::Matrix {
        data,
        row_stride,
        col_stride,
    }
}

/// Adds the product of rows of `k` numbers with `[k, n]` to `out`.
pub(super) fn add_product(rows: &[f32], k: usize, with: &[f32], n: usize, out: &mut [f32]) {
    let Some(m) = rows.len().checked_div(k) else {
        return;
    };
    let mut product = vec![0.0; m * n];
    let (a, b) = (of(rows, k, 1), of(with, n, 1));
    let mut scratch = Vec::new();
    kernels::gemm_dynamic(m, n, k, &a, &b, &mut product, n, &PLAIN, &mut scratch);
    out.iter_mut().zip(product).for_each(|(out, p)| *out += p);
}

/// The sum over rows of the products of their numbers: `[rows, m]` transposed times `[rows, n]`.
pub(super) fn transposed_product(left: &[f32], m: usize, right: &[f32], n: usize) -> Vec<f32> {
    let mut out = vec![0.0; m * n];
    if let Some(rows) = left.len().checked_div(m) {
        let (a, b) = (of(left, 1, m), of(right, n, 1));
        let mut scratch = Vec::new();
        kernels::gemm_dynamic(m, n, rows, &a, &b, &mut out, n, &PLAIN, &mut scratch);
    }
    out
}

const PLAIN: Epilogue = Epilogue {
    scale: 1.0,
    bias: None,
    residual: None,
    activation: Activation::None,
};

/// The directions in which standardised rows vary, each by itself: a column each. Of fewer rows than features there are no more
/// than rows, and what is learnt of rows lies in them: along others the rows say nothing, and a penalised weight stays 0.
pub(super) fn principal_axes(dense: &Matrix) -> Matrix {
    let width = dense.columns;
    let rows = dense.values.len().checked_div(width).unwrap_or(0);
    match rows < width {
        true => axes_of_few(dense, rows),
        false => axes_of_many(dense, rows),
    }
}

fn axes_of_many(dense: &Matrix, rows: usize) -> Matrix {
    let width = dense.columns;
    let parts: Vec<Vec<f32>> = (0..rows.div_ceil(ROWS))
        .into_par_iter()
        .map(|part| {
            let first = part * ROWS;
            let rows = dense.rows(first, ROWS.min(rows - first));
            transposed_product(rows, width, rows, width)
        })
        .collect();
    let mut products = DMatrix::<f64>::zeros(width, width);
    for part in &parts {
        // Symmetric: whether columns or rows lie together does not matter.
        for (sum, value) in products.iter_mut().zip(part) {
            *sum += f64::from(*value);
        }
    }
    let mut out = Matrix::zeros(width, width);
    if width == 0 {
        return out;
    }
    let axes = products.symmetric_eigen().eigenvectors;
    for (row, out) in out.values.chunks_exact_mut(width).enumerate() {
        for (column, value) in out.iter_mut().enumerate() {
            *value = axes[(row, column)] as f32;
        }
    }
    out
}

/// By the products of rows with each other: the same directions from a smaller matrix.
fn axes_of_few(dense: &Matrix, rows: usize) -> Matrix {
    let width = dense.columns;
    let product = |a: usize, b: usize| -> f64 {
        let (a, b) = (dense.rows(a, 1), dense.rows(b, 1));
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let mut products = DMatrix::<f64>::zeros(rows, rows);
    for a in 0..rows {
        for b in 0..=a {
            let value = product(a, b);
            products[(a, b)] = value;
            products[(b, a)] = value;
        }
    }
    if rows == 0 {
        return Matrix::zeros(width, 0);
    }
    let found = products.symmetric_eigen();
    let largest = found.eigenvalues.iter().copied().fold(0.0, f64::max);
    let kept: Vec<usize> = (0..rows)
        .filter(|&at| found.eigenvalues[at] > RANK * largest)
        .collect();
    let mut out = Matrix::zeros(width, kept.len());
    for (column, &at) in kept.iter().enumerate() {
        let scale = 1.0 / found.eigenvalues[at].sqrt();
        let mut axis = vec![0.0_f64; width];
        for row in 0..rows {
            let by = scale * found.eigenvectors[(row, at)];
            let values = dense.rows(row, 1);
            axis.iter_mut()
                .zip(values)
                .for_each(|(axis, value)| *axis += by * f64::from(*value));
        }
        for (feature, value) in axis.into_iter().enumerate() {
            out.values[feature * kept.len() + column] = value as f32;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn axes_are_of_length_one_at_right_angles_and_hold_every_row() {
        let mut random = Random::new(3);
        // More rows than features, fewer, and some that are others' sums.
        for (rows, width) in [(40, 7), (7, 40), (1, 5), (0, 4), (3, 0)] {
            let mut dense = Matrix::zeros(rows, width);
            for value in &mut dense.values {
                *value = random.uniform() as f32 - 0.5;
            }
            if rows > 2 && width > 0 {
                for at in 0..width {
                    dense.values[2 * width + at] = dense.values[at] + dense.values[width + at];
                }
            }
            let axes = principal_axes(&dense);
            let rank = axes.columns;
            if rows > 2 && rows < width {
                assert_eq!(rank, rows - 1);
            }
            for a in 0..rank {
                for b in 0..rank {
                    let product: f32 = (0..width)
                        .map(|at| axes.values[at * rank + a] * axes.values[at * rank + b])
                        .sum();
                    let wanted = f32::from(u8::from(a == b));
                    assert!((product - wanted).abs() < 1e-4, "{rows} {width}: {product}");
                }
            }
            // There and back.
            let turned = dense.times(&axes.values, rank);
            for row in 0..rows {
                for at in 0..width {
                    let back: f32 = (0..rank)
                        .map(|axis| turned[row * rank + axis] * axes.values[at * rank + axis])
                        .sum();
                    assert!((back - dense.values[row * width + at]).abs() < 1e-4);
                }
            }
        }
    }
}
