//! Products of quantised operands.

use std::borrow::Cow;

use super::super::product::{Right, less, rows_of, widened};
use super::super::quantise::{range, saturated};
use super::super::recurrent::{Given, Weights};
use crate::broadcast::{Rows, common};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, Value, one, op};
use crate::tensor::{Data, Tensor, Type, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "DynamicQuantizeMatMul" => {
            decl.operands(3, 5)?;
            let columns = Columns::known(decl, 1, 3, false)?;
            op(move |x, context| {
                let a = x.get(0)?;
                let numbers = a.f32s()?;
                let (scale, zero) = range(numbers);
                let whole: Vec<i16> = numbers
                    .iter()
                    .map(|v| {
                        i16::from(saturated::<u8>(v / scale, i32::from(zero))) - i16::from(zero)
                    })
                    .collect();
                let columns = match &columns {
                    Some(columns) => Cow::Borrowed(columns),
                    None => Cow::Owned(Columns::new(x.get(1)?, x.opt(3), false)?),
                };
                let scales = columns.scales(x.get(2)?, scale)?;
                one(floats(
                    &a.shape,
                    whole,
                    &columns,
                    &scales,
                    x.opt(4),
                    context,
                )?)
            })
        }
        "MatMulIntegerToFloat" => {
            decl.operands(4, 7)?;
            let columns = Columns::known(decl, 1, 5, false)?;
            op(move |x, context| {
                let a = x.get(0)?;
                let whole = shifted(a, x.opt(4))?;
                let columns = match &columns {
                    Some(columns) => Cow::Borrowed(columns),
                    None => Cow::Owned(Columns::new(x.get(1)?, x.opt(5), false)?),
                };
                let scales = columns.scales(x.get(3)?, x.get(2)?.scalar_float()?)?;
                one(floats(
                    &a.shape,
                    whole,
                    &columns,
                    &scales,
                    x.opt(6),
                    context,
                )?)
            })
        }
        "QGemm" => gemm(decl),
        "DynamicQuantizeLSTM" => lstm(decl),
        _ => Ok(None),
    }
}

/// 8-bit integers less their zero point.
pub(super) fn shifted(of: &Tensor, zero: Option<&Tensor>) -> Result<Vec<i16>> {
    match zero {
        Some(zero) if zero.len() != 1 => {
            fault(format!("zero points of the shape {:?}", zero.shape))
        }
        Some(zero) => less(of, zero),
        None => widened(of, None),
    }
}

/// A right operand whose columns have scales.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) k: usize,
    pub(super) n: usize,
    right: Right,
}

impl Columns {
    /// Of a constant, with a zero point that is known too.
    pub(super) fn known(
        decl: &Decl<'_>,
        at: usize,
        zero: usize,
        transposed: bool,
    ) -> Result<Option<Columns>> {
        let (Some(b), zeros) = (decl.constant(at), decl.constant(zero)) else {
            return Ok(None);
        };
        if decl.has(zero) && zeros.is_none() {
            return Ok(None);
        }
        let columns = Columns::new(&b, zeros.as_deref(), transposed)?;
        decl.absorb(at);
        decl.absorb(zero);
        Ok(Some(columns))
    }

    pub(super) fn new(b: &Tensor, zero: Option<&Tensor>, transposed: bool) -> Result<Columns> {
        if b.rank() != 2 {
            return fault(format!("a right operand of the shape {:?}", b.shape));
        }
        count(&b.shape)?;
        if transposed && zero.is_some_and(|zero| zero.len() > 1) {
            return fault("zero points of each column are not supported of a turned operand");
        }
        let right = Right::new(b, zero, transposed)?;
        Ok(Columns {
            k: right.k,
            n: right.n,
            right,
        })
    }

