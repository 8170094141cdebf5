//! Operators on elements, with broadcasting.

use crate::engine::array::{Array, Data, Elements, Fault, View, count, strides};
use crate::engine::buffer_pool::BufferPool;
use crate::engine::kernels::{self, Binary, Unary};
use crate::engine::op::Comparison;

/// The shape that two shapes broadcast to (as in NumPy).
pub(crate) fn common(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Fault> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| {
        let missing = rank - shape.len();
        if axis < missing {
            1
        } else {
            shape[axis - missing]
        }
    };
    let joined = (0..rank).map(|axis| match (at(a, axis), at(b, axis)) {
        (x, y) if x == y => Ok(x),
        (1, y) => Ok(y),
        (x, 1) => Ok(x),
        _ => Err("shapes that do not broadcast"),
    });
    joined.collect()
}

/// An operand's strides in a larger shape: 0 along the axes where it is repeated.
fn repeated(shape: &[usize], into: &[usize]) -> Vec<usize> {
    let missing = into.len() - shape.len();
    let own = strides(shape);
    (0..into.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(own_axis) if shape[own_axis] == into[axis] => own[own_axis],
            _ => 0,
        })
        .collect()
}

/// Calls `row` for each run of elements along the last axis, with where it begins in the result and in the operands.
/// Axes along which all operands go on evenly count as one.
struct Rows<const N: usize> {
    /// The outer axes: lengths, and each operand's strides.
    outer: Vec<(usize, [usize; N])>,
    /// The length of a row.
    len: usize,
    /// Each operand's stride along a row.
    step: [usize; N],
}

impl<const N: usize> Rows<N> {
    fn new(shape: &[usize], operands: [&[usize]; N]) -> Self {
        let all = operands.map(|own| repeated(own, shape));
        let mut axes: Vec<(usize, [usize; N])> = Vec::new();
        for axis in (0..shape.len()).rev() {
            let steps: [usize; N] = std::array::from_fn(|i| all[i][axis]);
            if shape[axis] == 1 {
                continue;
            }
            match axes.last_mut() {
                Some((len, inner)) if (0..N).all(|i| steps[i] == inner[i] * *len) => {
                    *len *= shape[axis];
                }
                _ => axes.push((shape[axis], steps)),
            }
        }
        let (len, step) = if axes.is_empty() {
            (1, [1; N])
        } else {
            axes.remove(0)
        };
        Rows {
            outer: axes,
            len,
            step,
        }
    }

    fn each(&self, mut row: impl FnMut(usize, [usize; N])) {
        let rows: usize = self.outer.iter().map(|(len, _)| len).product();
        for at in 0..rows {
            let (mut rest, mut starts) = (at, [0; N]);
            for (len, steps) in &self.outer {
                let place = rest % len;
                rest /= len;
                for i in 0..N {
                    starts[i] += place * steps[i];
                }
            }
            row(at * self.len, starts);
        }
    }
}

pub(super) fn binary(
    op: Binary,
    a: &View<'_>,
    b: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let shape = common(&a.shape, &b.shape)?;
    if let (Elements::I64(x), Elements::I64(y)) = (a.data, b.data) {
        let mut out = vec![0; count(&shape)?];
        let rows = Rows::new(&shape, [&a.shape, &b.shape]);
        let mut failed = Ok(());
        rows.each(|to, [i, j]| {
            for at in 0..rows.len {
                let pair = (x[i + at * rows.step[0]], y[j + at * rows.step[1]]);
                match int_binary(op, pair.0, pair.1) {
                    Ok(value) => out[to + at] = value,
                    Err(fault) => failed = Err(fault),
                }
            }
        });
        failed?;
        return Ok(Array::i64(shape, out));
    }
    let (x, y) = (a.floats()?, b.floats()?);
    let rows = Rows::new(&shape, [&a.shape, &b.shape]);
    let (shape, mut out) = pool.array(shape)?;
    rows.each(|to, [i, j]| {
        let out = &mut out[to..to + rows.len];
        match rows.step {
            [1, 1] => kernels::binary(op, &x[i..i + rows.len], &y[j..j + rows.len], out),
            [1, 0] => kernels::binary_scalar(op, &x[i..i + rows.len], y[j], out),
            [0, 1] => kernels::binary_scalar_left(op, x[i], &y[j..j + rows.len], out),
            [p, q] => {
                for (at, out) in out.iter_mut().enumerate() {
                    let (x, y) = (x[i + at * p], y[j + at * q]);
                    kernels::binary_scalar(op, &[x], y, std::slice::from_mut(out));
                }
            }
        }
    });
    Ok(Array::f32(shape, out))
}

