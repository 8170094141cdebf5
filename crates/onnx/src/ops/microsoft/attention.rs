//! Attention as onnxruntime has it, and rotary embeddings.

mod grouped;
mod many;
mod merged;

use std::borrow::Cow;

use super::super::attention::{Angles, laid, rotate};
use super::{length, narrow, not_double, only};
use crate::broadcast::repeated;
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Tensor, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Attention" => merged::attention(decl),
        "QAttention" => merged::quantised(decl),
        "MultiHeadAttention" => many::attention(decl),
        "GroupQueryAttention" => grouped::attention(decl),
        "RotaryEmbedding" => rotary(decl),
        _ => Ok(None),
    }
}

fn rotary(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(4, 4)?;
    let interleaved = decl.flag("interleaved")?;
    only(decl, "is_packed_batching", 0)?;
    if decl.float_or("scale", 1.0)? != 1.0 {
        return fault("its attribute scale is not supported");
    }
    let heads = usize::try_from(decl.int_or("num_heads", 0)?).unwrap_or(0);
    let turned = usize::try_from(decl.int_or("rotary_embedding_dim", 0)?).unwrap_or(0);
    if turned > 0 && heads == 0 {
        return fault("its attribute num_heads is missing");
    }
    op(move |x, _| {
        let (input, at) = (x.get(0)?, x.get(1)?);
        not_double(&[input])?;
        count(&input.shape)?;
        if x.get(2)?.rank() != 2 {
            return fault(format!("cosines of the shape {:?}", x.get(2)?.shape));
        }
        let angles = Angles::new(x.get(2)?, x.get(3)?)?;
        let size = 2 * angles.half();
        // Without a number of heads, a head is as wide as what is turned.
        let heads = match (turned, input.shape.last()) {
            (0, Some(width)) if input.rank() == 3 && size > 0 => width / size,
            _ => heads,
        };
        let (laid, width) = laid(&input.shape, heads)?;
        let wants = if turned == 0 { width } else { turned };
        if wants != size || size > width {
            return fault(format!(
                "{} angles for {wants} of {width} numbers",
                angles.half()
            ));
        }
        let [batch, _, rows] = laid.lengths;
        let places = at.ints()?;
        let mut out = input.floats()?.into_owned();
        let position: &dyn Fn(usize, usize) -> i64 = match at.shape[..] {
            [1] => &|_, row| places[0].saturating_add(row as i64),
            [b, s] if [b, s] == [batch, rows] => &|b, row| places[b * rows + row],
            _ => return fault(format!("positions of the shape {:?}", at.shape)),
        };
        rotate(&mut out, laid, &angles, interleaved, position)?;
        one(narrow(input.shape.clone(), out, input.ty())?)
    })
}

/// What is added to the scores: of one batch or all, of one head or all.
struct Added<'a> {
    numbers: Cow<'a, [f32]>,
    strides: Vec<usize>,
    keys: usize,
}

impl Added<'_> {
    fn new(of: &Tensor, scores: [usize; 4]) -> Result<Added<'_>> {
        let fits = of.rank() == 4
            && of.shape[2..] == scores[2..]
            && (0..2).all(|at| of.shape[at] == scores[at] || of.shape[at] == 1);
        if !fits {
            return fault(format!(
                "a bias of the shape {:?} for scores of the shape {scores:?}",
                of.shape
            ));
        }
        Ok(Added {
            numbers: of.floats()?,
            strides: repeated(&of.shape, &scores),
            keys: scores[3],
        })
    }

    /// Adds them to a row.
    fn add(&self, b: usize, h: usize, i: usize, row: &mut [f32]) {
        let at = b * self.strides[0] + h * self.strides[1] + i * self.strides[2];
        row.iter_mut()
            .zip(&self.numbers[at..at + self.keys])
            .for_each(|(v, n)| *v += n);
    }
}

/// Which keys count, in the forms that onnxruntime has for it.
struct Masked {
    /// Addends: of each batch, or of each batch and query.
    numbers: Vec<f32>,
    each_query: bool,
    queries: usize,
    keys: usize,
}

impl Masked {
    fn new(mask: &Tensor, [batch, queries, keys]: [usize; 3], filter: f32) -> Result<Masked> {
        let numbers = mask.ints()?;
        count(&[batch, queries, keys])?;
        let shown = |v: bool| if v { 0.0 } else { filter };
        let mut each_query = false;
        let rows: Vec<f32> = match mask.shape[..] {
            // The keys that count are from the second numbers, where there are some, to before the first.
            [n] if n == batch || n == 2 * batch => (0..batch)
                .flat_map(|b| {
                    let end = numbers[b];
                    let start = if n == batch { 0 } else { numbers[batch + b] };
                    (0..keys as i64).map(move |i| shown(i >= start && i < end))
                })
                .collect(),
            [b, k] if b == batch && k == keys => numbers.iter().map(|&v| shown(v > 0)).collect(),
            [b, q, k] if [b, q, k] == [batch, queries, keys] => {
                each_query = true;
                numbers.iter().map(|&v| shown(v > 0)).collect()
            }
            _ => {
                return fault(format!(
                    "a mask of the shape {:?} for {batch} times {queries} queries and {keys} keys",
                    mask.shape
                ));
            }
        };
        Ok(Masked {
            numbers: rows,
            each_query,
            queries,
            keys,
        })
    }

    /// Writes a row.
    fn write(&self, b: usize, i: usize, row: &mut [f32]) {
        let at = match self.each_query {
            true => (b * self.queries + i) * self.keys,
            false => b * self.keys,
        };
        row.copy_from_slice(&self.numbers[at..at + self.keys]);
    }
}

/// Attributes that these operators share.
struct Common {
    heads: usize,
    scale: Option<f32>,
    filter: f32,
    causal: bool,
}

impl Common {
    fn of(decl: &Decl<'_>) -> Result<Common> {
        Ok(Common {
            heads: length(decl, "num_heads")?,
            // 0 is none as well.
            scale: decl.float("scale")?.filter(|&scale| scale != 0.0),
            filter: decl.float_or("mask_filter_value", -10000.0)?,
            causal: decl.flag("unidirectional")?,
        })
    }

    /// The rows of addends, for [`super::super::attention::Task`].
    fn bias<'a>(
        &self,
        masked: Option<&'a Masked>,
        added: Option<&'a Added<'a>>,
        before: usize,
    ) -> impl Fn(usize, usize, usize, &mut [f32]) + use<'a> {
        let causal = self.causal;
        move |b, h, i, row| {
            match masked {
                Some(masked) => masked.write(b, i, row),
                None => row.fill(0.0),
            }
            if causal {
                let seen = (before + i + 1).min(row.len());
                row[seen..].fill(f32::MIN);
            }
            if let Some(added) = added {
                added.add(b, h, i, row);
            }
        }
    }
}