    /// The scale of each column.
    pub(super) fn scales(&self, own: &Tensor, other: f32) -> Result<Vec<f32>> {
        let own = own.floats()?;
        match own.len() {
            1 => Ok(vec![own[0] * other; self.n]),
            len if len == self.n => Ok(own.iter().map(|v| v * other).collect()),
            len => fault(format!("{len} scales for {} columns", self.n)),
        }
    }

    /// The exact sums of products.
    pub(super) fn product(&self, m: usize, a: Vec<i16>, context: &mut Context) -> Result<Vec<i32>> {
        let len = count(&[m, self.n])?;
        context.spend((len as u64).saturating_mul(self.k as u64))?;
        let mut sums = vec![0i32; len];
        if len > 0 && self.k > 0 {
            self.right.multiply(m, &rows_of(a, self.k), 0, &mut sums);
        }
        Ok(sums)
    }
}

/// A product whose columns have scales, and perhaps addends.
fn floats(
    shape: &[usize],
    whole: Vec<i16>,
    columns: &Columns,
    scales: &[f32],
    bias: Option<&Tensor>,
    context: &mut Context,
) -> Result<Tensor> {
    let Some((_, before)) = shape.split_last().filter(|(last, _)| **last == columns.k) else {
        return fault(format!(
            "an operand of the shape {shape:?} for columns of {}",
            columns.k
        ));
    };
    let bias = match bias {
        Some(bias) if bias.len() != columns.n => {
            return fault(format!("a bias of the shape {:?}", bias.shape));
        }
        Some(bias) => Some(bias.floats()?),
        None => None,
    };
    let mut to = before.to_vec();
    to.push(columns.n);
    count(&to)?;
    let sums = columns.product(count(before)?, whole, context)?;
    let mut out = vec![0.0; sums.len()];
    let n = columns.n.max(1);
    for (out, sums) in out.chunks_exact_mut(n).zip(sums.chunks_exact(n)) {
        for ((out, &sum), scale) in out.iter_mut().zip(sums).zip(scales) {
            *out = sum as f32 * scale;
        }
        for (out, bias) in out.iter_mut().zip(bias.iter().flat_map(|bias| bias.iter())) {
            *out += bias;
        }
    }
    Tensor::new(to, Data::F32(out))
}

fn gemm(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(6, 9)?;
    let alpha = decl.float_or("alpha", 1.0)?;
    let (turned_a, turned_b) = (decl.flag("transA")?, decl.flag("transB")?);
    let columns = Columns::known(decl, 3, 5, turned_b)?;
    op(move |x, context| {
        let a = x.get(0)?;
        let &[rows, cols] = &a.shape[..] else {
            return fault("its left operand is no matrix");
        };
        count(&a.shape)?;
        let mut whole = shifted(a, x.opt(2))?;
        let (mut m, mut k) = (rows, cols);
        if turned_a {
            whole = (0..cols)
                .flat_map(|j| (0..rows).map(move |i| i * cols + j))
                .map(|at| whole[at])
                .collect();
            (m, k) = (cols, rows);
        }
        let columns = match &columns {
            Some(columns) => Cow::Borrowed(columns),
            None => Cow::Owned(Columns::new(x.get(3)?, x.opt(5), turned_b)?),
        };
        if k != columns.k {
            return fault(format!("rows of {k} numbers by columns of {}", columns.k));
        }
        let n = columns.n;
        let scales = columns.scales(x.get(4)?, x.get(1)?.scalar_float()? * alpha)?;
        let mut sums = columns.product(m, whole, context)?;
        if let Some(c) = x.opt(6) {
            let Data::I32(own) = &c.data else {
                return fault(format!("an addend of {}", c.ty().name()));
            };
            if common([&c.shape[..], &[m, n]])? != [m, n] {
                return fault(format!("an addend of the shape {:?}", c.shape));
            }
            let rows = Rows::new(&[m, n], [&c.shape]);
            rows.each(|at, [from]| {
                for (i, sum) in sums[at..at + rows.len].iter_mut().enumerate() {
                    *sum = sum.wrapping_add(own[from + i * rows.step[0]]);
                }
            });
        }
        let scaled = sums.chunks_exact(n.max(1)).flat_map(|row| {
            row.iter()
                .zip(&scales)
                .map(|(&sum, scale)| sum as f32 * scale)
        });
        let data = match (x.opt(7), x.opt(8)) {
            (None, None) => Data::F32(scaled.collect()),
            (Some(by), zero) => {
                let by = by.scalar_float()?;
                let ty = zero.map_or(a.ty(), Tensor::ty);
                let zero = zero.map_or(Ok(0), Tensor::scalar_int)? as i32;
                match ty {
                    Type::U8 => Data::U8(scaled.map(|v| saturated(v / by, zero)).collect()),
                    Type::I8 => Data::I8(scaled.map(|v| saturated(v / by, zero)).collect()),
                    other => return fault(format!("results of {}", other.name())),
                }
            }
            (None, Some(_)) => return fault("a zero point without a scale"),
        };
        one(Tensor::new(vec![m, n], data)?)
    })
}

