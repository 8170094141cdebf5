//! LSTM, GRU and RNN.

mod activation;
mod cells;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use smallfirst_kernels::{self as kernels, Epilogue, Matrix};

use super::quantise;
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, Value, op};
use crate::tensor::{Numbers, Tensor, Type, count};
use activation::Function;
use cells::{Cell, Gates, Kind};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    let kind = match name {
        "LSTM" => Kind::Lstm,
        "GRU" => Kind::Gru,
        "RNN" => Kind::Rnn,
        _ => return Ok(None),
    };
    decl.operands(3, if kind == Kind::Lstm { 8 } else { 6 })?;
    let given = Given::new(decl, kind)?;
    let weights = match (decl.constant(1), decl.constant(2)) {
        (Some(w), Some(r)) if w.ty() == Type::F32 && r.ty() == Type::F32 => {
            let packed = Weights::new(&given, &w, &r)?;
            decl.absorb(1);
            decl.absorb(2);
            Some(packed)
        }
        _ => None,
    };
    op(move |x, context| {
        let own;
        let weights = match &weights {
            Some(weights) => weights,
            None => {
                own = Weights::new(&given, x.get(1)?, x.get(2)?)?;
                &own
            }
        };
        given.run(weights, x, context)
    })
}

/// The operator's attributes.
pub(super) struct Given {
    kind: Kind,
    /// For each direction whether it goes backward.
    directions: Vec<bool>,
    hidden: Option<usize>,
    functions: Vec<Function>,
    clip: Option<f32>,
    input_forget: bool,
    linear_before_reset: bool,
    batch_first: bool,
    /// Whether the operands of products are rounded to 8 bits, with the scale that their range has.
    rounded: bool,
}

/// Rounds to 8 bits and back.
fn rounded(x: &[f32]) -> Vec<f32> {
    let (scale, zero) = quantise::range(x);
    let zero = i32::from(zero);
    x.iter()
        .map(|v| (i32::from(quantise::saturated::<u8>(v / scale, zero)) - zero) as f32 * scale)
        .collect()
}

impl Given {
    /// Of an LSTM whose weights are quantised.
    pub(super) fn quantised(decl: &Decl<'_>) -> Result<Given> {
        Ok(Given {
            rounded: true,
            ..Given::new(decl, Kind::Lstm)?
        })
    }

    fn new(decl: &Decl<'_>, kind: Kind) -> Result<Given> {
        let directions = match decl.text_or("direction", "forward")?.as_str() {
            "forward" => vec![false],
            "reverse" => vec![true],
            "bidirectional" => vec![false, true],
            other => return fault(format!("its direction is {other}")),
        };
        let hidden = match decl.int("hidden_size")? {
            None => None,
            Some(n) => match usize::try_from(n) {
                Ok(n) if n > 0 => Some(n),
                _ => return fault(format!("its attribute hidden_size is {n}")),
            },
        };
        let functions = activation::functions(decl, kind.functions(), directions.len())?;
        let clip = decl.float("clip")?;
        if clip.is_some_and(|clip| clip.is_nan() || clip < 0.0) {
            return fault("its attribute clip is not a bound");
        }
        Ok(Given {
            kind,
            directions,
            hidden,
            functions,
            clip,
            input_forget: kind == Kind::Lstm && decl.flag("input_forget")?,
            linear_before_reset: kind == Kind::Gru && decl.flag("linear_before_reset")?,
            batch_first: decl.version >= 14 && decl.flag("layout")?,
            rounded: false,
        })
    }
}

/// The weights of each direction, packed.
pub(super) struct Weights {
    input: usize,
    hidden: usize,
    of: Vec<Packed>,
}

/// The weights of one direction.
struct Packed {
    /// `input` by `gates * hidden`.
    w: Vec<f32>,
    /// `hidden` by `gates * hidden`; of a GRU that resets before the product, only the first two gates.
    r: Vec<f32>,
    /// Of such a GRU, those of the last gate.
    last: Vec<f32>,
}

