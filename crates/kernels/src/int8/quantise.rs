//! To 8 bits: weights once, activations as they come.

use super::super::lanes::{Dot, Kernel};
use super::super::{Matrix, NR};
use super::packed_len_i8;

/// Quantises and packs the weights `b` of `k` rows and `n` columns: the first
/// [`packed_len_i8`] bytes of `out`, and for each column its scale and the sum of its quantised
/// weights.
///
/// A column's largest magnitude becomes 127, or less where four weights whose products are summed in 16 bits (see
/// `Dot::dot_two`) would together exceed 258: `127 * 258 < 2^15`. In trained weights that is rare.
pub fn quantise_weights(
    k: usize,
    n: usize,
    b: &Matrix,
    out: &mut [i8],
    scales: &mut [f32],
    sums: &mut [i32],
) {
    b.check(k, n);
    let out = &mut out[..packed_len_i8(k, n)];
    let (scales, sums) = (&mut scales[..n], &mut sums[..n]);
    out.fill(0);
    let quads = k.div_ceil(4);
    for j in 0..n {
        let column = |i: usize| b.data[i * b.row_stride + j * b.col_stride];
        let magnitude = |i: usize| if i < k { column(i).abs() } else { 0.0 };
        let largest = (0..k).fold(0.0_f32, |a, i| a.max(magnitude(i)));
        let four = |i: usize| [i, i + 1, i + 4, i + 5].map(magnitude).iter().sum::<f32>();
        let fours = (0..k).step_by(8).map(|i| four(i).max(four(i + 2)));
        // Each of the four may grow by a half when it is rounded.
        let scale = (largest / 127.0).max(fours.fold(0.0, f32::max) / 256.0);
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        let mut sum = 0;
        for i in 0..k {
            let w = (column(i) * inverse).round_ties_even().clamp(-127.0, 127.0) as i8;
            sum += i32::from(w);
            out[((j / NR * quads + i / 4) * NR + j % NR) * 4 + i % 4] = w;
        }
        scales[j] = scale;
        sums[j] = sum;
    }
}

/// How one row of activations was quantised: `x = size * (q - zero)`.
#[derive(Clone, Copy, Default)]
pub struct Step {
    pub size: f32,
    pub zero: i32,
}

/// Rows of activations to be quantised, each padded with zeros to a multiple of four.
pub struct Rows<'a> {
    pub first: usize,
    pub k: usize,
    /// As many rows as there are steps, from `first` on, and `k` columns: checked.
    pub a: &'a Matrix<'a>,
    pub steps: &'a mut [Step],
    /// [`Dot::WIDTH`] bytes for each number, little end first.
    pub out: &'a mut [u8],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(self) {
        let Rows {
            first,
            k,
            a,
            steps,
            out,
        } = self;
        if k == 0 {
            return;
        }
        let mut gathered = Vec::new();
        let width = k.div_ceil(4) * 4 * V::WIDTH;
        for (i, (step, out)) in steps
            .iter_mut()
            .zip(out.chunks_exact_mut(width))
            .enumerate()
        {
            let start = (first + i) * a.row_stride;
            let x = if a.col_stride == 1 {
                &a.data[start..][..k]
            } else {
                gathered.clear();
                gathered.extend((0..k).map(|j| a.data[start + j * a.col_stride]));
                &gathered[..]
            };
            *step = row::<V>(x, out);
        }
    }
}

#[inline(always)]
fn row<V: Dot>(x: &[f32], out: &mut [u8]) -> Step {
    let whole = x.len() / V::N * V::N;
    let (mut low, mut high) = (V::splat(0.0), V::splat(0.0));
    for chunk in x.chunks_exact(V::N) {
        let x = V::from_slice(chunk);
        low = low.min(x);
        high = high.max(x);
    }
    let (mut low, mut high) = (-low.neg().largest(), high.largest());
    for &x in &x[whole..] {
        low = if x < low { x } else { low };
        high = if high < x { x } else { high };
    }
    let size = (high - low) / 127.0;
    let inverse = if size > 0.0 { 1.0 / size } else { 0.0 };
    let zero = (-low * inverse).round_ties_even();

    // The product is rounded before the sum, so that every machine gives the same integers.
    let quantise = Quantise { inverse, zero };
    for (i, chunk) in x.chunks_exact(V::N).enumerate() {
        quantise.vector(V::from_slice(chunk), &mut out[i * V::N * V::WIDTH..]);
    }
    let tail = &x[whole..];
    if !tail.is_empty() {
        let mut buffer = [0.0; 8];
        buffer[..tail.len()].copy_from_slice(tail);
        let mut bytes = [0; 16];
        quantise.vector(V::from_slice(&buffer), &mut bytes);
        out[whole * V::WIDTH..][..tail.len() * V::WIDTH]
            .copy_from_slice(&bytes[..tail.len() * V::WIDTH]);
    }
    out[x.len() * V::WIDTH..].fill(0);
    Step {
        size,
        zero: zero as i32,
    }
}

#[derive(Clone, Copy)]
struct Quantise {
    inverse: f32,
    zero: f32,
}

impl Quantise {
    #[inline(always)]
    fn vector<V: Dot>(self, x: V, out: &mut [u8]) {
        // Adding 1.5 * 2^23 rounds to an integer, which is then in the lowest bits.
        let q = x
            .mul(V::splat(self.inverse))
            .round()
            .add(V::splat(self.zero));
        let q = q
            .max(V::splat(0.0))
            .min(V::splat(127.0))
            .add(V::splat(12_582_912.0));
        if V::WIDTH == 1 {
            q.low_bytes(out);
        } else {
            let mut bytes = [0; 8];
            q.low_bytes(&mut bytes);
            for (out, byte) in out.chunks_exact_mut(V::WIDTH).zip(bytes).take(V::N) {
                out.fill(0);
                out[0] = byte;
            }
        }
    }
}
