//! Products of 8-bit integers: `MatMulInteger` and `QLinearMatMul`.
//!
//! Left operands are widened to 16 bits and lose their zero points. Right ones stay in 8 bits: a column's zero point is taken
//! off the sums.

use std::borrow::Cow;

use smallfirst_kernels::{gemm_integers, pack_integers, packed_len_integers, row_len_integers};

use super::Shapes;
use crate::broadcast::{Rows, common, repeated};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, one, op};
use crate::tensor::{Data, Tensor, Type, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    if name == "MatMulInteger" {
        decl.operands(2, 4)?;
        let right = fixed(decl, 1, 3);
        return op(move |x, context| {
            let own;
            let right = match &right {
                Some(right) => right,
                None => {
                    own = Right::new(x.get(1)?, x.opt(3), false)?;
                    &own
                }
            };
            let (shape, sums) = product(x.get(0)?, x.opt(2), right, context)?;
            one(Tensor::new(shape, Data::I32(sums))?)
        });
    }
    decl.operands(8, 8)?;
    let right = fixed(decl, 3, 5);
    op(move |x, context| {
        let own;
        let right = match &right {
            Some(right) => right,
            None => {
                own = Right::new(x.get(3)?, x.opt(5), false)?;
                &own
            }
        };
        let a = x.get(0)?;
        let (shape, sums) = product(a, x.opt(2), right, context)?;
        let scales = scales(x, a, right, &shape)?;
        let zero = x.get(7)?;
        let way = Requantise::new(x.get(6)?, zero)?;
        let scaled = sums.iter().zip(&scales);
        let data = requantise(scaled.map(|(&sum, &scale)| (sum, scale)), &way);
        one(Tensor::new(shape, data)?)
    })
}

/// A right operand that is known already, and so is its zero.
fn fixed(decl: &Decl<'_>, at: usize, zero: usize) -> Option<Right> {
    let b = decl.constant(at)?;
    let zero_point = decl.constant(zero);
    if decl.has(zero) && zero_point.is_none() {
        return None;
    }
    // What fails fails again when the model runs, and says why.
    let right = Right::new(&b, zero_point.as_deref(), false).ok()?;
    decl.absorb(at);
    Some(right)
}

/// What each sum is multiplied by, without the result's own scale.
fn scales(x: &Inputs, a: &Tensor, right: &Right, result: &[usize]) -> Result<Vec<f32>> {
    // A vector's axis is not in the result: only one scale fits it.
    let spread = |scale: &Tensor, rank: usize, by_row: bool| -> Result<Vec<f32>> {
        let all = scale.floats()?;
        let shape = match scale.shape[..] {
            [] | [1] => Vec::new(),
            [rows] if by_row => vec![rows, 1],
            _ => scale.shape.clone(),
        };
        let len = count(result)?;
        if shape.is_empty() {
            return Ok(vec![all[0]; len]);
        }
        if rank < 2 || shape.len() > result.len() {
            return fault("a scale does not fit its operand");
        }
        let joined = common([result, &shape[..]])?;
        if joined != result {
            return fault("a scale does not fit its operand");
        }
        let rows = Rows::strided(result, [repeated(&shape, result)]);
        let mut out = Vec::with_capacity(len);
        rows.each(|_, [start]| out.extend((0..rows.len).map(|i| all[start + i * rows.step[0]])));
        Ok(out)
    };
    let left = spread(x.get(1)?, a.rank(), true)?;
    let mut both = spread(x.get(4)?, right.shape.len(), false)?;
    both.iter_mut().zip(left).for_each(|(b, a)| *b *= a);
    Ok(both)
}

/// How sums become 8-bit integers again.
pub(in crate::ops) struct Requantise {
    scale: f32,
    zero: f32,
    signed: bool,
}

impl Requantise {
    pub(in crate::ops) fn new(scale: &Tensor, zero: &Tensor) -> Result<Requantise> {
        let signed = match zero.ty() {
            Type::U8 => false,
            Type::I8 => true,
            other => return fault(format!("its result would be of {}", other.name())),
        };
        Ok(Requantise {
            scale: scale.scalar_float()?,
            zero: zero.scalar_int()? as f32,
            signed,
        })
    }
}

