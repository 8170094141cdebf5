//! `GroupQueryAttention`: several heads of queries share one of keys and values, which are kept from step to step.

use std::sync::Arc;

use super::super::super::attention::{Angles, Heads, Laid, Task, Wanted, attend, rotate};
use super::super::{length, narrow, no_results, not_double, only};
use super::Added;
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, Value, op};
use crate::tensor::{Tensor, count};

struct Given {
    heads: usize,
    kv_heads: usize,
    scale: Option<f32>,
    softcap: f32,
    rotary: bool,
    interleaved: bool,
    /// How many keys a query sees, its own included.
    window: Option<usize>,
    causal: bool,
    smooth: bool,
}

pub(super) fn attention(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(7, 12)?;
    only(decl, "qk_output", 0)?;
    only(decl, "sliding_window_cache", 0)?;
    only(decl, "kv_cache_bit_width", 0)?;
    for name in ["k_quant_type", "v_quant_type"] {
        if decl.text_or(name, "NONE")? != "NONE" {
            return fault("keys and values of 8 bits are not supported");
        }
    }
    for name in ["qk_norm_epsilon", "q_norm_epsilon", "k_norm_epsilon"] {
        // Of operands that are not supported.
        decl.unused(name);
    }
    no_results(decl, 3)?;
    let window = match decl.int_or("local_window_size", -1)? {
        -1 => None,
        n => match usize::try_from(n) {
            Ok(n) if n > 0 => Some(n),
            _ => return fault(format!("its attribute local_window_size is {n}")),
        },
    };
    let given = Given {
        heads: length(decl, "num_heads")?,
        kv_heads: length(decl, "kv_num_heads")?,
        scale: decl.float("scale")?.filter(|&scale| scale != 0.0),
        softcap: decl.float_or("softcap", 0.0)?,
        rotary: decl.flag("do_rotary")?,
        interleaved: decl.flag("rotary_interleaved")?,
        window,
        causal: decl.int_or("causal", 1)? != 0,
        smooth: decl.int_or("smooth_softmax", 0)? > 0,
    };
    if !given.heads.is_multiple_of(given.kv_heads) {
        return fault(format!(
            "{} heads of queries for {} of keys",
            given.heads, given.kv_heads
        ));
    }
    if !given.causal && given.window.is_some() {
        return fault("a window of queries that see what follows");
    }
    op(move |x, context| given.run(x, context))
}

