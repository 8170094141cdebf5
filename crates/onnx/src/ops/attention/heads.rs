//! The arithmetic of attention, whichever operator asks for it.

use smallfirst_kernels::{self as kernels, Epilogue, Matrix};

use crate::fault::{Result, fault};
use crate::op::Context;
use crate::tensor::count;

/// Numbers of scores that are held at a time, unless all are asked for.
const SCORES: usize = 32 * 1024;

/// Queries, keys or values: rows of numbers that lie together, one for each batch, head and position.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Heads<'a> {
    pub(in crate::ops) data: &'a [f32],
    /// From one batch to the next.
    pub(in crate::ops) batch: usize,
    pub(in crate::ops) head: usize,
    pub(in crate::ops) row: usize,
}

impl<'a> Heads<'a> {
    /// `[batch, heads, rows, width]`.
    pub(in crate::ops) fn apart(data: &'a [f32], heads: usize, rows: usize, width: usize) -> Self {
        Heads {
            data,
            batch: heads * rows * width,
            head: rows * width,
            row: width,
        }
    }

    /// `[batch, rows, heads, width]`.
    pub(in crate::ops) fn together(
        data: &'a [f32],
        heads: usize,
        rows: usize,
        width: usize,
    ) -> Self {
        Heads {
            data,
            batch: heads * rows * width,
            head: width,
            row: heads * width,
        }
    }

    fn of(&self, batch: usize, head: usize) -> &'a [f32] {
        &self.data[batch * self.batch + head * self.head..]
    }

    fn matrix(&self, batch: usize, head: usize) -> Matrix<'a> {
        Matrix {
            data: self.of(batch, head),
            row_stride: self.row,
            col_stride: 1,
        }
    }
}

/// Which of the scores are wanted beside the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Wanted {
    None,
    /// As the product gives them, scaled.
    Products,
    /// After the soft cap.
    Capped,
    /// With the addends.
    Biased,
    /// After the softmax.
    Weights,
}

/// Writes the addends of one row of scores: of a batch, a head and a query. A key with minus infinity takes no part.
pub(in crate::ops) type Bias<'a> = &'a dyn Fn(usize, usize, usize, &mut [f32]);

/// `softmax(cap(scale * q kᵀ) + bias) v`.
pub(in crate::ops) struct Task<'a> {
    pub(in crate::ops) batch: usize,
    pub(in crate::ops) heads: usize,
    /// Heads of keys and values, which divide the others.
    pub(in crate::ops) kv_heads: usize,
    pub(in crate::ops) queries: usize,
    pub(in crate::ops) keys: usize,
    pub(in crate::ops) dim: usize,
    pub(in crate::ops) value_dim: usize,
    pub(in crate::ops) q: Heads<'a>,
    pub(in crate::ops) k: Heads<'a>,
    pub(in crate::ops) v: Heads<'a>,
    pub(in crate::ops) scale: f32,
    /// 0 for none.
    pub(in crate::ops) softcap: f32,
    pub(in crate::ops) bias: Option<Bias<'a>>,
    /// Whether all queries of a batch and head have the same addends.
    pub(in crate::ops) same_rows: bool,
    /// A score of each head that only counts in the softmax's sum.
    pub(in crate::ops) sink: Option<&'a [f32]>,
    pub(in crate::ops) wanted: Wanted,
    /// Whether the result is `[batch, queries, heads, value_dim]`, or with the heads before the queries.
    pub(in crate::ops) together: bool,
}

