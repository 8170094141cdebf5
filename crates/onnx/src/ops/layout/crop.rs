//! Parts of tensors that are cut out, turned round or cleared.

use super::{Places, axes, pick};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Tensor, axis, count, each};

pub(super) fn center_crop_pad(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let list = decl.ints("axes")?;
    op(move |x, _| {
        let lengths = x.get(1)?.lengths()?;
        let whole = x.get(0)?;
        let along = match &list {
            Some(list) => axes(list, whole.rank())?,
            None => (0..whole.rank()).collect(),
        };
        if lengths.len() != along.len() {
            return fault(format!(
                "{} lengths are not those of {} axes",
                lengths.len(),
                along.len()
            ));
        }
        let mut places: Vec<Places> = (0..whole.rank()).map(|_| Places::All).collect();
        let mut shape = whole.shape.clone();
        let mut offsets = vec![0; whole.rank()];
        for (&at, &len) in along.iter().zip(&lengths) {
            let own = whole.shape[at];
            shape[at] = len;
            match len < own {
                true => places[at] = Places::Run((own - len) / 2, len),
                false => offsets[at] = (len - own) / 2,
            }
        }
        let part = pick(whole, &places)?;
        if part.shape == shape {
            return one(part);
        }
        let mut data = Data::zeros(whole.ty(), count(&shape)?);
        inset(&mut data, &shape, &part, &offsets);
        one(Tensor::new(shape, data)?)
    })
}

/// Puts a tensor into a larger one, so far from its beginning along each axis.
fn inset(to: &mut Data, shape: &[usize], part: &Tensor, offsets: &[usize]) {
    let Some((&run, outer)) = part.shape.split_last() else {
        return to.paste(0, &part.data, 0, 1);
    };
    if part.is_empty() {
        return;
    }
    let steps = crate::tensor::strides(shape);
    let mut starts = vec![offsets[outer.len()]];
    for (at, &len) in outer.iter().enumerate() {
        starts = starts
            .iter()
            .flat_map(|start| (0..len).map(move |i| (start, i)))
            .map(|(start, i)| start + (offsets[at] + i) * steps[at])
            .collect();
    }
    for (row, start) in starts.into_iter().enumerate() {
        to.paste(start, &part.data, row * run, run);
    }
}

pub(super) fn reverse_sequence(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    let (time, batch) = (decl.int_or("time_axis", 0)?, decl.int_or("batch_axis", 1)?);
    op(move |x, _| {
        let (whole, lengths) = (x.get(0)?, x.get(1)?.lengths()?);
        let (time, batch) = (axis(time, whole.rank())?, axis(batch, whole.rank())?);
        if time.max(batch) != 1 || time == batch {
            return fault("its axes of time and of the batch are not the first two");
        }
        let (steps, rows) = (whole.shape[time], whole.shape[batch]);
        if lengths.len() != rows || lengths.iter().any(|&len| len > steps) {
            return fault(format!(
                "its lengths are not those of {rows} sequences of at most {steps}"
            ));
        }
        let inner: usize = whole.shape[2..].iter().product();
        let outer = whole.shape[0] * whole.shape[1];
        let starts = (0..outer).map(|at| {
            let (first, second) = (at / whole.shape[1], at % whole.shape[1]);
            let (step, row) = if time == 0 {
                (first, second)
            } else {
                (second, first)
            };
            let step = match step < lengths[row] {
                true => lengths[row] - 1 - step,
                false => step,
            };
            let place = if time == 0 {
                step * rows + row
            } else {
                row * steps + step
            };
            place * inner
        });
        let data = whole.data.runs(inner, starts);
        one(Tensor::new(whole.shape.clone(), data)?)
    })
}

pub(super) fn trilu(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 2)?;
    let upper = decl.int_or("upper", 1)? != 0;
    op(move |x, _| {
        let shift = x.opt(1).map(Tensor::scalar_int).transpose()?.unwrap_or(0);
        let mut matrices = x.take(0)?;
        let [.., rows, cols] = matrices.shape[..] else {
            return fault("it takes matrices");
        };
        if !matrices.is_empty() {
            each!(&mut matrices.data, v => cleared(v, rows, cols, upper, shift));
        }
        one(matrices)
    })
}

/// Clears what is below a diagonal of matrices, or above it.
fn cleared<T: Clone + Default>(v: &mut [T], rows: usize, cols: usize, upper: bool, shift: i64) {
    for matrix in v.chunks_exact_mut(rows * cols) {
        for (at, row) in matrix.chunks_exact_mut(cols).enumerate() {
            let diagonal = (at as i64).saturating_add(shift);
            let part = match upper {
                true => &mut row[..diagonal.clamp(0, cols as i64) as usize],
                false => &mut row[diagonal.saturating_add(1).clamp(0, cols as i64) as usize..],
            };
            part.fill(T::default());
        }
    }
}
