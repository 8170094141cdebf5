//! Tensors put together, taken apart and repeated.

use super::{List, Places, pick};
use crate::broadcast::{Rows, common};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Tensor, axis, count, map};

pub(super) fn concat(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, usize::MAX)?;
    let along = decl.must_int("axis")?;
    op(move |x, _| {
        if x.len() == 1 {
            axis(along, x.get(0)?.rank())?;
            return Ok(vec![x.value(0)?]);
        }
        one(concatenated(&x.all()?, along)?)
    })
}

fn concatenated(parts: &[&Tensor], along: i64) -> Result<Tensor> {
    let first = parts.first().ok_or("it puts nothing together")?;
    let along = axis(along, first.rank())?;
    let mut shape = first.shape.clone();
    shape[along] = 0;
    for part in parts {
        let fits = part.rank() == shape.len()
            && (0..shape.len()).all(|at| at == along || part.shape[at] == shape[at]);
        if !fits || part.ty() != first.ty() {
            return fault(format!(
                "{} of the shape {:?} and {} of the shape {:?} cannot be put together",
                first.ty().name(),
                first.shape,
                part.ty().name(),
                part.shape
            ));
        }
        shape[along] = shape[along]
            .checked_add(part.shape[along])
            .ok_or("it is too long")?;
    }
    count(&shape)?;
    let outer: usize = shape[..along].iter().product();
    let parts: Vec<(&Data, usize)> = parts
        .iter()
        .map(|part| (&part.data, part.shape[along..].iter().product()))
        .collect();
    let data = Data::joined(&parts, outer);
    Tensor::new(shape, data)
}

pub(super) fn split(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, if decl.version < 13 { 1 } else { 2 })?;
    let along = decl.int_or("axis", 0)?;
    let lengths = List::before(decl, 13, "split", 1)?;
    let results = decl.results();
    let parts = match decl.version >= 18 {
        true => decl.int("num_outputs")?,
        false => None,
    };
    if parts.is_some_and(|parts| parts != results as i64) {
        return fault("its attribute num_outputs is not the number of its results");
    }
    if parts.is_some() && lengths.is_given() {
        return fault("it has both lengths and their number");
    }
    let wanted: Vec<bool> = (0..results).map(|at| decl.wants(at)).collect();
    op(move |x, _| {
        let lengths = lengths.get(x)?;
        let whole = x.get(0)?;
        let along = axis(along, whole.rank())?;
        let all = whole.shape[along];
        let lengths: Vec<usize> = match lengths {
            Some(list) => list
                .iter()
                .map(|&n| usize::try_from(n).map_err(|_| format!("{n} is not a length")))
                .collect::<Result<_, _>>()?,
            // The last part may be the smaller one since version 18.
            None if parts.is_some() || all.is_multiple_of(results.max(1)) => {
                let each = all.div_ceil(results.max(1));
                let Some(last) = all.checked_sub(each * results.saturating_sub(1)) else {
                    return fault(format!("{all} are too few for {results} parts of {each}"));
                };
                let mut lengths = vec![each; results];
                lengths.pop();
                lengths.push(last);
                lengths
            }
            None => return fault(format!("{all} are not {results} equal parts")),
        };
        let sum = lengths.iter().try_fold(0usize, |n, &d| n.checked_add(d));
        if lengths.len() != results || sum != Some(all) {
            return fault(format!(
                "{all} along its axis are not parts of {lengths:?} for {results} results"
            ));
        }
        if results == 1 {
            return Ok(vec![x.value(0)?]);
        }
        let mut start = 0;
        let mut parts = Vec::with_capacity(results);
        for (&len, &wanted) in lengths.iter().zip(&wanted) {
            let mut places: Vec<Places> = (0..whole.rank()).map(|_| Places::All).collect();
            // What nobody reads is not copied.
            places[along] = Places::Run(start, if wanted { len } else { 0 });
            parts.push(std::sync::Arc::new(pick(whole, &places)?));
            start += len;
        }
        Ok(parts)
    })
}

pub(super) fn expand(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    op(|x, _| {
        let to = x.get(1)?.lengths()?;
        let from = x.get(0)?;
        let shape = common([&from.shape[..], &to])?;
        if shape == from.shape {
            return Ok(vec![x.value(0)?]);
        }
        one(expanded(from, shape)?)
    })
}

fn expanded(x: &Tensor, shape: Vec<usize>) -> Result<Tensor> {
    let len = count(&shape)?;
    let rows = Rows::new(&shape, [&x.shape]);
    fn repeated<T: Clone>(v: &[T], rows: &Rows<1>, len: usize) -> Vec<T> {
        let mut out = Vec::with_capacity(len);
        rows.each(|_, [start]| match rows.step[0] {
            0 => out.extend(std::iter::repeat_n(&v[start], rows.len).cloned()),
            // An axis that is not repeated goes on evenly, and the innermost of those by 1.
            1 => out.extend_from_slice(&v[start..start + rows.len]),
            step => out.extend((0..rows.len).map(|at| v[start + at * step].clone())),
        });
        out
    }
    Tensor::new(shape, map!(&x.data, v => repeated(v, &rows, len)))
}

pub(super) fn tile(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    op(|x, _| {
        let times = x.get(1)?.lengths()?;
        let tile = x.get(0)?;
        if times.len() != tile.rank() {
            return fault(format!(
                "it repeats {} axes of {}",
                times.len(),
                tile.rank()
            ));
        }
        let lengths = tile.shape.iter().zip(&times);
        let shape: Vec<usize> = lengths
            .map(|(&len, &times)| len.checked_mul(times).ok_or("it is too large".into()))
            .collect::<Result<_>>()?;
        count(&shape)?;
        let places: Vec<Places> = times
            .iter()
            .zip(&tile.shape)
            .map(|(&times, &len)| match times {
                1 => Places::All,
                // Repeated nothing is nothing, however often.
                _ if len == 0 => Places::All,
                _ => Places::List((0..times).flat_map(|_| 0..len).collect()),
            })
            .collect();
        one(pick(tile, &places)?)
    })
}
