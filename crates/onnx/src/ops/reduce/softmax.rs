//! Softmax, its relatives, and rows scaled by their norms.

use smallfirst_kernels as kernels;

use super::{Real, larger};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::ops::layout::transposed;
use crate::tensor::{Data, Numbers, Tensor, axis};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let rows = match name {
        "Softmax" => Rows::Softmax,
        "LogSoftmax" => Rows::LogSoftmax,
        _ => Rows::Hardmax,
    };
    // Before version 13, all axes from this one on were one row.
    let together = decl.version < 13;
    let along = decl.int_or("axis", if together { 1 } else { -1 })?;
    op(move |x, context| {
        let x = x.take(0)?;
        context.spend(4 * x.len() as u64)?;
        if together {
            // A row of everything, where the axis is the one after the last.
            let at = match along == x.rank() as i64 {
                true => x.rank(),
                false => axis(along, x.rank())?,
            };
            let cols = x.shape[at..].iter().product();
            return one(by_rows(x, cols, rows)?);
        }
        if x.rank() == 0 && (along == 0 || along == -1) {
            return one(by_rows(x, 1, rows)?);
        }
        let at = axis(along, x.rank())?;
        one(along_axis(x, at, rows)?)
    })
}

/// What becomes of each row.
#[derive(Clone, Copy)]
enum Rows {
    Softmax,
    LogSoftmax,
    Hardmax,
    /// Divided by the sum of absolute values.
    L1,
    /// Divided by the root of the sum of squares.
    L2,
}

fn along_axis(x: Tensor, at: usize, how: Rows) -> Result<Tensor> {
    let (_, cols, inner) = x.around(at);
    if inner == 1 {
        return by_rows(x, cols, how);
    }
    // The axis and the last one change places, and change back.
    let mut order: Vec<usize> = (0..x.rank()).collect();
    let last = x.rank() - 1;
    order.swap(at, last);
    transposed(&by_rows(transposed(&x, &order)?, cols, how)?, &order)
}

fn by_rows(mut x: Tensor, cols: usize, how: Rows) -> Result<Tensor> {
    if x.is_empty() {
        return Ok(x);
    }
    let ty = x.ty();
    if let Data::F32(v) = &mut x.data {
        narrow(v, cols, how);
        return Ok(x);
    }
    let numbers = match x.data.numbers() {
        Some(Numbers::F32(v)) => {
            let mut v = v.into_owned();
            narrow(&mut v, cols, how);
            Numbers::F32(v.into())
        }
        Some(Numbers::F64(v)) => {
            let mut v = v.into_owned();
            v.chunks_exact_mut(cols).for_each(|row| exact(row, how));
            Numbers::F64(v.into())
        }
        _ => return fault(format!("an operand is of {}, not of floats", ty.name())),
    };
    Tensor::new(x.shape, numbers.narrow(ty))
}

fn narrow(v: &mut [f32], cols: usize, how: Rows) {
    match how {
        Rows::Softmax => kernels::softmax(v, cols),
        Rows::LogSoftmax => kernels::log_softmax(v, cols),
        _ => v.chunks_exact_mut(cols).for_each(|row| exact(row, how)),
    }
}

fn exact<T: Real>(row: &mut [T], how: Rows) {
    let top = |row: &[T]| row.iter().copied().fold(T::LOWEST, larger);
    let sum = |row: &[T], f: &dyn Fn(T) -> T| row.iter().fold(T::ZERO, |sum, &v| sum + f(v));
    match how {
        Rows::Softmax => {
            let top = top(row);
            row.iter_mut().for_each(|v| *v = (*v - top).exp());
            let sum = sum(row, &|v| v);
            row.iter_mut().for_each(|v| *v = *v / sum);
        }
        Rows::LogSoftmax => {
            let top = top(row);
            let shift = sum(row, &|v| (v - top).exp()).ln();
            row.iter_mut().for_each(|v| *v = (*v - top) - shift);
        }
        Rows::Hardmax => {
            let mut best = 0;
            for at in 1..row.len() {
                if row[at] > row[best] {
                    best = at;
                }
            }
            row.fill(T::ZERO);
            row[best] = T::ONE;
        }
        Rows::L1 | Rows::L2 => {
            let norm = match how {
                Rows::L1 => sum(row, &|v| v.abs()),
                _ => sum(row, &|v| v * v).sqrt(),
            };
            // A row of zeros stays one.
            if norm != T::ZERO {
                row.iter_mut().for_each(|v| *v = *v / norm);
            }
        }
    }
}

pub(super) fn lp_normalization(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let along = decl.int_or("axis", -1)?;
    let how = match decl.int_or("p", 2)? {
        1 => Rows::L1,
        2 => Rows::L2,
        other => return fault(format!("its attribute p {other} is not supported")),
    };
    op(move |x, context| {
        let x = x.take(0)?;
        context.spend(2 * x.len() as u64)?;
        let at = axis(along, x.rank())?;
        one(along_axis(x, at, how)?)
    })
}
