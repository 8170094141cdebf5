//! By the mean and the variance of what lies together: a plane (`InstanceNormalization`), some of them (`GroupNormalization`), or
//! all along some axes (`MeanVarianceNormalization`).

use super::{per_channel, planes, stash};
use crate::broadcast::{Rows, repeated};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Numbers, Tensor, axis, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    if name == "MeanVarianceNormalization" {
        return mean_variance(decl);
    }
    decl.operands(3, 3)?;
    let epsilon = decl.float_or("epsilon", 1e-5)?;
    let mut groups = None;
    if name == "GroupNormalization" {
        let given = decl.must_int("num_groups")?;
        groups = usize::try_from(given).ok().filter(|&groups| groups > 0);
        if groups.is_none() {
            return fault(format!("its attribute num_groups is {given}"));
        }
        if decl.version >= 21 {
            stash(decl)?;
        }
    }
    // Before version 21 a group has one scale, not a channel.
    let by_group = groups.is_some() && decl.version < 21;
    op(move |x, _| {
        let first = x.take(0)?;
        let (channels, size) = planes(&first)?;
        let groups = groups.unwrap_or(channels);
        if channels.checked_rem(groups).is_some_and(|rest| rest != 0) {
            return fault(format!("{channels} channels in {groups} groups"));
        }
        let of = |at: usize| {
            let length = if by_group { groups } else { channels };
            per_channel(x.get(at)?, length, &first)
        };
        let (scale, bias) = (of(1)?, of(2)?);
        let each = channels.checked_div(groups).unwrap_or(0);
        let (shape, ty) = (first.shape.clone(), first.ty());
        macro_rules! normalised {
            ($kind:ident, $ty:ident, $x:expr) => {{
                let (Numbers::$kind(scale), Numbers::$kind(bias)) = (scale, bias) else {
                    return fault("its operands are of different types");
                };
                let mut x: Vec<$ty> = $x;
                if each * size > 0 {
                    for (i, group) in x.chunks_exact_mut(each * size).enumerate() {
                        let group_at = i % groups;
                        let (mean, variance) = moments(group);
                        let by = 1.0 / (variance + $ty::from(epsilon)).sqrt();
                        for (j, plane) in group.chunks_exact_mut(size).enumerate() {
                            let at = if by_group {
                                group_at
                            } else {
                                group_at * each + j
                            };
                            let (by, add) = (by * scale[at], bias[at]);
                            plane.iter_mut().for_each(|x| *x = (*x - mean) * by + add);
                        }
                    }
                }
                Numbers::$kind(x.into()).narrow(ty)
            }};
        }
        let data = match first.data {
            Data::F32(x) => normalised!(F32, f32, x),
            Data::F64(x) => normalised!(F64, f64, x),
            other => match other.numbers() {
                Some(Numbers::F32(x)) => normalised!(F32, f32, x.into_owned()),
                _ => return fault(format!("its operand is of {}", ty.name())),
            },
        };
        one(Tensor::new(shape, data)?)
    })
}

/// Floats with several sums, so that an addition need not wait for the one before.
trait Moments: Sized {
    fn mean(all: &[Self], about: Option<Self>) -> Self;
}

macro_rules! moments {
    ($($ty:ident),*) => {$(
        impl Moments for $ty {
            fn mean(all: &[$ty], about: Option<$ty>) -> $ty {
                let term = |x: $ty| about.map_or(x, |about| (x - about) * (x - about));
                let (parts, rest) = all.as_chunks::<16>();
                let mut sums = [0.0; 16];
                for part in parts {
                    for (sum, &x) in sums.iter_mut().zip(part) {
                        *sum += term(x);
                    }
                }
                let rest: $ty = rest.iter().map(|&x| term(x)).sum();
                (sums.iter().sum::<$ty>() + rest) / all.len() as $ty
            }
        }
    )*};
}
moments!(f32, f64);

/// The mean and the variance.
fn moments<T: Moments + Copy>(all: &[T]) -> (T, T) {
    let mean = T::mean(all, None);
    (mean, T::mean(all, Some(mean)))
}

fn mean_variance(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let given = decl.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    op(move |x, _| {
        let x = x.get(0)?;
        let mut shape = x.shape.clone();
        for &at in &given {
            shape[axis(at, x.rank())?] = 1;
        }
        let len = count(&shape)?;
        let all = match x.numbers()? {
            Numbers::F32(v) if x.ty().is_float() => v.iter().map(|&x| f64::from(x)).collect(),
            Numbers::F64(v) => v.into_owned(),
            _ => return fault(format!("its operand is of {}", x.ty().name())),
        };
        let rows = Rows::strided(&x.shape, [repeated(&shape, &x.shape)]);
        let each = x.len().checked_div(len).unwrap_or(1) as f64;
        let (mut means, mut variances) = (vec![0.0; len], vec![0.0; len]);
        let step = rows.step[0];
        rows.each(|at, [start]| {
            for (i, x) in all[at..at + rows.len].iter().enumerate() {
                means[start + i * step] += x / each;
            }
        });
        rows.each(|at, [start]| {
            for (i, x) in all[at..at + rows.len].iter().enumerate() {
                let far = x - means[start + i * step];
                variances[start + i * step] += far * far / each;
            }
        });
        let mut out = Vec::with_capacity(all.len());
        rows.each(|at, [start]| {
            for (i, x) in all[at..at + rows.len].iter().enumerate() {
                let place = start + i * step;
                out.push((x - means[place]) / (variances[place].sqrt() + 1e-9));
            }
        });
        let data = Numbers::F64(out.into()).narrow(x.ty());
        one(Tensor::new(x.shape.clone(), data)?)
    })
}
