//! Rotary embeddings.

use std::borrow::Cow;

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Numbers, Tensor, count};

/// Cosines and sines, and which of their rows belongs to each position.
pub(in crate::ops) struct Angles<'a> {
    cos: Cow<'a, [f32]>,
    sin: Cow<'a, [f32]>,
    half: usize,
    rows: usize,
}

impl<'a> Angles<'a> {
    /// Two tensors whose last axis is that of the angles.
    pub(in crate::ops) fn new(cos: &'a Tensor, sin: &'a Tensor) -> Result<Angles<'a>> {
        let Some((&half, before)) = cos.shape.split_last() else {
            return fault("its cosines have no axes");
        };
        if cos.shape != sin.shape {
            return fault(format!(
                "cosines of the shape {:?} and sines of the shape {:?}",
                cos.shape, sin.shape
            ));
        }
        Ok(Angles {
            cos: cos.floats()?,
            sin: sin.floats()?,
            half,
            rows: count(before)?,
        })
    }

    /// Half of the numbers that are turned.
    pub(in crate::ops) fn half(&self) -> usize {
        self.half
    }

    fn row(&self, at: i64) -> Result<(&[f32], &[f32])> {
        match usize::try_from(at).ok().filter(|&at| at < self.rows) {
            Some(at) => Ok((
                &self.cos[at * self.half..][..self.half],
                &self.sin[at * self.half..][..self.half],
            )),
            None => fault(format!(
                "position {at}, and there are angles for {}",
                self.rows
            )),
        }
    }
}

/// How heads lie in a slice: batches, heads and rows, and the distances between them.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Laid {
    pub(in crate::ops) lengths: [usize; 3],
    pub(in crate::ops) strides: [usize; 3],
}

/// Turns the first numbers of each head, by the angles of its position.
pub(in crate::ops) fn rotate(
    x: &mut [f32],
    laid: Laid,
    angles: &Angles<'_>,
    interleaved: bool,
    position: &dyn Fn(usize, usize) -> i64,
) -> Result<()> {
    let half = angles.half;
    let [batch, heads, rows] = laid.lengths;
    if half == 0 || batch * heads * rows == 0 {
        return Ok(());
    }
    for b in 0..batch {
        for row in 0..rows {
            let (cos, sin) = angles.row(position(b, row))?;
            for h in 0..heads {
                let at = b * laid.strides[0] + h * laid.strides[1] + row * laid.strides[2];
                let x = &mut x[at..at + 2 * half];
                if interleaved {
                    for ((x, &c), &s) in x.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                        let [a, b] = *x;
                        *x = [c * a - s * b, s * a + c * b];
                    }
                } else {
                    let (first, second) = x.split_at_mut(half);
                    for (((a, b), &c), &s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                        (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
                    }
                }
            }
        }
    }
    Ok(())
}

/// `[batch, heads, rows, size]` or `[batch, rows, heads * size]`: how the heads lie, and the size of one.
pub(in crate::ops) fn laid(shape: &[usize], heads: usize) -> Result<(Laid, usize)> {
    match *shape {
        [batch, heads, rows, size] => Ok((
            Laid {
                lengths: [batch, heads, rows],
                strides: [heads * rows * size, rows * size, size],
            },
            size,
        )),
        [batch, rows, width] if heads > 0 && width.is_multiple_of(heads) => {
            let size = width / heads;
            Ok((
                Laid {
                    lengths: [batch, heads, rows],
                    strides: [rows * width, size, width],
                },
                size,
            ))
        }
        _ => fault(format!(
            "an operand of the shape {shape:?} is not of {heads} heads"
        )),
    }
}

/// ONNX's operator.
pub(super) fn embedding(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 4)?;
    let interleaved = decl.flag("interleaved")?;
    let given = decl.int_or("num_heads", 0)?;
    let turned = decl.int_or("rotary_embedding_dim", 0)?;
    let (Ok(given), Ok(turned)) = (usize::try_from(given), usize::try_from(turned)) else {
        return fault("its attributes num_heads and rotary_embedding_dim are not lengths");
    };
    op(move |x, _| {
        let input = x.get(0)?;
        count(&input.shape)?;
        let (laid, size) = laid(&input.shape, given)?;
        let angles = Angles::new(x.get(1)?, x.get(2)?)?;
        let turned = if turned == 0 { size } else { turned };
        if 2 * angles.half() != turned || turned > size {
            return fault(format!(
                "{} angles for {turned} of {size} numbers",
                angles.half()
            ));
        }
        let [batch, _, rows] = laid.lengths;
        let mut out = input.floats()?.into_owned();
        match x.opt(3) {
            Some(at) => {
                if at.shape != [batch, rows] || x.get(1)?.rank() != 2 {
                    return fault(format!("positions of the shape {:?}", at.shape));
                }
                let at = at.ints()?;
                rotate(&mut out, laid, &angles, interleaved, &|b, row| {
                    at[b * rows + row]
                })?;
            }
            None => {
                if x.get(1)?.shape != [batch, rows, angles.half()] {
                    return fault(format!("angles of the shape {:?}", x.get(1)?.shape));
                }
                rotate(&mut out, laid, &angles, interleaved, &|b, row| {
                    (b * rows + row) as i64
                })?;
            }
        }
        let data = Numbers::F32(out.into()).narrow(input.ty());
        one(Tensor::new(input.shape.clone(), data)?)
    })
}