pub(super) fn compare(op: Comparison, a: &View<'_>, b: &View<'_>) -> Result<Array, Fault> {
    let shape = common(&a.shape, &b.shape)?;
    let rows = Rows::new(&shape, [&a.shape, &b.shape]);
    let mut out = vec![0; count(&shape)?];
    let mut fill = |holds: &dyn Fn(usize, usize) -> bool| {
        rows.each(|to, [i, j]| {
            for at in 0..rows.len {
                let held = holds(i + at * rows.step[0], j + at * rows.step[1]);
                out[to + at] = i64::from(held);
            }
        });
    };
    match (a.data, b.data) {
        (Elements::F32(x), Elements::F32(y)) => {
            fill(&|i, j| holds(op, &x[i], &y[j], |v| *v != 0.0))
        }
        (Elements::I64(x), Elements::I64(y)) => fill(&|i, j| holds(op, &x[i], &y[j], |v| *v != 0)),
        _ => return Err("a comparison of different types"),
    }
    Ok(Array::i64(shape, out))
}

fn holds<T: PartialOrd>(op: Comparison, a: &T, b: &T, truth: impl Fn(&T) -> bool) -> bool {
    match op {
        Comparison::Eq => a == b,
        Comparison::Ne => a != b,
        Comparison::Lt => a < b,
        Comparison::Le => a <= b,
        Comparison::Gt => a > b,
        Comparison::Ge => a >= b,
        Comparison::And => truth(a) && truth(b),
        Comparison::Or => truth(a) || truth(b),
    }
}

pub(super) fn select(
    when: &View<'_>,
    a: &View<'_>,
    b: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let shape = common(&common(&when.shape, &a.shape)?, &b.shape)?;
    let chosen = when.ints()?;
    let rows = Rows::new(&shape, [&when.shape, &a.shape, &b.shape]);
    let pick = |at: usize, starts: [usize; 3]| {
        let place = |i: usize| starts[i] + at * rows.step[i];
        if chosen[place(0)] != 0 {
            (true, place(1))
        } else {
            (false, place(2))
        }
    };
    match (a.data, b.data) {
        (Elements::F32(x), Elements::F32(y)) => {
            let (shape, mut out) = pool.array(shape)?;
            rows.each(|to, starts| {
                for at in 0..rows.len {
                    let (first, place) = pick(at, starts);
                    out[to + at] = if first { x[place] } else { y[place] };
                }
            });
            Ok(Array::f32(shape, out))
        }
        (Elements::I64(x), Elements::I64(y)) => {
            let mut out = vec![0; count(&shape)?];
            rows.each(|to, starts| {
                for at in 0..rows.len {
                    let (first, place) = pick(at, starts);
                    out[to + at] = if first { x[place] } else { y[place] };
                }
            });
            Ok(Array::i64(shape, out))
        }
        _ => Err("a choice between different types"),
    }
}

fn int_binary(op: Binary, a: i64, b: i64) -> Result<i64, Fault> {
    let over = "an integer is too large";
    match op {
        Binary::Add => a.checked_add(b).ok_or(over),
        Binary::Sub => a.checked_sub(b).ok_or(over),
        Binary::Mul => a.checked_mul(b).ok_or(over),
        Binary::Div => a.checked_div(b).ok_or("an integer is divided by zero"),
        Binary::Min => Ok(a.min(b)),
        Binary::Max => Ok(a.max(b)),
        Binary::Pow => Err("there is no power of integers"),
    }
}

pub(super) fn int_unary(op: Unary, x: &mut [i64]) -> Result<(), Fault> {
    let each: fn(i64) -> i64 = match op {
        Unary::Abs => i64::wrapping_abs,
        Unary::Neg => i64::wrapping_neg,
        Unary::Sign => i64::signum,
        Unary::Square => |x| x.wrapping_mul(x),
        _ => return Err("an operator of floats is given integers"),
    };
    x.iter_mut().for_each(|x| *x = each(*x));
    Ok(())
}

/// The elements of a view repeated into a shape.
pub(super) fn repeat(
    shape: &[usize],
    view: &View<'_>,
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    if common(&view.shape, shape)? != shape {
        return Err("shapes that do not broadcast");
    }
    let rows = Rows::new(shape, [&view.shape]);
    let data = match view.data {
        Elements::F32(x) => {
            let mut out = pool.floats(count(shape)?);
            rows.each(|to, [from]| {
                (0..rows.len).for_each(|at| out[to + at] = x[from + at * rows.step[0]]);
            });
            Data::F32(out)
        }
        Elements::I64(x) => {
            let mut out = vec![0; count(shape)?];
            rows.each(|to, [from]| {
                (0..rows.len).for_each(|at| out[to + at] = x[from + at * rows.step[0]]);
            });
            Data::I64(out)
        }
        _ => return Err("an operand is packed"),
    };
    Ok(Array {
        shape: shape.to_vec(),
        data,
    })
}
