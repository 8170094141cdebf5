//! What a program would take, found from shapes alone: how much it computes, and how much memory it holds at once.
//!
//! A program comes from a file, and nothing can stop it between two messages to its worker. So what it would take is
//! known before its first step, and one that would take too much is not begun. Every operator's result has a shape that
//! follows from its operands' shapes and the inputs' lengths; tests hold each against the shape that comes out.

use super::array::{Fault, count};
use super::eval::product_axes;
use super::eval::windows;
use super::kernels::{self, Binary};
use super::op::{Conv, Kind, MatMul, Op, Reduction, Right, Windows};
use super::program::{Prepared, Step};
use super::tensor::Element;

/// The most that one run may compute, in multiply-adds: half a minute of the kernels in a browser. BERT-large takes a
/// quarter of it for 512 tokens, MiniLM-L6 a tenth for 16 rows of 256.
pub(crate) const MAX_WORK: u64 = 1 << 39;

/// The most bytes that the values of one run may hold at once. WebAssembly has 4 GiB for all.
pub(crate) const MAX_BYTES: u64 = 2 << 30;

/// The most axes of an array.
const MAX_AXES: usize = 32;

/// What an element costs that an exponential or the like is computed of, in multiply-adds.
const FUNCTION: u64 = 16;

/// What an element costs that is moved, compared or added, at worst: one by one.
pub(crate) const MOVE: u64 = 4;

/// What a program takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Multiply-adds.
    pub work: u64,
    /// Bytes of values at once.
    pub bytes: u64,
}

/// Why a program is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A step's operands do not fit, as the step itself would find.
    Step(usize, Fault),
    /// It takes too much.
    TooMuch(Cost),
}

/// A value or a weight: its shape, and the bytes of an element.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub shape: Vec<usize>,
    bytes: u64,
}

/// Whether a program may be run where its symbols have these lengths; gives the forms of its values.
pub(crate) fn check(prepared: &Prepared, symbols: &[usize]) -> Result<Vec<Form>, Refusal> {
    let program = &prepared.program;
    let mut forms = Vec::with_capacity(program.inputs.len() + program.steps.len());
    for input in &program.inputs {
        let lengths = input.dims.iter().map(|dim| dim.length(symbols));
        let shape: Vec<usize> = lengths
            .collect::<Result<_, _>>()
            .map_err(|fault| Refusal::Step(0, fault))?;
        let bytes = if input.element == Element::F32 { 4 } else { 8 };
        forms.push(Form { shape, bytes });
    }
    let mut cost = Cost::default();
    let mut held = forms
        .iter()
        .fold(0u64, |sum, form| sum.saturating_add(form.size()));
    for (at, step) in program.steps.iter().enumerate() {
        let (form, work, scratch) = result(prepared, step, &forms, symbols)
            .and_then(|found| count(&found.0.shape).map(|_| found))
            .map_err(|fault| Refusal::Step(at, fault))?;
        cost.work = cost.work.saturating_add(work);
        held = held.saturating_add(form.size());
        cost.bytes = cost.bytes.max(held.saturating_add(scratch));
        forms.push(form);
        for &dead in &prepared.last[at] {
            held = held.saturating_sub(forms.get(dead as usize).map_or(0, Form::size));
        }
    }
    if cost.is_too_much() {
        return Err(Refusal::TooMuch(cost));
    }
    Ok(forms)
}

impl Cost {
    pub(crate) fn is_too_much(self) -> bool {
        self.work > MAX_WORK || self.bytes > MAX_BYTES
    }
}

impl Form {
    fn floats(shape: Vec<usize>) -> Form {
        Form { shape, bytes: 4 }
    }

    fn ints(shape: Vec<usize>) -> Form {
        Form { shape, bytes: 8 }
    }

    fn size(&self) -> u64 {
        volume(&self.shape).saturating_mul(self.bytes)
    }
}

/// How many places a shape has. An axis of no length counts as one: the loops over the others run all the same.
fn volume(shape: &[usize]) -> u64 {
    shape
        .iter()
        .fold(1u64, |n, &len| n.saturating_mul(len.max(1) as u64))
}

