//! Elements at places that numbers name.

use crate::broadcast::Rows;
use crate::fault::{Fault, Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Tensor, axis, count, strides};

/// A place along an axis as ONNX counts them: from the end when negative.
pub(super) fn place(index: i64, len: usize) -> Result<usize> {
    let from = if index < 0 { index + len as i64 } else { index };
    match usize::try_from(from) {
        Ok(at) if at < len => Ok(at),
        _ => Err(Fault(format!("there is no element {index} among {len}"))),
    }
}

pub(super) fn gather(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let along = decl.int_or("axis", 0)?;
    op(move |x, _| {
        let (from, indices) = (x.get(0)?, x.get(1)?);
        let along = axis(along, from.rank())?;
        let (outer, len, inner) = from.around(along);
        let places: Vec<usize> = indices
            .ints()?
            .iter()
            .map(|&index| place(index, len))
            .collect::<Result<_>>()?;
        let mut shape = from.shape.clone();
        shape.splice(along..=along, indices.shape.iter().copied());
        count(&shape)?;
        let data = if outer == 1 {
            from.data.runs(inner, places.iter().map(|at| at * inner))
        } else {
            let mut starts = Vec::with_capacity(outer * places.len());
            for block in 0..outer {
                starts.extend(places.iter().map(|at| (block * len + at) * inner));
            }
            from.data.runs(inner, starts.into_iter())
        };
        one(Tensor::new(shape, data)?)
    })
}

/// Calls with each place in a shape of indices, and with where that is in a larger tensor whose place along one axis the index
/// names.
pub(super) fn along_axis(
    whole: &[usize],
    indices: &Tensor,
    along: usize,
    mut each: impl FnMut(usize, usize),
) -> Result<()> {
    let fits = indices.rank() == whole.len()
        && (0..whole.len()).all(|at| at == along || indices.shape[at] <= whole[at]);
    if !fits {
        return fault(format!(
            "indices of the shape {:?} do not fit the shape {whole:?}",
            indices.shape
        ));
    }
    let numbers = indices.ints()?;
    let mut steps = strides(whole);
    let step = std::mem::replace(&mut steps[along], 0);
    let rows = Rows::strided(&indices.shape, [steps]);
    let mut wrong = None;
    rows.each(|at, [start]| {
        for i in 0..rows.len {
            match place(numbers[at + i], whole[along]) {
                Ok(found) => each(at + i, start + i * rows.step[0] + found * step),
                Err(why) => wrong = Some(why),
            }
        }
    });
    wrong.map_or(Ok(()), Err)
}

pub(super) fn gather_elements(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let along = decl.int_or("axis", 0)?;
    op(move |x, _| {
        let (from, indices) = (x.get(0)?, x.get(1)?);
        let along = axis(along, from.rank())?;
        let mut starts = Vec::with_capacity(indices.len());
        along_axis(&from.shape, indices, along, |_, start| starts.push(start))?;
        let data = from.data.runs(1, starts.into_iter());
        one(Tensor::new(indices.shape.clone(), data)?)
    })
}

/// Where slices begin that vectors of indices name, and how long these are. The first axes, `batch` of them, are walked in step.
pub(super) fn slices(
    whole: &[usize],
    indices: &Tensor,
    batch: usize,
) -> Result<(Vec<usize>, usize)> {
    let Some((&depth, outer)) = indices.shape.split_last() else {
        return fault("its indices are one number, and not vectors");
    };
    if depth + batch > whole.len() || batch > outer.len() || whole[..batch] != outer[..batch] {
        return fault(format!(
            "indices of the shape {:?} do not fit the shape {whole:?}",
            indices.shape
        ));
    }
    let steps = strides(whole);
    let inner: usize = whole[batch + depth..].iter().product();
    let (count, own) = (
        outer.iter().product::<usize>(),
        outer[batch..].iter().product::<usize>(),
    );
    let block: usize = whole[batch..].iter().product();
    let numbers = indices.ints()?;
    let mut starts = Vec::with_capacity(count);
    for at in 0..count {
        let mut start = at / own * block;
        for (i, &index) in numbers[at * depth..][..depth].iter().enumerate() {
            start += place(index, whole[batch + i])? * steps[batch + i];
        }
        starts.push(start);
    }
    Ok((starts, inner))
}

pub(super) fn gather_nd(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let batch = match decl.version >= 12 {
        true => decl.int_or("batch_dims", 0)?,
        false => 0,
    };
    let Ok(batch) = usize::try_from(batch) else {
        return fault(format!("its attribute batch_dims is {batch}"));
    };
    op(move |x, _| {
        let (from, indices) = (x.get(0)?, x.get(1)?);
        if batch >= from.rank().min(indices.rank()).max(1) {
            return fault(format!("it has no {batch} axes of batches"));
        }
        let (starts, inner) = slices(&from.shape, indices, batch)?;
        let depth = indices.shape.last().copied().unwrap_or(0);
        let mut shape = indices.shape.clone();
        shape.pop();
        shape.extend(&from.shape[batch + depth..]);
        count(&shape)?;
        let data = match from.is_empty() {
            // Slices of nothing, wherever they would be.
            true => from.data.clone(),
            false => from.data.runs(inner, starts.into_iter()),
        };
        one(Tensor::new(shape, data)?)
    })
}
