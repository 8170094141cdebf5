//! Convolutions of 8-bit integers: `ConvInteger` and `QLinearConv`.
//!
//! As products of such integers, these are sums of few enough products to be exact in 32-bit floats: over so many channels at a
//! time, which are added up as integers.

use smallfirst_kernels::Activation;

use super::{Conv, Layer};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::ops::product::{Requantise, requantise, widened};
use crate::tensor::{Data, Tensor, count};

/// The largest integer below which 32-bit floats have all.
const EXACT: usize = 1 << 24;

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    let conv = Conv::read(decl)?;
    if name == "ConvInteger" {
        decl.operands(2, 4)?;
        return op(move |x, context| {
            let (sums, shape) = sums(&conv, (x.get(0)?, x.opt(2)), (x.get(1)?, x.opt(3)), context)?;
            one(Tensor::new(shape, Data::I32(sums))?)
        });
    }
    decl.operands(8, 9)?;
    op(move |x, context| {
        let (mut sums, shape) = sums(&conv, (x.get(0)?, x.opt(2)), (x.get(3)?, x.opt(5)), context)?;
        let (channels, size) = (shape[1], shape[2..].iter().product::<usize>());
        let first = x.get(1)?.scalar_float()?;
        let scale = x.get(4)?;
        let second = scale.floats()?;
        let fits = second.len() == 1 || scale.shape == [channels];
        if second.is_empty() || !fits {
            return fault("the scale of its weights does not fit");
        }
        if let Some(bias) = x.opt(8) {
            let Data::I32(addends) = &bias.data else {
                return fault("its bias is not of int32");
            };
            super::check_bias(Some(bias), channels)?;
            for (i, plane) in sums.chunks_exact_mut(size.max(1)).enumerate() {
                let by = addends[i % channels];
                plane.iter_mut().for_each(|x| *x = x.wrapping_add(by));
            }
        }
        let way = Requantise::new(x.get(6)?, x.get(7)?)?;
        let scales = |i: usize| first * second[i % channels % second.len()];
        let planes = sums.chunks_exact(size.max(1)).enumerate();
        let all = planes.flat_map(|(i, plane)| {
            let scale = scales(i);
            plane.iter().map(move |&sum| (sum, scale))
        });
        one(Tensor::new(shape, requantise(all, &way))?)
    })
}

/// 8-bit integers less their zero: one for all, or one for each of the first axis.
fn centred(x: &Tensor, zero: Option<&Tensor>, by_channel: bool) -> Result<Vec<f32>> {
    let mut out: Vec<f32> = widened(x, zero)?;
    let Some(zero) = zero else { return Ok(out) };
    let zeros = zero.ints()?;
    let made = x.shape[0];
    if zeros.len() != 1 && !(by_channel && zero.shape == [made]) {
        return fault("a zero point does not fit its operand");
    }
    if zeros.is_empty() || zeros.iter().all(|&z| z == 0) {
        return Ok(out);
    }
    let each = out.len() / zeros.len();
    for (part, &zero) in out.chunks_mut(each.max(1)).zip(zeros.iter()) {
        part.iter_mut().for_each(|x| *x -= zero as f32);
    }
    Ok(out)
}

/// The sums, and their shape.
fn sums(
    conv: &Conv,
    (x, x_zero): (&Tensor, Option<&Tensor>),
    (w, w_zero): (&Tensor, Option<&Tensor>),
    context: &mut Context,
) -> Result<(Vec<i32>, Vec<usize>)> {
    let layer = conv.layer(&x.shape, &w.shape)?;
    let shape = layer.shape();
    let len = count(&shape)?;
    context.spend(layer.work())?;
    let (x, w) = (centred(x, x_zero, false)?, centred(w, w_zero, true)?);
    let largest = |v: &[f32]| v.iter().fold(1.0f32, |a, x| a.max(x.abs())) as usize;
    let taps = layer.taps();
    let step = EXACT / (largest(&x) * largest(&w)) / taps;
    let each = layer.channels / layer.groups;
    if step == 0 {
        let wide = |v: Vec<f32>| v.into_iter().map(|x| x as i64).collect::<Vec<i64>>();
        let sums = layer.plain(&wide(x), &wide(w), None)?;
        return Ok((sums.into_iter().map(|x| x as i32).collect(), shape));
    }
    if step >= each {
        let sums = layer.floats(&x, &w, None, Activation::None)?;
        return Ok((sums.into_iter().map(|x| x as i32).collect(), shape));
    }
    let image: usize = x.len() / (layer.images * layer.channels).max(1);
    let mut out = vec![0i32; len];
    for first in (0..each).step_by(step) {
        let count = step.min(each - first);
        let part = |v: &[f32], size: usize| -> Vec<f32> {
            v.chunks_exact((each * size).max(1))
                .flat_map(|group| &group[first * size..(first + count) * size])
                .copied()
                .collect()
        };
        let slice = Layer {
            channels: layer.groups * count,
            axes: layer.axes.clone(),
            ..layer
        };
        let sums = slice.floats(&part(&x, image), &part(&w, taps), None, Activation::None)?;
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = out.wrapping_add(sum as i32);
        }
    }
    Ok((out, shape))
}