/// Computes the result, and the scores where they are wanted.
pub(in crate::ops) fn attend(
    task: &Task<'_>,
    context: &mut Context,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let Task {
        batch,
        heads,
        kv_heads,
        queries,
        keys,
        dim,
        value_dim,
        ..
    } = *task;
    if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        return fault(format!(
            "{heads} heads of queries do not share {kv_heads} heads of keys evenly"
        ));
    }
    let len = count(&[batch, heads, queries, value_dim])?;
    let all = count(&[batch, heads, queries, keys])?;
    context.spend((all as u64).saturating_mul((dim + value_dim) as u64))?;
    let mut out = vec![0.0; len];
    let mut scores = match task.wanted {
        Wanted::None => Vec::new(),
        _ => vec![0.0; all],
    };
    if len == 0 && scores.is_empty() || keys == 0 {
        return Ok((out, scores));
    }
    let stride = match task.together {
        true => heads * value_dim,
        false => value_dim,
    };
    let place = |b: usize, h: usize| match task.together {
        true => (b * queries * heads + h) * value_dim,
        false => (b * heads + h) * queries * value_dim,
    };
    let mut work = Work::default();
    let group = heads / kv_heads;
    for b in 0..batch {
        for kv in 0..kv_heads {
            work.packed = false;
            for h in kv * group..(kv + 1) * group {
                let out = &mut out[place(b, h).min(len)..];
                let at = (b * heads + h) * queries * keys;
                let scores = match task.wanted {
                    Wanted::None => None,
                    _ => Some(&mut scores[at..at + queries * keys]),
                };
                head(task, [b, h, kv], out, stride, scores, &mut work);
            }
        }
    }
    Ok((out, scores))
}

/// Buffers that the heads share.
#[derive(Default)]
struct Work {
    scratch: Vec<f32>,
    /// Whether keys and values of this head are packed already.
    packed: bool,
    keys: Vec<f32>,
    values: Vec<f32>,
    scores: Vec<f32>,
    bias: Vec<f32>,
}

