//! Along the last axes: `LayerNormalization`, and `RMSNormalization`, which leaves the mean out.

use std::borrow::Cow;

use smallfirst_kernels::{layer_norm, rms_norm};

use super::stash;
use crate::broadcast::{Rows, common, repeated};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, Value, op};
use crate::tensor::{Data, Numbers, Tensor, Type, axis};

/// What each element is multiplied with, or what is added: the same for all rows, or for each element.
enum Factors<'a, T: Clone> {
    Row(Cow<'a, [T]>),
    All(Vec<T>),
}

impl<'a, T: Copy> Factors<'a, T> {
    /// Of an operand that is repeated along `shape`, whose rows begin at `from`.
    fn new(own: &[usize], data: Cow<'a, [T]>, shape: &[usize], from: usize) -> Result<Self> {
        if common([shape, own])? != shape {
            return fault(format!(
                "an operand of the shape {own:?} is not repeated along {shape:?}"
            ));
        }
        if *own == shape[from..] {
            return Ok(Factors::Row(data));
        }
        let spread = |shape: &[usize], own: &[usize]| {
            let rows = Rows::strided(shape, [repeated(own, shape)]);
            let mut out = Vec::new();
            rows.each(|_, [start]| {
                out.extend((0..rows.len).map(|i| data[start + i * rows.step[0]]))
            });
            out
        };
        let outer = own.len().saturating_sub(shape.len() - from);
        Ok(match own[..outer].iter().all(|&length| length == 1) {
            true => Factors::Row(spread(&shape[from..], &own[outer..]).into()),
            false => Factors::All(spread(shape, own)),
        })
    }

    fn row(&self, i: usize, len: usize) -> &[T] {
        match self {
            Factors::Row(row) => row,
            Factors::All(all) => &all[i * len..(i + 1) * len],
        }
    }
}

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    let centred = name == "LayerNormalization";
    decl.operands(2, if centred { 3 } else { 2 })?;
    let at = decl.int_or("axis", -1)?;
    let epsilon = decl.float_or("epsilon", 1e-5)?;
    stash(decl)?;
    let more = centred && (decl.wants(1) || decl.wants(2));
    op(move |x, _| {
        let (first, scale, bias) = (x.get(0)?, x.get(1)?, x.opt(2));
        let ty = first.ty();
        if !ty.is_float() {
            return fault(format!("its operand is of {}", ty.name()));
        }
        let shape = &first.shape;
        let from = axis(at, first.rank())?;
        let len: usize = shape[from..].iter().product();
        let rows = first.len().checked_div(len).unwrap_or(0);
        let mut narrow = shape.clone();
        narrow[from..].fill(1);
        let (data, mean, deviation) = match first.numbers()? {
            Numbers::F32(v) => {
                let factors = Factors::new(&scale.shape, scale.floats()?, shape, from)?;
                let addends = match bias {
                    Some(bias) => Factors::new(&bias.shape, bias.floats()?, shape, from)?,
                    None => Factors::Row(vec![0.0; len].into()),
                };
                let mut out = vec![0.0; v.len()];
                if v.is_empty() {
                } else if let (Factors::Row(factors), Factors::Row(addends)) = (&factors, &addends)
                {
                    match centred {
                        true => layer_norm(&v, len, factors, addends, epsilon, None, &mut out),
                        false => rms_norm(&v, len, factors, epsilon, &mut out),
                    }
                } else {
                    let (ones, zeros) = (vec![1.0; len], vec![0.0; len]);
                    match centred {
                        true => layer_norm(&v, len, &ones, &zeros, epsilon, None, &mut out),
                        false => rms_norm(&v, len, &ones, epsilon, &mut out),
                    }
                    for (i, out) in out.chunks_exact_mut(len.max(1)).enumerate() {
                        let (by, add) = (factors.row(i, len), addends.row(i, len));
                        for ((x, by), add) in out.iter_mut().zip(by).zip(add) {
                            *x = *x * by + add;
                        }
                    }
                }
                let wide = || v.iter().map(|&x| f64::from(x));
                let (mean, deviation) = match more {
                    true => moments(wide(), len, rows, epsilon),
                    false => Default::default(),
                };
                (Numbers::F32(out.into()), mean, deviation)
            }
            Numbers::F64(v) => {
                let wide = |t: &Tensor| -> Result<Cow<'static, [f64]>> {
                    Ok(match t.numbers()? {
                        Numbers::F64(v) => v.into_owned().into(),
                        Numbers::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
                        _ => return fault("its operands are of different types"),
                    })
                };
                let factors = Factors::new(&scale.shape, wide(scale)?, shape, from)?;
                let addends = match bias {
                    Some(bias) => Factors::new(&bias.shape, wide(bias)?, shape, from)?,
                    None => Factors::Row(vec![0.0; len].into()),
                };
                let (mut mean, mut deviation) = moments(v.iter().copied(), len, rows, epsilon);
                if !centred {
                    mean = vec![0.0; rows];
                    let squares = v.chunks_exact(len.max(1)).map(|row| {
                        let mean = row.iter().map(|x| x * x).sum::<f64>() / len as f64;
                        1.0 / (mean + f64::from(epsilon)).sqrt()
                    });
                    deviation = squares.collect();
                }
                let mut out = v.into_owned();
                for (i, out) in out.chunks_exact_mut(len.max(1)).enumerate() {
                    let (by, add) = (factors.row(i, len), addends.row(i, len));
                    for ((x, by), add) in out.iter_mut().zip(by).zip(add) {
                        *x = (*x - mean[i]) * deviation[i] * by + add;
                    }
                }
                (Numbers::F64(out.into()), mean, deviation)
            }
            _ => return fault(format!("its operand is of {}", ty.name())),
        };
        if scale.ty() != ty && centred || bias.is_some_and(|bias| bias.ty() != ty) {
            return fault("its operands are of different types");
        }
        // The scale may be of another type, which is the result's then.
        let ty = if centred { ty } else { scale.ty() };
        let mut results: Vec<Value> = vec![Tensor::new(shape.clone(), data.narrow(ty))?.into()];
        if more {
            // These are float32 whatever the operand is.
            for numbers in [mean, deviation] {
                let data: Data = Numbers::F64(numbers.into()).narrow(Type::F32);
                results.push(Tensor::new(narrow.clone(), data)?.into());
            }
        }
        Ok(results)
    })
}

/// Each row's mean, and one over the root of its variance and `epsilon`.
fn moments(
    all: impl Iterator<Item = f64>,
    len: usize,
    rows: usize,
    epsilon: f32,
) -> (Vec<f64>, Vec<f64>) {
    let all: Vec<f64> = all.collect();
    let (mut means, mut deviations) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for row in all.chunks_exact(len.max(1)) {
        let mean = row.iter().sum::<f64>() / len as f64;
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / len as f64;
        means.push(mean);
        deviations.push(1.0 / (variance + f64::from(epsilon)).sqrt());
    }
    (means, deviations)
}
