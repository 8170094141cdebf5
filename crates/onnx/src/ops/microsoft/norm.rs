//! Normalisations, with what is often added before them.

use std::sync::Arc;

use smallfirst_kernels as kernels;

use super::{narrow, no_results, not_double};
use crate::fault::{Result, fault};
use crate::op::{Decl, Inputs, Op, Value, op};
use crate::tensor::{Data, Tensor, axis, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "SkipLayerNormalization" => {
            decl.operands(3, 5)?;
            skip(decl, true)
        }
        "SkipSimplifiedLayerNormalization" => {
            decl.operands(3, 4)?;
            skip(decl, false)
        }
        "LayerNormalization" => {
            decl.operands(2, 3)?;
            plain(decl, true)
        }
        "SimplifiedLayerNormalization" => {
            decl.operands(2, 2)?;
            plain(decl, false)
        }
        "EmbedLayerNormalization" => {
            decl.operands(7, 9)?;
            let epsilon = decl.float_or("epsilon", 1e-12)?;
            // It only tells the type of a result, which is the same for both.
            decl.unused("mask_index_type");
            op(move |x, _| embedded(x, epsilon))
        }
        _ => Ok(None),
    }
}

/// An operand of as many floats as a row has.
fn row(x: &Inputs, at: usize, cols: usize) -> Result<Vec<f32>> {
    let own = x.get(at)?;
    if own.len() != cols {
        return fault(format!(
            "its operand {at} is of the shape {:?} for rows of {cols}",
            own.shape
        ));
    }
    Ok(own.floats()?.into_owned())
}

/// Rows normalised about their mean, or about zero.
fn normalised(
    x: &[f32],
    cols: usize,
    gamma: &[f32],
    beta: Option<Vec<f32>>,
    centred: bool,
    epsilon: f32,
) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    if x.is_empty() {
        return out;
    }
    if centred {
        let beta = beta.unwrap_or_else(|| vec![0.0; cols]);
        kernels::layer_norm(x, cols, gamma, &beta, epsilon, None, &mut out);
    } else {
        kernels::rms_norm(x, cols, gamma, epsilon, &mut out);
    }
    out
}

fn skip(decl: &Decl<'_>, centred: bool) -> Result<Option<Op>> {
    let epsilon = decl.float_or("epsilon", 1e-12)?;
    if decl.wants(1) || decl.wants(2) {
        return fault("its results for training are not supported");
    }
    op(move |x, _| {
        let (own, skip) = (x.get(0)?, x.get(1)?);
        not_double(&[own])?;
        let Some(&cols) = own.shape.last() else {
            return fault("its operand has no axes");
        };
        // The second may lack the batches.
        let fits = skip.shape == own.shape
            || (own.rank() == 3
                && (skip.shape == own.shape[1..]
                    || (skip.rank() == 3
                        && skip.shape[0] == 1
                        && skip.shape[1..] == own.shape[1..])));
        if !fits {
            return fault(format!(
                "operands of the shapes {:?} and {:?}",
                own.shape, skip.shape
            ));
        }
        let gamma = row(x, 2, cols)?;
        let (beta, bias) = match centred {
            true => (3, 4),
            false => (usize::MAX, 3),
        };
        let of = |at: usize| x.opt(at).map(|_| row(x, at, cols)).transpose();
        let (beta, bias) = (of(beta)?, of(bias)?);
        let mut sum = own.floats()?.into_owned();
        let skips = skip.floats()?;
        if !skips.is_empty() {
            for part in sum.chunks_exact_mut(skips.len()) {
                part.iter_mut().zip(skips.iter()).for_each(|(v, s)| *v += s);
            }
        }
        if let Some(bias) = bias.filter(|_| cols > 0) {
            for row in sum.chunks_exact_mut(cols) {
                row.iter_mut().zip(&bias).for_each(|(v, b)| *v += b);
            }
        }
        let out = normalised(&sum, cols, &gamma, beta, centred, epsilon);
        let none = Arc::new(Tensor::f32(vec![0], Vec::new()));
        Ok(vec![
            Arc::new(narrow(own.shape.clone(), out, own.ty())?),
            none.clone(),
            none,
            Arc::new(narrow(own.shape.clone(), sum, own.ty())?),
        ])
    })
}

