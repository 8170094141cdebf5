//! `BatchNormalization`: each channel by a mean and a variance that were learnt, or by its own while it learns.

use super::{per_channel, planes};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, Value, op};
use crate::tensor::{Data, Numbers, Tensor};

pub(super) fn make(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(5, 5)?;
    let epsilon = decl.float_or("epsilon", 1e-5)?;
    let momentum = decl.float_or("momentum", 0.9)?;
    if decl.version < 9 && decl.int_or("spatial", 1)? != 1 {
        return fault("its attribute spatial is not supported other than 1");
    }
    let learns = if decl.version >= 14 {
        decl.flag("training_mode")?
    } else {
        // Its other results are there only while it learns.
        if (1..5).any(|at| decl.wants(at)) {
            return fault("results other than the first are not supported before version 14");
        }
        false
    };
    if !learns && (1..5).any(|at| decl.wants(at)) {
        return fault("it has no other results than the first unless it learns");
    }
    op(move |x, _| {
        let first = x.take(0)?;
        let (channels, size) = planes_or_row(&first)?;
        let of = |at: usize| per_channel(x.get(at)?, channels, &first);
        let (scale, bias, mean, variance) = (of(1)?, of(2)?, of(3)?, of(4)?);
        let (mean_ty, variance_ty) = (x.get(3)?.ty(), x.get(4)?.ty());
        let (shape, ty) = (first.shape.clone(), first.ty());
        macro_rules! normalised {
            ($kind:ident, $ty:ident, $x:expr) => {{
                let (
                    Numbers::$kind(scale),
                    Numbers::$kind(bias),
                    Numbers::$kind(mean),
                    Numbers::$kind(variance),
                ) = (scale, bias, mean, variance)
                else {
                    return fault("its operands are of different types");
                };
                let mut x: Vec<$ty> = $x;
                let mut more = Vec::new();
                let (mut mean, mut variance) = (mean.into_owned(), variance.into_owned());
                if learns {
                    let (own_mean, own_variance) = statistics(&x, channels, size);
                    let momentum = f64::from(momentum);
                    let mixed = |before: &[$ty], own: &[f64]| -> Vec<$ty> {
                        let pairs = before.iter().zip(own);
                        pairs
                            .map(|(&b, &o)| (f64::from(b) * momentum + o * (1.0 - momentum)) as $ty)
                            .collect()
                    };
                    more.push(Numbers::$kind(mixed(&mean, &own_mean).into()));
                    more.push(Numbers::$kind(mixed(&variance, &own_variance).into()));
                    mean = own_mean.iter().map(|&x| x as $ty).collect();
                    variance = own_variance.iter().map(|&x| x as $ty).collect();
                }
                if size > 0 {
                    for (i, plane) in x.chunks_exact_mut(size).enumerate() {
                        let c = i % channels;
                        let by = scale[c] / (variance[c] + $ty::from(epsilon)).sqrt();
                        let add = bias[c] - mean[c] * by;
                        plane.iter_mut().for_each(|x| *x = *x * by + add);
                    }
                }
                (Numbers::$kind(x.into()).narrow(ty), more)
            }};
        }
        let (data, more) = match first.data {
            Data::F32(x) => normalised!(F32, f32, x),
            Data::F64(x) => normalised!(F64, f64, x),
            other => match other.numbers() {
                Some(Numbers::F32(x)) => normalised!(F32, f32, x.into_owned()),
                _ => return fault(format!("its operand is of {}", ty.name())),
            },
        };
        let mut results: Vec<Value> = vec![Tensor::new(shape, data)?.into()];
        for (numbers, ty) in more.into_iter().zip([mean_ty, variance_ty]) {
            results.push(Tensor::new(vec![channels], numbers.narrow(ty))?.into());
        }
        Ok(results)
    })
}

/// As [`planes`]; a vector is so many images of one channel.
fn planes_or_row(x: &Tensor) -> Result<(usize, usize)> {
    match x.shape[..] {
        [_] => Ok((1, 1)),
        _ => planes(x),
    }
}

/// The mean and the variance of each channel.
fn statistics<T: Copy + Into<f64>>(x: &[T], channels: usize, size: usize) -> (Vec<f64>, Vec<f64>) {
    let all = (x.len() / channels.max(1)) as f64;
    let sums = |term: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
        let mut sums = vec![0.0; channels];
        for (i, plane) in x.chunks_exact(size.max(1)).enumerate() {
            let c = i % channels;
            sums[c] += plane.iter().map(|&x| term(c, x.into())).sum::<f64>();
        }
        sums.iter_mut().for_each(|sum| *sum /= all);
        sums
    };
    let mean = sums(&|_, x| x);
    let variance = sums(&|c, x| (x - mean[c]) * (x - mean[c]));
    (mean, variance)
}
