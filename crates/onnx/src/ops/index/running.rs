//! Running sums and products.

use crate::fault::Result;
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Numbers, Tensor, axis};

pub(super) fn running(decl: &Decl<'_>, product: bool) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let (exclusive, reverse) = (decl.flag("exclusive")?, decl.flag("reverse")?);
    op(move |x, _| {
        let along = axis(x.get(1)?.scalar_int()?, x.get(0)?.rank())?;
        let x = x.get(0)?;
        let (_, len, inner) = x.around(along);
        let walk = Walk {
            len,
            inner,
            exclusive,
            reverse,
        };
        let run = match (x.numbers()?, product) {
            (Numbers::F32(v), false) => Numbers::F32(walk.run(&v, 0.0, |a, b| a + b).into()),
            (Numbers::F32(v), true) => Numbers::F32(walk.run(&v, 1.0, |a, b| a * b).into()),
            (Numbers::F64(v), false) => Numbers::F64(walk.run(&v, 0.0, |a, b| a + b).into()),
            (Numbers::F64(v), true) => Numbers::F64(walk.run(&v, 1.0, |a, b| a * b).into()),
            (Numbers::I64(v), false) => Numbers::I64(walk.run(&v, 0, i64::wrapping_add).into()),
            (Numbers::I64(v), true) => Numbers::I64(walk.run(&v, 1, i64::wrapping_mul).into()),
            (Numbers::U64(v), false) => Numbers::U64(walk.run(&v, 0, u64::wrapping_add).into()),
            (Numbers::U64(v), true) => Numbers::U64(walk.run(&v, 1, u64::wrapping_mul).into()),
        };
        one(Tensor::new(x.shape.clone(), run.narrow(x.ty()))?)
    })
}

struct Walk {
    len: usize,
    inner: usize,
    /// Whether an element is not part of its own result.
    exclusive: bool,
    reverse: bool,
}

impl Walk {
    fn run<T: Copy>(&self, v: &[T], start: T, join: impl Fn(T, T) -> T) -> Vec<T> {
        let mut out = vec![start; v.len()];
        if v.is_empty() {
            return out;
        }
        let block = self.len * self.inner;
        let mut totals = vec![start; self.inner];
        for (from, to) in v.chunks_exact(block).zip(out.chunks_exact_mut(block)) {
            totals.fill(start);
            for step in 0..self.len {
                let row = match self.reverse {
                    true => self.len - 1 - step,
                    false => step,
                } * self.inner;
                let to = &mut to[row..row + self.inner];
                for ((to, &from), total) in to.iter_mut().zip(&from[row..]).zip(&mut totals) {
                    let next = join(*total, from);
                    *to = if self.exclusive { *total } else { next };
                    *total = next;
                }
            }
        }
        out
    }
}
