//! One number for all elements along some axes.

use std::borrow::Cow;

use super::{Real, larger, smaller};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::ops::elementwise::cast;
use crate::ops::layout::{List, axes, transposed};
use crate::tensor::{Data, Numbers, Tensor, Type, count};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    L1,
    L2,
    LogSum,
    LogSumExp,
    SumSquare,
}

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    let kind = match name {
        "ReduceSum" => Kind::Sum,
        "ReduceMean" => Kind::Mean,
        "ReduceMax" => Kind::Max,
        "ReduceMin" => Kind::Min,
        "ReduceProd" => Kind::Prod,
        "ReduceL1" => Kind::L1,
        "ReduceL2" => Kind::L2,
        "ReduceLogSum" => Kind::LogSum,
        "ReduceLogSumExp" => Kind::LogSumExp,
        "ReduceSumSquare" => Kind::SumSquare,
        _ => return Ok(None),
    };
    let operand = if kind == Kind::Sum { 13 } else { 18 };
    decl.operands(1, if decl.version < operand { 1 } else { 2 })?;
    let list = List::before(decl, operand, "axes", 1)?;
    let keep = decl.int_or("keepdims", 1)? != 0;
    let noop = decl.version >= operand && decl.flag("noop_with_empty_axes")?;
    op(move |x, context| {
        let named = list.get(x)?.unwrap_or_default();
        let x = x.get(0)?;
        let mut along = vec![false; x.rank()];
        if named.is_empty() {
            along.fill(!noop);
        }
        for at in axes(&named, x.rank())? {
            along[at] = true;
        }
        context.spend(x.len() as u64)?;
        one(reduced(kind, x, &along, keep)?)
    })
}

fn reduced(kind: Kind, x: &Tensor, along: &[bool], keep: bool) -> Result<Tensor> {
    let lengths = || x.shape.iter().zip(along);
    let shape: Vec<usize> = match keep {
        true => lengths()
            .map(|(&len, &gone)| if gone { 1 } else { len })
            .collect(),
        false => lengths()
            .filter(|(_, gone)| !**gone)
            .map(|(&len, _)| len)
            .collect(),
    };
    count(&shape)?;
    // Axes of length 1 may count as either; neighbours that are reduced count as one.
    let mut groups: Vec<(usize, bool)> = Vec::new();
    for (&len, &gone) in lengths().filter(|(len, _)| **len != 1) {
        match groups.last_mut() {
            Some((all, same)) if *same == gone => *all *= len,
            _ => groups.push((len, gone)),
        }
    }
    let moved;
    let (x, dims) = match groups[..] {
        [] => (x, [1, 1, 1]),
        [(n, true)] => (x, [1, n, 1]),
        [(n, false)] => (x, [n, 1, 1]),
        [(a, false), (n, true)] => (x, [a, n, 1]),
        [(n, true), (b, false)] => (x, [1, n, b]),
        [(a, false), (n, true), (b, false)] => (x, [a, n, b]),
        _ => {
            let mut order: Vec<usize> = (0..x.rank()).collect();
            order.sort_by_key(|&at| along[at]);
            moved = transposed(x, &order)?;
            let product = |which: bool| -> usize {
                lengths()
                    .filter(|(_, gone)| **gone == which)
                    .map(|(len, _)| len)
                    .product()
            };
            (&moved, [product(false), product(true), 1])
        }
    };
    Tensor::new(shape, folded(kind, x, dims)?)
}

/// The middle axis of three made one number.
fn folded(kind: Kind, x: &Tensor, dims: [usize; 3]) -> Result<Data> {
    let ty = x.ty();
    if let Data::Bool(v) = &x.data {
        return match kind {
            Kind::Max => Ok(Data::Bool(fold(v, dims, false, |a, b| a | b, |a, b| a | b))),
            Kind::Min => Ok(Data::Bool(fold(v, dims, true, |a, b| a & b, |a, b| a & b))),
            _ => fault("it does not reduce bool"),
        };
    }
    if dims[1] == 0 && kind == Kind::Mean && !ty.is_float() && dims[0] * dims[2] > 0 {
        return fault("there is no mean of nothing");
    }
    let numbers = match (x.numbers()?, kind) {
        (Numbers::F32(v), _) => Numbers::F32(floats(kind, &v, dims).into()),
        (Numbers::F64(v), _) => Numbers::F64(floats(kind, &v, dims).into()),
        // Roots and logarithms of integers lose their fractions at the end.
        (numbers, Kind::L2 | Kind::LogSum | Kind::LogSumExp) => {
            let wide: Cow<'_, [f64]> = match numbers {
                Numbers::U64(v) => v.iter().map(|&v| v as f64).collect(),
                Numbers::I64(v) => v.iter().map(|&v| v as f64).collect(),
                Numbers::F32(_) | Numbers::F64(_) => return fault("floats are no integers"),
            };
            let floats = floats(kind, &wide, dims);
            let floats = Tensor::new(vec![floats.len()], Data::F64(floats))?;
            return Ok(cast(&floats, ty)?.data);
        }
        (Numbers::I64(v), _) => {
            let (low, high) = bounds(ty);
            let sum = |a: i64, b: i64| a.wrapping_add(b);
            Numbers::I64(
                match kind {
                    Kind::Max => fold(&v, dims, low, i64::max, i64::max),
                    Kind::Min => fold(&v, dims, high, i64::min, i64::min),
                    Kind::Prod => fold(&v, dims, 1, i64::wrapping_mul, i64::wrapping_mul),
                    Kind::L1 => fold(&v, dims, 0, |a, b| sum(a, b.wrapping_abs()), sum),
                    Kind::SumSquare => fold(&v, dims, 0, |a, b| sum(a, b.wrapping_mul(b)), sum),
                    Kind::Mean => {
                        let mut sums = fold(&v, dims, 0, sum, sum);
                        let along = dims[1].max(1) as i64;
                        sums.iter_mut().for_each(|sum| *sum /= along);
                        sums
                    }
                    _ => fold(&v, dims, 0, sum, sum),
                }
                .into(),
            )
        }
        (Numbers::U64(v), _) => {
            let sum = |a: u64, b: u64| a.wrapping_add(b);
            Numbers::U64(
                match kind {
                    Kind::Max => fold(&v, dims, 0, u64::max, u64::max),
                    Kind::Min => fold(&v, dims, u64::MAX, u64::min, u64::min),
                    Kind::Prod => fold(&v, dims, 1, u64::wrapping_mul, u64::wrapping_mul),
                    Kind::SumSquare => fold(&v, dims, 0, |a, b| sum(a, b.wrapping_mul(b)), sum),
                    Kind::Mean => {
                        let mut sums = fold(&v, dims, 0, sum, sum);
                        let along = dims[1].max(1) as u64;
                        sums.iter_mut().for_each(|sum| *sum /= along);
                        sums
                    }
                    _ => fold(&v, dims, 0, sum, sum),
                }
                .into(),
            )
        }
    };
    Ok(numbers.narrow(ty))
}

