//! `MultiHeadAttention`: of queries, keys and values that are projected already.

use std::sync::Arc;

use super::super::super::attention::{Heads, Task, Wanted, attend, joined};
use super::super::{narrow, no_results, not_double};
use super::{Added, Common, Masked};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, Value, op};
use crate::tensor::{Tensor, count};

pub(super) fn attention(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 8)?;
    let common = Common::of(decl)?;
    no_results(decl, 3)?;
    let present = decl.wants(1) || decl.wants(2);
    op(move |x, context| run(&common, x, present, context))
}

/// Floats with a bias for each of a row's numbers.
fn biased(of: &Tensor, bias: Option<&[f32]>) -> Result<Vec<f32>> {
    let mut v = of.floats()?.into_owned();
    if let Some(bias) = bias.filter(|bias| !bias.is_empty()) {
        for row in v.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
        }
    }
    Ok(v)
}

/// Keys or values: their numbers, how many, of which width, and how they lie.
struct Side {
    numbers: Vec<f32>,
    start: usize,
    rows: usize,
    width: usize,
    strides: [usize; 3],
}

impl Side {
    fn heads(&self) -> Heads<'_> {
        let [batch, head, row] = self.strides;
        Heads {
            data: self.numbers.get(self.start..).unwrap_or(&[]),
            batch,
            head,
            row,
        }
    }
}

