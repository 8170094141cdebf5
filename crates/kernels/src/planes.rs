//! Convolutions of images whose channels are planes, one after another, as files have them.
//!
//! A convolution is the product of the weights, read in place, with the patches that the window sees: one a column, packed a
//! block of columns at a time as the product reads them, so that a block stays in the second-level cache. A depthwise one
//! takes a plane at a time: its rows are copied between their padding, those elements side by side that are a stride apart, and
//! then every element of the window meets a run of the row.

#![allow(unsafe_code)]
// Indices are constants once the loops are unrolled.
#![allow(clippy::needless_range_loop)]

use super::activation::{activate, is_curve};
use super::gemm::gemm;
use super::lanes::{Dot, Kernel, Lanes, dispatch};
use super::pack::{packed_len, piece_len, pieces};
use super::{Activation, Epilogue, Matrix, NR, Window};

/// Numbers of a block of patches: 384 KiB.
const BLOCK: usize = 96 * 1024;
/// The fewest columns of a block, so that reading the weights again for each is not felt.
const NARROWEST: usize = 64;
/// Where an element lies that is padding: in no image.
const OUTSIDE: usize = usize::MAX / 2;

/// A convolution: `out` of `[m, oh, ow]` from `x` of `[channels, h, w]` and `weights` of `[m, channels, kh, kw]`; the bias has one
/// addend for each of `m`.
///
/// `scratch` is grown as needed and kept by the caller for the next call.
#[allow(clippy::too_many_arguments)]
pub fn conv_planes(
    w: &Window,
    channels: usize,
    x: &[f32],
    m: usize,
    weights: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
    out: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    let (_, outputs) = check(w, channels, x, m, out);
    let k = w.kernel[0] * w.kernel[1] * channels;
    assert_eq!(Some(weights.len()), m.checked_mul(k), "other weights");
    assert!(
        bias.is_none_or(|bias| bias.len() == m),
        "a bias of another length"
    );
    if out.is_empty() {
        return;
    }
    if outputs < NR {
        few_outputs(w, x, k, weights, bias, out);
        activate(out, activation);
        return;
    }
    // The bias is a weight for a patch's last element, which is 1: so the sums are finished when they are written.
    let biased;
    let (weights, all) = match bias {
        Some(bias) => {
            biased = with_last(weights, k, bias);
            (&biased[..], k + 1)
        }
        None => (weights, k),
    };
    let curve = is_curve(activation);
    let epilogue = Epilogue {
        activation: if curve { Activation::None } else { activation },
        ..Epilogue::default()
    };
    let widest = (BLOCK / all.max(1)).max(NARROWEST).next_multiple_of(2 * NR);
    // Blocks of nearly the same width.
    let blocks = outputs.div_ceil(widest);
    let width = outputs.div_ceil(blocks).next_multiple_of(2 * NR);
    let mut places = vec![(0, 0); all];
    let mut none = Vec::new();
    for first in (0..outputs).step_by(width) {
        let n = width.min(outputs - first);
        let panels = n.div_ceil(NR);
        let len = packed_len(all, n);
        if scratch.len() < len {
            scratch.resize(len, 0.0);
        }
        let each = piece_len(all);
        for piece in pieces(all, each) {
            for at in piece.clone() {
                let start = piece.start * panels + (at - piece.start);
                places[at] = (start * NR, piece.len() * NR);
            }
        }
        let patches = &mut scratch[..len];
        pack_patches(w, x, first, n, &places[..k], patches);
        for &(to, apart) in &places[k..] {
            for panel in 0..panels {
                patches[to + panel * apart..][..NR].fill(1.0);
            }
        }
        let a = Matrix {
            data: weights,
            row_stride: all,
            col_stride: 1,
        };
        let to = &mut out[first..];
        gemm(m, n, all, &a, patches, to, outputs, &epilogue, &mut none);
        if curve {
            for row in out.chunks_exact_mut(outputs) {
                activate(&mut row[first..first + n], activation);
            }
        }
    }
}

/// Rows of `k` numbers, each with one more at its end.
fn with_last(rows: &[f32], k: usize, last: &[f32]) -> Vec<f32> {
    let mut all = Vec::with_capacity(rows.len() + last.len());
    for (i, &last) in last.iter().enumerate() {
        all.extend_from_slice(&rows[i * k..][..k]);
        all.push(last);
    }
    all
}