/// A step's result, its work in multiply-adds, and the bytes it holds besides.
fn result(
    prepared: &Prepared,
    step: &Step,
    forms: &[Form],
    symbols: &[usize],
) -> Result<(Form, u64, u64), Fault> {
    let operand = |at: usize| {
        let of = *step.of.get(at).ok_or("an operand is missing")?;
        match usize::try_from(of) {
            Ok(value) => {
                let form = forms.get(value).ok_or("an operand is missing")?;
                Ok::<_, Fault>((form.shape.as_slice(), form.bytes))
            }
            Err(_) => {
                let weight = prepared.program.weights.get(of.unsigned_abs() as usize - 1);
                let weight = weight.ok_or("there is no such weight")?;
                Ok((weight.shape.as_slice(), weight.kind.size() as u64))
            }
        }
    };
    let shape = |at: usize| operand(at).map(|(shape, _)| shape);
    // Whatever is done with it, every operand is gone through.
    let mut read = 0u64;
    for at in 0..step.of.len() {
        let shape = shape(at)?;
        if shape.len() > MAX_AXES {
            return Err("an array has too many axes");
        }
        read = read.saturating_add(volume(shape));
    }
    // The result of an operator that keeps the type of what it is given.
    let like = |shape: Vec<usize>| {
        let mut bytes = 4;
        for at in 0..step.of.len() {
            bytes = bytes.max(operand(at)?.1);
        }
        Ok::<_, Fault>(Form { shape, bytes })
    };
    let lengths = |dims: &[super::dim::Dim]| {
        let lengths = dims.iter().map(|dim| dim.length(symbols));
        lengths.collect::<Result<Vec<usize>, Fault>>()
    };
    let mut scratch = 0u64;
    let (form, inner) = match &step.op {
        Op::MatMul(matmul) => {
            let (form, work) = product(matmul, shape(0)?, || shape(1))?;
            // Operands whose axes are mixed are put in order first.
            scratch = read.saturating_mul(4);
            (form, work)
        }
        Op::Attention(op) => {
            let q = shape(0)?;
            let axes = |shape: &[usize], roles: &[usize; 4]| {
                let mut shape = shape.to_vec();
                if op.together && shape.len() > 2 {
                    shape.remove(2);
                }
                let mut found = [0; 4];
                for (found, &axis) in found.iter_mut().zip(roles) {
                    *found = *shape.get(axis).ok_or("attention lacks an axis")?;
                }
                Ok::<_, Fault>(found)
            };
            let (k, v) = if op.together {
                (q, q)
            } else {
                (shape(1)?, shape(2)?)
            };
            let [batch, queries, heads, dim] = axes(q, &op.q)?;
            let [_, keys, _, _] = axes(k, &op.k)?;
            let [.., values] = axes(v, &op.v)?;
            let scores = volume(&[batch, heads, queries, keys]);
            let each = (dim as u64).saturating_add(values as u64) + FUNCTION;
            scratch = read.saturating_mul(4);
            (
                Form::floats(vec![batch, queries, heads, values]),
                scores.saturating_mul(each),
            )
        }
        Op::Conv(conv) => {
            let (form, work, patches) = convolution(conv, shape(0)?)?;
            scratch = patches;
            (form, work)
        }
        Op::Pool(pool) => {
            let [batch, height, width, channels] = image(&pool.windows, shape(0)?)?;
            let form = Form::floats(vec![batch, height, width, channels]);
            let work = volume(&form.shape).saturating_mul(volume(&pool.windows.kernel));
            (form, work)
        }
        Op::Unary(_) | Op::Activate(_) => {
            let form = like(shape(0)?.to_vec())?;
            let work = volume(&form.shape).saturating_mul(FUNCTION);
            (form, work)
        }
        Op::Binary(op) => {
            let form = like(super::eval::common(shape(0)?, shape(1)?)?)?;
            let each = if *op == Binary::Pow { FUNCTION } else { 1 };
            let work = volume(&form.shape).saturating_mul(each);
            (form, work)
        }
        Op::Compare(_) => (Form::ints(super::eval::common(shape(0)?, shape(1)?)?), 0),
        Op::IsNan => (Form::ints(shape(0)?.to_vec()), 0),
        Op::Select => {
            let when = super::eval::common(shape(0)?, shape(1)?)?;
            (like(super::eval::common(&when, shape(2)?)?)?, 0)
        }
        Op::Cast(kind) => {
            let shape = shape(0)?.to_vec();
            match kind {
                Kind::F32 => (Form::floats(shape), 0),
                Kind::I64 | Kind::Bool => (Form::ints(shape), 0),
            }
        }
        Op::Softmax { .. } => {
            let form = Form::floats(shape(0)?.to_vec());
            // Along another axis than the last, a copy in another order.
            scratch = form.size();
            let work = volume(&form.shape).saturating_mul(FUNCTION);
            (form, work)
        }
        Op::Reduce { kind, axes } => {
            let mut shape = shape(0)?.to_vec();
            for &axis in axes {
                *shape.get_mut(axis).ok_or("there is no such axis")? = 1;
            }
            scratch = read.saturating_mul(8);
            match kind {
                Reduction::ArgMax | Reduction::ArgMin => (Form::ints(shape), 0),
                _ => (like(shape)?, 0),
            }
        }
        Op::LayerNorm { .. } | Op::RmsNorm { .. } => (Form::floats(shape(0)?.to_vec()), 0),
        Op::Gather { axis } => {
            let table = shape(0)?;
            let (before, after) = table
                .split_at_checked(*axis)
                .and_then(|(before, rest)| Some((before, rest.split_first()?.1)))
                .ok_or("there is no such axis")?;
            let shape = [before, shape(1)?, after].concat();
            // Only those of the table that are picked are read.
            read = 0;
            (
                Form {
                    shape,
                    bytes: operand(0)?.1,
                },
                0,
            )
        }
        Op::Rows { .. } => {
            let &[_, columns] = shape(0)? else {
                return Err("a table has another number of axes");
            };
            read = 0;
            (Form::floats([shape(1)?, &[columns]].concat()), 0)
        }
        Op::Reshape(dims) => (like(lengths(dims)?)?, 0),
        Op::Transpose(perm) => {
            let from = shape(0)?;
            let axes = perm.iter().map(|&axis| from.get(axis).copied());
            let shape: Option<Vec<usize>> = axes.collect();
            (like(shape.ok_or("there is no such axis")?)?, 0)
        }
        Op::Slice { axis, start, end } => {
            let (start, end) = (start.length(symbols)?, end.length(symbols)?);
            let mut shape = shape(0)?.to_vec();
            let along = shape.get_mut(*axis).ok_or("there is no such axis")?;
            *along = end
                .checked_sub(start)
                .ok_or("a part reaches over the end")?;
            (like(shape)?, 0)
        }
        Op::Concat { axis } => {
            let mut whole = shape(0)?.to_vec();
            for at in 1..step.of.len() {
                let other = shape(at)?.get(*axis);
                let along = whole
                    .get_mut(*axis)
                    .zip(other)
                    .ok_or("there is no such axis")?;
                *along.0 = along
                    .0
                    .checked_add(*along.1)
                    .ok_or("an array is too large")?;
            }
            (like(whole)?, 0)
        }
        Op::Broadcast(dims) => (like(lengths(dims)?)?, 0),
        Op::Pad { pads, .. } => {
            let lengths = shape(0)?
                .iter()
                .zip(pads)
                .map(|(&len, &(before, after))| len.checked_add(before)?.checked_add(after));
            let shape: Option<Vec<usize>> = lengths.collect();
            (Form::floats(shape.ok_or("an array is too large")?), 0)
        }
        Op::Range { len } => (Form::ints(vec![len.length(symbols)?]), 0),
        Op::Length(_) => (Form::ints(Vec::new()), 0),
        Op::TopK { k, .. } => {
            let mut shape = shape(0)?.to_vec();
            *shape.last_mut().ok_or("a normalisation of nothing")? = *k;
            (Form::floats(shape), read.saturating_mul(FUNCTION))
        }
    };
    if form.shape.len() > MAX_AXES {
        return Err("an array has too many axes");
    }
    let moved = read
        .saturating_add(volume(&form.shape))
        .saturating_mul(MOVE);
    Ok((form, inner.saturating_add(moved), scratch))
}

