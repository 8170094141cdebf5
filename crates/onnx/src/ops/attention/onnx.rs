//! ONNX's operator Attention.

use std::borrow::Cow;
use std::sync::Arc;

use super::heads::{Heads, Task, Wanted, attend, joined};
use crate::broadcast::repeated;
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, Value, op};
use crate::tensor::{Data, Numbers, Tensor, Type, count};

/// The operator's attributes.
struct Given {
    heads: Option<usize>,
    kv_heads: Option<usize>,
    causal: bool,
    scale: Option<f32>,
    softcap: f32,
    /// How far a query sees to the left and to the right.
    window: [Option<usize>; 2],
    mode: Wanted,
    /// Whether somebody reads keys and values afterwards, and the scores.
    present: bool,
    scores: bool,
}

pub(super) fn attention(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, if decl.version < 24 { 6 } else { 7 })?;
    let length = |name: &str| -> Result<Option<usize>> {
        match decl.int(name)? {
            None => Ok(None),
            Some(n) => match usize::try_from(n) {
                Ok(n) if n > 0 => Ok(Some(n)),
                _ => fault(format!("its attribute {name} is {n}")),
            },
        }
    };
    let window = |name: &str| -> Result<Option<usize>> {
        match decl.int_or(name, -1)? {
            -1 => Ok(None),
            n => match usize::try_from(n) {
                Ok(n) => Ok(Some(n)),
                _ => fault(format!("its attribute {name} is {n}")),
            },
        }
    };
    let mode = match decl.int_or("qk_matmul_output_mode", 0)? {
        0 => Wanted::Products,
        1 => Wanted::Capped,
        2 => Wanted::Biased,
        3 => Wanted::Weights,
        other => return fault(format!("its attribute qk_matmul_output_mode is {other}")),
    };
    // Softmax is computed in 32 bits, which is what its operands have at most: another type changes the rounding alone.
    match decl.int_or("softmax_precision", 1)? {
        0 | 1 | 10 | 11 | 16 => {}
        _ => return fault("its attribute softmax_precision names no type of floats"),
    }
    let given = Given {
        heads: length("q_num_heads")?,
        kv_heads: length("kv_num_heads")?,
        causal: decl.flag("is_causal")?,
        scale: decl.float("scale")?,
        softcap: decl.float_or("softcap", 0.0)?.max(0.0),
        window: match decl.version >= 25 {
            true => [window("left_window_size")?, window("right_window_size")?],
            false => [None, None],
        },
        mode,
        present: decl.wants(1) || decl.wants(2),
        scores: decl.wants(3),
    };
    op(move |x, context| given.run(x, context))
}

/// How queries, keys or values lie: their lengths, with heads before rows.
fn lengths(of: &Tensor, heads: Option<usize>) -> Result<[usize; 4]> {
    count(&of.shape)?;
    match (of.shape[..].as_ref(), heads) {
        (&[batch, heads, rows, width], _) => Ok([batch, heads, rows, width]),
        (&[batch, rows, width], Some(heads)) if width.is_multiple_of(heads) => {
            Ok([batch, heads, rows, width / heads])
        }
        _ => fault(format!(
            "an operand of the shape {:?} is not of {} heads",
            of.shape,
            heads.map_or_else(|| "untold".into(), |n| n.to_string())
        )),
    }
}