/// The convolution where the window has so few places that they would not fill a panel: each of the results is one sum, of a row
/// of weights by a patch.
fn few_outputs(
    w: &Window,
    x: &[f32],
    k: usize,
    weights: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let plane = w.input[0] * w.input[1];
    let outputs = w.output[0] * w.output[1];
    let mut patches = Vec::with_capacity(k * outputs);
    for at in 0..outputs {
        let corner = [
            at / w.output[1] * w.stride[0],
            at % w.output[1] * w.stride[1],
        ];
        for x in x.chunks_exact(plane.max(1)) {
            for ky in 0..w.kernel[0] {
                for kx in 0..w.kernel[1] {
                    let y = (corner[0] + ky * w.dilation[0]).wrapping_sub(w.pad[0]);
                    let z = (corner[1] + kx * w.dilation[1]).wrapping_sub(w.pad[1]);
                    let inside = y < w.input[0] && z < w.input[1];
                    patches.push(if inside { x[y * w.input[1] + z] } else { 0.0 });
                }
            }
        }
    }
    // Without an image there is padding alone.
    patches.resize(k * outputs, 0.0);
    dispatch(Dots {
        k,
        patches: &patches,
        weights,
        out,
    });
    for (i, plane) in out.chunks_exact_mut(outputs).enumerate() {
        let bias = bias.map_or(0.0, |bias| bias[i]);
        plane.iter_mut().for_each(|out| *out += bias);
    }
}

/// The product of rows of weights with patches, each of `k` numbers.
struct Dots<'a> {
    k: usize,
    patches: &'a [f32],
    weights: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(self) {
        let Dots {
            k,
            patches,
            weights,
            out,
        } = self;
        if k == 0 {
            return out.fill(0.0);
        }
        let outputs = patches.len() / k;
        for (weights, out) in weights.chunks(2 * k).zip(out.chunks_mut(2 * outputs)) {
            let mut at = 0;
            for patches in patches.chunks(4 * k) {
                let count = patches.len() / k;
                let out = &mut out[at..];
                match (weights.len() / k, count) {
                    (1, 1) => dots::<V, 1, 1, 4>(k, weights, patches, out, outputs),
                    (1, 2) => dots::<V, 1, 2, 2>(k, weights, patches, out, outputs),
                    (1, 3) => dots::<V, 1, 3, 1>(k, weights, patches, out, outputs),
                    (1, _) => dots::<V, 1, 4, 1>(k, weights, patches, out, outputs),
                    (_, 1) => dots::<V, 2, 1, 4>(k, weights, patches, out, outputs),
                    (_, 2) => dots::<V, 2, 2, 2>(k, weights, patches, out, outputs),
                    (_, 3) => dots::<V, 2, 3, 1>(k, weights, patches, out, outputs),
                    _ => dots::<V, 2, 4, 1>(k, weights, patches, out, outputs),
                }
                at += count;
            }
        }
    }
}

/// `R` rows by `P` patches, in `S` sums each, so that an addition need not wait for the one before.
#[inline(always)]
fn dots<V: Lanes, const R: usize, const P: usize, const S: usize>(
    k: usize,
    rows: &[f32],
    patches: &[f32],
    out: &mut [f32],
    stride: usize,
) {
    let mut sums = [[[V::splat(0.0); S]; P]; R];
    let (rows, patches): ([&[f32]; R], [&[f32]; P]) = (
        std::array::from_fn(|r| &rows[r * k..][..k]),
        std::array::from_fn(|p| &patches[p * k..][..k]),
    );
    let step = S * V::N;
    let whole = k / step * step;
    let mut at = 0;
    while at < whole {
        for s in 0..S {
            // SAFETY: `step` numbers from `at` on lie within the `k` of each row and patch.
            let load = |of: &[f32]| unsafe { V::load(of.as_ptr().add(at + s * V::N)) };
            let rows = rows.map(load);
            for p in 0..P {
                let patch = load(patches[p]);
                for r in 0..R {
                    sums[r][p][s] = rows[r].mul_add(patch, sums[r][p][s]);
                }
            }
        }
        at += step;
    }
    for r in 0..R {
        for p in 0..P {
            let rest = rows[r][whole..].iter().zip(&patches[p][whole..]);
            let rest: f32 = rest.map(|(a, b)| a * b).sum();
            let [first, more @ ..] = &sums[r][p][..] else {
                return;
            };
            let all = more.iter().fold(*first, |all, &sum| all.add(sum));
            out[r * stride + p] = all.sum() + rest;
        }
    }
}

