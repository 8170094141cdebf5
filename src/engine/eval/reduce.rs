//! Operators along axes: reductions, softmax, normalisations, the largest.

use super::layout::{permuted, transpose};
use crate::engine::array::{Array, Data, Elements, Fault, View, around, count};
use crate::engine::buffer_pool::BufferPool;
use crate::engine::kernels;
use crate::engine::op::Reduction;
use crate::engine::operand::Operand;

pub(super) fn reduce(
    kind: Reduction,
    axes: &[usize],
    x: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let mut shape = x.shape.to_vec();
    for &axis in axes {
        *shape.get_mut(axis).ok_or("there is no such axis")? = 1;
    }
    // The axes are put together: before them, they, after them. Where that is not possible, they are moved to the end.
    let rank = x.shape.len();
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let together = sorted.windows(2).all(|pair| pair[1] == pair[0] + 1);
    if !together {
        let mut perm: Vec<usize> = (0..rank).filter(|axis| !sorted.contains(axis)).collect();
        perm.extend(&sorted);
        let moved = transpose(&perm, x, pool)?;
        let last: Vec<usize> = (rank - sorted.len()..rank).collect();
        let mut reduced = reduce(kind, &last, &moved.view(), pool)?;
        pool.give(moved.data);
        reduced.shape = shape;
        return Ok(reduced);
    }
    let from = sorted.first().copied().unwrap_or(rank);
    let to = from + sorted.len();
    let before = count(&x.shape[..from])?;
    let along = count(&x.shape[from..to])?;
    let after = count(&x.shape[to..])?;
    if along == 0 {
        return Err("a reduction of nothing");
    }
    let x = match x.data {
        Elements::F32(x) => x,
        Elements::I64(x) => {
            let pick: fn(i64, i64) -> i64 = match kind {
                Reduction::Sum => i64::wrapping_add,
                Reduction::Max => i64::max,
                Reduction::Min => i64::min,
                Reduction::Product => i64::wrapping_mul,
                _ => return Err("there is no such reduction of integers"),
            };
            let one = |i: usize| {
                let (i, j) = (i / after, i % after);
                let all = (0..along).map(|k| x[(i * along + k) * after + j]);
                all.reduce(pick).unwrap_or(0)
            };
            return Ok(Array::i64(shape, (0..before * after).map(one).collect()));
        }
        _ => return Err("an operand is packed"),
    };
    if matches!(kind, Reduction::ArgMax | Reduction::ArgMin) {
        let one = |i: usize| {
            let (i, j) = (i / after, i % after);
            let value = |k: usize| x[(i * along + k) * after + j];
            let better = |a: f32, b: f32| match kind {
                Reduction::ArgMax => a > b,
                _ => a < b,
            };
            let mut best = 0;
            (1..along).for_each(|k| {
                if better(value(k), value(best)) {
                    best = k;
                }
            });
            best as i64
        };
        return Ok(Array::i64(shape, (0..before * after).map(one).collect()));
    }
    let mut out = pool.floats(before * after);
    for i in 0..before {
        let block = &x[i * along * after..][..along * after];
        let out = &mut out[i * after..][..after];
        if after == 1 {
            out[0] = fold(kind, block);
        } else {
            fold_rows(kind, block, out);
        }
    }
    let scale = match kind {
        Reduction::Mean | Reduction::MeanOfSquares => 1.0 / along as f32,
        _ => 1.0,
    };
    if scale != 1.0 {
        out.iter_mut().for_each(|v| *v *= scale);
    }
    Ok(Array::f32(shape, out))
}

/// One number from a row. Eight running results, so that they can be computed side by side.
fn fold(kind: Reduction, row: &[f32]) -> f32 {
    const SIDE: usize = 8;
    let (start, join) = joiner(kind);
    let square = kind == Reduction::MeanOfSquares;
    let mut running = [start; SIDE];
    let chunks = row.chunks_exact(SIDE);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (run, &v) in running.iter_mut().zip(chunk) {
            *run = join(*run, if square { v * v } else { v });
        }
    }
    for (run, &v) in running.iter_mut().zip(rest) {
        *run = join(*run, if square { v * v } else { v });
    }
    running.into_iter().fold(start, join)
}

