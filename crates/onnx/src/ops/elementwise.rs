//! Operators on every element: one operand (`unary`), pairs of elements with broadcasting (`binary`), and choices among them.

mod binary;
mod cast;
mod unary;

use crate::broadcast::{Rows, common};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Tensor, Type, count};

pub(super) use cast::cast;

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    if let Some(op) = unary::make(name, decl)? {
        return Ok(Some(op));
    }
    if let Some(op) = binary::make(name, decl)? {
        return Ok(Some(op));
    }
    match name {
        "Where" => {
            decl.operands(3, 3)?;
            op(|x, _| one(choose(x.get(0)?, x.get(1)?, x.get(2)?)?))
        }
        "Clip" => clip(decl),
        "Cast" => {
            decl.operands(1, 1)?;
            // Says what becomes of numbers beyond the range of 8-bit floats.
            decl.unused("saturate");
            decl.unused("round_mode");
            let Some(ty) = decl.ty("to")? else {
                return fault("it does not say what to cast to");
            };
            op(move |x, _| match x.get(0)?.ty() == ty {
                true => Ok(vec![x.value(0)?]),
                false => one(cast(x.get(0)?, ty)?),
            })
        }
        "BitCast" => {
            decl.operands(1, 1)?;
            let Some(ty) = decl.ty("to")? else {
                return fault("it does not say what to cast to");
            };
            op(move |x, _| one(cast::same_bits(x.get(0)?, ty)?))
        }
        "CastLike" => {
            decl.operands(2, 2)?;
            decl.unused("saturate");
            decl.unused("round_mode");
            op(|x, _| one(cast(x.get(0)?, x.get(1)?.ty())?))
        }
        _ => Ok(None),
    }
}

/// The second where the first is true, the third elsewhere.
fn choose(when: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    if yes.ty() != no.ty() {
        return fault(format!(
            "it chooses between {} and {}",
            yes.ty().name(),
            no.ty().name()
        ));
    }
    let shape = common([&when.shape[..], &yes.shape, &no.shape])?;
    let len = count(&shape)?;
    let chosen = when.truths()?;
    let rows = Rows::new(&shape, [&when.shape, &yes.shape, &no.shape]);
    macro_rules! choose {
        ($($kind:ident),*) => {
            match (&yes.data, &no.data) {
                $((Data::$kind(yes), Data::$kind(no)) => {
                    let mut out = Vec::with_capacity(len);
                    rows.each(|_, [c, a, b]| {
                        let [p, q, r] = rows.step;
                        out.extend((0..rows.len).map(|at| match chosen[c + at * p] {
                            true => yes[a + at * q].clone(),
                            false => no[b + at * r].clone(),
                        }));
                    });
                    Data::$kind(out)
                })*
                _ => return fault("it chooses between different types"),
            }
        };
    }
    let data = choose!(
        F32, U8, I8, U16, I16, I32, I64, Text, Bool, F16, F64, U32, U64, BF16
    );
    Tensor::new(shape, data)
}

fn clip(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, if decl.version < 11 { 1 } else { 3 })?;
    let given = match decl.version < 11 {
        true => [decl.float("min")?, decl.float("max")?]
            .map(|v| v.map(|v| Tensor::f32(Vec::new(), vec![v]))),
        false => [None, None],
    };
    op(move |x, _| {
        let ty = x.get(0)?.ty();
        let bound = |at: usize| -> Result<Option<Tensor>> {
            match (&given[at - 1], x.opt(at)) {
                (Some(own), _) => cast(own, ty).map(Some),
                // One without elements bounds nothing.
                (None, Some(bound)) if !bound.is_empty() => Ok(Some(bound.clone())),
                _ => Ok(None),
            }
        };
        let (low, high) = (bound(1)?, bound(2)?);
        let mut clipped = x.take(0)?;
        if let Data::F32(values) = &mut clipped.data {
            let single = |bound: &Option<Tensor>, none: f32| match bound {
                Some(bound) => bound.scalar_float(),
                None => Ok(none),
            };
            let (low, high) = (
                single(&low, f32::NEG_INFINITY)?,
                single(&high, f32::INFINITY)?,
            );
            for value in values {
                // What is not a number stays none.
                let raised = if *value < low { low } else { *value };
                *value = if raised > high { high } else { raised };
            }
            return one(clipped);
        }
        if let Some(low) = low {
            clipped = binary::numbers("Max", clipped, &low)?;
        }
        // Where the lower bound is the higher one, the upper one holds.
        if let Some(high) = high {
            clipped = binary::numbers("Min", clipped, &high)?;
        }
        one(clipped)
    })
}

/// Whether types are the same.
fn same(a: Type, b: Type) -> Result<()> {
    match a == b {
        true => Ok(()),
        false => fault(format!("its operands are of {} and {}", a.name(), b.name())),
    }
}