/// The numbers of the image's and of the result's planes; panics unless `x` and `out` have so many channels of them.
fn check(w: &Window, channels: usize, x: &[f32], m: usize, out: &[f32]) -> (usize, usize) {
    let area = |[height, width]: [usize; 2]| height.checked_mul(width);
    let (plane, outputs) = area(w.input)
        .zip(area(w.output))
        .expect("an image that overflows");
    assert_eq!(
        Some(x.len()),
        plane.checked_mul(channels),
        "an image of another size"
    );
    assert_eq!(
        Some(out.len()),
        outputs.checked_mul(m),
        "a result of another size"
    );
    for axis in 0..2 {
        let farthest = w.output[axis]
            .checked_mul(w.stride[axis])
            .zip(w.kernel[axis].checked_mul(w.dilation[axis]))
            .and_then(|(o, e)| o.checked_add(e));
        assert!(
            farthest.is_some_and(|far| far < OUTSIDE / 4)
                && w.input[axis] < OUTSIDE / 4
                && w.pad[axis] < OUTSIDE / 4,
            "a window that is too large"
        );
    }
    (plane, outputs)
}

/// Where the elements of the image lie that one element of the window meets, for the columns of a panel.
#[derive(Clone, Copy)]
enum Seen {
    /// Side by side.
    Run(usize),
    /// Every other one.
    Pairs(usize),
    /// Anywhere, or outside.
    Each([usize; NR]),
}

impl Seen {
    fn new(from: [usize; NR]) -> Seen {
        let apart = |step: usize| {
            from[NR - 1] < OUTSIDE
                && from
                    .iter()
                    .enumerate()
                    .all(|(i, &at)| at == from[0].wrapping_add(i * step))
        };
        if apart(1) {
            Seen::Run(from[0])
        } else if apart(2) {
            Seen::Pairs(from[0])
        } else {
            Seen::Each(from)
        }
    }
}

/// Panels that are packed together: what a channel's rows have for them stays in the first-level cache meanwhile.
const TOGETHER: usize = 8;

