//! `MaxPool`, which may say where each of the largest was, and `MaxUnpool`, which puts them back there.

use super::{attributes, axes, blind, explicit, largest, spend};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, Value, one, op};
use crate::ops::conv::window::{Axis, inputs, kernels, outputs, places};
use crate::tensor::{Data, Numbers, Tensor, count, strides};

pub(super) fn max_pool(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let attributes = attributes(decl, 10, 10)?;
    let by_column = decl.flag("storage_order")?;
    let indexed = decl.wants(1);
    op(move |x, context| {
        let x = x.get(0)?;
        let (axes, shape) = axes(&attributes, x)?;
        if blind(&axes) && count(&shape)? > 0 {
            return fault("a window sees nothing but padding");
        }
        if !indexed {
            spend(&axes, &shape, context)?;
            return one(Tensor::new(shape, largest(&axes, x)?)?);
        }
        indices(&axes, shape, x, by_column, context)
    })
}

/// The largest, and their places in the whole operand.
fn indices(
    axes: &[Axis],
    shape: Vec<usize>,
    x: &Tensor,
    by_column: bool,
    context: &mut Context,
) -> Result<Vec<Value>> {
    let image = inputs(axes);
    let (plane, len) = (image.iter().product::<usize>(), count(&shape)?);
    let taps = count(&kernels(axes))?;
    context.spend((len as u64).saturating_mul(taps as u64))?;
    // Where each output's elements lie in a plane.
    let steps = strides(&image);
    let mut columns = vec![1; image.len()];
    for axis in 1..image.len() {
        columns[axis] = columns[axis - 1] * image[axis - 1];
    }
    let sizes = outputs(axes);
    let outs: usize = sizes.iter().product();
    let planes = len.checked_div(outs).unwrap_or(0);
    let mut best: Vec<usize> = Vec::with_capacity(len);
    macro_rules! find {
        ($v:expr) => {
            for at in 0..planes {
                let x = &$v[at * plane..][..plane];
                places(&sizes, |_, place| {
                    let ranges: Vec<_> =
                        axes.iter().zip(place).map(|(a, &o)| a.inside(o)).collect();
                    let lengths: Vec<usize> = ranges.iter().map(|range| range.len()).collect();
                    let mut found = None;
                    places(&lengths, |_, element| {
                        let mut at = 0;
                        for axis in 0..axes.len() {
                            let element = ranges[axis].start + element[axis];
                            at += axes[axis].at(place[axis], element).unwrap_or(0) * steps[axis];
                        }
                        if found.is_none_or(|found: usize| x[found] < x[at]) {
                            found = Some(at);
                        }
                    });
                    best.push(at * plane + found.unwrap_or(0));
                });
            }
        };
    }
    match x.numbers()? {
        Numbers::F32(v) => find!(v),
        Numbers::F64(v) => find!(v),
        Numbers::I64(v) => find!(v),
        Numbers::U64(v) => find!(v),
    }
    let data = x.data.runs(1, best.iter().copied());
    let at = |&index: &usize| {
        if !by_column {
            return index as i64;
        }
        let (before, mut rest) = (index / plane.max(1) * plane, index % plane.max(1));
        let mut at = before;
        for (step, column) in steps.iter().zip(&columns) {
            at += rest / step * column;
            rest %= step;
        }
        at as i64
    };
    let indices = best.iter().map(at).collect();
    Ok(vec![
        Tensor::new(shape.clone(), data)?.into(),
        Tensor::new(shape, Data::I64(indices))?.into(),
    ])
}

pub(super) fn max_unpool(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 3)?;
    // It has neither dilations nor ceil_mode.
    let attributes = attributes(decl, i64::MAX, i64::MAX)?;
    if !explicit(&attributes) {
        return fault("its attribute auto_pad is not the operator's");
    }
    op(move |x, _| {
        let wanted = x.opt(2).map(Tensor::lengths).transpose()?;
        let (indices, x) = (x.get(1)?, x.get(0)?);
        let ([images, channels, image @ ..], Some(kernel)) = (&x.shape[..], &attributes.kernel)
        else {
            return fault(format!("its operand is of the shape {:?}", x.shape));
        };
        if image.is_empty() || indices.shape != x.shape {
            return fault("its operands are of different shapes, or have no image");
        }
        let mut own = vec![*images, *channels];
        for axis in attributes.bare(kernel, image)? {
            let length = axis
                .input
                .checked_sub(1)
                .and_then(|n| n.checked_mul(axis.stride))
                .and_then(|n| (n + axis.kernel).checked_sub(axis.before + axis.after));
            let Some(length) = length else {
                return fault("its padding is longer than its result");
            };
            own.push(length);
        }
        let len = count(&own)?;
        let shape = match wanted {
            None => own.clone(),
            // What is longer than the indices are of ends with zeros.
            Some(wanted)
                if wanted.len() == own.len() && wanted.iter().zip(&own).all(|(w, o)| w >= o) =>
            {
                wanted
            }
            Some(wanted) => {
                return fault(format!(
                    "its result is of the shape {own:?}, and it asks for {wanted:?}"
                ));
            }
        };
        count(&shape)?;
        let (to, from) = (strides(&shape), strides(&own));
        let mut places = Vec::with_capacity(x.len());
        for &index in indices.ints()?.iter() {
            let Some(mut rest) = usize::try_from(index).ok().filter(|&i| i < len) else {
                return fault(format!("there is no place {index} among {len}"));
            };
            let mut at = 0;
            for (to, from) in to.iter().zip(&from) {
                at += rest / from * to;
                rest %= from;
            }
            places.push(at);
        }
        let mut data = Data::zeros(x.ty(), count(&shape)?);
        for (i, &at) in places.iter().enumerate() {
            data.paste(at, &x.data, i, 1);
        }
        one(Tensor::new(shape, data)?)
    })
}
