//! The largest and the smallest.

use std::cmp::Ordering;
use std::sync::Arc;

use half::{bf16, f16};

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Tensor, axis, count, each};

/// An order of all elements of a type. What is no number is the largest, and equals itself.
pub(super) trait Ordered: Clone {
    fn order(&self, other: &Self) -> Ordering;
    /// Whether it is the larger one.
    fn exceeds(&self, other: &Self) -> bool;
}

macro_rules! floats {
    ($($ty:ty),*) => {
        $(impl Ordered for $ty {
            #[inline]
            fn order(&self, other: &Self) -> Ordering {
                match self.partial_cmp(other) {
                    Some(order) => order,
                    None => self.is_nan().cmp(&other.is_nan()),
                }
            }
            #[inline]
            fn exceeds(&self, other: &Self) -> bool {
                (self > other) | (self.is_nan() & !other.is_nan())
            }
        })*
    };
}

macro_rules! exact {
    ($($ty:ty),*) => {
        $(impl Ordered for $ty {
            #[inline]
            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }
            #[inline]
            fn exceeds(&self, other: &Self) -> bool {
                self > other
            }
        })*
    };
}

floats!(f32, f64, f16, bf16);
exact!(u8, i8, u16, i16, i32, u32, i64, u64, bool, String);

/// `ArgMax` and `ArgMin`.
pub(super) fn extreme(decl: &Decl<'_>, largest: bool) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let along = decl.int_or("axis", 0)?;
    let keep = decl.int_or("keepdims", 1)? != 0;
    let last = decl.version >= 12 && decl.flag("select_last_index")?;
    op(move |x, context| {
        let x = x.get(0)?;
        let along = axis(along, x.rank())?;
        let (outer, len, inner) = x.around(along);
        let mut shape = x.shape.clone();
        shape[along] = 1;
        if len == 0 && count(&shape)? > 0 {
            return fault("there is nothing along its axis");
        }
        if !keep {
            shape.remove(along);
        }
        context.spend(x.len() as u64)?;
        let dims = [outer, len, inner];
        let found = each!(&x.data, v => match (largest, last) {
            (true, false) => places(v, dims, |new, old| new.exceeds(old)),
            (true, true) => places(v, dims, |new, old| !old.exceeds(new)),
            (false, false) => places(v, dims, |new, old| old.exceeds(new)),
            (false, true) => places(v, dims, |new, old| !new.exceeds(old)),
        });
        one(Tensor::new(shape, Data::I64(found))?)
    })
}

/// For each row along the middle axis, where the one is that is better than all before it.
fn places<T: Clone>(
    v: &[T],
    [outer, len, inner]: [usize; 3],
    better: impl Fn(&T, &T) -> bool,
) -> Vec<i64> {
    let mut all = vec![0; outer * inner];
    if v.is_empty() {
        return all;
    }
    let blocks = v.chunks_exact(len * inner);
    for (block, best) in blocks.zip(all.chunks_exact_mut(inner)) {
        let mut rows = block.chunks_exact(inner).enumerate();
        let Some((_, first)) = rows.next() else {
            continue;
        };
        if let ([first], [best]) = (first, &mut *best) {
            let mut top = first;
            for (at, new) in block.iter().enumerate().skip(1) {
                if better(new, top) {
                    (top, *best) = (new, at as i64);
                }
            }
            continue;
        }
        let mut tops = first.to_vec();
        for (at, row) in rows {
            for ((new, top), best) in row.iter().zip(&mut tops).zip(&mut *best) {
                if better(new, top) {
                    *top = new.clone();
                    *best = at as i64;
                }
            }
        }
    }
    all
}

pub(super) fn top_k(decl: &Decl<'_>) -> Result<Option<Op>> {
    let fixed = match decl.version < 10 {
        true => Some(decl.must_int("k")?),
        false => None,
    };
    let given = if fixed.is_some() { 1 } else { 2 };
    decl.operands(given, given)?;
    let along = decl.int_or("axis", -1)?;
    let mut largest = true;
    if decl.version >= 11 {
        largest = decl.int_or("largest", 1)? != 0;
        // In any order will do where this is 0; sorted is one.
        decl.unused("sorted");
    }
    op(move |x, context| {
        let k = match fixed {
            Some(k) => k,
            None => x.get(1)?.scalar_int()?,
        };
        let x = x.get(0)?;
        let along = axis(along, x.rank())?;
        let (outer, len, inner) = x.around(along);
        let Some(k) = usize::try_from(k).ok().filter(|&k| k <= len) else {
            return fault(format!("it asks for the first {k} of {len}"));
        };
        let mut shape = x.shape.clone();
        shape[along] = k;
        let places = count(&shape)?;
        // A selection, and a sort of what was selected.
        let sort = u64::from((k + 1).ilog2() + 1);
        context.spend(x.len() as u64 * 2 + places as u64 * sort)?;
        let mut indices = vec![0; places];
        let mut starts = vec![0; places];
        if places > 0 {
            each!(&x.data, v => {
                let mut order: Vec<usize> = Vec::with_capacity(len);
                for row in 0..outer * inner {
                    let (block, i) = (row / inner, row % inner);
                    let at = |place: usize| (block * len + place) * inner + i;
                    let before = |a: &usize, b: &usize| {
                        let order = v[at(*a)].order(&v[at(*b)]);
                        // The first of those that are equal.
                        if largest { order.reverse() } else { order }.then(a.cmp(b))
                    };
                    order.clear();
                    order.extend(0..len);
                    if k < len {
                        order.select_nth_unstable_by(k - 1, before);
                    }
                    order[..k].sort_unstable_by(before);
                    for (rank, &place) in order[..k].iter().enumerate() {
                        let to = (block * k + rank) * inner + i;
                        indices[to] = place as i64;
                        starts[to] = at(place);
                    }
                }
            });
        }
        let values = Tensor::new(shape.clone(), x.data.runs(1, starts.into_iter()))?;
        Ok(vec![
            Arc::new(values),
            Arc::new(Tensor::i64(shape, indices)),
        ])
    })
}