/// An LSTM whose weights are quantised, and whose operands are as they come.
fn lstm(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(12, 12)?;
    let given = Given::quantised(decl)?;
    let known: Option<Vec<Value>> = [1, 2, 8, 9, 10, 11]
        .iter()
        .map(|&at| decl.constant(at))
        .collect();
    let weights = match known {
        Some(known) => {
            let known: Vec<&Tensor> = known.iter().map(AsRef::as_ref).collect();
            let weights = dequantised(&given, &known)?;
            for at in [1, 2, 8, 9, 10, 11] {
                decl.absorb(at);
            }
            Some(weights)
        }
        None => None,
    };
    op(move |x, context| {
        let weights_of;
        let weights = match &weights {
            Some(weights) => weights,
            None => {
                let known: Vec<&Tensor> = [1, 2, 8, 9, 10, 11]
                    .iter()
                    .map(|&at| x.get(at))
                    .collect::<Result<_>>()?;
                weights_of = dequantised(&given, &known)?;
                &weights_of
            }
        };
        let own = Inputs(x.0.iter().take(8).cloned().collect());
        given.run(weights, &own, context)
    })
}

/// `[directions, rows, 4 * hidden]` of integers as `[directions, 4 * hidden, rows]` of floats.
fn dequantised(given: &Given, of: &[&Tensor]) -> Result<Weights> {
    let turned = |own: &Tensor, scale: &Tensor, zero: &Tensor| -> Result<Tensor> {
        let &[directions, rows, cols] = &own.shape[..] else {
            return fault(format!("weights of the shape {:?}", own.shape));
        };
        count(&own.shape)?;
        if !matches!(own.ty(), Type::U8 | Type::I8) || zero.ty() != own.ty() {
            return fault("its weights and zero points are not of the same 8 bits");
        }
        let each = scale.len() / directions.max(1);
        let fits = |t: &Tensor| t.shape == [directions] || t.shape == [directions, each];
        if !(fits(scale) && fits(zero) && zero.len() == scale.len() && (each == 1 || each == cols))
        {
            return fault(format!("scales of the shape {:?}", scale.shape));
        }
        let (own, scale, zero) = (own.ints()?, scale.floats()?, zero.ints()?);
        let mut out = Vec::with_capacity(own.len());
        for d in 0..directions {
            for col in 0..cols {
                let at = d * each + if each == 1 { 0 } else { col };
                let (by, zero) = (scale[at], zero[at]);
                out.extend(
                    (0..rows).map(|row| (own[(d * rows + row) * cols + col] - zero) as f32 * by),
                );
            }
        }
        Ok(Tensor::f32(vec![directions, cols, rows], out))
    };
    let &[w, r, w_scale, w_zero, r_scale, r_zero] = of else {
        return fault("weights that are missing");
    };
    Weights::new(
        given,
        &turned(w, w_scale, w_zero)?,
        &turned(r, r_scale, r_zero)?,
    )
}
