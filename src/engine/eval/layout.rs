//! Operators that move elements and compute nothing.

use super::broadcast::repeat;
use crate::engine::array::{Array, Data, Elements, Fault, View, around, count, strides};
use crate::engine::buffer_pool::BufferPool;
use crate::engine::dim::Dim;
use crate::engine::kernels;
use crate::engine::operand::Operand;

const PACKED: Fault = "an operand is packed";

pub(super) fn reshape(
    dims: &[Dim],
    first: Operand<'_>,
    symbols: &[usize],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let shape = dims.iter().map(|d| d.length(symbols));
    let shape = shape.collect::<Result<Vec<_>, _>>()?;
    let mut array = first.take(pool)?;
    if count(&shape)? != array.len() {
        return Err("a reshape changes how many elements there are");
    }
    array.shape = shape;
    Ok(array)
}

pub(super) fn transpose(
    perm: &[usize],
    x: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let shape = permuted(&x.shape, perm)?;
    let steps = permuted(&strides(&x.shape), perm)?;
    let data = match x.data {
        Elements::F32(x) => {
            let mut out = pool.floats(x.len());
            gather_strided(&shape, &steps, x, &mut out);
            Data::F32(out)
        }
        Elements::I64(x) => {
            let mut out = vec![0; x.len()];
            gather_strided(&shape, &steps, x, &mut out);
            Data::I64(out)
        }
        _ => return Err(PACKED),
    };
    Ok(Array { shape, data })
}

/// Reordered by a permutation.
pub(super) fn permuted(of: &[usize], perm: &[usize]) -> Result<Vec<usize>, Fault> {
    let mut seen = vec![false; of.len()];
    for &axis in perm {
        *seen.get_mut(axis).ok_or("there is no such axis")? = true;
    }
    if perm.len() != of.len() || seen.contains(&false) {
        return Err("an order of axes lacks one");
    }
    Ok(perm.iter().map(|&axis| of[axis]).collect())
}

/// Fills `out`, of `shape`, with the elements of `x` at `steps`.
fn gather_strided<T: Copy>(shape: &[usize], steps: &[usize], x: &[T], out: &mut [T]) {
    // Axes that go on evenly count as one.
    let mut axes: Vec<(usize, usize)> = Vec::new();
    for (&len, &step) in shape.iter().zip(steps).rev() {
        match axes.last_mut() {
            _ if len == 1 => {}
            Some((inner, inner_step)) if step == *inner_step * *inner => *inner *= len,
            _ => axes.push((len, step)),
        }
    }
    let (len, step) = if axes.is_empty() {
        (1, 1)
    } else {
        axes.remove(0)
    };
    if len == 0 {
        return;
    }
    for (row, out) in out.chunks_exact_mut(len).enumerate() {
        let (mut rest, mut start) = (row, 0);
        for &(len, step) in &axes {
            start += rest % len * step;
            rest /= len;
        }
        if step == 1 {
            out.copy_from_slice(&x[start..start + len]);
        } else {
            let from = x[start..].iter().step_by(step);
            out.iter_mut().zip(from).for_each(|(out, &x)| *out = x);
        }
    }
}

pub(super) fn slice(
    axis: usize,
    start: usize,
    end: usize,
    x: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let (before, along, after) = around(&x.shape, axis)?;
    if start > end || end > along {
        return Err("a part reaches over the end");
    }
    let mut shape = x.shape.to_vec();
    shape[axis] = end - start;
    let part = (end - start) * after;
    let place = |i: usize| (i * along + start) * after;
    let data = match x.data {
        Elements::F32(x) => {
            let mut out = pool.floats(before * part);
            for i in 0..before {
                out[i * part..][..part].copy_from_slice(&x[place(i)..][..part]);
            }
            Data::F32(out)
        }
        Elements::I64(x) => Data::I64(
            (0..before)
                .flat_map(|i| x[place(i)..][..part].iter().copied())
                .collect(),
        ),
        _ => return Err(PACKED),
    };
    Ok(Array { shape, data })
}

pub(super) fn concat(
    axis: usize,
    first: &View<'_>,
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let (before, mut along, after) = around(&first.shape, axis)?;
    for other in rest {
        let fits = other.shape.len() == first.shape.len()
            && (0..other.shape.len()).all(|i| i == axis || other.shape[i] == first.shape[i]);
        if !fits {
            return Err("arrays that cannot be put together");
        }
        along += other.shape[axis];
    }
    let mut shape = first.shape.to_vec();
    shape[axis] = along;
    let len = count(&shape)?;
    let parts = std::iter::once(first).chain(rest);
    let row = along * after;
    let data = if matches!(first.data, Elements::F32(_)) {
        let mut out = pool.floats(len);
        beside(&mut out, before, row, parts.map(View::floats))?;
        Data::F32(out)
    } else {
        let mut out = vec![0; len];
        beside(&mut out, before, row, parts.map(View::ints))?;
        Data::I64(out)
    };
    Ok(Array { shape, data })
}