/// The result of a product and its multiply-adds.
fn product<'a>(
    op: &MatMul,
    left: &'a [usize],
    right: impl FnOnce() -> Result<&'a [usize], Fault>,
) -> Result<(Form, u64), Fault> {
    let right = match &op.right {
        Right::Dynamic(letters) => Some((letters.as_str(), right()?)),
        _ => None,
    };
    let axes = product_axes(&op.left, left, right)?;
    let mut shape = Vec::new();
    for letter in op.result.bytes() {
        let axis = axes.iter().find(|axis| axis.0 == letter);
        shape.push(axis.ok_or("a product's result has a stray axis")?.1);
    }
    let all = axes
        .iter()
        .fold(1u64, |n, axis| n.saturating_mul(axis.1.max(1) as u64));
    let work = match &op.right {
        // Axes of the result that are named twice are gone through twice.
        Right::Dynamic(_) => all.max(volume(&shape)),
        Right::Packed { k, n } | Right::Int8 { k, n } => {
            let rows = volume(&shape);
            shape.extend(n);
            // Columns are computed in panels.
            let columns = volume(n).checked_next_multiple_of(kernels::NR as u64);
            let k = (*k).max(1) as u64;
            rows.saturating_mul(columns.unwrap_or(u64::MAX))
                .saturating_mul(k)
        }
    };
    Ok((Form::floats(shape), work))
}

/// The result of windows over an image: batch, height, width, channels.
fn image(spec: &Windows, shape: &[usize]) -> Result<[usize; 4], Fault> {
    let (batch, channels, window) = windows(spec, shape)?;
    let [height, width] = window.output;
    Ok([batch, height, width, channels])
}

/// The result of a convolution, its multiply-adds, and the bytes of patches that are copied at a time.
fn convolution(op: &Conv, shape: &[usize]) -> Result<(Form, u64, u64), Fault> {
    let [batch, height, width, channels] = image(&op.windows, shape)?;
    let form = Form::floats(vec![batch, height, width, op.outputs]);
    let patch = volume(&op.windows.kernel).saturating_mul(channels.max(1) as u64);
    let pixels = volume(&[height, width]);
    if op.depthwise {
        let work = volume(&[batch])
            .saturating_mul(pixels)
            .saturating_mul(patch);
        return Ok((form, work, 0));
    }
    let columns = (op.outputs as u64).checked_next_multiple_of(kernels::NR as u64);
    let columns = columns.unwrap_or(u64::MAX).max(1);
    let work = volume(&[batch])
        .saturating_mul(pixels)
        .saturating_mul(patch)
        .saturating_mul(columns);
    let at_once = super::eval::patches_at_once(patch as usize).min(pixels as usize) as u64;
    Ok((form, work, at_once.saturating_mul(patch).saturating_mul(4)))
}

#[cfg(test)]
mod tests;
