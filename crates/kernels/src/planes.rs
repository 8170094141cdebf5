//! Convolutions of images whose channels are planes, one after another, as files have them.
//!
//! A convolution is the product of the weights, read in place, with the patches that the window sees: one a column, packed a
//! block of columns at a time as the product reads them, so that a block stays in the second-level cache. A depthwise one
//! takes a plane at a time: its rows are copied between their padding, those elements side by side that are a stride apart, and
//! then every element of the window meets a run of the row.

#![allow(unsafe_code)]

use super::activation::activate;
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
    let widest = (BLOCK / k.max(1)).max(NARROWEST).next_multiple_of(2 * NR);
    // Blocks of nearly the same width.
    let blocks = outputs.div_ceil(widest);
    let width = outputs.div_ceil(blocks).next_multiple_of(2 * NR);
    let mut places = Vec::new();
    let mut none = Vec::new();
    for first in (0..outputs).step_by(width) {
        let n = width.min(outputs - first);
        let len = packed_len(k, n);
        if scratch.len() < len {
            scratch.resize(len, 0.0);
        }
        if places.is_empty() {
            places.resize(k, (0, 0));
        }
        let each = piece_len(k);
        for piece in pieces(k, each) {
            for at in piece.clone() {
                let start = piece.start * n.div_ceil(NR) + (at - piece.start);
                places[at] = (start * NR, piece.len() * NR);
            }
        }
        pack_patches(w, channels, x, first, n, &places, &mut scratch[..len]);
        let a = Matrix {
            data: weights,
            row_stride: k,
            col_stride: 1,
        };
        gemm(
            m,
            n,
            k,
            &a,
            &scratch[..len],
            &mut out[first..],
            outputs,
            &Epilogue::default(),
            &mut none,
        );
        if bias.is_none() && activation == Activation::None {
            continue;
        }
        for (i, row) in out.chunks_exact_mut(outputs).enumerate() {
            let row = &mut row[first..first + n];
            if let Some(bias) = bias {
                let by = bias[i];
                row.iter_mut().for_each(|x| *x += by);
            }
            activate(row, activation);
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

/// Packs the patches of `n` outputs from number `first` on. `places` has, for each row of the right operand, where it begins in
/// the first panel and how far the panels are apart.
fn pack_patches(
    w: &Window,
    channels: usize,
    x: &[f32],
    first: usize,
    n: usize,
    places: &[(usize, usize)],
    out: &mut [f32],
) {
    let plane = w.input[0] * w.input[1];
    let taps = w.kernel[0] * w.kernel[1];
    for panel in 0..n.div_ceil(NR) {
        let count = NR.min(n - panel * NR);
        let mut corners = [[OUTSIDE; 2]; NR];
        for (i, corner) in corners[..count].iter_mut().enumerate() {
            let o = first + panel * NR + i;
            *corner = [
                o / w.output[1] * w.stride[0],
                o % w.output[1] * w.stride[1],
            ];
        }
        for tap in 0..taps {
            let step = [
                tap / w.kernel[1] * w.dilation[0],
                tap % w.kernel[1] * w.dilation[1],
            ];
            let from = corners.map(|[y, x]| {
                // Above or left of the image, it wraps and is beyond all images.
                let y = (y + step[0]).wrapping_sub(w.pad[0]);
                let x = (x + step[1]).wrapping_sub(w.pad[1]);
                if y < w.input[0] && x < w.input[1] {
                    y * w.input[1] + x
                } else {
                    OUTSIDE
                }
            });
            let rows = places[tap..].iter().step_by(taps).take(channels);
            let together = from[0] != OUTSIDE
                && from
                    .iter()
                    .enumerate()
                    .all(|(i, &from_i)| from_i == from[0] + i);
            if together {
                for (x, (start, apart)) in x.chunks_exact(plane).zip(rows) {
                    let to = &mut out[start + panel * apart..][..NR];
                    to.copy_from_slice(&x[from[0]..][..NR]);
                }
            } else {
                for (x, (start, apart)) in x.chunks_exact(plane).zip(rows) {
                    let to = &mut out[start + panel * apart..][..NR];
                    for (to, &from) in to.iter_mut().zip(&from) {
                        *to = x.get(from).copied().unwrap_or(0.0);
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
    let len = (w.input[0] * phases)
        .checked_mul(pitch)
        .expect("scratch that overflows");
    if scratch.len() < len {
        scratch.resize(len, 0.0);
    }
    let spread = &mut scratch[..len];
    for (channel, x) in x.chunks_exact(plane).enumerate() {
        for (x, to) in x
            .chunks_exact(w.input[1])
            .zip(spread.chunks_exact_mut(phases * pitch))
        {
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
        for i in channel * each..(channel + 1) * each {
            dispatch(Plane {
                w,
                spread,
                row: phases * pitch,
                offsets: &offsets,
                kernel: &kernel[i * taps..][..taps],
                bias: bias.map_or(0.0, |bias| bias[i]),
                out: &mut out[i * outputs..][..outputs],
            });
        }
    }
    activate(out, activation);
}

/// Columns that are computed at a time, at most.
const WIDEST: usize = 32;

/// One plane of a depthwise convolution.
struct Plane<'a> {
    w: &'a Window,
    /// The rows of the image as the elements of the window meet them.
    spread: &'a [f32],
    /// The length of such a row.
    row: usize,
    /// Where each element of the window begins, from the first.
    offsets: &'a [usize],
    kernel: &'a [f32],
    bias: f32,
    out: &'a mut [f32],
}

impl Kernel for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(self) {
        let w = self.w;
        let across = w.kernel[1];
        for (oy, out) in self.out.chunks_exact_mut(w.output[1]).enumerate() {
            let ys = w.inside(0, oy);
            let kernel = &self.kernel[ys.start * across..ys.end * across];
            let offsets = &self.offsets[..kernel.len()];
            let first = if ys.is_empty() {
                0
            } else {
                w.at(0, oy, ys.start) * self.row
            };
            let rows = &self.spread[first..];
            // The farthest that is read, so that the loops need not look.
            let farthest = offsets.iter().max().map_or(0, |far| far + out.len());
            assert!(offsets.is_empty() || farthest + V::N <= rows.len());
            let mut at = 0;
            while at < out.len() {
                let left = out.len() - at;
                let to = &mut out[at..];
                // SAFETY: what begins within the row and is no longer than rounded up to a vector lies within, as asserted.
                unsafe {
                    at += match left.div_ceil(V::N).min(4) {
                        1 => columns::<V, 1>(rows, at, offsets, kernel, self.bias, to),
                        2 => columns::<V, 2>(rows, at, offsets, kernel, self.bias, to),
                        3 => columns::<V, 3>(rows, at, offsets, kernel, self.bias, to),
                        _ => columns::<V, 4>(rows, at, offsets, kernel, self.bias, to),
                    };
                }
            }
        }
    }
}

/// `W` vectors of outputs side by side, or as many as there are; how many numbers that was.
///
/// # Safety
/// From each offset and `at` on, so many numbers can be read from `rows`.
#[inline(always)]
unsafe fn columns<V: Lanes, const W: usize>(
    rows: &[f32],
    at: usize,
    offsets: &[usize],
    kernel: &[f32],
    bias: f32,
    out: &mut [f32],
) -> usize {
    let mut sums = [V::splat(bias); W];
    for (&offset, &weight) in offsets.iter().zip(kernel) {
        let weight = V::splat(weight);
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let x = unsafe { V::load(rows.as_ptr().add(offset + at + i * V::N)) };
            *sum = x.mul_add(weight, *sum);
        }
    }
    if out.len() >= W * V::N {
        for (sum, out) in sums.iter().zip(out.chunks_exact_mut(V::N)) {
            sum.to_slice(out);
        }
        return W * V::N;
    }
    for (sum, out) in sums.iter().zip(out.chunks_mut(V::N)) {
        out.copy_from_slice(&sum.to_array()[..out.len()]);
    }
    out.len()
}
