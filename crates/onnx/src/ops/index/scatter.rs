//! Elements put at places that numbers name.

use super::gather::{along_axis, place, slices};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Numbers, Tensor, axis};

/// What becomes of an element that another is put upon.
#[derive(Clone, Copy, PartialEq)]
enum Reduction {
    None,
    Add,
    Mul,
    Max,
    Min,
}

fn reduction(decl: &Decl<'_>) -> Result<Reduction> {
    if decl.version < 16 {
        return Ok(Reduction::None);
    }
    match decl.text_or("reduction", "none")?.as_str() {
        "none" => Ok(Reduction::None),
        "add" => Ok(Reduction::Add),
        "mul" => Ok(Reduction::Mul),
        "max" if decl.version >= 18 => Ok(Reduction::Max),
        "min" if decl.version >= 18 => Ok(Reduction::Min),
        other => fault(format!("its attribute reduction {other} is not supported")),
    }
}

fn same_types(to: &Tensor, updates: &Tensor) -> Result<()> {
    match to.ty() == updates.ty() {
        true => Ok(()),
        false => fault(format!(
            "it puts {} into {}",
            updates.ty().name(),
            to.ty().name()
        )),
    }
}

/// Puts runs of elements in: each `(from, to)`, in order.
fn put(
    whole: &mut Tensor,
    updates: &Tensor,
    run: usize,
    places: &[(usize, usize)],
    how: Reduction,
) -> Result<()> {
    fn joined<T: Copy>(
        to: &mut [T],
        from: &[T],
        run: usize,
        places: &[(usize, usize)],
        join: impl Fn(T, T) -> T,
    ) {
        for &(source, target) in places {
            let own = to[target..target + run].iter_mut();
            for (to, &from) in own.zip(&from[source..source + run]) {
                *to = join(*to, from);
            }
        }
    }
    macro_rules! reduced {
        ($to:expr, $from:expr, $add:expr, $mul:expr) => {
            match how {
                Reduction::Add => joined($to, $from, run, places, $add),
                Reduction::Mul => joined($to, $from, run, places, $mul),
                Reduction::Max => {
                    joined(
                        $to,
                        $from,
                        run,
                        places,
                        |a, b| {
                            if b > a || b != b { b } else { a }
                        },
                    )
                }
                _ => joined(
                    $to,
                    $from,
                    run,
                    places,
                    |a, b| {
                        if b < a || b != b { b } else { a }
                    },
                ),
            }
        };
    }
    if how == Reduction::None {
        for &(from, to) in places {
            whole.data.paste(to, &updates.data, from, run);
        }
        return Ok(());
    }
    if let (Data::F32(to), Data::F32(from)) = (&mut whole.data, &updates.data) {
        reduced!(to, from, |a, b| a + b, |a, b| a * b);
        return Ok(());
    }
    if let (Data::Bool(to), Data::Bool(from)) = (&mut whole.data, &updates.data) {
        match how {
            Reduction::Add | Reduction::Max => joined(to, from, run, places, |a, b| a | b),
            _ => joined(to, from, run, places, |a, b| a & b),
        }
        return Ok(());
    }
    let ty = whole.ty();
    #[allow(clippy::eq_op, reason = "what does not equal itself is no number")]
    let joined = match (whole.numbers()?, updates.numbers()?) {
        (Numbers::F32(to), Numbers::F32(from)) => {
            let mut to = to.into_owned();
            reduced!(&mut to, &from, |a, b| a + b, |a, b| a * b);
            Numbers::F32(to.into())
        }
        (Numbers::F64(to), Numbers::F64(from)) => {
            let mut to = to.into_owned();
            reduced!(&mut to, &from, |a, b| a + b, |a, b| a * b);
            Numbers::F64(to.into())
        }
        (Numbers::I64(to), Numbers::I64(from)) => {
            let mut to = to.into_owned();
            reduced!(&mut to, &from, i64::wrapping_add, i64::wrapping_mul);
            Numbers::I64(to.into())
        }
        (Numbers::U64(to), Numbers::U64(from)) => {
            let mut to = to.into_owned();
            reduced!(&mut to, &from, u64::wrapping_add, u64::wrapping_mul);
            Numbers::U64(to.into())
        }
        _ => return fault("its operands are of different types"),
    };
    whole.data = joined.narrow(ty);
    Ok(())
}