/// The least and the greatest integer of a type.
fn bounds(ty: Type) -> (i64, i64) {
    match ty {
        Type::U8 => (0, u8::MAX.into()),
        Type::I8 => (i8::MIN.into(), i8::MAX.into()),
        Type::U16 => (0, u16::MAX.into()),
        Type::I16 => (i16::MIN.into(), i16::MAX.into()),
        Type::U32 => (0, u32::MAX.into()),
        Type::I32 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

fn floats<T: Real>(kind: Kind, x: &[T], dims: [usize; 3]) -> Vec<T> {
    let sum = |a: T, b: T| a + b;
    let sums = |x: &[T]| fold(x, dims, T::ZERO, sum, sum);
    match kind {
        Kind::Sum => sums(x),
        Kind::Mean => {
            let along = T::of(dims[1]);
            sums(x).into_iter().map(|sum| sum / along).collect()
        }
        Kind::Max => fold(x, dims, T::LOWEST, larger, larger),
        Kind::Min => fold(x, dims, T::HIGHEST, smaller, smaller),
        Kind::Prod => fold(x, dims, T::ONE, |a, b| a * b, |a, b| a * b),
        Kind::L1 => fold(x, dims, T::ZERO, |a, b| a + b.abs(), sum),
        Kind::SumSquare => fold(x, dims, T::ZERO, |a, b| a + b * b, sum),
        Kind::L2 => floats(Kind::SumSquare, x, dims)
            .into_iter()
            .map(T::sqrt)
            .collect(),
        Kind::LogSum => sums(x).into_iter().map(T::ln).collect(),
        Kind::LogSumExp => {
            let [_, along, after] = dims;
            let mut tops = floats(Kind::Max, x, dims);
            // A difference of infinities is no number.
            tops.iter_mut()
                .filter(|top| top.is_infinite())
                .for_each(|top| *top = T::ZERO);
            let mut powers = Vec::with_capacity(x.len());
            if !x.is_empty() {
                let blocks = x.chunks_exact(along * after);
                for (block, tops) in blocks.zip(tops.chunks_exact(after)) {
                    for row in block.chunks_exact(after) {
                        powers.extend(row.iter().zip(tops).map(|(&x, &top)| (x - top).exp()));
                    }
                }
            }
            let sums = sums(&powers).into_iter().zip(tops);
            sums.map(|(sum, top)| sum.ln() + top).collect()
        }
    }
}

/// Puts the elements along the middle of three axes together: `join` takes one more in, `merge` joins what was put together
/// side by side.
fn fold<T: Copy>(
    x: &[T],
    [before, along, after]: [usize; 3],
    start: T,
    join: impl Fn(T, T) -> T,
    merge: impl Fn(T, T) -> T,
) -> Vec<T> {
    const SIDE: usize = 8;
    let mut out = vec![start; before * after];
    if x.is_empty() {
        return out;
    }
    for (block, out) in x
        .chunks_exact(along * after)
        .zip(out.chunks_exact_mut(after))
    {
        if after > 1 {
            for row in block.chunks_exact(after) {
                for (out, &v) in out.iter_mut().zip(row) {
                    *out = join(*out, v);
                }
            }
            continue;
        }
        // Several running results, so that they are computed side by side.
        let mut running = [start; SIDE];
        let chunks = block.chunks_exact(SIDE);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (run, &v) in running.iter_mut().zip(chunk) {
                *run = join(*run, v);
            }
        }
        for (run, &v) in running.iter_mut().zip(rest) {
            *run = join(*run, v);
        }
        out[0] = running.into_iter().fold(start, &merge);
    }
    out
}
