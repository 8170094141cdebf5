//! Normalisations: of channels by what was learnt (`batch`); of what lies together, by its own mean and variance (`groups`); along
//! the last axes (`layer`); and by what is near (`LRN` here).

mod batch;
mod groups;
mod layer;

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Numbers, Tensor, Type};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "BatchNormalization" => batch::make(decl),
        "InstanceNormalization" | "GroupNormalization" | "MeanVarianceNormalization" => {
            groups::make(name, decl)
        }
        "LayerNormalization" | "RMSNormalization" => layer::make(name, decl),
        "LRN" => nearby(decl),
        _ => Ok(None),
    }
}

/// What a normalisation is computed in: all types but float64 in 32 bits.
fn stash(decl: &Decl<'_>) -> Result<()> {
    match decl.int_or("stash_type", 1)? {
        1 => Ok(()),
        other => fault(format!("its attribute stash_type is {other}")),
    }
}

/// Channels, and the elements of each, of images.
fn planes(x: &Tensor) -> Result<(usize, usize)> {
    match &x.shape[..] {
        [_, channels, image @ ..] => Ok((*channels, image.iter().product())),
        _ => fault(format!("its operand is of the shape {:?}", x.shape)),
    }
}

/// One number for each channel.
fn per_channel<'a>(x: &'a Tensor, channels: usize, like: &Tensor) -> Result<Numbers<'a>> {
    if x.shape != [channels] {
        return fault(format!(
            "an operand of the shape {:?} for {channels} channels",
            x.shape
        ));
    }
    let numbers = x.numbers()?;
    // As wide as what is normalised.
    Ok(match (numbers, like.ty() == Type::F64) {
        (Numbers::F32(v), true) => Numbers::F64(v.iter().map(|&x| f64::from(x)).collect()),
        (Numbers::F64(v), false) => Numbers::F32(v.iter().map(|&x| x as f32).collect()),
        (numbers @ (Numbers::F32(_) | Numbers::F64(_)), _) => numbers,
        _ => return fault(format!("an operand is of {}", x.ty().name())),
    })
}

fn nearby(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let size = decl.must_int("size")?;
    let Some(size) = usize::try_from(size).ok().filter(|&size| size > 0) else {
        return fault(format!("its attribute size is {size}"));
    };
    let (alpha, beta) = (decl.float_or("alpha", 1e-4)?, decl.float_or("beta", 0.75)?);
    let bias = decl.float_or("bias", 1.0)?;
    op(move |x, context| {
        let x = x.get(0)?;
        let (channels, plane) = planes(x)?;
        let seen = size.min(channels);
        context.spend((x.len() as u64).saturating_mul(seen as u64))?;
        macro_rules! normalised {
            ($x:expr, $ty:ident, $pow:path) => {{
                let mut out = $x.to_vec();
                let image = channels * plane;
                let mut sums = vec![0.0; plane];
                for (x, out) in $x
                    .chunks_exact(image.max(1))
                    .zip(out.chunks_exact_mut(image.max(1)))
                {
                    for (channel, out) in out.chunks_exact_mut(plane).enumerate() {
                        let first = channel.saturating_sub((size - 1) / 2);
                        let last = channel.saturating_add(size / 2).min(channels - 1);
                        sums.fill(0.0);
                        for x in x[first * plane..(last + 1) * plane].chunks_exact(plane) {
                            sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x * x);
                        }
                        let by = $ty::from(alpha) / size as $ty;
                        for (out, sum) in out.iter_mut().zip(&sums) {
                            *out /= $pow($ty::from(bias) + by * sum, $ty::from(beta));
                        }
                    }
                }
                out.into()
            }};
        }
        let numbers = match x.numbers()? {
            Numbers::F32(x) => Numbers::F32(normalised!(x, f32, libm::powf)),
            Numbers::F64(x) => Numbers::F64(normalised!(x, f64, libm::pow)),
            _ => return fault(format!("its operand is of {}", x.ty().name())),
        };
        one(Tensor::new(x.shape.clone(), numbers.narrow(x.ty()))?)
    })
}