fn run(common: &Common, x: &Inputs, present: bool, context: &mut Context) -> Result<Vec<Value>> {
    let heads = common.heads;
    let query = x.get(0)?;
    for at in 0..x.len() {
        if let Some(own) = x.opt(at) {
            not_double(&[own])?;
            count(&own.shape)?;
        }
    }
    let bias = x.opt(3).map(Tensor::floats).transpose()?;
    let bias = bias.as_deref();
    let unknown = || {
        fault(format!(
            "queries of the shape {:?} for {heads} heads",
            query.shape
        ))
    };
    let (q, k, v) = match (query.shape[..].as_ref(), x.opt(1), x.opt(2)) {
        // All in one, head by head.
        (&[_, rows, own, 3, dim], None, None) if own == heads => {
            if bias.is_some() {
                return fault("a bias of packed queries, keys and values is not supported");
            }
            let numbers = query.floats()?.into_owned();
            let side = |start: usize| Side {
                numbers: numbers.clone(),
                start,
                rows,
                width: dim,
                strides: [rows * heads * 3 * dim, 3 * dim, heads * 3 * dim],
            };
            (side(0), side(dim), side(2 * dim))
        }
        (&[batch, rows, width], key, value) if width.is_multiple_of(heads) => {
            let dim = width / heads;
            if bias.is_some_and(|bias| bias.len() < 2 * width) {
                return fault("a bias that is too short");
            }
            let part = |from: usize, to: usize| bias.and_then(|bias| bias.get(from..to));
            let together = |numbers: Vec<f32>, rows: usize, width: usize| Side {
                numbers,
                start: 0,
                rows,
                width,
                strides: [rows * heads * width, width, heads * width],
            };
            let q = together(biased(query, part(0, width))?, rows, dim);
            match (key, value) {
                (Some(key), None) => {
                    // Keys and values in one.
                    let (&[b, rows, own, 2, own_dim], None) = (&key.shape[..], bias) else {
                        return unknown();
                    };
                    if [b, own, own_dim] != [batch, heads, dim] {
                        return unknown();
                    }
                    let numbers = key.floats()?.into_owned();
                    let side = |start: usize| Side {
                        numbers: numbers.clone(),
                        start,
                        rows,
                        width: dim,
                        strides: [rows * heads * 2 * dim, 2 * dim, heads * 2 * dim],
                    };
                    (q, side(0), side(dim))
                }
                (Some(key), Some(value)) => match (&key.shape[..], &value.shape[..]) {
                    (&[kb, rows, own], &[vb, v_rows, v_width])
                        if [kb, vb] == [batch; 2]
                            && own == width
                            && v_rows == rows
                            && v_width.is_multiple_of(heads) =>
                    {
                        if bias.is_some_and(|bias| bias.len() != 2 * width + v_width) {
                            return fault("a bias of another length than its operands");
                        }
                        let k = biased(key, part(width, 2 * width))?;
                        let v = biased(value, part(2 * width, 2 * width + v_width))?;
                        (
                            q,
                            together(k, rows, dim),
                            together(v, rows, v_width / heads),
                        )
                    }
                    // Keys and values of another sequence, which have their bias already.
                    (&[kb, k_heads, rows, own], &[vb, v_heads, v_rows, v_width])
                        if [kb, vb] == [batch; 2]
                            && [k_heads, v_heads] == [heads; 2]
                            && own == dim
                            && v_rows == rows =>
                    {
                        let apart = |numbers: Vec<f32>, width: usize| Side {
                            numbers,
                            start: 0,
                            rows,
                            width,
                            strides: [heads * rows * width, rows * width, width],
                        };
                        (
                            q,
                            apart(key.floats()?.into_owned(), dim),
                            apart(value.floats()?.into_owned(), v_width),
                        )
                    }
                    _ => return unknown(),
                },
                _ => return unknown(),
            }
        }
        _ => return unknown(),
    };
    let batch = query.shape[0];
    let (queries, rows, dim, value_dim) = (q.rows, k.rows, q.width, v.width);
    let mut before = 0;
    let past = match (x.opt(6), x.opt(7)) {
        (None, None) => None,
        (Some(past_k), Some(past_v)) => {
            before = past_k.shape.get(2).copied().unwrap_or(0);
            if past_k.shape != [batch, heads, before, dim]
                || past_v.shape != [batch, heads, before, value_dim]
            {
                return fault(format!(
                    "earlier keys and values of the shapes {:?} and {:?}",
                    past_k.shape, past_v.shape
                ));
            }
            Some((past_k.floats()?, past_v.floats()?))
        }
        _ => return fault("it has earlier keys without values, or values without keys"),
    };
    let Some(keys) = before.checked_add(rows) else {
        return fault("there are too many keys");
    };
    let (mut all_k, mut all_v) = (Vec::new(), Vec::new());
    let (mut keys_of, mut values_of) = (k.heads(), v.heads());
    if past.is_some() || present {
        let (past_k, past_v) = match &past {
            Some((k, v)) => (Some((&k[..], before)), Some((&v[..], before))),
            None => (None, None),
        };
        all_k = joined(past_k, k.heads(), [batch, heads, rows, dim])?;
        all_v = joined(past_v, v.heads(), [batch, heads, rows, value_dim])?;
        keys_of = Heads::apart(&all_k, heads, keys, dim);
        values_of = Heads::apart(&all_v, heads, keys, value_dim);
    }
    let masked = match x.opt(4) {
        None => None,
        Some(mask) => Some(Masked::new(mask, [batch, queries, keys], common.filter)?),
    };
    let added = match x.opt(5) {
        None => None,
        Some(added) => Some(Added::new(added, [batch, heads, queries, keys])?),
    };
    let addends = common.bias(masked.as_ref(), added.as_ref(), before);
    let task = Task {
        batch,
        heads,
        kv_heads: heads,
        queries,
        keys,
        dim,
        value_dim,
        q: q.heads(),
        k: keys_of,
        v: values_of,
        scale: common.scale.unwrap_or(1.0 / (dim as f32).sqrt()),
        softcap: 0.0,
        bias: (masked.is_some() || added.is_some() || common.causal).then_some(&addends),
        same_rows: !common.causal
            && added.is_none()
            && masked.as_ref().is_none_or(|masked| !masked.each_query),
        sink: None,
        wanted: Wanted::None,
        together: true,
    };
    let (out, _) = attend(&task, context)?;
    let ty = query.ty();
    let mut results = vec![Arc::new(narrow(
        vec![batch, queries, heads * value_dim],
        out,
        ty,
    )?)];
    if past.is_some() || present {
        let shape = |width: usize| vec![batch, heads, keys, width];
        results.push(Arc::new(narrow(shape(dim), all_k, ty)?));
        results.push(Arc::new(narrow(shape(value_dim), all_v, ty)?));
    }
    Ok(results)
}