pub(super) fn scatter_elements(decl: &Decl<'_>, old: bool) -> Result<Option<Op>> {
    decl.operands(3, 3)?;
    let along = decl.int_or("axis", 0)?;
    let how = if old {
        Reduction::None
    } else {
        reduction(decl)?
    };
    op(move |x, context| {
        let mut whole = x.take(0)?;
        let (indices, updates) = (x.get(1)?, x.get(2)?);
        same_types(&whole, updates)?;
        let along = axis(along, whole.rank())?;
        if updates.shape != indices.shape {
            return fault(format!(
                "its indices have the shape {:?}, and what they put in {:?}",
                indices.shape, updates.shape
            ));
        }
        context.spend(indices.len() as u64)?;
        let mut places = Vec::with_capacity(indices.len());
        along_axis(&whole.shape, indices, along, |from, to| {
            places.push((from, to))
        })?;
        put(&mut whole, updates, 1, &places, how)?;
        one(whole)
    })
}

pub(super) fn scatter_nd(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 3)?;
    let how = reduction(decl)?;
    op(move |x, context| {
        let mut whole = x.take(0)?;
        let (indices, updates) = (x.get(1)?, x.get(2)?);
        same_types(&whole, updates)?;
        let (starts, run) = slices(&whole.shape, indices, 0)?;
        let depth = indices.shape.last().copied().unwrap_or(0);
        let outer = &indices.shape[..indices.rank() - 1];
        let expected = outer.iter().chain(&whole.shape[depth..]);
        if !updates.shape.iter().eq(expected) {
            return fault(format!(
                "what it puts in has the shape {:?}, which does not fit {:?} and {:?}",
                updates.shape, indices.shape, whole.shape
            ));
        }
        context.spend(updates.len() as u64)?;
        if !updates.is_empty() {
            let places: Vec<(usize, usize)> = starts
                .iter()
                .enumerate()
                .map(|(at, &start)| (at * run, start))
                .collect();
            put(&mut whole, updates, run, &places, how)?;
        }
        one(whole)
    })
}

/// New keys or values put into a cache of a fixed length.
pub(super) fn tensor_scatter(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 3)?;
    let along = decl.int_or("axis", -2)?;
    let round = match decl.text_or("mode", "linear")?.as_str() {
        "linear" => false,
        "circular" => true,
        other => return fault(format!("its attribute mode {other} is not supported")),
    };
    op(move |x, context| {
        let mut cache = x.take(0)?;
        let update = x.get(1)?;
        same_types(&cache, update)?;
        let along = axis(along, cache.rank())?;
        let fits = along > 0
            && update.rank() == cache.rank()
            && (0..cache.rank()).all(|at| match at == along {
                true => update.shape[at] <= cache.shape[at],
                false => update.shape[at] == cache.shape[at],
            });
        if !fits {
            return fault(format!(
                "an update of the shape {:?} does not fit a cache of {:?}",
                update.shape, cache.shape
            ));
        }
        let batch = cache.shape[0];
        let begins = match x.opt(2) {
            Some(begins) => begins.lengths()?,
            None => vec![0; batch],
        };
        if begins.len() != batch {
            return fault(format!("{} places are not those of {batch}", begins.len()));
        }
        let (outer, len, inner) = cache.around(along);
        let new = update.shape[along];
        if update.is_empty() {
            return one(cache);
        }
        context.spend(update.len() as u64)?;
        for block in 0..outer {
            let begin = begins[block / (outer / batch)];
            for step in 0..new {
                let at = match begin.checked_add(step) {
                    Some(at) if round => at % len,
                    at => place(at.map_or(i64::MAX, |at| at as i64), len)?,
                };
                cache.data.paste(
                    (block * len + at) * inner,
                    &update.data,
                    (block * new + step) * inner,
                    inner,
                );
            }
        }
        one(cache)
    })
}
