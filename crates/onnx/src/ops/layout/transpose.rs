//! Axes in another order.

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Tensor, map, strides};

pub(super) fn transpose(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let order = decl.ints("perm")?;
    op(move |x, _| {
        let rank = x.get(0)?.rank();
        let order = match &order {
            None => (0..rank).rev().collect(),
            Some(order) if order.len() == rank => super::axes(order, rank)?,
            Some(order) => {
                return fault(format!("it orders {} axes of {rank}", order.len()));
            }
        };
        if order.is_sorted() {
            return Ok(vec![x.value(0)?]);
        }
        one(transposed(x.get(0)?, &order)?)
    })
}

/// A tensor with its axes in this order, which names each axis once.
pub(in crate::ops) fn transposed(x: &Tensor, order: &[usize]) -> Result<Tensor> {
    let shape: Vec<usize> = order.iter().map(|&at| x.shape[at]).collect();
    // Axes that stay neighbours count as one, as the result has them: lengths and strides in `x`.
    let steps = strides(&x.shape);
    let mut axes: Vec<(usize, usize)> = Vec::new();
    for (&at, &len) in order.iter().zip(&shape).filter(|(_, len)| **len != 1) {
        match axes.last_mut() {
            Some((outer, step)) if *step == steps[at] * len => {
                *outer *= len;
                *step = steps[at];
            }
            _ => axes.push((len, steps[at])),
        }
    }
    if axes.len() < 2 || x.is_empty() {
        return Tensor::new(shape, x.data.clone());
    }
    let (last, rest) = (axes[axes.len() - 1], &axes[..axes.len() - 1]);
    if last.1 == 1 {
        let mut starts = vec![0];
        for &(len, step) in rest {
            starts = starts
                .iter()
                .flat_map(|start| (0..len).map(move |at| start + at * step))
                .collect();
        }
        return Tensor::new(shape, x.data.runs(last.0, starts.into_iter()));
    }
    let data = map!(&x.data, v => blocks(v, &axes));
    Tensor::new(shape, data)
}

/// A copy whose axes are of these lengths, and have these strides in `from`. The last one's is not 1: it is exchanged, in small
/// squares that stay in the cache, with the one whose is.
fn blocks<T: Clone>(from: &[T], axes: &[(usize, usize)]) -> Vec<T> {
    const SIDE: usize = 16;
    let mut to = from.to_vec();
    let lengths: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
    let own = strides(&lengths);
    let last = axes.len() - 1;
    // Merged axes cover the whole tensor, so that one of them has the stride 1.
    let Some(inner) = axes.iter().position(|axis| axis.1 == 1) else {
        return to;
    };
    let (rows, row_step) = axes[last];
    let (cols, col_step) = (axes[inner].0, own[inner]);
    let mut places = vec![(0, 0)];
    for at in (0..last).filter(|&at| at != inner) {
        places = places
            .iter()
            .flat_map(|&(a, b)| (0..axes[at].0).map(move |i| (a, b, i)))
            .map(|(a, b, i)| (a + i * axes[at].1, b + i * own[at]))
            .collect();
    }
    let mut block = |source: usize, target: usize, left: usize, top: usize| {
        let height = SIDE.min(rows - left);
        let width = SIDE.min(cols - top);
        let from = &from[source + left * row_step + top..];
        let to = &mut to[target + top * col_step + left..];
        if height == SIDE && width == SIDE {
            return square::<T, SIDE>(from, row_step, to, col_step);
        }
        for col in 0..width {
            let line = &mut to[col * col_step..][..height];
            for (row, place) in line.iter_mut().enumerate() {
                *place = from[row * row_step + col].clone();
            }
        }
    };
    let (lefts, tops) = (|| (0..rows).step_by(SIDE), || (0..cols).step_by(SIDE));
    for (source, target) in places {
        // Along the shorter side first, so that what was read and written last is still in the cache.
        if rows > cols {
            lefts().for_each(|left| tops().for_each(|top| block(source, target, left, top)));
        } else {
            tops().for_each(|top| lefts().for_each(|left| block(source, target, left, top)));
        }
    }
    to
}

