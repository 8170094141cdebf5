//! Elements that a condition selects.

use half::{bf16, f16};

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Tensor, axis, each, strides};

pub(super) fn compress(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let along = decl.int("axis")?;
    op(move |x, _| {
        let (from, when) = (x.get(0)?, x.get(1)?.truths()?);
        let (mut shape, along) = match along {
            Some(along) => (from.shape.clone(), axis(along, from.rank())?),
            None => (vec![from.len()], 0),
        };
        let len = shape[along];
        // What is beyond the condition is left out.
        let kept: Vec<usize> = (0..when.len()).filter(|&at| when[at]).collect();
        if kept.last().is_some_and(|&last| last >= len) {
            return fault(format!(
                "its condition of {} selects beyond {len}",
                when.len()
            ));
        }
        let outer: usize = shape[..along].iter().product();
        let inner: usize = shape[along + 1..].iter().product();
        shape[along] = kept.len();
        let starts: Vec<usize> = (0..outer)
            .flat_map(|block| kept.iter().map(move |at| (block * len + at) * inner))
            .collect();
        let data = from.data.runs(inner, starts.into_iter());
        one(Tensor::new(shape, data)?)
    })
}

/// Whether an element is zero, `false` or empty.
trait Zero {
    fn is_zero(&self) -> bool;
}

macro_rules! zero {
    ($($ty:ty: $zero:expr),*) => {
        $(impl Zero for $ty {
            fn is_zero(&self) -> bool {
                *self == $zero
            }
        })*
    };
}

zero!(
    f32: 0.0, f64: 0.0, u8: 0, i8: 0, u16: 0, i16: 0, i32: 0, u32: 0, i64: 0, u64: 0, bool: false, String: "",
    f16: f16::ZERO, bf16: bf16::ZERO
);

pub(super) fn non_zero(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    op(|x, context| {
        let x = x.get(0)?;
        context.spend(x.len() as u64)?;
        let found: Vec<usize> = each!(&x.data, v => {
            v.iter().enumerate().filter(|(_, v)| !v.is_zero()).map(|(at, _)| at).collect()
        });
        let steps = strides(&x.shape);
        let mut places = Vec::with_capacity(found.len() * x.rank());
        for (step, &len) in steps.iter().zip(&x.shape) {
            places.extend(found.iter().map(|at| (at / step % len) as i64));
        }
        let shape = vec![x.rank(), found.len()];
        one(Tensor::new(shape, crate::Data::I64(places))?)
    })
}