/// Fills `out`, of `rows` rows of `row` elements, with as many rows of each part beside each other.
fn beside<'a, T: Copy + 'a>(
    out: &mut [T],
    rows: usize,
    row: usize,
    parts: impl Iterator<Item = Result<&'a [T], Fault>>,
) -> Result<(), Fault> {
    let mut start = 0;
    for part in parts {
        let part = part?;
        let run = part.len() / rows.max(1);
        for i in 0..rows {
            out[i * row + start..][..run].copy_from_slice(&part[i * run..][..run]);
        }
        start += run;
    }
    Ok(())
}

pub(super) fn broadcast(
    dims: &[usize],
    x: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    if dims.len() < x.shape.len() {
        return Err("shapes that do not broadcast");
    }
    repeat(dims, x, pool)
}

pub(super) fn pad(
    pads: &[(usize, usize)],
    value: f32,
    x: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let from = x.floats()?;
    if pads.len() != x.shape.len() {
        return Err("a padding for another number of axes");
    }
    let lengths = x.shape.iter().zip(pads).map(|(&len, &(before, after))| {
        len.checked_add(before)
            .and_then(|len| len.checked_add(after))
    });
    let shape: Option<Vec<usize>> = lengths.collect();
    let (shape, mut out) = pool.array(shape.ok_or("an array is too large")?)?;
    out.fill(value);
    let steps = strides(&shape);
    let run = x.shape.last().copied().unwrap_or(1);
    if run > 0 {
        for (row, from) in from.chunks_exact(run).enumerate() {
            let (mut rest, mut to) = (row, pads.last().map_or(0, |p| p.0));
            for axis in (0..x.shape.len().saturating_sub(1)).rev() {
                to += (rest % x.shape[axis] + pads[axis].0) * steps[axis];
                rest /= x.shape[axis];
            }
            out[to..to + run].copy_from_slice(from);
        }
    }
    Ok(Array::f32(shape, out))
}

/// A place along an axis of `along`; negative ones count from the end.
fn place(index: i64, along: usize) -> Result<usize, Fault> {
    let from_end = if index < 0 { along as i64 } else { 0 };
    usize::try_from(index.saturating_add(from_end))
        .ok()
        .filter(|&at| at < along)
        .ok_or("a number names no row of the table")
}

pub(super) fn gather(
    axis: usize,
    table: &View<'_>,
    indices: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let (before, along, after) = around(&table.shape, axis)?;
    let places = indices.ints()?.iter().map(|&index| place(index, along));
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let mut shape = table.shape[..axis].to_vec();
    shape.extend(indices.shape.iter());
    shape.extend(&table.shape[axis + 1..]);
    let len = count(&shape)?;
    let starts =
        (0..before).flat_map(|i| places.iter().map(move |place| (i * along + place) * after));
    let data = match table.data {
        Elements::F32(x) => {
            let mut out = pool.floats(len);
            if after > 0 {
                for (out, from) in out.chunks_exact_mut(after).zip(starts) {
                    out.copy_from_slice(&x[from..from + after]);
                }
            }
            Data::F32(out)
        }
        Elements::I64(x) => Data::I64(
            starts
                .flat_map(|from| x[from..from + after].iter().copied())
                .collect(),
        ),
        _ => return Err(PACKED),
    };
    Ok(Array { shape, data })
}

pub(super) fn rows(
    table: &View<'_>,
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let &[rows, columns] = &*table.shape else {
        return Err("a table has another number of axes");
    };
    let indices = &rest[0];
    let scales = rest.get(1).map(View::floats).transpose()?;
    if scales.is_some_and(|scales| scales.len() != rows) {
        return Err("a table has another number of scales");
    }
    let mut shape = indices.shape.to_vec();
    shape.push(columns);
    let (shape, mut out) = pool.array(shape)?;
    for (at, &index) in indices.ints()?.iter().enumerate() {
        let row = place(index, rows)?;
        let out = &mut out[at * columns..][..columns];
        match table.data {
            Elements::Narrow(form, bytes) => kernels::widen(form, 1, bytes, row * columns, out),
            _ => {
                let bytes = &table.bytes()?[row * columns..];
                let each = out.iter_mut().zip(bytes);
                each.for_each(|(out, &byte)| *out = f32::from(byte));
            }
        }
        if let Some(scales) = scales {
            out.iter_mut().for_each(|out| *out *= scales[row]);
        }
    }
    Ok(Array::f32(shape, out))
}