impl Given {
    fn run(&self, x: &Inputs, context: &mut Context) -> Result<Vec<Value>> {
        let (q, k, v) = (x.get(0)?, x.get(1)?, x.get(2)?);
        let together = q.rank() == 3;
        if k.rank() != q.rank() || v.rank() != q.rank() {
            return fault("its queries, keys and values have different numbers of axes");
        }
        if [q, k, v].iter().any(|t| t.ty() == Type::F64) {
            return fault("float64 is not supported");
        }
        let [batch, heads, queries, dim] = lengths(q, self.heads)?;
        let [k_batch, kv_heads, rows, k_dim] = lengths(k, self.kv_heads)?;
        let [v_batch, v_heads, v_rows, value_dim] = lengths(v, self.kv_heads)?;
        if [k_batch, v_batch] != [batch; 2]
            || k_dim != dim
            || v_heads != kv_heads
            || v_rows != rows
            || dim == 0
        {
            return fault(format!(
                "queries, keys and values of the shapes {:?}, {:?} and {:?}",
                q.shape, k.shape, v.shape
            ));
        }
        let (queried, keyed, valued) = (q.floats()?, k.floats()?, v.floats()?);
        let heads_of = |data, heads, rows, width| match together {
            true => Heads::together(data, heads, rows, width),
            false => Heads::apart(data, heads, rows, width),
        };
        let new_k = heads_of(&keyed, kv_heads, rows, dim);
        let new_v = heads_of(&valued, kv_heads, rows, value_dim);

        let (past_k, past_v) = (x.opt(4), x.opt(5));
        let past = match (past_k, past_v) {
            (Some(past_k), Some(past_v)) => {
                let before = past_k.shape.get(2).copied().unwrap_or(0);
                if past_k.shape != [batch, kv_heads, before, dim]
                    || past_v.shape != [batch, kv_heads, before, value_dim]
                {
                    return fault(format!(
                        "earlier keys and values of the shapes {:?} and {:?}",
                        past_k.shape, past_v.shape
                    ));
                }
                Some((past_k.floats()?, past_v.floats()?, before))
            }
            (None, None) => None,
            _ => return fault("it has earlier keys without values, or values without keys"),
        };
        let before = past.as_ref().map_or(0, |(_, _, before)| *before);
        let Some(keys) = before.checked_add(rows) else {
            return fault("there are too many keys");
        };
        let (mut all_k, mut all_v) = (Vec::new(), Vec::new());
        let (mut keys_of, mut values_of) = (new_k, new_v);
        if self.present || past.is_some() {
            let past_k = past.as_ref().map(|(k, _, before)| (&k[..], *before));
            let past_v = past.as_ref().map(|(_, v, before)| (&v[..], *before));
            all_k = joined(past_k, new_k, [batch, kv_heads, rows, dim])?;
            all_v = joined(past_v, new_v, [batch, kv_heads, rows, value_dim])?;
            keys_of = Heads::apart(&all_k, kv_heads, keys, dim);
            values_of = Heads::apart(&all_v, kv_heads, keys, value_dim);
        }

        let filled = match x.opt(6) {
            None => None,
            Some(_) if past.is_some() => {
                return fault("it has both earlier keys and the number of those that are filled");
            }
            Some(filled) if filled.shape != [batch] => {
                return fault(format!(
                    "the numbers of filled keys are of the shape {:?}",
                    filled.shape
                ));
            }
            Some(filled) => Some(filled.ints()?),
        };
        let mask = match x.opt(3) {
            None => None,
            Some(mask) => Some(Mask::new(mask, [batch, heads, queries, keys])?),
        };
        let window = self.window;
        let sees = |b: usize, i: usize| -> [i64; 2] {
            // The keys that a query sees: from the first to before the last.
            let at = match &filled {
                Some(filled) => i as i64 + filled[b].saturating_sub(queries as i64),
                None => (i + before) as i64,
            };
            let (mut first, mut last) = (0, keys as i64);
            if self.causal {
                last = last.min(at.saturating_add(1));
            }
            if let [Some(left), _] = window {
                first = at.saturating_sub_unsigned(left as u64);
            }
            if let [_, Some(right)] = window {
                last = last.min(at.saturating_add_unsigned(right as u64).saturating_add(1));
            }
            if let Some(filled) = &filled {
                last = last.min(filled[b]);
            }
            [first, last].map(|v| v.clamp(0, keys as i64))
        };
        let rowwise = self.causal || window != [None, None];
        let bias = |b: usize, h: usize, i: usize, row: &mut [f32]| {
            match &mask {
                Some(mask) => mask.row(b, h, i, row),
                None => row.fill(0.0),
            }
            let [first, last] = sees(b, i).map(|v| v as usize);
            row[..first].fill(f32::NEG_INFINITY);
            row[last..].fill(f32::NEG_INFINITY);
        };
        let task = Task {
            batch,
            heads,
            kv_heads,
            queries,
            keys,
            dim,
            value_dim,
            q: heads_of(&queried, heads, queries, dim),
            k: keys_of,
            v: values_of,
            scale: self.scale.unwrap_or(1.0 / (dim as f32).sqrt()),
            softcap: self.softcap,
            bias: (rowwise || mask.is_some() || filled.is_some()).then_some(&bias),
            same_rows: !rowwise && mask.as_ref().is_none_or(|mask| mask.strides[2] == 0),
            sink: None,
            wanted: if self.scores { self.mode } else { Wanted::None },
            together,
        };
        let (out, scores) = attend(&task, context)?;
        let narrow = |shape: Vec<usize>, v: Vec<f32>, ty: Type| -> Result<Value> {
            let data = Numbers::F32(v.into()).narrow(ty);
            Tensor::new(shape, data).map(Arc::new)
        };
        let shape = match together {
            true => vec![batch, queries, heads * value_dim],
            false => vec![batch, heads, queries, value_dim],
        };
        let (no_k, no_v) = (all_k.is_empty(), all_v.is_empty());
        let own = |empty: bool, width: usize| match empty {
            true => vec![0],
            false => vec![batch, kv_heads, keys, width],
        };
        let present = [
            narrow(own(no_k, dim), all_k, k.ty())?,
            narrow(own(no_v, value_dim), all_v, v.ty())?,
        ];
        let [present_k, present_v] = present;
        let shape_of = match self.scores {
            true => vec![batch, heads, queries, keys],
            false => vec![0],
        };
        Ok(vec![
            narrow(shape, out, q.ty())?,
            present_k,
            present_v,
            narrow(shape_of, scores, q.ty())?,
        ])
    }
}

