//! Broadcasting, as in NumPy.

use crate::fault::{Fault, Result};
use crate::tensor::strides;

/// The shape that shapes broadcast to.
pub(crate) fn common<'a>(shapes: impl IntoIterator<Item = &'a [usize]>) -> Result<Vec<usize>> {
    let mut joined: Vec<usize> = Vec::new();
    for shape in shapes {
        if shape.len() > joined.len() {
            joined.splice(0..0, std::iter::repeat_n(1, shape.len() - joined.len()));
        }
        let missing = joined.len() - shape.len();
        for (to, &length) in joined[missing..].iter_mut().zip(shape) {
            *to = match (*to, length) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                (a, b) => return Err(Fault(format!("lengths {a} and {b} do not broadcast"))),
            };
        }
    }
    Ok(joined)
}

/// An operand's strides in a larger shape: 0 along the axes where it is repeated.
pub(crate) fn repeated(shape: &[usize], into: &[usize]) -> Vec<usize> {
    let missing = into.len() - shape.len();
    let own = strides(shape);
    (0..into.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(at) if shape[at] != 1 => own[at],
            _ => 0,
        })
        .collect()
}

/// A walk along the rows of a shape, with where each begins in `N` operands. Axes along which all operands go on evenly count as
/// one.
pub(crate) struct Rows<const N: usize> {
    /// The outer axes, the innermost first: lengths, and each operand's strides.
    outer: Vec<(usize, [usize; N])>,
    /// The length of a row.
    pub len: usize,
    /// Each operand's stride along a row.
    pub step: [usize; N],
}

impl<const N: usize> Rows<N> {
    /// Operands that broadcast into a shape.
    pub(crate) fn new(shape: &[usize], operands: [&[usize]; N]) -> Self {
        Rows::strided(shape, operands.map(|own| repeated(own, shape)))
    }

    /// Operands with any strides.
    pub(crate) fn strided(shape: &[usize], steps: [Vec<usize>; N]) -> Self {
        let mut axes: Vec<(usize, [usize; N])> = Vec::new();
        for axis in (0..shape.len()).rev() {
            let own: [usize; N] = std::array::from_fn(|i| steps[i][axis]);
            if shape[axis] == 1 {
                continue;
            }
            match axes.last_mut() {
                Some((len, inner)) if (0..N).all(|i| own[i] == inner[i] * *len) => {
                    *len *= shape[axis]
                }
                _ => axes.push((shape[axis], own)),
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

    /// Calls `row` with where each row begins, in the result and in the operands.
    pub(crate) fn each(&self, mut row: impl FnMut(usize, [usize; N])) {
        if self.len == 0 || self.outer.iter().any(|(len, _)| *len == 0) {
            return;
        }
        let mut place = vec![0; self.outer.len()];
        let (mut at, mut starts) = (0, [0; N]);
        loop {
            row(at, starts);
            at += self.len;
            let mut axis = 0;
            loop {
                let Some((len, steps)) = self.outer.get(axis) else {
                    return;
                };
                place[axis] += 1;
                for i in 0..N {
                    starts[i] += steps[i];
                }
                if place[axis] < *len {
                    break;
                }
                for i in 0..N {
                    starts[i] -= steps[i] * len;
                }
                place[axis] = 0;
                axis += 1;
            }
        }
    }
}
