//! Operators on numbers of 8 bits that have a scale, and give such.

use std::borrow::Cow;

use smallfirst_kernels as kernels;

use super::super::quantise::{Along, dequantize, quantize, saturated};
use crate::broadcast::{Rows, common};
use crate::fault::{Result, fault};
use crate::op::{Decl, Inputs, Op, one, op};
use crate::tensor::{Data, Tensor, Type, axis, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "QuantizeLinear" | "DequantizeLinear" => {
            decl.operands(2, 3)?;
            let along = Along {
                axis: decl.int_or("axis", 0)?,
                block: 0,
            };
            // Scales of each row are there only where an axis is told.
            let told = decl.is_given("axis");
            let back = name == "DequantizeLinear";
            op(move |x, _| {
                let (own, scale, zero) = (x.get(0)?, x.get(1)?, x.opt(2));
                if !told && scale.len() != 1 {
                    return fault(format!("scales of the shape {:?}", scale.shape));
                }
                one(match back {
                    true => dequantize(own, scale, zero, along, None)?,
                    false => quantize(own, scale, zero, along, None, None)?,
                })
            })
        }
        "QLinearAdd" => binary(decl, |a, b| a + b),
        "QLinearMul" => binary(decl, |a, b| a * b),
        "QLinearSigmoid" => {
            decl.operands(4, 5)?;
            unary(|x| 1.0 / (1.0 + (-x).exp()))
        }
        "QLinearLeakyRelu" => {
            decl.operands(4, 5)?;
            let alpha = decl.float_or("alpha", 0.01)?;
            unary(move |x| if x < 0.0 { alpha * x } else { x })
        }
        "QLinearConcat" => concat(decl),
        "QLinearSoftmax" => softmax(decl),
        "QLinearGlobalAveragePool" => {
            decl.operands(5, 5)?;
            let last = decl.flag("channels_last")?;
            op(move |x, _| one(average(x, last)?))
        }
        "QLinearWhere" => {
            decl.operands(9, 9)?;
            op(|x, _| one(choice(x)?))
        }
        _ => Ok(None),
    }
}

/// A scale and a zero point, and the type of the numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    pub(super) scale: f32,
    pub(super) zero: i32,
    ty: Type,
}

impl Steps {
    /// Of two operands, of which the second may be missing.
    pub(super) fn of(x: &Inputs, at: usize, ty: Type) -> Result<Steps> {
        let zero = match x.opt(at + 1) {
            Some(zero) if zero.ty() != ty => {
                return fault(format!(
                    "a zero point of {} for {}",
                    zero.ty().name(),
                    ty.name()
                ));
            }
            Some(zero) => zero.scalar_int()? as i32,
            None => 0,
        };
        if !matches!(ty, Type::U8 | Type::I8) {
            return fault(format!("{} are not supported", ty.name()));
        }
        Ok(Steps {
            scale: x.get(at)?.scalar_float()?,
            zero,
            ty,
        })
    }

    /// The number of each byte.
    fn table(&self) -> Vec<f32> {
        (0..=255u8)
            .map(|byte| {
                let own = match self.ty {
                    Type::I8 => i32::from(byte.cast_signed()),
                    _ => i32::from(byte),
                };
                self.scale * (own - self.zero) as f32
            })
            .collect()
    }

    /// The byte of a number.
    pub(super) fn byte(&self, v: f32) -> u8 {
        match self.ty {
            Type::I8 => saturated::<i8>(v / self.scale, self.zero).cast_unsigned(),
            _ => saturated::<u8>(v / self.scale, self.zero),
        }
    }

    pub(super) fn tensor(&self, shape: Vec<usize>, bytes: Vec<u8>) -> Result<Tensor> {
        let data = match self.ty {
            Type::I8 => Data::I8(bytes.into_iter().map(u8::cast_signed).collect()),
            _ => Data::U8(bytes),
        };
        Tensor::new(shape, data)
    }
}

/// Numbers of 8 bits as bytes, whatever their sign.
fn bytes(of: &Tensor) -> Result<Cow<'_, [u8]>> {
    match &of.data {
        Data::U8(v) => Ok(v.into()),
        Data::I8(v) => Ok(v.iter().map(|v| v.cast_unsigned()).collect()),
        other => fault(format!("{} are not supported", other.ty().name())),
    }
}

fn unary(f: impl Fn(f32) -> f32 + Send + Sync + 'static) -> Result<Option<Op>> {
    op(move |x, _| {
        let own = x.get(0)?;
        let from = Steps::of(x, 1, own.ty())?;
        let to = Steps::of(x, 3, own.ty())?;
        let table: Vec<u8> = from.table().iter().map(|&v| to.byte(f(v))).collect();
        let out = bytes(own)?.iter().map(|&v| table[usize::from(v)]).collect();
        one(to.tensor(own.shape.clone(), out)?)
    })
}

fn binary(
    decl: &Decl<'_>,
    f: impl Fn(f32, f32) -> f32 + Send + Sync + 'static,
) -> Result<Option<Op>> {
    decl.operands(7, 8)?;
    op(move |x, _| {
        let (a, b) = (x.get(0)?, x.get(3)?);
        if a.ty() != b.ty() {
            return fault(format!("{} and {}", a.ty().name(), b.ty().name()));
        }
        let (first, second) = (Steps::of(x, 1, a.ty())?, Steps::of(x, 4, a.ty())?);
        let to = Steps::of(x, 6, a.ty())?;
        let (first, second) = (first.table(), second.table());
        let shape = common([&a.shape[..], &b.shape])?;
        let mut out = Vec::with_capacity(count(&shape)?);
        let rows = Rows::new(&shape, [&a.shape, &b.shape]);
        let (a, b) = (bytes(a)?, bytes(b)?);
        rows.each(|_, [i, j]| {
            let [p, q] = rows.step;
            out.extend((0..rows.len).map(|at| {
                let (a, b) = (a[i + at * p], b[j + at * q]);
                to.byte(f(first[usize::from(a)], second[usize::from(b)]))
            }));
        });
        one(to.tensor(shape, out)?)
    })
}

