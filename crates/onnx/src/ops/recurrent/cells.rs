//! One step of a recurrent cell.

use smallfirst_kernels::{self as kernels, Epilogue, Matrix};

use super::activation::Function;

/// Which cell it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lstm,
    Gru,
    Rnn,
}

impl Kind {
    pub(super) fn gates(self) -> usize {
        match self {
            Kind::Lstm => 4,
            Kind::Gru => 3,
            Kind::Rnn => 1,
        }
    }

    /// The functions of a direction, unless others are named.
    pub(super) fn functions(self) -> &'static [Function] {
        match self {
            Kind::Lstm => &[Function::Sigmoid, Function::Tanh, Function::Tanh],
            Kind::Gru => &[Function::Sigmoid, Function::Tanh],
            Kind::Rnn => &[Function::Tanh],
        }
    }
}

/// Buffers of a step.
pub(super) struct Gates {
    /// The products of this step's inputs, where they do not lie together.
    pub(super) inputs: Vec<f32>,
    pub(super) sums: Vec<f32>,
    pub(super) more: Vec<f32>,
    pub(super) scratch: Vec<f32>,
}

impl Gates {
    pub(super) fn new(batch: usize, width: usize, hidden: usize) -> Gates {
        Gates {
            inputs: vec![0.0; batch * width],
            sums: vec![0.0; batch * width],
            more: vec![0.0; batch * hidden],
            scratch: Vec::new(),
        }
    }
}

/// What one direction does with its sums.
pub(super) struct Cell<'a> {
    pub(super) kind: Kind,
    pub(super) hidden: usize,
    pub(super) functions: &'a [Function],
    pub(super) clip: Option<f32>,
    pub(super) input_forget: bool,
    pub(super) linear_before_reset: bool,
    /// Of the input, output and forget gates.
    pub(super) peepholes: Option<&'a [f32]>,
    /// What is added to the last gate's product before the reset.
    pub(super) after: &'a [f32],
    /// Whether the state is rounded to 8 bits before its products.
    pub(super) rounded: bool,
}

impl Cell<'_> {
    /// A function of sums, clipped before.
    fn apply(&self, function: usize, x: &mut [f32]) {
        if let Some(clip) = self.clip {
            x.iter_mut().for_each(|x| *x = x.clamp(-clip, clip));
        }
        self.functions[function].apply(x);
    }

    /// Goes on from `h` and `c` by the products of a step's inputs.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn step(
        &self,
        batch: usize,
        r: &[f32],
        last: &[f32],
        inputs: &[f32],
        sums: &mut [f32],
        more: &mut [f32],
        scratch: &mut Vec<f32>,
        h: &mut [f32],
        c: &mut [f32],
    ) {
        let hidden = self.hidden;
        let width = self.kind.gates() * hidden;
        let states = |data| Matrix {
            data,
            row_stride: hidden,
            col_stride: 1,
        };
        let added = Epilogue {
            residual: Some(inputs),
            ..Epilogue::default()
        };
        match self.kind {
            Kind::Rnn => {
                kernels::gemm(
                    batch,
                    width,
                    hidden,
                    &states(h),
                    r,
                    sums,
                    width,
                    &added,
                    scratch,
                );
                self.apply(0, sums);
                h.copy_from_slice(sums);
            }
            Kind::Lstm => {
                let coarse;
                let own = if self.rounded {
                    coarse = super::rounded(h);
                    &coarse[..]
                } else {
                    &h[..]
                };
                kernels::gemm(
                    batch,
                    width,
                    hidden,
                    &states(own),
                    r,
                    sums,
                    width,
                    &added,
                    scratch,
                );
                let rows = sums.chunks_exact_mut(width);
                let states = h.chunks_exact_mut(hidden).zip(c.chunks_exact_mut(hidden));
                for (row, (h, c)) in rows.zip(states) {
                    self.lstm(row, h, c);
                }
            }
            Kind::Gru if self.linear_before_reset => {
                kernels::gemm(
                    batch,
                    width,
                    hidden,
                    &states(h),
                    r,
                    sums,
                    width,
                    &Epilogue::default(),
                    scratch,
                );
                let rows = sums.chunks_exact_mut(width).zip(inputs.chunks_exact(width));
                for ((row, inputs), h) in rows.zip(h.chunks_exact_mut(hidden)) {
                    let (first, new) = row.split_at_mut(2 * hidden);
                    for (sum, input) in first.iter_mut().zip(inputs) {
                        *sum += input;
                    }
                    self.apply(0, first);
                    let (update, reset) = first.split_at(hidden);
                    for (i, new) in new.iter_mut().enumerate() {
                        *new = inputs[2 * hidden + i] + reset[i] * (*new + self.after[i]);
                    }
                    self.apply(1, new);
                    mix(update, new, h);
                }
            }
            Kind::Gru => {
                kernels::gemm(
                    batch,
                    2 * hidden,
                    hidden,
                    &states(h),
                    r,
                    sums,
                    width,
                    &added,
                    scratch,
                );
                let rows = sums.chunks_exact_mut(width);
                let states_of = h.chunks_exact(hidden).zip(more.chunks_exact_mut(hidden));
                for (row, (h, kept)) in rows.zip(states_of) {
                    self.apply(0, &mut row[..2 * hidden]);
                    for (i, kept) in kept.iter_mut().enumerate() {
                        *kept = row[hidden + i] * h[i];
                    }
                }
                let place = 2 * hidden;
                let added = Epilogue {
                    residual: inputs.get(place..),
                    ..Epilogue::default()
                };
                if batch > 0 {
                    kernels::gemm(
                        batch,
                        hidden,
                        hidden,
                        &states(more),
                        last,
                        &mut sums[place..],
                        width,
                        &added,
                        scratch,
                    );
                }
                for (row, h) in sums.chunks_exact_mut(width).zip(h.chunks_exact_mut(hidden)) {
                    let (first, new) = row.split_at_mut(place);
                    self.apply(1, new);
                    mix(&first[..hidden], new, h);
                }
            }
        }
    }

    /// Gates in the order input, output, forget, cell.
    fn lstm(&self, row: &mut [f32], h: &mut [f32], c: &mut [f32]) {
        let hidden = self.hidden;
        let (gates, new) = row.split_at_mut(3 * hidden);
        self.apply(1, new);
        match self.peepholes {
            None => self.apply(0, gates),
            Some(peepholes) => {
                for i in 0..hidden {
                    gates[i] += peepholes[i] * c[i];
                    gates[2 * hidden + i] += peepholes[2 * hidden + i] * c[i];
                }
                self.apply(0, &mut gates[..hidden]);
                self.apply(0, &mut gates[2 * hidden..]);
            }
        }
        let (input, rest) = gates.split_at_mut(hidden);
        let (output, forget) = rest.split_at_mut(hidden);
        for i in 0..hidden {
            let forget = if self.input_forget {
                1.0 - input[i]
            } else {
                forget[i]
            };
            c[i] = forget * c[i] + input[i] * new[i];
        }
        if let Some(peepholes) = self.peepholes {
            for i in 0..hidden {
                output[i] += peepholes[hidden + i] * c[i];
            }
            self.apply(0, output);
        }
        h.copy_from_slice(c);
        self.functions[2].apply(h);
        for (h, output) in h.iter_mut().zip(output) {
            *h *= *output;
        }
    }
}

/// `(1 - update) * new + update * h`.
fn mix(update: &[f32], new: &[f32], h: &mut [f32]) {
    for ((h, update), new) in h.iter_mut().zip(update).zip(new) {
        *h = (1.0 - update) * new + update * *h;
    }
}