/// What is added to the scores, or which of them count.
struct Mask<'a> {
    numbers: Cow<'a, [f32]>,
    strides: Vec<usize>,
    /// How many keys it is of; those after them do not count.
    keys: usize,
}

impl Mask<'_> {
    fn new(mask: &Tensor, scores: [usize; 4]) -> Result<Mask<'_>> {
        let own = mask.shape.last().copied().unwrap_or(0);
        let mut to = scores;
        // A shorter one leaves out the last keys; one of a single key might as well be meant for all.
        if own != scores[3] {
            if own == 1 || own > scores[3] {
                return fault(format!(
                    "a mask of the shape {:?} for {} keys",
                    mask.shape, scores[3]
                ));
            }
            to[3] = own;
        }
        let fits = mask.rank() <= 4
            && mask
                .shape
                .iter()
                .rev()
                .zip(to.iter().rev())
                .all(|(&m, &s)| m == s || m == 1);
        if !fits {
            return fault(format!(
                "a mask of the shape {:?} for scores of the shape {scores:?}",
                mask.shape
            ));
        }
        let numbers = match &mask.data {
            Data::Bool(v) => v
                .iter()
                .map(|&v| if v { 0.0 } else { f32::NEG_INFINITY })
                .collect(),
            _ => mask.floats()?,
        };
        Ok(Mask {
            numbers,
            strides: repeated(&mask.shape, &to),
            keys: own,
        })
    }

    fn row(&self, b: usize, h: usize, i: usize, row: &mut [f32]) {
        let at = b * self.strides[0] + h * self.strides[1] + i * self.strides[2];
        let (known, rest) = row.split_at_mut(self.keys);
        known.copy_from_slice(&self.numbers[at..at + self.keys]);
        rest.fill(f32::NEG_INFINITY);
    }
}
