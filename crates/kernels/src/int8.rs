//! Products with weights of 8 bits.
//!
//! A weight is `scale[j] * w` with one scale for each column and `w` in -127..=127. Activations are
//! quantised as they come, row by row: `step * (q - zero)` with `q` in 0..=127, so 7 bits. That
//! bit buys exactness: a pair of products fits into 16 bits, hence the relaxed dot product, whose
//! result would otherwise depend on the machine, gives the same integers as the exact ones. The
//! zero point is an integer, so zeros (of padding, after a ReLU) stay exact. The sum is
//!
//! ```text
//! c[i][j] = step[i] * scale[j] * (Σ q w - zero[i] * Σ w)
//! ```
//!
//! and `Σ w` is computed once, when the weights are packed: `[ceil(n / 8)][ceil(k / 4)][8][4]`,
//! panels of eight columns, in each four weights of a column side by side.

#![allow(unsafe_code)]

mod quantise;
mod tile;

use std::ops::Range;

use super::activation::{curve, is_curve};
use super::gemm::shares;
use super::lanes::{Dot, Kernel, dispatch};
use super::tile::Finish;
use super::{Activation, Epilogue, Matrix, NR};

pub use quantise::quantise_weights;
use tile::{Place, Tiles};

/// The longest sum that cannot overflow, rounded down: `k * 127 * 127 < 2^31`.
const LONGEST: usize = 1 << 17;
/// Bytes of quantised activations in a block of rows, to stay in the second-level cache.
const BLOCK: usize = 256 * 1024;

/// The length in bytes of packed quantised weights of `k` rows and `n` columns.
pub fn packed_len_i8(k: usize, n: usize) -> usize {
    let panel = k.div_ceil(4) * 4 * NR;
    n.div_ceil(NR)
        .checked_mul(panel)
        .expect("a packed matrix that overflows")
}

/// As [`gemm`](fn@super::gemm), with weights from [`quantise_weights`]: `packed` with the columns'
/// `scales` and `sums`.
///
/// # Panics
/// Also if `k` is over 131072: the sums might overflow.
#[allow(clippy::too_many_arguments)]
pub fn gemm_i8(
    m: usize,
    n: usize,
    k: usize,
    a: &Matrix,
    packed: &[i8],
    scales: &[f32],
    sums: &[i32],
    c: &mut [f32],
    c_row_stride: usize,
    epilogue: &Epilogue,
    scratch: &mut Vec<u8>,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(k <= LONGEST, "a sum of {k} products could overflow");
    a.check(m, k);
    assert!(
        packed.len() >= packed_len_i8(k, n),
        "the weights are shorter than packed"
    );
    assert!(
        scales.len() >= n && sums.len() >= n,
        "fewer scales or sums than columns"
    );
    epilogue.check(m, n, c, c_row_stride);
    dispatch(Product {
        m,
        n,
        k,
        a,
        packed,
        scales,
        sums,
        c,
        c_stride: c_row_stride,
        epilogue,
        scratch,
    });
}

/// A checked product.
struct Product<'a> {
    m: usize,
    n: usize,
    k: usize,
    a: &'a Matrix<'a>,
    packed: &'a [i8],
    scales: &'a [f32],
    sums: &'a [i32],
    c: &'a mut [f32],
    c_stride: usize,
    epilogue: &'a Epilogue<'a>,
    scratch: &'a mut Vec<u8>,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(mut self) {
        let row = self.k.div_ceil(4) * 4 * V::WIDTH;
        let height = (BLOCK / row.max(1)).clamp(V::DOT_ROWS, 4096);
        let blocks = self.m.div_ceil(height);
        let mut steps = Vec::new();
        let mut buffers = Buffers::default();
        for rows in shares(0..self.m, blocks) {
            steps.clear();
            steps.resize(rows.len(), quantise::Step::default());
            let len = rows.len() * row;
            if self.scratch.len() < len {
                self.scratch.resize(len, 0);
            }
            V::call(quantise::Rows {
                first: rows.start,
                k: self.k,
                a: self.a,
                steps: &mut steps,
                out: &mut self.scratch[..len],
            });
            for panel in 0..self.n.div_ceil(NR) {
                self.panel::<V>(&rows, panel, &steps, &mut buffers);
            }
        }
    }
}

/// Room for one panel: of the widened weights, of the result, of the residual.
#[derive(Default)]
struct Buffers {
    wide: Vec<i16>,
    c: Vec<f32>,
    residual: Vec<f32>,
}

