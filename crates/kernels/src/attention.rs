//! Attention of one head, without the matrix of scores: some rows of it at a time.

use super::gemm::gemm;
use super::lanes::{Dot, Kernel, dispatch};
use super::norm::{exponentials, scale as scale_row};
use super::pack::{pack_b, packed_len};
use super::{Epilogue, Matrix, span};

/// Scores that are held at a time: 24 KiB.
const SCORES: usize = 6 * 1024;

/// `out = softmax(scale * q kᵀ + mask) v` with `q` of `queries` by `dim`, `k` of `keys` by `dim`, `v`
/// of `keys` by `value_dim`, and `out` of `queries` by `value_dim`, whose rows are `out_row_stride`
/// apart. The mask has one addend for each key.
///
/// `scratch` is grown as needed and kept by the caller for the next call. Without keys the result
/// is zero.
#[allow(clippy::too_many_arguments)]
pub fn attention(
    queries: usize,
    keys: usize,
    dim: usize,
    value_dim: usize,
    q: &Matrix,
    k: &Matrix,
    v: &Matrix,
    scale: f32,
    mask: Option<&[f32]>,
    out: &mut [f32],
    out_row_stride: usize,
    scratch: &mut Vec<f32>,
) {
    if queries == 0 || value_dim == 0 {
        return;
    }
    q.check(queries, dim);
    k.check(keys, dim);
    v.check(keys, value_dim);
    assert!(
        mask.is_none_or(|mask| mask.len() >= keys),
        "a mask shorter than the keys"
    );
    assert!(
        queries == 1 || out_row_stride >= value_dim,
        "rows of the result overlap"
    );
    assert!(
        out.len() >= span(queries, out_row_stride, value_dim, 1),
        "the result is longer than its slice"
    );
    if keys == 0 {
        for row in out.chunks_mut(out_row_stride.max(1)).take(queries) {
            row[..value_dim].fill(0.0);
        }
        return;
    }

    let height = (SCORES / keys).clamp(12, 240).min(queries);
    let (packed_k, packed_v, scores) = (
        packed_len(dim, keys),
        packed_len(keys, value_dim),
        height * keys,
    );
    let needed = packed_k + packed_v + scores;
    if scratch.len() < needed {
        scratch.resize(needed, 0.0);
    }
    let (packed_k, rest) = scratch.split_at_mut(packed_k);
    let (packed_v, rest) = rest.split_at_mut(packed_v);
    let scores = &mut rest[..scores];
    let transposed = Matrix {
        data: k.data,
        row_stride: k.col_stride,
        col_stride: k.row_stride,
    };
    pack_b(dim, keys, &transposed, packed_k);
    pack_b(keys, value_dim, v, packed_v);

    let mut gathered = Vec::new();
    let first = Epilogue {
        scale,
        bias: mask,
        ..Epilogue::default()
    };
    for start in (0..queries).step_by(height) {
        let rows = height.min(queries - start);
        let q = Matrix {
            data: &q.data[(start * q.row_stride).min(q.data.len())..],
            ..*q
        };
        let scores = &mut scores[..rows * keys];
        gemm(
            rows,
            keys,
            dim,
            &q,
            packed_k,
            scores,
            keys,
            &first,
            &mut gathered,
        );
        let mut sums = [0.0; 240];
        dispatch(Exponentials {
            scores,
            keys,
            sums: &mut sums,
        });
        let weights = Matrix {
            data: scores,
            row_stride: keys,
            col_stride: 1,
        };
        let out = &mut out[start * out_row_stride..];
        gemm(
            rows,
            value_dim,
            keys,
            &weights,
            packed_v,
            out,
            out_row_stride,
            &Epilogue::default(),
            &mut gathered,
        );
        dispatch(Divide {
            out,
            stride: out_row_stride,
            cols: value_dim,
            sums: &sums[..rows],
        });
    }
}

/// The scores of some rows, which become the exponentials of a softmax, and their sums.
struct Exponentials<'a> {
    scores: &'a mut [f32],
    keys: usize,
    sums: &'a mut [f32],
}

impl Kernel for Exponentials<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Dot>(self) {
        for (row, sum) in self.scores.chunks_exact_mut(self.keys).zip(self.sums) {
            *sum = exponentials::<V>(row);
        }
    }
}

/// Rows of the result, to be divided by the sums: fewer numbers than the scores are.
struct Divide<'a> {
    out: &'a mut [f32],
    stride: usize,
    cols: usize,
    sums: &'a [f32],
}

impl Kernel for Divide<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Dot>(self) {
        for (i, sum) in self.sums.iter().enumerate() {
            scale_row::<V>(&mut self.out[i * self.stride..][..self.cols], 1.0 / sum);
        }
    }
}