/// A square of a known side, for which the compiler leaves out what it would check otherwise.
#[inline]
fn square<T: Clone, const N: usize>(from: &[T], row_step: usize, to: &mut [T], col_step: usize) {
    let rows: [&[T]; N] = std::array::from_fn(|row| &from[row * row_step..][..N]);
    for col in 0..N {
        let line = &mut to[col * col_step..][..N];
        for row in 0..N {
            line[row] = rows[row][col].clone();
        }
    }
}

/// The side of blocks, and whether they come before the channels (`DCR`).
fn blocksize(decl: &Decl<'_>, modes: i64) -> Result<(usize, bool)> {
    decl.operands(1, 1)?;
    let side = decl.must_int("blocksize")?;
    let Some(side) = usize::try_from(side)
        .ok()
        .filter(|&side| side > 0 && side < 1 << 16)
    else {
        return fault(format!("its blocks have the side {side}"));
    };
    let mode = match decl.version >= modes {
        true => decl.text_or("mode", "DCR")?,
        false => "DCR".into(),
    };
    match mode.as_str() {
        "DCR" => Ok((side, true)),
        "CRD" => Ok((side, false)),
        other => fault(format!("its attribute mode {other} is not supported")),
    }
}

fn image(x: &Tensor) -> Result<[usize; 4]> {
    match x.shape[..] {
        [n, c, h, w] => Ok([n, c, h, w]),
        _ => fault(format!(
            "it takes a batch of images, and was given the shape {:?}",
            x.shape
        )),
    }
}

pub(super) fn depth_to_space(decl: &Decl<'_>) -> Result<Option<Op>> {
    let (side, blocks_first) = blocksize(decl, 11)?;
    op(move |x, _| {
        let x = x.take(0)?;
        let [n, c, h, w] = image(&x)?;
        if !c.is_multiple_of(side * side) {
            return fault(format!("its {c} channels are not blocks of {side}"));
        }
        let deep = c / (side * side);
        let (parts, order) = match blocks_first {
            true => ([n, side, side, deep, h, w], [0, 3, 4, 1, 5, 2]),
            false => ([n, deep, side, side, h, w], [0, 1, 4, 2, 5, 3]),
        };
        let moved = transposed(&x.reshaped(parts.to_vec())?, &order)?;
        one(moved.reshaped(vec![n, deep, h * side, w * side])?)
    })
}

pub(super) fn space_to_depth(decl: &Decl<'_>) -> Result<Option<Op>> {
    let (side, blocks_first) = blocksize(decl, 28)?;
    op(move |x, _| {
        let x = x.take(0)?;
        let [n, c, h, w] = image(&x)?;
        if !h.is_multiple_of(side) || !w.is_multiple_of(side) {
            return fault(format!("images of {h} by {w} are not blocks of {side}"));
        }
        let (high, wide) = (h / side, w / side);
        let parts = vec![n, c, high, side, wide, side];
        let order = match blocks_first {
            true => [0, 3, 5, 1, 2, 4],
            false => [0, 1, 3, 5, 2, 4],
        };
        let moved = transposed(&x.reshaped(parts)?, &order)?;
        one(moved.reshaped(vec![n, c * side * side, high, wide])?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_axes() {
        let shape = [3, 1, 17, 5];
        let len = shape.iter().product::<usize>();
        let x = Tensor::i64(shape.to_vec(), (0..len as i64).collect());
        let steps = strides(&shape);
        for code in 0..256usize {
            let order = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
            if (0..4).any(|at| !order.contains(&at)) {
                continue;
            }
            let moved = transposed(&x, &order).unwrap();
            let own = strides(&moved.shape);
            let expected: Vec<i64> = (0..len)
                .map(|at| {
                    let places = (0..4).map(|i| at / own[i] % moved.shape[i] * steps[order[i]]);
                    places.sum::<usize>() as i64
                })
                .collect();
            assert_eq!(moved.ints().unwrap().as_ref(), expected, "{order:?}");
        }
    }
}