fn plain(decl: &Decl<'_>, centred: bool) -> Result<Option<Op>> {
    let epsilon = decl.float_or("epsilon", 1e-5)?;
    let from = decl.int_or("axis", -1)?;
    // The type that it is computed in, which is this one whatever the operand's.
    super::only(decl, "stash_type", 1)?;
    no_results(decl, 1)?;
    op(move |x, _| {
        let own = x.get(0)?;
        not_double(&[own])?;
        let from = axis(from, own.rank())?;
        let cols = count(&own.shape[from..])?;
        let gamma = row(x, 1, cols)?;
        let beta = match x.opt(2) {
            Some(_) => Some(row(x, 2, cols)?),
            None => None,
        };
        let out = normalised(&own.floats()?, cols, &gamma, beta, centred, epsilon);
        Ok(vec![Arc::new(narrow(
            own.shape.clone(),
            out,
            x.get(1)?.ty(),
        )?)])
    })
}

/// The sum of words', positions' and segments' rows, normalised.
fn embedded(x: &Inputs, epsilon: f32) -> Result<Vec<Value>> {
    let ids = x.get(0)?;
    let &[batch, len] = &ids.shape[..] else {
        return fault(format!("words of the shape {:?}", ids.shape));
    };
    let table = |at: usize| -> Result<(&Tensor, usize, usize)> {
        let table = x.get(at)?;
        match table.shape[..] {
            [rows, cols] => Ok((table, rows, cols)),
            _ => fault(format!("rows of the shape {:?}", table.shape)),
        }
    };
    let (words, _, cols) = table(2)?;
    count(&[batch, len, cols])?;
    let mut sum = vec![0.0; batch * len * cols];
    let mut add = |at: usize, place: &dyn Fn(usize) -> i64| -> Result<()> {
        let (own, rows, own_cols) = table(at)?;
        if own_cols != cols {
            return fault(format!("rows of {own_cols} and of {cols} numbers"));
        }
        let own = own.floats()?;
        for (i, sum) in sum.chunks_exact_mut(cols.max(1)).enumerate() {
            let at = place(i);
            let Some(at) = usize::try_from(at).ok().filter(|&at| at < rows) else {
                return fault(format!("row {at} of {rows}"));
            };
            sum.iter_mut()
                .zip(&own[at * cols..(at + 1) * cols])
                .for_each(|(v, o)| *v += o);
        }
        Ok(())
    };
    let ids_of = ids.ints()?;
    add(2, &|i| ids_of[i])?;
    match x.opt(8) {
        None => add(3, &|i| (i % len.max(1)) as i64)?,
        Some(at) if at.shape == [batch, len] || at.shape == [1, len] => {
            let at = at.ints()?;
            add(3, &|i| at[i % at.len()])?;
        }
        Some(at) => return fault(format!("positions of the shape {:?}", at.shape)),
    }
    match (x.opt(1), x.opt(4)) {
        (Some(segments), Some(_)) if segments.shape == ids.shape => {
            let segments = segments.ints()?;
            add(4, &|i| segments[i])?;
        }
        (None, None) => {}
        _ => return fault("its segments and their rows do not belong together"),
    }
    let (gamma, beta) = (row(x, 5, cols)?, row(x, 6, cols)?);
    let out = normalised(&sum, cols, &gamma, Some(beta), true, epsilon);
    let lengths = match x.opt(7) {
        None => vec![0; batch],
        Some(mask) if mask.shape == ids.shape => {
            let mask = mask.ints()?;
            (0..batch)
                .map(|b| {
                    mask[b * len..(b + 1) * len]
                        .iter()
                        .filter(|&&v| v == 1)
                        .count() as i32
                })
                .collect()
        }
        Some(mask) => return fault(format!("a mask of the shape {:?}", mask.shape)),
    };
    let (shape, ty) = (vec![batch, len, cols], words.ty());
    Ok(vec![
        Arc::new(narrow(shape.clone(), out, ty)?),
        Arc::new(Tensor::new(vec![batch], Data::I32(lengths))?),
        Arc::new(narrow(shape, sum, ty)?),
    ])
}
