//! The same elements under another shape; and shapes as numbers.

use super::{List, axes};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Tensor, axis};

pub(super) fn reshape(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let zero_is_zero = decl.version >= 14 && decl.flag("allowzero")?;
    op(move |x, _| {
        let wanted = x.get(1)?.ints()?.into_owned();
        let shape = reshaped(&x.get(0)?.shape, x.get(0)?.len(), &wanted, zero_is_zero)?;
        one(x.take(0)?.reshaped(shape)?)
    })
}

/// The shape that is meant: 0 stands for the length that was, -1 for what is left.
fn reshaped(
    from: &[usize],
    elements: usize,
    wanted: &[i64],
    zero_is_zero: bool,
) -> Result<Vec<usize>> {
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (at, &length) in wanted.iter().enumerate() {
        shape.push(match length {
            0 if zero_is_zero => 0,
            0 => *from.get(at).ok_or_else(|| {
                format!("its shape {wanted:?} keeps the length of an axis that {from:?} has not")
            })?,
            -1 if open.is_some() => {
                return fault(format!("its shape {wanted:?} leaves two lengths open"));
            }
            -1 => {
                open = Some(at);
                1
            }
            length => usize::try_from(length)
                .map_err(|_| format!("{length} in its shape {wanted:?} is not a length"))?,
        });
    }
    let Some(open) = open else {
        return Ok(shape);
    };
    let others = shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .filter(|&n| n > 0 && elements.is_multiple_of(n));
    match others {
        Some(others) => shape[open] = elements / others,
        None => {
            return fault(format!(
                "elements of the shape {from:?} do not fill the shape {wanted:?}"
            ));
        }
    }
    Ok(shape)
}

pub(super) fn flatten(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let at = decl.int_or("axis", 1)?;
    op(move |x, _| {
        let x = x.take(0)?;
        let rank = x.rank();
        let at = match at == rank as i64 {
            true => rank,
            false => axis(at, rank)?,
        };
        let shape = vec![
            x.shape[..at].iter().product(),
            x.shape[at..].iter().product(),
        ];
        one(x.reshaped(shape)?)
    })
}

pub(super) fn squeeze(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, if decl.version < 13 { 1 } else { 2 })?;
    let list = List::before(decl, 13, "axes", 1)?;
    op(move |x, _| {
        let list = list.get(x)?;
        let x = x.take(0)?;
        let gone = match list {
            None => (0..x.rank()).filter(|&at| x.shape[at] == 1).collect(),
            Some(list) => axes(&list, x.rank())?,
        };
        if let Some(&at) = gone.iter().find(|&&at| x.shape[at] != 1) {
            return fault(format!(
                "axis {at} of the shape {:?} is not of length 1",
                x.shape
            ));
        }
        let kept = (0..x.rank()).filter(|at| !gone.contains(at));
        let shape = kept.map(|at| x.shape[at]).collect();
        one(x.reshaped(shape)?)
    })
}

pub(super) fn unsqueeze(decl: &Decl<'_>) -> Result<Option<Op>> {
    let given = if decl.version < 13 { 1 } else { 2 };
    decl.operands(given, given)?;
    let list = List::before(decl, 13, "axes", 1)?;
    if !list.is_given() {
        return fault("its axes are missing");
    }
    op(move |x, _| {
        let list = list.get(x)?.unwrap_or_default();
        let x = x.take(0)?;
        let rank = x.rank() + list.len();
        let added = axes(&list, rank)?;
        let mut lengths = x.shape.iter();
        let mut is_new = vec![false; rank];
        added.iter().for_each(|&at| is_new[at] = true);
        let shape = is_new
            .iter()
            .map(|new| match new {
                true => 1,
                false => lengths.next().copied().unwrap_or(1),
            })
            .collect();
        one(x.reshaped(shape)?)
    })
}

pub(super) fn shape(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let (mut start, mut end) = (0, i64::MAX);
    if decl.version >= 15 {
        start = decl.int_or("start", 0)?;
        end = decl.int_or("end", i64::MAX)?;
    }
    op(move |x, _| {
        let shape = &x.get(0)?.shape;
        let rank = shape.len() as i64;
        let within = |at: i64| if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank);
        let (start, end) = (within(start) as usize, within(end) as usize);
        let part = &shape[start..end.max(start)];
        one(Tensor::i64(
            vec![part.len()],
            part.iter().map(|&d| d as i64).collect(),
        ))
    })
}

pub(super) fn size(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    op(|x, _| one(Tensor::i64(Vec::new(), vec![x.get(0)?.len() as i64])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_left_open() {
        let to = |wanted: &[i64], zero| reshaped(&[2, 0, 3], 0, wanted, zero);
        assert_eq!(to(&[0, 0, 3], false).unwrap(), [2, 0, 3]);
        assert_eq!(to(&[-1, 3], false).unwrap(), [0, 3]);
        assert!(to(&[-1, 0], true).is_err());
        assert!(to(&[-1, -1], false).is_err());
        assert!(to(&[-2], false).is_err());
        assert!(to(&[1, 1, 1, 0], false).is_err());
        let full = |wanted: &[i64]| reshaped(&[2, 3], 6, wanted, false);
        assert_eq!(full(&[3, -1]).unwrap(), [3, 2]);
        assert!(full(&[4, -1]).is_err());
        assert!(full(&[i64::MAX, i64::MAX, -1]).is_err());
    }
}