fn concat(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(5, usize::MAX)?;
    let along = decl.must_int("axis")?;
    if decl.given() % 3 != 2 {
        return fault("its operands are not in threes");
    }
    op(move |x, _| {
        let to = Steps::of(x, 0, x.get(1)?.ty())?;
        let places: Vec<usize> = (2..x.len()).step_by(3).collect();
        let first = x.get(2)?;
        let along = axis(along, first.rank())?;
        let mut shape = first.shape.clone();
        shape[along] = 0;
        let mut parts = Vec::new();
        for at in places {
            let own = x.get(at)?;
            let table: Vec<u8> = Steps::of(x, at + 1, own.ty())?
                .table()
                .iter()
                .map(|&v| to.byte(v))
                .collect();
            let fits = own.rank() == shape.len()
                && (0..shape.len()).all(|i| i == along || own.shape[i] == shape[i]);
            if !fits {
                return fault(format!("operands of {:?} and {:?}", first.shape, own.shape));
            }
            shape[along] = shape[along]
                .checked_add(own.shape[along])
                .ok_or("a length that is too large")?;
            let inner: usize = own.shape[along..].iter().product();
            let moved: Vec<u8> = bytes(own)?.iter().map(|&v| table[usize::from(v)]).collect();
            parts.push((inner, moved));
        }
        let mut out = Vec::with_capacity(count(&shape)?);
        for o in 0..shape[..along].iter().product() {
            for (inner, part) in &parts {
                out.extend_from_slice(&part[o * inner..(o + 1) * inner]);
            }
        }
        one(to.tensor(shape, out)?)
    })
}

fn softmax(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(5, 5)?;
    let along = decl.int_or("axis", -1)?;
    let version = decl.must_int("opset")?;
    op(move |x, _| {
        let own = x.get(0)?;
        let (from, to) = (Steps::of(x, 1, own.ty())?, Steps::of(x, 3, own.ty())?);
        let at = axis(along, own.rank())?;
        count(&own.shape)?;
        let (_, cols, inner) = match version >= 13 {
            true => own.around(at),
            // Before, it ran over all axes from this one on.
            false => (0, own.shape[at..].iter().product(), 1),
        };
        let table = from.table();
        let own_bytes = bytes(own)?;
        let places = |at: usize| {
            let (row, i) = (at / cols, at % cols);
            (row / inner * cols + i) * inner + row % inner
        };
        let mut numbers: Vec<f32> = (0..own_bytes.len())
            .map(|at| table[usize::from(own_bytes[places(at)])])
            .collect();
        if !numbers.is_empty() {
            kernels::softmax(&mut numbers, cols);
        }
        let mut out = vec![0; numbers.len()];
        for (at, &v) in numbers.iter().enumerate() {
            out[places(at)] = to.byte(v);
        }
        one(to.tensor(own.shape.clone(), out)?)
    })
}

/// The averages of all places of an image.
fn average(x: &Inputs, channels_last: bool) -> Result<Tensor> {
    let own = x.get(0)?;
    let (from, to) = (Steps::of(x, 1, own.ty())?, Steps::of(x, 3, own.ty())?);
    let rank = own.rank();
    if rank < 3 {
        return fault(format!("an image of the shape {:?}", own.shape));
    }
    let (batch, channel) = (own.shape[0], if channels_last { rank - 1 } else { 1 });
    let channels = own.shape[channel];
    let places: usize = (1..rank)
        .filter(|&at| at != channel)
        .map(|at| own.shape[at])
        .product();
    if places == 0 {
        return fault("an image without places");
    }
    let ints = own.ints()?;
    let (step, next) = match channels_last {
        true => (channels, 1),
        false => (1, places),
    };
    let mut out = Vec::with_capacity(batch * channels);
    for b in 0..batch {
        for c in 0..channels {
            let start = b * channels * places + c * next;
            let sum: i64 = (0..places).map(|i| ints[start + i * step]).sum();
            let sum = sum - i64::from(from.zero) * places as i64;
            out.push(to.byte(sum as f32 * (from.scale / places as f32)));
        }
    }
    let mut shape = vec![1; rank];
    shape[0] = batch;
    shape[channel] = channels;
    to.tensor(shape, out)
}

fn choice(x: &Inputs) -> Result<Tensor> {
    let (when, yes, no) = (x.get(0)?, x.get(1)?, x.get(4)?);
    let to = Steps::of(x, 7, yes.ty())?;
    let table = |at: usize| -> Result<Vec<u8>> {
        let from = Steps::of(x, at, yes.ty())?;
        Ok(from.table().iter().map(|&v| to.byte(v)).collect())
    };
    let (first, second) = (table(2)?, table(5)?);
    if yes.ty() != no.ty() {
        return fault(format!("{} and {}", yes.ty().name(), no.ty().name()));
    }
    let shape = common([&when.shape[..], &yes.shape, &no.shape])?;
    let mut out = Vec::with_capacity(count(&shape)?);
    let rows = Rows::new(&shape, [&when.shape, &yes.shape, &no.shape]);
    let (chosen, yes, no) = (when.truths()?, bytes(yes)?, bytes(no)?);
    rows.each(|_, [c, a, b]| {
        let [p, q, r] = rows.step;
        out.extend((0..rows.len).map(|at| match chosen[c + at * p] {
            true => first[usize::from(yes[a + at * q])],
            false => second[usize::from(no[b + at * r])],
        }));
    });
    to.tensor(shape, out)
}