impl Given {
    fn run(&self, x: &Inputs, context: &mut Context) -> Result<Vec<Value>> {
        let Given {
            heads, kv_heads, ..
        } = *self;
        let query = x.get(0)?;
        for at in 0..x.len() {
            if let Some(own) = x.opt(at) {
                not_double(&[own])?;
                count(&own.shape)?;
            }
        }
        let &[batch, rows, width] = &query.shape[..] else {
            return fault(format!("queries of the shape {:?}", query.shape));
        };
        let parts = match x.opt(1) {
            Some(_) => heads,
            None => heads + 2 * kv_heads,
        };
        if width == 0 || !width.is_multiple_of(parts) {
            return fault(format!("{parts} heads in {width} numbers"));
        }
        let dim = width / parts;
        let (mut q, mut k, v);
        let kv_width = kv_heads * dim;
        match (x.opt(1), x.opt(2)) {
            (Some(key), Some(value)) => {
                if key.shape != [batch, rows, kv_width] || value.shape != key.shape {
                    return fault(format!(
                        "keys and values of the shapes {:?} and {:?}",
                        key.shape, value.shape
                    ));
                }
                q = query.floats()?.into_owned();
                k = key.floats()?.into_owned();
                v = value.floats()?.into_owned();
            }
            (None, None) => {
                let all = query.floats()?;
                let take = |from: usize, len: usize| -> Vec<f32> {
                    all.chunks_exact(width)
                        .flat_map(|row| &row[from..from + len])
                        .copied()
                        .collect()
                };
                q = take(0, heads * dim);
                k = take(heads * dim, kv_width);
                v = take(heads * dim + kv_width, kv_width);
            }
            _ => return fault("it has keys without values, or values without keys"),
        }

        // How many keys each batch has, and how many of them are from before.
        let ends = x.get(5)?;
        if ends.len() != batch {
            return fault(format!("numbers of keys of the shape {:?}", ends.shape));
        }
        let ends = ends.ints()?;
        let Ok(total) = usize::try_from(x.get(6)?.scalar_int()?) else {
            return fault("a number of keys that is negative");
        };
        let prompt = rows == total;
        let mut spans = Vec::new();
        for &end in ends.iter() {
            let Some(end) = usize::try_from(end).ok().filter(|&end| end < total) else {
                return fault(format!("{end} keys but one among {total}"));
            };
            let end = end + 1;
            let before = match prompt {
                true => 0,
                false => match end.checked_sub(rows) {
                    Some(before) => before,
                    None => return fault(format!("{rows} new keys among {end}")),
                },
            };
            spans.push((before, end));
        }
        let (past_k, past_v, room) = match (x.opt(3), x.opt(4)) {
            (None, None) => (None, None, 0),
            (Some(past_k), Some(past_v)) => {
                let room = past_k.shape.get(2).copied().unwrap_or(0);
                if past_k.shape != [batch, kv_heads, room, dim] || past_v.shape != past_k.shape {
                    return fault(format!(
                        "earlier keys and values of the shapes {:?} and {:?}",
                        past_k.shape, past_v.shape
                    ));
                }
                (Some(past_k.floats()?), Some(past_v.floats()?), room)
            }
            _ => return fault("it has earlier keys without values, or values without keys"),
        };
        if spans.iter().any(|&(before, _)| before > room) {
            return fault("it has fewer earlier keys than it says");
        }

        if self.rotary {
            let (Some(cos), Some(sin)) = (x.opt(7), x.opt(8)) else {
                return fault("it has no angles");
            };
            let angles = Angles::new(cos, sin)?;
            if cos.rank() != 2 || 2 * angles.half() > dim {
                return fault(format!("cosines of the shape {:?}", cos.shape));
            }
            let given = match x.opt(9) {
                None => None,
                Some(at) if at.shape == [batch, rows] => Some(at.ints()?),
                Some(at) => return fault(format!("positions of the shape {:?}", at.shape)),
            };
            let position = |b: usize, row: usize| -> i64 {
                match &given {
                    // Of a first prompt only the first position is read: the others follow it.
                    Some(given) if prompt => given[0].saturating_add(row as i64),
                    Some(given) => given[b * rows + row],
                    None => (spans[b].0 + row) as i64,
                }
            };
            let laid = |heads: usize| Laid {
                lengths: [batch, heads, rows],
                strides: [rows * heads * dim, dim, heads * dim],
            };
            rotate(&mut q, laid(heads), &angles, self.interleaved, &position)?;
            rotate(&mut k, laid(kv_heads), &angles, self.interleaved, &position)?;
        }

        let room_after = room.max(total);
        let kept = |past: Option<&[f32]>, new: &[f32]| -> Result<Vec<f32>> {
            let shape = [batch, kv_heads, room_after, dim];
            let mut all = vec![0.0; count(&shape)?];
            for (at, all) in all.chunks_exact_mut((room_after * dim).max(1)).enumerate() {
                let (b, h) = (at / kv_heads, at % kv_heads);
                let before = spans[b].0;
                if let Some(past) = past {
                    let own = &past[at * room * dim..(at + 1) * room * dim];
                    all[..before * dim].copy_from_slice(&own[..before * dim]);
                }
                for row in 0..rows.min(room_after - before) {
                    all[(before + row) * dim..][..dim]
                        .copy_from_slice(&new[((b * rows + row) * kv_heads + h) * dim..][..dim]);
                }
            }
            Ok(all)
        };
        let all_k = kept(past_k.as_deref(), &k)?;
        let all_v = kept(past_v.as_deref(), &v)?;
        let keys = spans.iter().map(|&(_, end)| end).max().unwrap_or(0);
        let added = match x.opt(10) {
            None => None,
            Some(added) => Some(Added::new(added, [batch, heads, rows, total])?),
        };
        let sink = match x.opt(11) {
            Some(sink) if sink.shape != [heads] => {
                return fault(format!("sinks of the shape {:?}", sink.shape));
            }
            Some(sink) => Some(sink.floats()?.into_owned()),
            None if self.smooth => Some(vec![0.0; heads]),
            None => None,
        };
        let bias = |b: usize, h: usize, i: usize, row: &mut [f32]| {
            row.fill(0.0);
            if let Some(added) = &added {
                added.add(b, h, i, row);
            }
            let (before, end) = spans[b];
            let last = match self.causal {
                true => (before + i + 1).min(end),
                false => end,
            };
            row[last..].fill(f32::NEG_INFINITY);
            if let Some(window) = self.window {
                let first = (before + i + 1).saturating_sub(window).min(row.len());
                row[..first].fill(f32::NEG_INFINITY);
            }
        };
        let laid_out = |all| {
            let mut heads = Heads::apart(all, kv_heads, room_after, dim);
            heads.row = dim;
            heads
        };
        // The one query of a step sees all keys.
        let open = rows == 1 && added.is_none() && self.window.is_none() && batch == 1;
        let task = Task {
            batch,
            heads,
            kv_heads,
            queries: rows,
            keys,
            dim,
            value_dim: dim,
            q: Heads::together(&q, heads, rows, dim),
            k: laid_out(&all_k),
            v: laid_out(&all_v),
            scale: self.scale.unwrap_or(1.0 / (dim as f32).sqrt()),
            softcap: self.softcap.max(0.0),
            bias: (!open).then_some(&bias),
            same_rows: false,
            sink: sink.as_deref(),
            wanted: Wanted::None,
            together: true,
        };
        let (out, _) = attend(&task, context)?;
        let ty = query.ty();
        let shape = vec![batch, kv_heads, room_after, dim];
        let present = |v: Vec<f32>| -> Result<Value> {
            let tensor: Tensor = narrow(shape.clone(), v, ty)?;
            Ok(Arc::new(tensor))
        };
        Ok(vec![
            Arc::new(narrow(vec![batch, rows, heads * dim], out, ty)?),
            present(all_k)?,
            present(all_v)?,
        ])
    }
}