fn packed(k: usize, n: usize, data: &[f32], transposed: bool) -> Vec<f32> {
    let (row_stride, col_stride) = if transposed { (1, k) } else { (n, 1) };
    let mut out = vec![0.0; kernels::packed_len(k, n)];
    if k * n > 0 {
        let matrix = Matrix {
            data,
            row_stride,
            col_stride,
        };
        kernels::pack_b(k, n, &matrix, &mut out);
    }
    out
}

impl Weights {
    /// Of `[directions, gates * hidden, input]` and `[directions, gates * hidden, hidden]`.
    pub(super) fn new(given: &Given, w: &Tensor, r: &Tensor) -> Result<Weights> {
        let (&[directions, width, input], &[r_directions, r_width, hidden]) =
            (&w.shape[..], &r.shape[..])
        else {
            return fault("its weights do not have three axes");
        };
        if w.ty() == Type::F64 || r.ty() == Type::F64 {
            return fault("float64 is not supported");
        }
        let gates = given.kind.gates();
        count(&w.shape)?;
        count(&r.shape)?;
        let fits = directions == given.directions.len()
            && r_directions == directions
            && hidden.checked_mul(gates) == Some(width)
            && r_width == width
            && hidden > 0
            && given.hidden.is_none_or(|own| own == hidden);
        if !fits {
            return fault(format!(
                "weights of the shapes {:?} and {:?} for {} directions",
                w.shape,
                r.shape,
                given.directions.len()
            ));
        }
        let (w, r) = (w.floats()?, r.floats()?);
        let of = (0..directions)
            .map(|d| {
                let w = &w[d * width * input..][..width * input];
                let r = &r[d * width * hidden..][..width * hidden];
                let split = match given.split() {
                    true => 2 * hidden,
                    false => width,
                };
                let (first, last) = r.split_at(split * hidden);
                Packed {
                    w: packed(input, width, w, true),
                    r: packed(hidden, split, first, true),
                    last: packed(hidden, width - split, last, true),
                }
            })
            .collect();
        Ok(Weights { input, hidden, of })
    }
}

/// An operand of each direction.
fn each(all: &[f32], at: usize, len: usize) -> &[f32] {
    &all[at * len..][..len]
}

impl Given {
    /// Whether the last gate's product waits for the reset.
    fn split(&self) -> bool {
        self.kind == Kind::Gru && !self.linear_before_reset
    }

    /// An optional operand of this shape, as floats.
    fn floats(&self, x: &Inputs, at: usize, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        match x.opt(at) {
            None => Ok(None),
            Some(t) if t.shape == shape => Ok(Some(t.floats()?.into_owned())),
            Some(t) => fault(format!(
                "its operand {at} is of the shape {:?}, not {shape:?}",
                t.shape
            )),
        }
    }