/// Packs the patches of `n` outputs from number `first` on. `places` has, for each row of the right operand, where it begins in
/// the first panel and how far the panels are apart.
fn pack_patches(
    w: &Window,
    x: &[f32],
    first: usize,
    n: usize,
    places: &[(usize, usize)],
    out: &mut [f32],
) {
    let plane = w.input[0] * w.input[1];
    let taps = w.kernel[0] * w.kernel[1];
    let panels = n.div_ceil(NR);
    let mut seen = Vec::with_capacity(taps * TOGETHER);
    for start in (0..panels).step_by(TOGETHER) {
        let together = TOGETHER.min(panels - start);
        let corners: [[[usize; 2]; NR]; TOGETHER] = std::array::from_fn(|panel| {
            std::array::from_fn(|i| {
                let o = (start + panel) * NR + i;
                match o < n {
                    true => [
                        (first + o) / w.output[1] * w.stride[0],
                        (first + o) % w.output[1] * w.stride[1],
                    ],
                    false => [OUTSIDE, OUTSIDE],
                }
            })
        });
        seen.clear();
        for tap in 0..taps {
            let step = [
                tap / w.kernel[1] * w.dilation[0],
                tap % w.kernel[1] * w.dilation[1],
            ];
            seen.extend(corners[..together].iter().map(|corners| {
                Seen::new(corners.map(|[y, x]| {
                    // Above or left of the image, it wraps and is beyond all images.
                    let y = (y + step[0]).wrapping_sub(w.pad[0]);
                    let x = (x + step[1]).wrapping_sub(w.pad[1]);
                    if y < w.input[0] && x < w.input[1] {
                        y * w.input[1] + x
                    } else {
                        OUTSIDE
                    }
                }))
            }));
        }
        for (x, places) in x.chunks_exact(plane).zip(places.chunks_exact(taps)) {
            for (seen, (to, apart)) in seen.chunks_exact(together).zip(places) {
                let mut to = to + start * apart;
                for seen in seen {
                    let out: &mut [f32; NR] = out[to..].first_chunk_mut().expect("a panel's row");
                    to += apart;
                    match *seen {
                        Seen::Run(from) => out.copy_from_slice(&x[from..][..NR]),
                        Seen::Pairs(from) => {
                            let x = &x[from..][..2 * NR - 1];
                            for (i, out) in out.iter_mut().enumerate() {
                                *out = x[2 * i];
                            }
                        }
                        Seen::Each(from) => {
                            for (out, from) in out.iter_mut().zip(from) {
                                *out = x.get(from).copied().unwrap_or(0.0);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A depthwise convolution: `out` of `[channels * each, oh, ow]` from `x` of `[channels, h, w]` and `kernel` of
/// `[channels * each, kh, kw]`; each channel makes `each` of the result's, and the bias has one addend for each of those.
#[allow(clippy::too_many_arguments)]
pub fn depthwise_planes(
    w: &Window,
    channels: usize,
    each: usize,
    x: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
    out: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    let made = channels.checked_mul(each).expect("channels that overflow");
    let (plane, outputs) = check(w, channels, x, made, out);
    let taps = w.kernel[0] * w.kernel[1];
    assert!(w.stride[1] > 0, "a window that does not move");
    assert_eq!(
        Some(kernel.len()),
        made.checked_mul(taps),
        "a kernel of another size"
    );
    assert!(
        bias.is_none_or(|bias| bias.len() == made),
        "a bias of another length"
    );
    if out.is_empty() || plane == 0 {
        for (i, out) in out.chunks_exact_mut(outputs.max(1)).enumerate() {
            out.fill(bias.map_or(0.0, |bias| bias[i]));
        }
        activate(out, activation);
        return;
    }
    let phases = w.stride[1];
    let reach = w.kernel[1].saturating_sub(1) * w.dilation[1];
    let pitch = w.output[1] + reach / phases + WIDEST;
    let offsets: Vec<usize> = (0..taps)
        .map(|tap| {
            let (ky, shift) = (tap / w.kernel[1], tap % w.kernel[1] * w.dilation[1]);
            (ky * w.dilation[0] * phases + shift % phases) * pitch + shift / phases
        })
        .collect();
    // With rows of padding above and below, so that all outputs see the whole window.
    let rows = (w.output[0] - 1) * w.stride[0] + w.kernel[0].saturating_sub(1) * w.dilation[0] + 1;
    let row = phases * pitch;
    let len = rows.checked_mul(row).expect("scratch that overflows");
    if scratch.len() < len {
        scratch.resize(len, 0.0);
    }
    let spread = &mut scratch[..len];
    for (channel, x) in x.chunks_exact(plane).enumerate() {
        for (y, to) in spread.chunks_exact_mut(row).enumerate() {
            let y = y.wrapping_sub(w.pad[0]);
            if y < w.input[0] {
                spread_row(w, &x[y * w.input[1]..][..w.input[1]], pitch, to);
            } else if channel == 0 {
                to.fill(0.0);
            }
        }
        for i in channel * each..(channel + 1) * each {
            dispatch(Plane {
                width: w.output[1],
                spread,
                step: w.stride[0] * row,
                offsets: &offsets,
                kernel: &kernel[i * taps..][..taps],
                bias: bias.map_or(0.0, |bias| bias[i]),
                out: &mut out[i * outputs..][..outputs],
            });
        }
    }
    activate(out, activation);
}

/// A row of the image between its padding, in as many parts as the stride is long: those elements side by side that are a
/// stride apart.
fn spread_row(w: &Window, x: &[f32], pitch: usize, to: &mut [f32]) {
    let phases = w.stride[1];
    for (phase, to) in to.chunks_exact_mut(pitch).enumerate() {
        // The first element at or behind the padding, and where it goes.
        let skip = w.pad[1].saturating_sub(phase).div_ceil(phases).min(pitch);
        let from = (skip * phases + phase).saturating_sub(w.pad[1]);
        to[..skip].fill(0.0);
        let rest = x.get(from..).unwrap_or(&[]);
        let count = rest.len().div_ceil(phases).min(pitch - skip);
        let inside = &mut to[skip..skip + count];
        match phases {
            1 => inside.copy_from_slice(&rest[..count]),
            2 => {
                let (pairs, last) = rest.as_chunks::<2>();
                for (to, pair) in inside.iter_mut().zip(pairs) {
                    *to = pair[0];
                }
                if let (true, [last]) = (count > pairs.len(), last) {
                    inside[pairs.len()] = *last;
                }
            }
            _ => inside
                .iter_mut()
                .zip(rest.iter().step_by(phases))
                .for_each(|(to, &x)| *to = x),
        }
        to[skip + count..].fill(0.0);
    }
}

/// Columns that are computed at a time, at most.
const WIDEST: usize = 32;

/// One plane of a depthwise convolution.
struct Plane<'a> {
    /// Outputs in a row.
    width: usize,
    /// The rows of the image as the elements of the window meet them.
    spread: &'a [f32],
    /// From one output to the one below.
    step: usize,
    /// Where each element of the window begins, from the first.
    offsets: &'a [usize],
    kernel: &'a [f32],
    bias: f32,
    out: &'a mut [f32],
}

impl Kernel for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(mut self) {
        let (rows, width) = (self.out.len() / self.width, self.width);
        assert!(self.offsets.len() == self.kernel.len() && self.out.len() == rows * width);
        // The farthest that is read, so that the loops need not look.
        if let Some(far) = self.offsets.iter().max() {
            assert!(far + (rows - 1) * self.step + width + V::N <= self.spread.len());
        }
        let mut x = 0;
        while x < width {
            let vectors = (width - x).div_ceil(V::N).min(4);
            let mut y = 0;
            while y < rows {
                let left = rows - y;
                // SAFETY: what begins within a row and is no longer than rounded up to a vector lies within, as asserted.
                unsafe {
                    y += match (vectors, left) {
                        (1, 4..) => self.block::<V, 1, 4>(y, x),
                        (1, 2..) => self.block::<V, 1, 2>(y, x),
                        (1, _) => self.block::<V, 1, 1>(y, x),
                        (2, 4..) => self.block::<V, 2, 4>(y, x),
                        (2, 2..) => self.block::<V, 2, 2>(y, x),
                        (2, _) => self.block::<V, 2, 1>(y, x),
                        (3, 2..) => self.block::<V, 3, 2>(y, x),
                        (3, _) => self.block::<V, 3, 1>(y, x),
                        (_, 2..) => self.block::<V, 4, 2>(y, x),
                        _ => self.block::<V, 4, 1>(y, x),
                    };
                }
            }
            x += vectors * V::N;
        }
    }
}

impl Plane<'_> {
    /// `H` rows of `W` vectors of outputs, or of as many as there are; how many rows that was.
    ///
    /// # Safety
    /// From each offset on, so many numbers can be read for all of these rows.
    #[inline(always)]
    unsafe fn block<V: Lanes, const W: usize, const H: usize>(
        &mut self,
        y: usize,
        x: usize,
    ) -> usize {
        let mut sums = [[V::splat(self.bias); W]; H];
        let first = y * self.step + x;
        for (&offset, &weight) in self.offsets.iter().zip(self.kernel) {
            let weight = V::splat(weight);
            for (j, sums) in sums.iter_mut().enumerate() {
                for (i, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: the caller's promise.
                    let x = unsafe {
                        let at = first + offset + j * self.step + i * V::N;
                        V::load(self.spread.as_ptr().add(at))
                    };
                    *sum = x.mul_add(weight, *sum);
                }
            }
        }
        for (j, sums) in sums.iter().enumerate() {
            let end = (y + j + 1) * self.width;
            let out = &mut self.out[(y + j) * self.width + x..end];
            if out.len() >= W * V::N {
                for (sum, out) in sums.iter().zip(out.chunks_exact_mut(V::N)) {
                    sum.to_slice(out);
                }
            } else {
                for (sum, out) in sums.iter().zip(out.chunks_mut(V::N)) {
                    out.copy_from_slice(&sum.to_array()[..out.len()]);
                }
            }
        }
        H
    }
}
