//! Convolutions of 8-bit integers: `ConvInteger` and `QLinearConv`.
//!
//! They are products of the weights, widened to 16 bits and less their zero points, with patches in 8 bits, whose zero point is
//! taken off the sums.

use smallfirst_kernels::{
    Activation, gemm_integers, pack_integers, packed_len_integers, row_len_integers,
};

use super::Conv;
use super::window::outputs;
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::ops::product::{Requantise, bytes, less, requantise, rows_of, widened};
use crate::tensor::{Data, Tensor, count};

/// Sums of fewer products than these are those of depthwise convolutions, for which there is a kernel of floats, which are exact
/// so far: 255 * 255 * 64 < 2^24.
const FEW: usize = 64;

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
fn centred(x: &Tensor, zero: Option<&Tensor>) -> Result<Vec<i16>> {
    let Some(zero) = zero else {
        return widened(x, None);
    };
    if zero.len() == 1 {
        return less(x, zero);
    }
    let mut out: Vec<i16> = widened(x, Some(zero))?;
    let zeros = zero.ints()?;
    if zero.shape != x.shape[..1] {
        return fault("a zero point does not fit its operand");
    }
    if zeros.is_empty() {
        return Ok(out);
    }
    let each = out.len() / zeros.len();
    for (part, &zero) in out.chunks_mut(each.max(1)).zip(zeros.iter()) {
        part.iter_mut().for_each(|x| *x -= zero as i16);
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
    let w = centred(w, w_zero)?;
    if x_zero.is_some_and(|zero| zero.ty() != x.ty()) {
        return fault("a zero point is of another type than its operand");
    }
    let taps = layer.taps();
    let each = layer.channels / layer.groups;
    // Too few numbers a sum for a product to be worth its patches.
    if each * taps < FEW && taps > 1 {
        let wide = |v: &[i16]| v.iter().map(|&x| f32::from(x)).collect::<Vec<f32>>();
        let x = match x_zero {
            Some(zero) => less(x, zero)?,
            None => widened(x, None)?,
        };
        let sums = layer.floats(&wide(&x), &wide(&w), None, Activation::None)?;
        return Ok((sums.into_iter().map(|x| x as i32).collect(), shape));
    }
    let (bytes, base) = bytes(x)?;
    let zero = match x_zero {
        Some(zero) => zero.scalar_int()? as i32,
        None => 0,
    };
    // An element of padding is a zero point; all are as much more than their bytes.
    let (pad, shift) = ((zero - base) as i8, base - zero);
    let k = each * taps;
    let row = row_len_integers(k);
    let w = rows_of(w, k);
    let corrections: Vec<i32> = w
        .chunks_exact(row.max(1))
        .map(|row| shift * row.iter().map(|&w| i32::from(w)).sum::<i32>())
        .collect();
    let size: usize = outputs(&layer.axes).iter().product();
    let mut out = vec![0i32; len];
    let mut packed = Vec::new();
    layer.each_group(&bytes, &w, &mut out, |x, w, made, out| {
        layer.blocks(each, x, pad, |patches, k, columns| {
            let n = columns.len();
            packed.resize(packed_len_integers(k, n), 0);
            pack_integers(k, n, patches, [n, 1], &mut packed);
            gemm_integers(
                made.len(),
                n,
                k,
                w,
                &packed,
                &mut out[columns.start..],
                size,
            );
        })?;
        if shift != 0 {
            let planes = out.chunks_exact_mut(size.max(1));
            for (plane, by) in planes.zip(&corrections[made]) {
                plane.iter_mut().for_each(|x| *x = x.wrapping_add(*by));
            }
        }
        Ok(())
    })?;
    Ok((out, shape))
}
