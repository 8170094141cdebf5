//! Functions of each element, and small operators on shapes.

use std::sync::Arc;

use smallfirst_kernels::{self as kernels, Activation};

use super::{narrow, not_double};
use crate::fault::{Result, fault};
use crate::op::{Decl, Inputs, Op, Value, one, op};
use crate::tensor::{Data, Tensor, axis};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Gelu" => {
            decl.operands(1, 1)?;
            op(|x, _| activated(x, None, Activation::Gelu))
        }
        "BiasGelu" => {
            decl.operands(2, 2)?;
            op(|x, _| activated(x, Some(1), Activation::Gelu))
        }
        "FastGelu" => {
            decl.operands(1, 2)?;
            let bias = decl.has(1).then_some(1);
            op(move |x, _| activated(x, bias, Activation::GeluTanh))
        }
        "QuickGelu" => {
            decl.operands(1, 1)?;
            let alpha = decl.float_or("alpha", 1.702)?;
            op(move |x, _| {
                let x = x.get(0)?;
                not_double(&[x])?;
                let numbers = x.floats()?;
                let mut weights: Vec<f32> = numbers.iter().map(|v| alpha * v).collect();
                kernels::activate(&mut weights, Activation::Sigmoid);
                for (weight, v) in weights.iter_mut().zip(numbers.iter()) {
                    *weight *= v;
                }
                one(narrow(x.shape.clone(), weights, x.ty())?)
            })
        }
        "ExpandDims" => {
            decl.operands(2, 2)?;
            op(|x, _| {
                let at = axis(x.get(1)?.scalar_int()?, x.get(0)?.rank() + 1)?;
                let x = x.take(0)?;
                let mut shape = x.shape.clone();
                shape.insert(at, 1);
                one(x.reshaped(shape)?)
            })
        }
        "Trilu" => {
            decl.operands(1, 2)?;
            let upper = decl.int_or("upper", 1)? != 0;
            op(move |x, _| {
                let by = x.opt(1).map_or(Ok(0), Tensor::scalar_int)?;
                one(triangle(x.take(0)?, by, upper)?)
            })
        }
        "Unique" => {
            decl.operands(1, 1)?;
            op(|x, _| unique(x.get(0)?))
        }
        "Inverse" => {
            decl.operands(1, 1)?;
            op(|x, context| {
                let x = x.get(0)?;
                let &[.., rows, cols] = &x.shape[..] else {
                    return fault("its operand is no matrix");
                };
                if rows != cols {
                    return fault(format!("a matrix of {rows} by {cols}"));
                }
                context.spend((x.len() as u64).saturating_mul(rows as u64))?;
                not_double(&[x])?;
                let mut out = Vec::with_capacity(x.len());
                for matrix in x.floats()?.chunks_exact((rows * rows).max(1)) {
                    out.extend(inverse(matrix, rows)?);
                }
                one(narrow(x.shape.clone(), out, x.ty())?)
            })
        }
        _ => Ok(None),
    }
}

fn activated(x: &mut Inputs, bias: Option<usize>, activation: Activation) -> Result<Vec<Value>> {
    let own = x.get(0)?;
    not_double(&[own])?;
    let (shape, ty) = (own.shape.clone(), own.ty());
    let bias = match bias {
        Some(at) => {
            let bias = x.get(at)?;
            if bias.rank() != 1 || shape.last() != Some(&bias.len()) {
                return fault(format!(
                    "a bias of the shape {:?} for {shape:?}",
                    bias.shape
                ));
            }
            bias.floats()?.into_owned()
        }
        None => Vec::new(),
    };
    let mut v = match x.take(0)?.data {
        Data::F32(v) => v,
        other => Tensor::new(shape.clone(), other)?.floats()?.into_owned(),
    };
    if !bias.is_empty() {
        for row in v.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(&bias).for_each(|(v, b)| *v += b);
        }
    }
    kernels::activate(&mut v, activation);
    one(narrow(shape, v, ty)?)
}

/// What lies on one side of a diagonal; zeros elsewhere.
fn triangle(mut x: Tensor, by: i64, upper: bool) -> Result<Tensor> {
    let &[.., rows, cols] = &x.shape[..] else {
        return fault("its operand is no matrix");
    };
    let zeros = Data::zeros(x.ty(), cols);
    for start in (0..x.len()).step_by((rows * cols).max(1)) {
        for row in 0..rows {
            // The first column on or beyond the diagonal; the last before it.
            let edge = (row as i64)
                .saturating_add(by)
                .saturating_add(i64::from(!upper));
            let edge = edge.clamp(0, cols as i64) as usize;
            let at = start + row * cols;
            match upper {
                true => x.data.paste(at, &zeros, 0, edge),
                false => x.data.paste(at + edge, &zeros, 0, cols - edge),
            }
        }
    }
    Ok(x)
}

/// The different numbers, in the order in which they come; which of them each is; how often each comes.
fn unique(x: &Tensor) -> Result<Vec<Value>> {
    if x.rank() != 1 {
        return fault(format!("an operand of the shape {:?}", x.shape));
    }
    let numbers = x.f32s()?;
    let (mut places, mut own, mut counts) = (Vec::new(), Vec::new(), Vec::<i64>::new());
    let mut known = std::collections::HashMap::new();
    for (at, v) in numbers.iter().enumerate() {
        // Zeros are equal whatever their sign.
        let key = if *v == 0.0 { 0 } else { v.to_bits() };
        let next = counts.len();
        let found = *known.entry(key).or_insert(next);
        if found == next {
            places.push(at);
            counts.push(0);
        }
        counts[found] += 1;
        own.push(found as i64);
    }
    let len = places.len();
    let data = x.data.runs(1, places.into_iter());
    Ok(vec![
        Arc::new(Tensor::new(vec![len], data)?),
        Arc::new(Tensor::i64(vec![own.len()], own)),
        Arc::new(Tensor::i64(vec![len], counts)),
    ])
}

/// Elimination with the largest pivots, in 64 bits.
fn inverse(matrix: &[f32], n: usize) -> Result<Vec<f32>> {
    let width = 2 * n;
    let mut rows = vec![0f64; n * width];
    for i in 0..n {
        for j in 0..n {
            rows[i * width + j] = f64::from(matrix[i * n + j]);
        }
        rows[i * width + n + i] = 1.0;
    }
    for col in 0..n {
        let size = |row: usize| rows[row * width + col].abs();
        let pivot = (col..n).fold(col, |a, b| if size(b) > size(a) { b } else { a });
        if rows[pivot * width + col] == 0.0 {
            return fault("a matrix that has no inverse");
        }
        for j in 0..width {
            rows.swap(col * width + j, pivot * width + j);
        }
        let by = 1.0 / rows[col * width + col];
        let own: Vec<f64> = rows[col * width..(col + 1) * width]
            .iter()
            .map(|v| v * by)
            .collect();
        for (i, row) in rows.chunks_exact_mut(width).enumerate() {
            if i == col {
                row.copy_from_slice(&own);
            } else {
                let factor = row[col];
                row.iter_mut().zip(&own).for_each(|(v, o)| *v -= factor * o);
            }
        }
    }
    Ok(rows
        .chunks_exact(width)
        .flat_map(|row| row[n..].iter().map(|&v| v as f32))
        .collect())
}