/// Sums, each with the product of the operands' scales, as 8-bit integers: to the nearest, the even one of two.
pub(in crate::ops) fn requantise(sums: impl Iterator<Item = (i32, f32)>, way: &Requantise) -> Data {
    let numbers =
        sums.map(|(sum, scale)| (sum as f32 * (scale / way.scale)).round_ties_even() + way.zero);
    // Conversions of floats stay within the type.
    match way.signed {
        true => Data::I8(numbers.map(|x| x as i8).collect()),
        false => Data::U8(numbers.map(|x| x as u8).collect()),
    }
}

/// 8-bit integers in a wider type; their zero, where they have one, must be of their own.
pub(in crate::ops) fn widened<T: From<u8> + From<i8>>(
    x: &Tensor,
    zero: Option<&Tensor>,
) -> Result<Vec<T>> {
    let out = match &x.data {
        Data::U8(v) => v.iter().map(|&x| T::from(x)).collect(),
        Data::I8(v) => v.iter().map(|&x| T::from(x)).collect(),
        other => {
            return fault(format!(
                "an operand is of {}, not of 8-bit integers",
                other.ty().name()
            ));
        }
    };
    match zero.is_some_and(|zero| zero.ty() != x.ty()) {
        true => fault("a zero point is of another type than its operand"),
        false => Ok(out),
    }
}

/// 8-bit integers less their zero, which is one for all, one a row (`rows`) or a column, or of a shape that is repeated.
fn centred(x: &Tensor, zero: Option<&Tensor>, by_row: bool) -> Result<Vec<i16>> {
    if let Some(zero) = zero.filter(|zero| zero.len() == 1 && zero.rank() < 2) {
        return less(x, zero);
    }
    let mut out: Vec<i16> = widened(x, zero)?;
    let Some(zero) = zero else { return Ok(out) };
    let zeros: Vec<i16> = zero.ints()?.iter().map(|&z| z as i16).collect();
    let shape = match zero.shape[..] {
        [rows] if by_row => vec![rows, 1],
        _ => zero.shape.clone(),
    };
    if common([&x.shape[..], &shape])? != x.shape {
        return fault("a zero point does not fit its operand");
    }
    let rows = Rows::strided(&x.shape, [repeated(&shape, &x.shape)]);
    rows.each(|at, [start]| {
        for (i, x) in out[at..at + rows.len].iter_mut().enumerate() {
            *x -= zeros[start + i * rows.step[0]];
        }
    });
    Ok(out)
}

/// 8-bit integers less the one zero that all of them have.
pub(in crate::ops) fn less(x: &Tensor, zero: &Tensor) -> Result<Vec<i16>> {
    if zero.ty() != x.ty() {
        return fault("a zero point is of another type than its operand");
    }
    let zero = zero.scalar_int()? as i16;
    Ok(match &x.data {
        Data::U8(v) => v.iter().map(|&x| i16::from(x) - zero).collect(),
        Data::I8(v) => v.iter().map(|&x| i16::from(x) - zero).collect(),
        _ => widened(x, None)?,
    })
}

/// The bytes of 8-bit integers as the kernels have them, and what they are less than the integers.
pub(in crate::ops) fn bytes(x: &Tensor) -> Result<(Cow<'_, [i8]>, i32)> {
    match &x.data {
        Data::I8(v) => Ok((v.into(), 0)),
        Data::U8(v) => Ok((v.iter().map(|&x| (x ^ 128).cast_signed()).collect(), 128)),
        other => fault(format!(
            "an operand is of {}, not of 8-bit integers",
            other.ty().name()
        )),
    }
}

/// Rows of `k` numbers as the kernels read them.
pub(in crate::ops) fn rows_of(a: Vec<i16>, k: usize) -> Vec<i16> {
    let len = row_len_integers(k);
    if len == k {
        return a;
    }
    let mut rows = vec![0; a.len() / k.max(1) * len];
    for (to, from) in rows.chunks_exact_mut(len).zip(a.chunks_exact(k)) {
        to[..k].copy_from_slice(from);
    }
    rows
}

/// A right operand, laid out as the kernels read it.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Right {
    /// As it was given, but for one that is turned.
    shape: Vec<usize>,
    pub(in crate::ops) k: usize,
    pub(in crate::ops) n: usize,
    /// One matrix after another.
    panels: Vec<i8>,
    /// For each column of each matrix, what its numbers are more than their bytes; empty where that is nothing.
    shift: Vec<i32>,
}