fn head(
    task: &Task<'_>,
    [b, h, kv]: [usize; 3],
    out: &mut [f32],
    stride: usize,
    mut wanted: Option<&mut [f32]>,
    work: &mut Work,
) {
    let Task {
        queries,
        keys,
        dim,
        value_dim,
        ..
    } = *task;
    let (q, k, v) = (
        task.q.matrix(b, h),
        task.k.matrix(b, kv),
        task.v.matrix(b, kv),
    );
    work.bias.resize(keys, 0.0);
    let plain = wanted.is_none() && task.sink.is_none() && task.softcap == 0.0;
    if plain && task.same_rows && queries > 1 && task.heads == task.kv_heads {
        let mask = task.bias.map(|bias| {
            bias(b, h, 0, &mut work.bias);
            &work.bias[..]
        });
        if mask.is_none_or(|mask| mask.iter().any(|&v| v != f32::NEG_INFINITY)) {
            kernels::attention(
                queries,
                keys,
                dim,
                value_dim,
                &q,
                &k,
                &v,
                task.scale,
                mask,
                out,
                stride,
                &mut work.scratch,
            );
        }
        return;
    }

    // Few rows do not pay for packing the keys.
    let direct = queries <= 2;
    if !direct && !work.packed {
        let transposed = Matrix {
            data: k.data,
            row_stride: 1,
            col_stride: k.row_stride,
        };
        work.keys.resize(kernels::packed_len(dim, keys), 0.0);
        kernels::pack_b(dim, keys, &transposed, &mut work.keys);
        work.values
            .resize(kernels::packed_len(keys, value_dim), 0.0);
        kernels::pack_b(keys, value_dim, &v, &mut work.values);
        work.packed = true;
    }
    // With a sink each row of scores has one more.
    let width = keys + usize::from(task.sink.is_some());
    let height = (SCORES / width).clamp(1, queries.max(1));
    let scaled = Epilogue {
        scale: task.scale,
        ..Epilogue::default()
    };
    for start in (0..queries).step_by(height) {
        let rows = height.min(queries - start);
        let q = Matrix {
            data: &q.data[(start * q.row_stride).min(q.data.len())..],
            ..q
        };
        work.scores.resize(rows * width, 0.0);
        let scores = &mut work.scores[..];
        if direct {
            for (i, scores) in scores.chunks_exact_mut(width).enumerate() {
                let q = &q.data[i * q.row_stride..][..dim];
                for (j, score) in scores[..keys].iter_mut().enumerate() {
                    *score = task.scale * dot(q, &k.data[j * k.row_stride..][..dim]);
                }
            }
        } else {
            kernels::gemm(
                rows,
                keys,
                dim,
                &q,
                &work.keys,
                scores,
                width,
                &scaled,
                &mut work.scratch,
            );
        }
        let mut keep = |kind: Wanted, scores: &[f32]| {
            if let Some(wanted) = wanted.as_deref_mut().filter(|_| task.wanted == kind) {
                let wanted = &mut wanted[start * keys..(start + rows) * keys];
                for (to, row) in wanted
                    .chunks_exact_mut(keys)
                    .zip(scores.chunks_exact(width))
                {
                    to.copy_from_slice(&row[..keys]);
                }
            }
        };
        keep(Wanted::Products, scores);
        if task.softcap != 0.0 {
            for row in scores.chunks_exact_mut(width) {
                for score in &mut row[..keys] {
                    *score = task.softcap * (*score / task.softcap).tanh();
                }
            }
        }
        keep(Wanted::Capped, scores);
        let mut empty = Vec::new();
        if let Some(bias) = task.bias {
            for (i, row) in scores.chunks_exact_mut(width).enumerate() {
                bias(b, h, start + i, &mut work.bias);
                for (score, &bias) in row.iter_mut().zip(&work.bias) {
                    *score += bias;
                }
                if work.bias.iter().all(|&v| v == f32::NEG_INFINITY) {
                    empty.push(i);
                }
            }
        }
        keep(Wanted::Biased, scores);
        if let Some(sink) = task.sink {
            for row in scores.chunks_exact_mut(width) {
                row[keys] = sink[h];
            }
        }
        kernels::softmax(scores, width);
        for i in empty {
            scores[i * width..(i + 1) * width].fill(0.0);
        }
        keep(Wanted::Weights, scores);
        if value_dim == 0 {
            continue;
        }
        let out = &mut out[start * stride..];
        if direct {
            for (i, weights) in scores.chunks_exact(width).enumerate() {
                let out = &mut out[i * stride..][..value_dim];
                out.fill(0.0);
                for (j, &weight) in weights[..keys].iter().enumerate() {
                    let v = &v.data[j * v.row_stride..][..value_dim];
                    for (out, v) in out.iter_mut().zip(v) {
                        *out += weight * v;
                    }
                }
            }
        } else {
            let weights = Matrix {
                data: scores,
                row_stride: width,
                col_stride: 1,
            };
            kernels::gemm(
                rows,
                value_dim,
                keys,
                &weights,
                &work.values,
                out,
                stride,
                &Epilogue::default(),
                &mut work.scratch,
            );
        }
    }
}

/// A product of two rows, in eight sums so that they may be computed side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += a[i] * b[i];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Keys or values after those of before: `[batch, heads, past + rows, width]`.
pub(in crate::ops) fn joined(
    past: Option<(&[f32], usize)>,
    new: Heads<'_>,
    [batch, heads, rows, width]: [usize; 4],
) -> Result<Vec<f32>> {
    let before = past.map_or(0, |(_, rows)| rows);
    let mut out = Vec::with_capacity(count(&[batch, heads, before + rows, width])?);
    if width == 0 {
        return Ok(out);
    }
    for b in 0..batch {
        for h in 0..heads {
            if let Some((past, before)) = past {
                let len = before * width;
                out.extend_from_slice(&past[(b * heads + h) * len..][..len]);
            }
            if rows == 0 {
                continue;
            }
            let data = new.of(b, h);
            for row in 0..rows {
                out.extend_from_slice(&data[row * new.row..][..width]);
            }
        }
    }
    Ok(out)
}
