//! Tensors of numbers that follow a rule.

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::ops::elementwise::cast;
use crate::tensor::{Data, Numbers, Tensor, axis, count, map};

pub(super) fn eye_like(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let shift = decl.int_or("k", 0)?;
    let ty = decl.ty("dtype")?;
    op(move |x, _| {
        let like = x.get(0)?;
        let [rows, cols] = like.shape[..] else {
            return fault(format!("{:?} is not the shape of a matrix", like.shape));
        };
        let one_of = cast(&Tensor::bools(vec![1], vec![true]), ty.unwrap_or(like.ty()))?;
        let mut data = Data::zeros(one_of.ty(), rows * cols);
        for row in 0..rows {
            let col = (row as i64).saturating_add(shift);
            if (0..cols as i64).contains(&col) {
                data.paste(row * cols + col as usize, &one_of.data, 0, 1);
            }
        }
        one(Tensor::new(like.shape.clone(), data)?)
    })
}

pub(super) fn range(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 3)?;
    // In which type 16-bit floats are counted; here always in a wide one, rounded once.
    if decl.version >= 27 && decl.int_or("stash_type", 1)? != 1 {
        return fault("its attribute stash_type is not supported other than float32");
    }
    op(|x, _| {
        let ty = x.get(0)?.ty();
        if (1..3).any(|at| x.get(at).is_ok_and(|t| t.ty() != ty)) {
            return fault("its operands are of different types");
        }
        if ty.is_float() {
            let [start, limit, delta] = [wide(x.get(0)?)?, wide(x.get(1)?)?, wide(x.get(2)?)?];
            let steps = ((limit - start) / delta).ceil();
            if steps.is_nan() || delta == 0.0 {
                return fault(format!("it counts from {start} to {limit} by {delta}"));
            }
            let steps = count(&[steps.max(0.0) as usize])?;
            let numbers: Vec<f64> = (0..steps).map(|i| start + i as f64 * delta).collect();
            return one(Tensor::new(
                vec![steps],
                Numbers::F64(numbers.into()).narrow(ty),
            )?);
        }
        let [start, limit, delta] = [0, 1, 2].map(|at| x.get(at).and_then(Tensor::scalar_int));
        let (start, limit, delta) = (i128::from(start?), i128::from(limit?), i128::from(delta?));
        if delta == 0 {
            return fault("it counts by 0");
        }
        let (span, by) = match delta > 0 {
            true => (limit - start, delta),
            false => (start - limit, -delta),
        };
        let steps = if span <= 0 { 0 } else { (span + by - 1) / by };
        let steps = count(&[usize::try_from(steps).unwrap_or(usize::MAX)])?;
        let numbers: Vec<i64> = (0..steps)
            .map(|i| (start + i as i128 * delta) as i64)
            .collect();
        one(Tensor::new(
            vec![steps],
            Numbers::I64(numbers.into()).narrow(ty),
        )?)
    })
}

/// The one float that it holds, as a 64-bit one.
fn wide(x: &Tensor) -> Result<f64> {
    match x.numbers()? {
        Numbers::F64(v) if v.len() == 1 => Ok(v[0]),
        _ => x.scalar_float().map(f64::from),
    }
}

pub(super) fn constant_of_shape(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let value = decl
        .tensor("value")?
        .unwrap_or_else(|| Tensor::f32(vec![1], vec![0.0]));
    if value.len() != 1 {
        return fault(format!("its value has {} elements", value.len()));
    }
    op(move |x, _| {
        let shape = x.get(0)?.lengths()?;
        let len = count(&shape)?;
        let data = map!(&value.data, v => repeated(&v[..1], len));
        one(Tensor::new(shape, data)?)
    })
}

pub(super) fn one_hot(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 3)?;
    let along = decl.int_or("axis", -1)?;
    op(move |x, _| {
        let (indices, values) = (x.get(0)?, x.get(2)?);
        let depth = match &*integers(x.get(1)?)? {
            [depth] => usize::try_from(*depth).map_err(|_| format!("its depth is {depth}"))?,
            _ => return fault("its depth is not one number"),
        };
        if values.len() != 2 {
            return fault(format!("it has {} values, and takes 2", values.len()));
        }
        let along = axis(along, indices.rank() + 1)?;
        let mut shape = indices.shape.clone();
        shape.insert(along, depth);
        let len = count(&shape)?;
        let inner: usize = indices.shape[along..].iter().product();
        let mut data = map!(&values.data, v => repeated(&v[..1], len));
        for (at, &index) in integers(indices)?.iter().enumerate() {
            // Elsewhere, all are off.
            let place = if index < 0 {
                index.saturating_add(depth as i64)
            } else {
                index
            };
            if (0..depth as i64).contains(&place) {
                let (outer, at) = (at / inner, at % inner);
                data.paste(
                    (outer * depth + place as usize) * inner + at,
                    &values.data,
                    1,
                    1,
                );
            }
        }
        one(Tensor::new(shape, data)?)
    })
}

/// So many times the same, or nothing of nothing.
pub(super) fn repeated<T: Clone>(one: &[T], len: usize) -> Vec<T> {
    one.first()
        .map_or_else(Vec::new, |one| vec![one.clone(); len])
}

/// Numbers of any type as integers; floats without their fractions.
fn integers(x: &Tensor) -> Result<Vec<i64>> {
    Ok(match x.numbers()? {
        Numbers::I64(v) => v.into_owned(),
        Numbers::U64(v) => v
            .iter()
            .map(|&v| i64::try_from(v).unwrap_or(i64::MAX))
            .collect(),
        Numbers::F32(v) => v.iter().map(|&v| v as i64).collect(),
        Numbers::F64(v) => v.iter().map(|&v| v as i64).collect(),
    })
}