impl Right {
    /// `turned` says that the rows are the columns.
    pub(in crate::ops) fn new(b: &Tensor, zero: Option<&Tensor>, turned: bool) -> Result<Right> {
        let (mut k, mut n) = match b.shape[..] {
            [] => return fault("its operand is one number"),
            [k] => (k, 1),
            [.., k, n] => (k, n),
        };
        let mut shape = b.shape.clone();
        let mut strides = [n, 1];
        if turned {
            let rank = shape.len();
            if rank < 2 {
                return fault("its operand is no matrix");
            }
            shape.swap(rank - 1, rank - 2);
            (k, n) = (n, k);
            strides = [1, k];
        }
        let (bytes, base) = bytes(b)?;
        let matrices = bytes.len().checked_div(k * n).unwrap_or(0);
        let len = packed_len_integers(k, n);
        let Some(total) = matrices.checked_mul(len) else {
            return fault("an operand is too large");
        };
        let mut panels = vec![0; total];
        for i in 0..matrices {
            let b = &bytes[Shapes::part(i, k * n)];
            pack_integers(k, n, b, strides, &mut panels[Shapes::part(i, len)]);
        }
        // What differs along the sum is no zero of a column.
        let zeros = match zero {
            Some(zero) if zero.ty() != b.ty() => {
                return fault("a zero point is of another type than its operand");
            }
            Some(zero) if zero.len() == 1 => vec![zero.scalar_int()?; matrices * n],
            Some(zero) => {
                let mut columns = shape.clone();
                let rank = columns.len();
                if rank > 1 {
                    columns[rank - 2] = 1;
                }
                if rank < 2 || common([&columns[..], &zero.shape])? != columns {
                    return fault("a zero point does not fit its operand");
                }
                let all = zero.ints()?;
                let rows = Rows::strided(&columns, [repeated(&zero.shape, &columns)]);
                let mut zeros = Vec::with_capacity(matrices * n);
                rows.each(|_, [start]| {
                    zeros.extend((0..rows.len).map(|i| all[start + i * rows.step[0]]));
                });
                zeros
            }
            None => vec![0; matrices * n],
        };
        let mut shift: Vec<i32> = zeros.iter().map(|&zero| base - zero as i32).collect();
        if shift.iter().all(|&shift| shift == 0) {
            shift.clear();
        }
        Ok(Right {
            shape,
            k,
            n,
            panels,
            shift,
        })
    }

    /// The product of `m` rows, as [`rows_of`] gives them, with one of its matrices.
    pub(in crate::ops) fn multiply(&self, m: usize, a: &[i16], matrix: usize, out: &mut [i32]) {
        let (k, n) = (self.k, self.n);
        let panels = &self.panels[Shapes::part(matrix, packed_len_integers(k, n))];
        gemm_integers(m, n, k, a, panels, out, n);
        if self.shift.is_empty() {
            return;
        }
        let shift = &self.shift[Shapes::part(matrix, n)];
        let rows = a.chunks_exact(row_len_integers(k).max(1));
        for (out, row) in out.chunks_exact_mut(n.max(1)).zip(rows) {
            let sum: i32 = row.iter().map(|&a| i32::from(a)).sum();
            for (out, shift) in out.iter_mut().zip(shift) {
                *out = out.wrapping_add(shift.wrapping_mul(sum));
            }
        }
    }
}

fn product(
    a: &Tensor,
    zero: Option<&Tensor>,
    right: &Right,
    context: &mut Context,
) -> Result<(Vec<usize>, Vec<i32>)> {
    let s = Shapes::new(&a.shape, &right.shape)?;
    context.spend(s.work())?;
    let result = s.result.clone();
    let s = s.joined();
    let mut out = vec![0; s.len];
    if s.len > 0 && s.k > 0 {
        let (m, k, n) = (s.m, s.k, s.n);
        let a = rows_of(centred(a, zero, true)?, k);
        let row = row_len_integers(k);
        s.each(|at, i, j| {
            let out = &mut out[Shapes::part(at, m * n)];
            right.multiply(m, &a[Shapes::part(i, m * row)], j, out);
        });
    }
    Ok((result, out))
}
