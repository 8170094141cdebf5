//! Operators that make features ready.

use super::{Rows, widened};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Numbers, Tensor, count};

pub(super) fn extractor(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 2)?;
    op(|x, _| {
        let (data, places) = (x.get(0)?, x.get(1)?.lengths()?);
        let Some(&length) = data.shape.last() else {
            return fault("it takes no scalar");
        };
        if let Some(at) = places.iter().find(|&&at| at >= length) {
            return fault(format!("there is no feature {at} among {length}"));
        }
        let mut shape = data.shape.clone();
        let last = shape.len() - 1;
        shape[last] = places.len();
        let all = count(&shape)?;
        let starts: Vec<usize> = if all == 0 {
            Vec::new()
        } else {
            (0..data.len())
                .step_by(length)
                .flat_map(|row| places.iter().map(move |at| row + at))
                .collect()
        };
        if shape.len() == 1 {
            shape.insert(0, 1);
        }
        one(Tensor::new(shape, data.data.runs(1, starts.into_iter()))?)
    })
}

pub(super) fn binarizer(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let threshold = decl.float_or("threshold", 0.0)?;
    op(move |x, _| {
        let x = x.get(0)?;
        let wide = f64::from(threshold);
        let over = match x.numbers()? {
            Numbers::F32(v) => {
                let over = v.iter().map(|&v| if v > threshold { 1.0 } else { 0.0 });
                Numbers::F32(over.collect())
            }
            Numbers::F64(v) => {
                let over = v.iter().map(|&v| if v > wide { 1.0 } else { 0.0 });
                Numbers::F64(over.collect())
            }
            Numbers::I64(v) => Numbers::I64(v.iter().map(|&v| (v as f64 > wide).into()).collect()),
            Numbers::U64(v) => Numbers::U64(v.iter().map(|&v| (v as f64 > wide).into()).collect()),
        };
        let data = over.narrow(x.ty());
        one(Tensor::new(x.shape.clone(), data)?)
    })
}

/// Values for features: one for all, or one for each.
fn per_feature(values: usize, shape: &[usize]) -> Result<()> {
    match shape.last() {
        Some(&features) if values == 1 || values == features => Ok(()),
        _ => fault(format!(
            "{values} values are not one for each feature of the shape {shape:?}"
        )),
    }
}

pub(super) fn scaler(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let offset = widened(decl.floats("offset")?.unwrap_or_default());
    let scale = widened(decl.floats("scale")?.unwrap_or_default());
    if offset.len() != scale.len() || offset.is_empty() {
        return fault("its attributes scale and offset are not of one length");
    }
    op(move |x, _| {
        let x = x.get(0)?;
        per_feature(scale.len(), &x.shape)?;
        let values = super::wide(x)?;
        let each = offset.iter().zip(&scale).cycle();
        let scaled = values
            .iter()
            .zip(each)
            .map(|(x, (o, s))| ((x - o) * s) as f32);
        one(Tensor::f32(x.shape.clone(), scaled.collect()))
    })
}

pub(super) fn imputer(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let floats = decl.floats("imputed_value_floats")?.unwrap_or_default();
    let ints = decl.ints("imputed_value_int64s")?.unwrap_or_default();
    let float = decl.float_or("replaced_value_float", 0.0)?;
    let int = decl.int_or("replaced_value_int64", 0)?;
    op(move |x, _| {
        let x = x.get(0)?;
        let numbers = x.numbers()?;
        let given = match numbers {
            Numbers::F32(_) | Numbers::F64(_) => floats.len(),
            Numbers::I64(_) | Numbers::U64(_) => ints.len(),
        };
        if given == 0 {
            return fault(format!("it has no values for {}", x.ty().name()));
        }
        per_feature(given, &x.shape)?;
        let numbers = match numbers {
            Numbers::F32(v) => {
                let missing = |v: f32| v == float || (v.is_nan() && float.is_nan());
                let with = v.iter().zip(floats.iter().cycle());
                Numbers::F32(
                    with.map(|(&v, &to)| if missing(v) { to } else { v })
                        .collect(),
                )
            }
            Numbers::F64(v) => {
                let missing = |v: f64| v == f64::from(float) || (v.is_nan() && float.is_nan());
                let with = v.iter().zip(floats.iter().cycle());
                let with = with.map(|(&v, &to)| if missing(v) { to.into() } else { v });
                Numbers::F64(with.collect())
            }
            Numbers::I64(v) => {
                let with = v.iter().zip(ints.iter().cycle());
                Numbers::I64(
                    with.map(|(&v, &to)| if v == int { to } else { v })
                        .collect(),
                )
            }
            Numbers::U64(_) => return fault("it does not take uint64"),
        };
        one(Tensor::new(x.shape.clone(), numbers.narrow(x.ty()))?)
    })
}

pub(super) fn normalizer(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let norm: fn(&[f64]) -> f64 = match &*decl.text_or("norm", "MAX")? {
        // Of the values, not of their sizes: the standard says so.
        "MAX" => |row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "L1" => |row| row.iter().map(|v| v.abs()).sum(),
        "L2" => |row| row.iter().map(|v| v * v).sum::<f64>().sqrt(),
        other => return fault(format!("its norm {other} is not supported")),
    };
    op(move |x, _| {
        let x = x.get(0)?;
        let rows = Rows::of(x)?;
        let mut out = Vec::with_capacity(x.len());
        for at in 0..rows.count {
            let row = rows.row(at);
            // A row of zeros stays one.
            let by = Some(norm(row)).filter(|&n| n != 0.0).unwrap_or(1.0);
            out.extend(row.iter().map(|v| (v / by) as f32));
        }
        one(Tensor::new(x.shape.clone(), crate::tensor::Data::F32(out))?)
    })
}

pub(super) fn vectorizer(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, usize::MAX)?;
    let lengths = decl.ints("inputdimensions")?;
    let lengths = lengths.map(|v| {
        v.into_iter()
            .map(usize::try_from)
            .collect::<Result<Vec<_>, _>>()
    });
    let Ok(lengths) = lengths.transpose() else {
        return fault("its inputdimensions are not lengths");
    };
    op(move |x, _| {
        let all = x.all()?;
        let parts = all
            .iter()
            .map(|x| Rows::of(x))
            .collect::<Result<Vec<_>>>()?;
        let lengths = match &lengths {
            Some(lengths) if lengths.len() == parts.len() => lengths.clone(),
            Some(_) => return fault("its inputdimensions are not one for each operand"),
            None => parts.iter().map(|part| part.features).collect(),
        };
        let rows = parts.first().map_or(0, |part| part.count);
        if parts.iter().any(|part| part.count != rows) {
            return fault("its operands have different numbers of rows");
        }
        let width = lengths
            .iter()
            .try_fold(0usize, |sum, &n| sum.checked_add(n));
        let shape = vec![rows, width.ok_or("its inputdimensions are too large")?];
        let mut out = Vec::with_capacity(count(&shape)?);
        for row in 0..rows {
            for (part, &length) in parts.iter().zip(&lengths) {
                // Shorter operands are filled up with zeros, longer ones are cut.
                let end = out.len() + length;
                let kept = length.min(part.features);
                out.extend(part.row(row)[..kept].iter().map(|&v| v as f32));
                out.resize(end, 0.0);
            }
        }
        one(Tensor::f32(shape, out))
    })
}
