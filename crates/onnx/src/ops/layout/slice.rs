//! Parts of a tensor.

use super::{Places, axes, pick};
use crate::fault::{Result, fault};
use crate::op::{Decl, Inputs, Op, one, op};

pub(super) fn slice(decl: &Decl<'_>) -> Result<Option<Op>> {
    let attributes = decl.version < 10;
    decl.operands(
        if attributes { 1 } else { 3 },
        if attributes { 1 } else { 5 },
    )?;
    let own = match attributes {
        true => [
            decl.ints("starts")?,
            decl.ints("ends")?,
            decl.ints("axes")?,
            None,
        ],
        false => Default::default(),
    };
    if attributes && (own[0].is_none() || own[1].is_none()) {
        return fault("its attributes starts and ends are missing");
    }
    op(move |x, _| {
        let list = |at: usize| -> Result<Option<Vec<i64>>> {
            match &own[at] {
                Some(list) => Ok(Some(list.clone())),
                None => x
                    .opt(at + 1)
                    .map(|t| Ok(t.ints()?.into_owned()))
                    .transpose(),
            }
        };
        sliced(x, [list(0)?, list(1)?, list(2)?, list(3)?])
    })
}

fn sliced(
    x: &Inputs,
    [starts, ends, along, steps]: [Option<Vec<i64>>; 4],
) -> Result<Vec<crate::op::Value>> {
    let whole = x.get(0)?;
    let (Some(starts), Some(ends)) = (starts, ends) else {
        return fault("it does not say where to start and end");
    };
    let along = match along {
        Some(list) => axes(&list, whole.rank())?,
        None => (0..starts.len()).collect(),
    };
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    let counts = [ends.len(), along.len(), steps.len()];
    if counts != [starts.len(); 3] || starts.len() > whole.rank() {
        return fault(format!(
            "it has {} starts, {} ends, {} axes and {} steps for {} axes",
            starts.len(),
            counts[0],
            counts[1],
            counts[2],
            whole.rank()
        ));
    }
    let mut places: Vec<Places> = (0..whole.rank()).map(|_| Places::All).collect();
    let mut all = true;
    for (i, &at) in along.iter().enumerate() {
        let found = range(whole.shape[at], starts[i], ends[i], steps[i])?;
        all &= matches!(found, Places::All);
        places[at] = found;
    }
    if all {
        return Ok(vec![x.value(0)?]);
    }
    one(pick(whole, &places)?)
}

/// The places from `start` to before `end`, as Python's slices have them.
fn range(length: usize, start: i64, end: i64, step: i64) -> Result<Places> {
    let len = length as i64;
    let within = |at: i64, low: i64, high: i64| {
        if at < 0 { at.saturating_add(len) } else { at }.clamp(low, high)
    };
    if step == 0 {
        return fault("its step is 0");
    }
    if step > 0 {
        let (start, end) = (within(start, 0, len), within(end, 0, len));
        if step > 1 {
            let step = usize::try_from(step).unwrap_or(usize::MAX);
            let range = start as usize..end.max(start) as usize;
            return Ok(Places::List(range.step_by(step).collect()));
        }
        return Ok(match (start, end) {
            (0, end) if end == len => Places::All,
            (start, end) => Places::Run(start as usize, (end - start).max(0) as usize),
        });
    }
    if len == 0 {
        return Ok(Places::All);
    }
    // Backwards to the largest integer would be nothing; what is meant by it is as far as it goes.
    let end = match end == i64::MAX || end == i64::from(i32::MAX) {
        true => i64::MIN,
        false => end,
    };
    let (start, end) = (within(start, 0, len - 1), within(end, -1, len - 1));
    let back = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    let range = (end + 1) as usize..(start.max(end) + 1) as usize;
    Ok(Places::List(range.rev().step_by(back).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(length: usize, start: i64, end: i64, step: i64) -> Vec<usize> {
        match range(length, start, end, step).unwrap() {
            Places::All => (0..length).collect(),
            Places::Run(start, len) => (start..start + len).collect(),
            Places::List(list) => list,
        }
    }

    #[test]
    fn ranges_are_pythons() {
        assert_eq!(listed(5, 1, i64::MAX, 1), [1, 2, 3, 4]);
        assert_eq!(listed(5, -2, 5, 1), [3, 4]);
        assert_eq!(listed(5, i64::MIN, i64::MAX, 2), [0, 2, 4]);
        assert_eq!(listed(5, -1, i64::MIN, -1), [4, 3, 2, 1, 0]);
        assert_eq!(listed(5, -1, i64::MAX, -2), [4, 2, 0]);
        assert_eq!(listed(5, 100, 0, -2), [4, 2]);
        assert_eq!(listed(5, 1, 3, -1), [0; 0]);
        assert_eq!(listed(5, 4, 2, 1), [0; 0]);
        assert_eq!(listed(0, -1, i64::MIN, -1), [0; 0]);
        assert_eq!(listed(5, 4, i64::MIN, i64::MIN), [4]);
        assert!(range(5, 0, 5, 0).is_err());
    }
}