    pub(super) fn run(
        &self,
        weights: &Weights,
        x: &Inputs,
        context: &mut Context,
    ) -> Result<Vec<Value>> {
        let operand = x.get(0)?;
        let ty = operand.ty();
        let &[first, second, input] = &operand.shape[..] else {
            return fault(format!("an operand of the shape {:?}", operand.shape));
        };
        if ty == Type::F64 {
            return fault("float64 is not supported");
        }
        let (steps, batch) = match self.batch_first {
            true => (second, first),
            false => (first, second),
        };
        count(&operand.shape)?;
        let (hidden, gates) = (weights.hidden, self.kind.gates());
        if input != weights.input {
            return fault(format!(
                "an operand of the shape {:?} for weights of {} numbers",
                operand.shape, weights.input
            ));
        }
        let directions = self.directions.len();
        let width = gates * hidden;
        let floats = operand.floats()?;
        let mut swapped = Vec::new();
        if self.batch_first && batch > 1 && input > 0 {
            // Batches follow each other within a step, so that a step is one product.
            for t in 0..steps {
                for b in 0..batch {
                    swapped.extend_from_slice(&floats[(b * steps + t) * input..][..input]);
                }
            }
        }
        let floats = if swapped.is_empty() {
            &floats[..]
        } else {
            &swapped
        };
        let coarse;
        let floats = if self.rounded {
            coarse = rounded(floats);
            &coarse[..]
        } else {
            floats
        };
        let bias = self.floats(x, 3, &[directions, 2 * width])?;
        let lengths = match x.opt(4) {
            None => None,
            Some(t) if t.shape == [batch] => {
                let lengths = t.lengths()?;
                if let Some(long) = lengths.iter().find(|&&len| len > steps) {
                    return fault(format!("a sequence of {long} steps among {steps}"));
                }
                Some(lengths).filter(|lengths| lengths.iter().any(|&len| len < steps))
            }
            Some(t) => return fault(format!("lengths of the shape {:?}", t.shape)),
        };
        let state = match self.batch_first {
            true => [batch, directions, hidden],
            false => [directions, batch, hidden],
        };
        count(&state)?;
        let initial = |at: usize| -> Result<Vec<f32>> {
            Ok(match self.floats(x, at, &state)? {
                Some(v) if self.batch_first => swap(&v, batch, directions, hidden),
                Some(v) => v,
                None => vec![0.0; state.iter().product()],
            })
        };
        let mut h = initial(5)?;
        let lstm = self.kind == Kind::Lstm;
        let mut c = if lstm { initial(6)? } else { Vec::new() };
        let peepholes = match lstm {
            true => self.floats(x, 7, &[directions, 3 * hidden])?,
            false => None,
        };
        let rows = count(&[steps, batch])?;
        count(&[rows, width])?;
        let mut y = vec![0.0; count(&[steps, directions, batch, hidden])?];
        let work = (rows as u64).saturating_mul(width as u64 * (input + hidden) as u64);
        context.spend(work.saturating_mul(directions as u64))?;

        let each_function = self.functions.len() / directions;
        let mut products = vec![0.0; rows * width];
        for (d, backward) in self.directions.iter().enumerate() {
            let (own, after) = match &bias {
                Some(bias) => self.biases(each(bias, d, 2 * width), hidden),
                None => (vec![0.0; width], vec![0.0; hidden]),
            };
            let all = Matrix {
                data: floats,
                row_stride: input,
                col_stride: 1,
            };
            let epilogue = Epilogue {
                bias: Some(&own),
                ..Epilogue::default()
            };
            let mut scratch = Vec::new();
            kernels::gemm(
                rows,
                width,
                input,
                &all,
                &weights.of[d].w,
                &mut products,
                width,
                &epilogue,
                &mut scratch,
            );
            let size = batch * hidden;
            let cell = Cell {
                kind: self.kind,
                hidden,
                functions: &self.functions[d * each_function..(d + 1) * each_function],
                clip: self.clip,
                input_forget: self.input_forget,
                linear_before_reset: self.linear_before_reset,
                peepholes: peepholes.as_deref().map(|p| each(p, d, 3 * hidden)),
                after: &after,
                rounded: self.rounded,
            };
            let c = match lstm {
                true => &mut c[d * size..(d + 1) * size],
                false => &mut [],
            };
            let h = &mut h[d * size..(d + 1) * size];
            let steps_of = Steps {
                steps,
                batch,
                width,
                lengths: lengths.as_deref(),
                backward: *backward,
                at: d,
                directions,
            };
            steps_of.run(&cell, &weights.of[d], &products, h, c, &mut y);
            // A sequence without steps ends with zeros, as in the runtime that most models are tried with.
            let empty = |b: usize| match &lengths {
                Some(lengths) => lengths[b] == 0,
                None => steps == 0,
            };
            for b in (0..batch).filter(|&b| empty(b)) {
                h[b * hidden..(b + 1) * hidden].fill(0.0);
                if lstm {
                    c[b * hidden..(b + 1) * hidden].fill(0.0);
                }
            }
        }

        if self.batch_first {
            let mut turned = vec![0.0; y.len()];
            for (at, row) in y.chunks_exact(hidden).enumerate() {
                let (t, d, b) = (
                    at / (directions * batch),
                    at / batch % directions,
                    at % batch,
                );
                turned[((b * steps + t) * directions + d) * hidden..][..hidden]
                    .copy_from_slice(row);
            }
            y = turned;
            h = swap(&h, directions, batch, hidden);
            c = swap(&c, directions, batch, hidden);
        }
        let shape = match self.batch_first {
            true => vec![batch, steps, directions, hidden],
            false => vec![steps, directions, batch, hidden],
        };
        let narrow = |shape: Vec<usize>, v: Vec<f32>| -> Result<Value> {
            let data = Numbers::F32(v.into()).narrow(ty);
            Tensor::new(shape, data).map(Arc::new)
        };
        let mut out = vec![narrow(shape, y)?, narrow(state.to_vec(), h)?];
        if lstm {
            out.push(narrow(state.to_vec(), c)?);
        }
        Ok(out)
    }