impl Product<'_> {
    /// Some rows and one panel.
    #[inline(always)]
    fn panel<V: Dot>(
        &mut self,
        rows: &Range<usize>,
        panel: usize,
        steps: &[quantise::Step],
        Buffers { wide, c, residual }: &mut Buffers,
    ) {
        let len = self.k.div_ceil(4) * 4 * NR;
        let packed = &self.packed[panel * len..][..len];
        let weights = if V::WIDTH == 1 {
            packed.as_ptr().cast()
        } else {
            wide.resize(len, 0);
            V::widen(packed, wide);
            wide.as_ptr().cast()
        };
        let first = panel * NR;
        let at = rows.start * self.c_stride + first;
        let mut place = Place {
            count: 0,
            quads: self.k.div_ceil(4),
            advance: 2,
            inputs: self.scratch.as_ptr(),
            stride: self.k.div_ceil(4) * 4 * V::WIDTH,
            steps: steps.as_ptr(),
            weights,
            sums: self.sums[first..].as_ptr(),
            scales: self.scales[first..].as_ptr(),
            c: self.c[at..].as_mut_ptr(),
            c_stride: self.c_stride,
            finish: Finish {
                scale: self.epilogue.scale,
                bias: self
                    .epilogue
                    .bias
                    .map_or(std::ptr::null(), |bias| bias[first..].as_ptr()),
                residual: self
                    .epilogue
                    .residual
                    .map_or(std::ptr::null(), |r| r[at..].as_ptr()),
                activation: self.epilogue.activation,
            },
        };
        let width = NR.min(self.n - first);
        let activation = self.epilogue.activation;
        if width == NR && !is_curve(activation) {
            // SAFETY: all lengths were checked; the rows and the panel are whole.
            unsafe { tiles::<V>(rows.len(), place) };
            return;
        }

        // Through buffers of full width: the last panel may have fewer columns, and a curve is
        // faster over many numbers that lie together.
        let mut sums = [0; NR];
        let mut scales = [0.0; NR];
        let mut bias = [0.0; NR];
        sums[..width].copy_from_slice(&self.sums[first..first + width]);
        scales[..width].copy_from_slice(&self.scales[first..first + width]);
        if let Some(all) = self.epilogue.bias {
            bias[..width].copy_from_slice(&all[first..first + width]);
        }
        if let Some(all) = self.epilogue.residual {
            residual.resize(rows.len() * NR, 0.0);
            for (i, residual) in residual.chunks_exact_mut(NR).enumerate() {
                residual[..width].copy_from_slice(&all[at + i * self.c_stride..][..width]);
            }
            place.finish.residual = residual.as_ptr();
        }
        c.resize(rows.len() * NR, 0.0);
        (place.sums, place.scales) = (sums.as_ptr(), scales.as_ptr());
        (place.c, place.c_stride) = (c.as_mut_ptr(), NR);
        place.finish.bias = bias.as_ptr();
        if is_curve(activation) {
            place.finish.activation = Activation::None;
        }
        // SAFETY: as above; the buffers have the full width.
        unsafe { tiles::<V>(rows.len(), place) };
        curve::<V>(c, activation);
        for (i, c) in c.chunks_exact(NR).enumerate() {
            let out = &mut self.c[at + i * self.c_stride..][..width];
            if let (Ok(out), Ok(c)) = (
                <&mut [f32; NR]>::try_from(&mut *out),
                <&[f32; NR]>::try_from(c),
            ) {
                *out = *c;
            } else {
                out.copy_from_slice(&c[..width]);
            }
        }
    }
}

/// Computes so many rows of one panel in tiles of nearly the same height.
///
/// # Safety
/// As [`Tiles::new`], for all the rows.
#[inline(always)]
unsafe fn tiles<V: Dot>(rows: usize, mut place: Place) {
    let count = rows.div_ceil(V::DOT_ROWS);
    let (height, higher) = (rows / count, rows % count);
    for (height, count) in [(height + 1, higher), (height, count - higher)] {
        if count == 0 {
            continue;
        }
        place.count = count;
        // SAFETY: the caller's promise.
        unsafe { tiles_of::<V>(height, place) };
        place.inputs = place.inputs.wrapping_add(height * count * place.stride);
        place.steps = place.steps.wrapping_add(height * count);
        place.c = place.c.wrapping_add(height * count * place.c_stride);
        place.finish.step(0, height * count * place.c_stride);
    }
}

/// # Safety
/// As [`Tiles::new`].
#[inline(always)]
unsafe fn tiles_of<V: Dot>(height: usize, place: Place) {
    macro_rules! tiles {
        ($vectors:literal: $($rows:literal),*) => {
            match height {
                // SAFETY: the caller's promise.
                $($rows => V::call(unsafe { Tiles::<$rows, $vectors>::new(place) }),)*
                _ => unreachable!("no tile of {height} rows"),
            }
        };
    }
    match (V::N, V::DOT_ROWS) {
        (8, _) => tiles!(1: 1, 2, 3, 4, 5, 6),
        (_, 2) => tiles!(2: 1, 2),
        (_, 3) => tiles!(2: 1, 2, 3),
        _ => tiles!(2: 1, 2, 3, 4),
    }
}
