//! `Attention` and `QAttention`: with the projections of queries, keys and values.

use std::borrow::Cow;
use std::sync::Arc;

use smallfirst_kernels::{self as kernels, Epilogue, Matrix};

use super::super::super::attention::{Heads, Task, Wanted, attend, joined};
use super::super::integer::{Columns, shifted};
use super::super::{narrow, not_double, only};
use super::{Added, Common, Masked};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, Value, op};
use crate::tensor::{Tensor, Type, count};

/// The widths of queries, keys and values in a projection.
type Widths = [usize; 3];

fn widths(all: usize, given: Option<&[i64]>) -> Result<Widths> {
    let own: Vec<usize> = match given {
        None if all.is_multiple_of(3) => vec![all / 3; 3],
        None => return fault(format!("{all} columns for queries, keys and values")),
        Some(given) => given
            .iter()
            .map(|&n| usize::try_from(n).unwrap_or(0))
            .collect(),
    };
    match own[..] {
        [q, k, v]
            if q == k && q > 0 && q.checked_add(k).and_then(|n| n.checked_add(v)) == Some(all) =>
        {
            Ok([q, k, v])
        }
        _ => fault(format!("{all} columns for widths of {own:?}")),
    }
}

struct Projection {
    k: usize,
    n: usize,
    packed: Vec<f32>,
}

impl Projection {
    fn new(weights: &Tensor) -> Result<Projection> {
        let &[k, n] = &weights.shape[..] else {
            return fault(format!("weights of the shape {:?}", weights.shape));
        };
        count(&weights.shape)?;
        not_double(&[weights])?;
        let mut packed = vec![0.0; kernels::packed_len(k, n)];
        if k * n > 0 {
            let matrix = Matrix {
                data: &weights.floats()?,
                row_stride: n,
                col_stride: 1,
            };
            kernels::pack_b(k, n, &matrix, &mut packed);
        }
        Ok(Projection { k, n, packed })
    }
}

pub(super) fn attention(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 6)?;
    let common = Common::of(decl)?;
    only(decl, "do_rotary", 0)?;
    only(decl, "past_present_share_buffer", 0)?;
    decl.unused("rotary_embedding_dim");
    let given = decl.ints("qkv_hidden_sizes")?;
    let known = match decl.constant(1) {
        Some(weights) => {
            decl.absorb(1);
            Some(Projection::new(&weights)?)
        }
        None => None,
    };
    op(move |x, context| {
        let own;
        let weights = match &known {
            Some(known) => known,
            None => {
                own = Projection::new(x.get(1)?)?;
                &own
            }
        };
        let input = x.get(0)?;
        let &[batch, rows, width] = &input.shape[..] else {
            return fault(format!("an operand of the shape {:?}", input.shape));
        };
        not_double(&[input])?;
        if width != weights.k {
            return fault(format!(
                "rows of {width} numbers by columns of {}",
                weights.k
            ));
        }
        let widths = widths(weights.n, given.as_deref())?;
        let mut projected = vec![0.0; count(&[batch, rows, weights.n])?];
        context.spend((projected.len() as u64).saturating_mul(width as u64))?;
        let bias = match x.opt(2) {
            Some(bias) if bias.len() != weights.n => {
                return fault(format!("a bias of the shape {:?}", bias.shape));
            }
            Some(bias) => Some(bias.floats()?),
            None => None,
        };
        kernels::gemm(
            batch * rows,
            weights.n,
            width,
            &Matrix {
                data: &input.floats()?,
                row_stride: width,
                col_stride: 1,
            },
            &weights.packed,
            &mut projected,
            weights.n,
            &Epilogue {
                bias: bias.as_deref(),
                ..Epilogue::default()
            },
            &mut Vec::new(),
        );
        let rest = Rest {
            mask: x.opt(3),
            past: x.opt(4),
            added: x.opt(5),
            ty: input.ty(),
        };
        run(&common, &projected, [batch, rows], widths, rest, context)
    })
}