    /// What is added to the products at once, and what only within the reset of a GRU.
    fn biases(&self, bias: &[f32], hidden: usize) -> (Vec<f32>, Vec<f32>) {
        let (own, other) = bias.split_at(bias.len() / 2);
        let mut own = own.to_vec();
        let mut after = vec![0.0; hidden];
        let now = match self.kind == Kind::Gru && self.linear_before_reset {
            true => {
                after.copy_from_slice(&other[2 * hidden..]);
                2 * hidden
            }
            false => own.len(),
        };
        for (own, other) in own.iter_mut().zip(&other[..now]) {
            *own += other;
        }
        (own, after)
    }
}

/// Rows of `a` by `b` the other way round.
fn swap(v: &[f32], a: usize, b: usize, len: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(v.len());
    if v.is_empty() {
        return out;
    }
    for j in 0..b {
        for i in 0..a {
            out.extend_from_slice(&v[(i * b + j) * len..][..len]);
        }
    }
    out
}

/// The steps of one direction.
struct Steps<'a> {
    steps: usize,
    batch: usize,
    width: usize,
    lengths: Option<&'a [usize]>,
    backward: bool,
    at: usize,
    directions: usize,
}

impl Steps<'_> {
    fn run(
        &self,
        cell: &Cell<'_>,
        weights: &Packed,
        products: &[f32],
        h: &mut [f32],
        c: &mut [f32],
        y: &mut [f32],
    ) {
        let (batch, width, hidden) = (self.batch, self.width, cell.hidden);
        let mut gates = Gates::new(batch, width, hidden);
        let (mut before, mut cells) = (Vec::new(), Vec::new());
        for step in 0..self.steps {
            // Which step each sequence is at: one that is shorter ends, or begins, earlier.
            let place = |b: usize| match self.lengths {
                None if self.backward => Some(self.steps - 1 - step),
                None => Some(step),
                Some(lengths) if step >= lengths[b] => None,
                Some(lengths) if self.backward => Some(lengths[b] - 1 - step),
                Some(_) => Some(step),
            };
            let inputs = match (self.lengths, place(0)) {
                (None, Some(at)) => &products[at * batch * width..][..batch * width],
                _ => {
                    for (b, row) in gates.inputs.chunks_exact_mut(width).enumerate() {
                        if let Some(at) = place(b) {
                            row.copy_from_slice(&products[(at * batch + b) * width..][..width]);
                        }
                    }
                    &gates.inputs[..]
                }
            };
            if self.lengths.is_some() {
                before.clear();
                before.extend_from_slice(h);
                cells.clear();
                cells.extend_from_slice(c);
            }
            cell.step(
                batch,
                &weights.r,
                &weights.last,
                inputs,
                &mut gates.sums,
                &mut gates.more,
                &mut gates.scratch,
                h,
                c,
            );
            for b in 0..batch {
                let own = b * hidden..(b + 1) * hidden;
                match place(b) {
                    Some(at) => {
                        let to = ((at * self.directions + self.at) * batch + b) * hidden;
                        y[to..to + hidden].copy_from_slice(&h[own]);
                    }
                    None => {
                        h[own.clone()].copy_from_slice(&before[own.clone()]);
                        if !c.is_empty() {
                            c[own.clone()].copy_from_slice(&cells[own]);
                        }
                    }
                }
            }
        }
    }
}