/// Joins rows element by element.
fn fold_rows(kind: Reduction, block: &[f32], out: &mut [f32]) {
    let (start, join) = joiner(kind);
    let square = kind == Reduction::MeanOfSquares;
    out.fill(start);
    for row in block.chunks_exact(out.len()) {
        for (out, &v) in out.iter_mut().zip(row) {
            *out = join(*out, if square { v * v } else { v });
        }
    }
}

fn joiner(kind: Reduction) -> (f32, fn(f32, f32) -> f32) {
    match kind {
        Reduction::Max => (f32::NEG_INFINITY, |a, b| if a > b { a } else { b }),
        Reduction::Min => (f32::INFINITY, |a, b| if a < b { a } else { b }),
        Reduction::Product => (1.0, |a, b| a * b),
        _ => (0.0, |a, b| a + b),
    }
}

pub(super) fn softmax(
    axis: usize,
    log: bool,
    first: Operand<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let shape = first.view().shape.to_vec();
    let (_, along, after) = around(&shape, axis)?;
    let kernel = if log {
        kernels::log_softmax
    } else {
        kernels::softmax
    };
    if along == 0 {
        return Err("a softmax of nothing");
    }
    if after == 1 {
        let mut array = first.take(pool)?;
        match &mut array.data {
            Data::F32(x) => kernel(x, along),
            Data::I64(_) => return Err("a softmax of integers"),
        }
        return Ok(array);
    }
    // Its own inverse: the axis changes places with the last one.
    let mut perm: Vec<usize> = (0..shape.len()).collect();
    let last = shape.len() - 1;
    perm.swap(axis, last);
    let mut moved = transpose(&perm, &first.view(), pool)?;
    if let Data::F32(x) = &mut moved.data {
        kernel(x, along);
    }
    let back = transpose(&perm, &moved.view(), pool)?;
    pool.give(moved.data);
    debug_assert_eq!(permuted(&back.shape, &perm).ok(), Some(moved.shape));
    Ok(back)
}

fn last_axis(x: &View<'_>) -> Result<usize, Fault> {
    x.shape
        .last()
        .copied()
        .filter(|&len| len > 0)
        .ok_or("a normalisation of nothing")
}

pub(super) fn layer_norm(
    eps: f32,
    residual: bool,
    x: &View<'_>,
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let cols = last_axis(x)?;
    let (from, gamma, beta) = (x.floats()?, rest[0].floats()?, rest[1].floats()?);
    let added = match (residual, rest.get(2)) {
        (true, Some(added)) if added.shape == x.shape => Some(added.floats()?),
        (true, _) => return Err("a residual of another shape"),
        _ => None,
    };
    if gamma.len() != cols || beta.len() != cols {
        return Err("a normalisation of another length");
    }
    let (shape, mut out) = pool.array(x.shape.to_vec())?;
    kernels::layer_norm(from, cols, gamma, beta, eps, added, &mut out);
    Ok(Array::f32(shape, out))
}

pub(super) fn rms_norm(
    eps: f32,
    x: &View<'_>,
    gamma: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let cols = last_axis(x)?;
    let (from, gamma) = (x.floats()?, gamma.floats()?);
    if gamma.len() != cols {
        return Err("a normalisation of another length");
    }
    let (shape, mut out) = pool.array(x.shape.to_vec())?;
    kernels::rms_norm(from, cols, gamma, eps, &mut out);
    Ok(Array::f32(shape, out))
}

pub(super) fn top_k(
    k: usize,
    smallest: bool,
    x: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let cols = last_axis(x)?;
    if k == 0 || k > cols {
        return Err("more is asked for than there is");
    }
    let mut shape = x.shape.to_vec();
    shape.pop();
    shape.push(k);
    let (shape, mut out) = pool.array(shape)?;
    let mut row = Vec::with_capacity(cols);
    for (out, from) in out.chunks_exact_mut(k).zip(x.floats()?.chunks_exact(cols)) {
        row.clear();
        row.extend_from_slice(from);
        let order = |a: &f32, b: &f32| {
            if smallest {
                a.total_cmp(b)
            } else {
                b.total_cmp(a)
            }
        };
        if k < cols {
            row.select_nth_unstable_by(k - 1, order);
        }
        row[..k].sort_unstable_by(order);
        out.copy_from_slice(&row[..k]);
    }
    Ok(Array::f32(shape, out))
}