pub(super) fn quantised(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(5, 9)?;
    let common = Common::of(decl)?;
    only(decl, "do_rotary", 0)?;
    only(decl, "past_present_share_buffer", 0)?;
    let known = Columns::known(decl, 1, 7, false)?;
    op(move |x, context| {
        let columns = match &known {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(Columns::new(x.get(1)?, x.opt(7), false)?),
        };
        let input = x.get(0)?;
        let &[batch, rows, width] = &input.shape[..] else {
            return fault(format!("an operand of the shape {:?}", input.shape));
        };
        if width != columns.k {
            return fault(format!(
                "rows of {width} numbers by columns of {}",
                columns.k
            ));
        }
        let widths = widths(columns.n, None)?;
        let whole = shifted(input, x.opt(6))?;
        let scales = columns.scales(x.get(4)?, x.get(3)?.scalar_float()?)?;
        let sums = columns.product(count(&[batch, rows])?, whole, context)?;
        let bias = x.get(2)?;
        if bias.len() != columns.n {
            return fault(format!("a bias of the shape {:?}", bias.shape));
        }
        let bias = bias.floats()?;
        let projected: Vec<f32> = sums
            .chunks_exact(columns.n)
            .flat_map(|row| {
                row.iter()
                    .zip(&scales)
                    .zip(bias.iter())
                    .map(|((&sum, scale), bias)| sum as f32 * scale + bias)
            })
            .collect();
        let rest = Rest {
            mask: x.opt(5),
            past: x.opt(8),
            added: None,
            ty: Type::F32,
        };
        run(&common, &projected, [batch, rows], widths, rest, context)
    })
}

/// The operands beside the projections.
struct Rest<'a> {
    mask: Option<&'a Tensor>,
    past: Option<&'a Tensor>,
    added: Option<&'a Tensor>,
    ty: Type,
}

/// Attention of rows that hold queries, keys and values.
fn run(
    common: &Common,
    projected: &[f32],
    [batch, rows]: [usize; 2],
    [q_width, k_width, v_width]: Widths,
    rest: Rest<'_>,
    context: &mut Context,
) -> Result<Vec<Value>> {
    let heads = common.heads;
    if !q_width.is_multiple_of(heads) || !v_width.is_multiple_of(heads) {
        return fault(format!("{heads} heads of {q_width} and {v_width} numbers"));
    }
    let (dim, value_dim) = (q_width / heads, v_width / heads);
    let width = q_width + k_width + v_width;
    let part = |start: usize, each: usize| Heads {
        data: projected.get(start..).unwrap_or(&[]),
        batch: rows * width,
        head: each,
        row: width,
    };
    let (q, k, v) = (
        part(0, dim),
        part(q_width, dim),
        part(q_width + k_width, value_dim),
    );
    let mut before = 0;
    let past = match rest.past {
        None => None,
        Some(past) => {
            before = past.shape.get(3).copied().unwrap_or(0);
            if past.shape != [2, batch, heads, before, dim] || value_dim != dim {
                return fault(format!("earlier keys of the shape {:?}", past.shape));
            }
            Some(past.floats()?)
        }
    };
    let Some(keys) = before.checked_add(rows) else {
        return fault("there are too many keys");
    };
    let halves = past.as_deref().map(|past| past.split_at(past.len() / 2));
    let all_k = joined(
        halves.map(|(k, _)| (k, before)),
        k,
        [batch, heads, rows, dim],
    )?;
    let all_v = joined(
        halves.map(|(_, v)| (v, before)),
        v,
        [batch, heads, rows, value_dim],
    )?;
    let masked = match rest.mask {
        None => None,
        Some(mask) => Some(Masked::new(mask, [batch, rows, keys], common.filter)?),
    };
    let added = match rest.added {
        None => None,
        Some(added) => Some(Added::new(added, [batch, heads, rows, keys])?),
    };
    let bias = common.bias(masked.as_ref(), added.as_ref(), before);
    let task = Task {
        batch,
        heads,
        kv_heads: heads,
        queries: rows,
        keys,
        dim,
        value_dim,
        q,
        k: Heads::apart(&all_k, heads, keys, dim),
        v: Heads::apart(&all_v, heads, keys, value_dim),
        scale: common.scale.unwrap_or(1.0 / (dim as f32).sqrt()),
        softcap: 0.0,
        bias: (masked.is_some() || added.is_some() || common.causal).then_some(&bias),
        same_rows: !common.causal
            && added.is_none()
            && masked.as_ref().is_none_or(|masked| !masked.each_query),
        sink: None,
        wanted: Wanted::None,
        together: true,
    };
    let (out, _) = attend(&task, context)?;
    let mut results = vec![Arc::new(narrow(
        vec![batch, rows, heads * value_dim],
        out,
        rest.ty,
    )?)];
    if value_dim == dim {
        let mut present = all_k;
        present.extend(all_v);
        results.push(Arc::new(narrow(
            vec![2, batch, heads, keys, dim],
            present,
            rest.ty,
        )?));
    }
    Ok(results)
}
