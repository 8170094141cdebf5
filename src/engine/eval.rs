//! The operators, evaluated. Each checks its operands, for a program may come from anywhere.

mod broadcast;
mod conv;
mod layout;
mod product;
mod reduce;
mod window;

use super::array::{Array, Data, Elements, Fault, View};
use super::buffer_pool::BufferPool;
use super::kernels;
use super::op::{Kind, Op};
use super::operand::Operand;

pub(crate) use broadcast::common;
pub(crate) use conv::{pair, patches_at_once};
pub(crate) use product::axes as product_axes;
pub(crate) use window::windows;

/// Whether an operator can write over its first operand.
pub(crate) fn in_place(op: &Op) -> bool {
    matches!(
        op,
        Op::Unary(_) | Op::Activate(_) | Op::Reshape(_) | Op::Softmax { .. } | Op::Cast(_)
    )
}

/// The result of one operator.
pub(crate) fn eval(
    op: &Op,
    first: Operand<'_>,
    rest: &[View<'_>],
    symbols: &[usize],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    match op {
        Op::MatMul(matmul) => product::matmul(matmul, &first.view(), rest, pool),
        Op::Attention(attention) => product::attention(attention, &first.view(), rest, pool),
        Op::Conv(conv) => conv::conv(conv, &first.view(), rest, pool),
        Op::Pool(spec) => window::pool(spec, &first.view(), pool),
        Op::Unary(unary) => {
            let mut array = first.take(pool)?;
            match &mut array.data {
                Data::F32(x) => kernels::unary(*unary, x),
                Data::I64(x) => broadcast::int_unary(*unary, x)?,
            }
            Ok(array)
        }
        Op::Activate(activation) => {
            let mut array = first.take(pool)?;
            match &mut array.data {
                Data::F32(x) => kernels::activate(x, *activation),
                Data::I64(_) => return Err("an activation is given integers"),
            }
            Ok(array)
        }
        Op::Binary(binary) => broadcast::binary(*binary, &first.view(), &rest[0], pool),
        Op::Compare(comparison) => broadcast::compare(*comparison, &first.view(), &rest[0]),
        Op::IsNan => {
            let view = first.view();
            let nan = view.floats()?.iter().map(|x| i64::from(x.is_nan()));
            Ok(Array::i64(view.shape.to_vec(), nan.collect()))
        }
        Op::Select => broadcast::select(&first.view(), &rest[0], &rest[1], pool),
        Op::Cast(kind) => cast(*kind, first, pool),
        Op::Softmax { axis, log } => reduce::softmax(*axis, *log, first, pool),
        Op::Reduce { kind, axes } => reduce::reduce(*kind, axes, &first.view(), pool),
        Op::LayerNorm { eps, residual } => {
            reduce::layer_norm(*eps, *residual, &first.view(), rest, pool)
        }
        Op::RmsNorm { eps } => reduce::rms_norm(*eps, &first.view(), &rest[0], pool),
        Op::Gather { axis } => layout::gather(*axis, &first.view(), &rest[0], pool),
        Op::Rows { .. } => layout::rows(&first.view(), rest, pool),
        Op::Reshape(dims) => layout::reshape(dims, first, symbols, pool),
        Op::Transpose(perm) => layout::transpose(perm, &first.view(), pool),
        Op::Slice { axis, start, end } => {
            let (start, end) = (start.length(symbols)?, end.length(symbols)?);
            layout::slice(*axis, start, end, &first.view(), pool)
        }
        Op::Concat { axis } => layout::concat(*axis, &first.view(), rest, pool),
        Op::Broadcast(dims) => {
            let dims = dims.iter().map(|d| d.length(symbols));
            layout::broadcast(&dims.collect::<Result<Vec<_>, _>>()?, &first.view(), pool)
        }
        Op::Pad { pads, value } => layout::pad(pads, *value, &first.view(), pool),
        Op::Range { len } => {
            let len = len.length(symbols)?;
            super::array::count(&[len])?;
            Ok(Array::i64(vec![len], (0..len as i64).collect()))
        }
        Op::Length(dim) => Ok(Array::i64(Vec::new(), vec![dim.value(symbols)?])),
        Op::TopK { k, smallest } => reduce::top_k(*k, *smallest, &first.view(), pool),
    }
}

fn cast(kind: Kind, first: Operand<'_>, pool: &mut BufferPool) -> Result<Array, Fault> {
    let view = first.view();
    let shape = view.shape.to_vec();
    Ok(match (view.data, kind) {
        (Elements::F32(_), Kind::F32) | (Elements::I64(_), Kind::I64) => {
            return first.take(pool);
        }
        (Elements::F32(x), Kind::I64) => Array::i64(shape, x.iter().map(|&x| x as i64).collect()),
        (Elements::F32(x), Kind::Bool) => {
            Array::i64(shape, x.iter().map(|&x| i64::from(x != 0.0)).collect())
        }
        (Elements::I64(x), Kind::Bool) => {
            Array::i64(shape, x.iter().map(|&x| i64::from(x != 0)).collect())
        }
        (Elements::I64(x), Kind::F32) => {
            let mut to = pool.floats(x.len());
            to.iter_mut().zip(x).for_each(|(to, &x)| *to = x as f32);
            Array::f32(shape, to)
        }
        (Elements::I8(x), Kind::F32) => {
            let mut to = pool.floats(x.len());
            to.iter_mut().zip(x).for_each(|(to, &x)| *to = f32::from(x));
            Array::f32(shape, to)
        }
        _ => return Err("there is no such cast"),
    })
}
