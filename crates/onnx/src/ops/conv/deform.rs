//! `DeformConv`: each element of the window looks where an operand says, between pixels too.

use smallfirst_kernels::{Activation, Epilogue, Matrix, gemm_dynamic};

use super::window::{Attributes, Padding};
use super::{Conv, check_bias, fill, groups};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::ops::product::{Number, accumulate, with_scratch};
use crate::tensor::{Numbers, Tensor, count};

pub(super) fn make(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 5)?;
    let conv = Conv {
        attributes: Attributes::read(decl, true)?,
        groups: groups(decl)?,
        activation: Activation::None,
    };
    if conv.attributes.padding != Padding::Explicit {
        return fault("its attribute auto_pad is not the operator's");
    }
    let parts = decl.int_or("offset_group", 1)?;
    let Some(parts) = usize::try_from(parts).ok().filter(|&n| n > 0) else {
        return fault(format!("its attribute offset_group is {parts}"));
    };
    op(move |x, context| {
        one(run(
            &conv,
            parts,
            [x.get(0)?, x.get(1)?, x.get(2)?],
            x.opt(3),
            x.opt(4),
            context,
        )?)
    })
}

fn run(
    conv: &Conv,
    parts: usize,
    [x, w, offset]: [&Tensor; 3],
    bias: Option<&Tensor>,
    mask: Option<&Tensor>,
    context: &mut Context,
) -> Result<Tensor> {
    let ty = x.ty();
    if [Some(w), Some(offset), bias, mask]
        .iter()
        .flatten()
        .any(|t| t.ty() != ty)
    {
        return fault("its operands are of different types");
    }
    let layer = conv.layer(&x.shape, &w.shape)?;
    let &[y_axis, x_axis] = &layer.axes[..] else {
        return fault(format!("images of {} axes are not supported", x.rank() - 2));
    };
    let (channels, images, made) = (layer.channels, layer.images, layer.made);
    if channels % parts != 0 {
        return fault(format!("{channels} channels in {parts} parts"));
    }
    let taps = layer.taps();
    let [high, wide] = [y_axis.output, x_axis.output];
    let Some(maps) = parts.checked_mul(taps) else {
        return fault("a window that is too large");
    };
    if offset.shape != [images, maps.saturating_mul(2), high, wide] {
        return fault(format!("offsets of the shape {:?}", offset.shape));
    }
    if let Some(mask) = mask
        && mask.shape != [images, maps, high, wide]
    {
        return fault(format!("a mask of the shape {:?}", mask.shape));
    }
    check_bias(bias, made)?;
    let shape = layer.shape();
    count(&shape)?;
    let size = high * wide;
    let rows = channels.saturating_mul(taps);
    count(&[rows, size])?;
    context.spend(layer.work())?;
    let inner = channels / layer.groups * taps;
    let each = made / layer.groups;
    macro_rules! of {
        ($kind:ident, $narrow:expr, $product:expr) => {{
            let (Numbers::$kind(x), Numbers::$kind(w), Numbers::$kind(offset)) =
                (x.numbers()?, w.numbers()?, offset.numbers()?)
            else {
                return fault("its operands are of different types");
            };
            let mask = match mask.map(Tensor::numbers).transpose()? {
                Some(Numbers::$kind(mask)) => Some(mask),
                _ => None,
            };
            let mut out = vec![Default::default(); count(&shape)?];
            let plane = y_axis.input * x_axis.input;
            let mut patches = vec![Default::default(); rows * size];
            let room = images > 0 && made > 0 && size > 0 && rows > 0 && plane > 0;
            for image in 0..if room { images } else { 0 } {
                for channel in 0..channels {
                    let x = &x[(image * channels + channel) * plane..][..plane];
                    for tap in 0..taps {
                        let map = channel / (channels / parts) * taps + tap;
                        let shifts = &offset[(image * maps + map) * 2 * size..][..2 * size];
                        let (down, right) = shifts.split_at(size);
                        let to = &mut patches[(channel * taps + tap) * size..][..size];
                        let (ky, kx) = (tap / x_axis.kernel, tap % x_axis.kernel);
                        for (at, to) in to.iter_mut().enumerate() {
                            let place = |axis: &super::Axis, o: usize, e: usize| {
                                (o * axis.stride + e * axis.dilation) as f64 - axis.before as f64
                            };
                            let y = place(&y_axis, at / wide, ky) + f64::from(down[at]);
                            let z = place(&x_axis, at % wide, kx) + f64::from(right[at]);
                            let seen = between(x, [y_axis.input, x_axis.input], [y, z]);
                            let by = mask
                                .as_ref()
                                .map_or(1.0, |m| f64::from(m[(image * maps + map) * size + at]));
                            *to = $narrow(seen * by);
                        }
                    }
                }
                for group in 0..layer.groups {
                    let out =
                        &mut out[(image * layer.groups + group) * each * size..][..each * size];
                    let w = &w[group * each * inner..][..each * inner];
                    let patches = &patches[group * inner * size..][..inner * size];
                    $product([each, inner, size], w, patches, out);
                }
            }
            if let Some(bias) = bias
                && let Numbers::$kind(bias) = bias.numbers()?
            {
                let mut addends = vec![Default::default(); out.len()];
                fill(&mut addends, size, Some(&bias[..]));
                for (out, addend) in out.iter_mut().zip(addends) {
                    *out = out.add(addend);
                }
            }
            Numbers::$kind(out.into())
        }};
    }
    let numbers = match ty.is_float().then_some(x.numbers()?) {
        Some(Numbers::F32(_)) => of!(F32, |x: f64| x as f32, float_product),
        Some(Numbers::F64(_)) => of!(F64, |x: f64| x, double_product),
        _ => return fault(format!("its operands are of {}", ty.name())),
    };
    Tensor::new(shape, numbers.narrow(ty))
}

fn float_product([m, k, n]: [usize; 3], w: &[f32], patches: &[f32], out: &mut [f32]) {
    let matrix = |data, row_stride| Matrix {
        data,
        row_stride,
        col_stride: 1,
    };
    let (a, b) = (matrix(w, k), matrix(patches, n));
    with_scratch(|scratch| gemm_dynamic(m, n, k, &a, &b, out, n, &Epilogue::default(), scratch));
}

fn double_product(shape: [usize; 3], w: &[f64], patches: &[f64], out: &mut [f64]) {
    let [_, k, n] = shape;
    accumulate(shape, (w, [k, 1]), (patches, [n, 1]), out);
}

/// What lies between pixels, in proportion to how near each is; 0 outside of the image.
fn between<T: Copy + Into<f64>>(x: &[T], [high, wide]: [usize; 2], [y, z]: [f64; 2]) -> f64 {
    if !(y > -1.0 && z > -1.0 && y < high as f64 && z < wide as f64) {
        return 0.0;
    }
    let (top, left) = (y.floor(), z.floor());
    let mut sum = 0.0;
    for (row, near) in [(top, 1.0 - (y - top)), (top + 1.0, y - top)] {
        for (column, nearer) in [(left, 1.0 - (z - left)), (left + 1.0, z - left)] {
            if row >= 0.0 && column >= 0.0 && row < high as f64 && column < wide as f64 {
                let at = row as usize * wide + column as usize;
                sum += near * nearer * x[at].into();
            }
        }
    }
    sum
}
