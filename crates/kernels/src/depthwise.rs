//! Depthwise convolutions, channels last.
//!
//! Outputs side by side share the window's elements, so four are computed at a time. Three elements
//! across, the usual kernel, have a loop of their own in which they share the inputs as well.

#![allow(unsafe_code)]
// Indices are constants once the loops are unrolled.
#![allow(clippy::needless_range_loop)]

use super::activation::{activate, is_curve};
use super::lanes::{Dot, Kernel, Lanes, dispatch};
use super::tile::bounds;
use super::{Activation, Window};

/// A depthwise convolution: `out` of `[oh, ow, channels]` from `x` of `[h, w, channels]` and `kernel`
/// of `[kh, kw, channels]`; the bias has one addend a channel.
pub fn depthwise(
    w: &Window,
    channels: usize,
    x: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
    out: &mut [f32],
) {
    w.check(x, channels, out, channels);
    assert_eq!(
        kernel.len(),
        w.kernel[0] * w.kernel[1] * channels,
        "a kernel of another size"
    );
    assert!(
        bias.is_none_or(|bias| bias.len() == channels),
        "a bias of another length"
    );
    if out.is_empty() {
        return;
    }
    dispatch(Depthwise {
        w,
        channels,
        x,
        kernel,
        bias,
        activation,
        out,
    });
}

/// A checked convolution.
struct Depthwise<'a> {
    w: &'a Window,
    channels: usize,
    x: &'a [f32],
    kernel: &'a [f32],
    bias: Option<&'a [f32]>,
    activation: Activation,
    out: &'a mut [f32],
}

impl Kernel for Depthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(self) {
        let Depthwise {
            w,
            channels,
            x,
            kernel,
            bias,
            activation,
            out,
        } = self;
        let width = w.output[1];
        let (low, high) = bounds(activation);
        let three = w.kernel[1] == 3 && w.dilation[1] == 1;
        for (oy, out) in out.chunks_exact_mut(width * channels).enumerate() {
            let ys = w.inside(0, oy);
            let mut ox = 0;
            while ox < width {
                let xs = w.inside(1, ox);
                let alike = (ox..width).take_while(|&ox| w.inside(1, ox) == xs).count();
                let (size, count) = if alike >= 4 {
                    (4, alike / 4)
                } else {
                    (1, alike)
                };
                let inside = !ys.is_empty() && !xs.is_empty();
                let work = Pixels {
                    count,
                    channels,
                    x,
                    first: if inside {
                        w.at(0, oy, ys.start) * w.input[1] + w.at(1, ox, xs.start)
                    } else {
                        0
                    },
                    taps: if inside { [ys.len(), xs.len()] } else { [0, 0] },
                    tap_steps: [w.dilation[0] * w.input[1], w.dilation[1]],
                    pixel_step: if inside { w.stride[1] } else { 0 },
                    kernel: &kernel[if inside {
                        (ys.start * w.kernel[1] + xs.start) * channels
                    } else {
                        0
                    }..],
                    kernel_width: w.kernel[1],
                    bias,
                    low,
                    high,
                    out: &mut out[ox * channels..][..size * count * channels],
                };
                match (
                    size,
                    if three && inside && xs.len() == 3 {
                        w.stride[1]
                    } else {
                        0
                    },
                ) {
                    (4, 1) => V::call(Fixed::<4, 1>(work)),
                    (4, 2) => V::call(Fixed::<4, 2>(work)),
                    (4, _) => V::call(Fixed::<4, 0>(work)),
                    (_, 1) => V::call(Fixed::<1, 1>(work)),
                    _ => V::call(Fixed::<1, 0>(work)),
                }
                ox += size * count;
            }
            if is_curve(activation) {
                activate(out, activation);
            }
        }
    }
}

/// Groups of outputs side by side that see the same part of the window, all of it inside the input.
struct Pixels<'a> {
    /// Groups, one after the other.
    count: usize,
    channels: usize,
    x: &'a [f32],
    /// The input's pixel under the first element, for the first output.
    first: usize,
    /// Elements of the window, down and across.
    taps: [usize; 2],
    /// Pixels of the input from one to the next.
    tap_steps: [usize; 2],
    /// Pixels of the input from one output to the next.
    pixel_step: usize,
    /// From the first element on.
    kernel: &'a [f32],
    kernel_width: usize,
    bias: Option<&'a [f32]>,
    low: f32,
    high: f32,
    out: &'a mut [f32],
}

/// Groups of `P`. With `S` not 0 there are three elements across, side by side, and that stride.
struct Fixed<'a, const P: usize, const S: usize>(Pixels<'a>);

impl<const P: usize, const S: usize> Kernel for Fixed<'_, P, S> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(self) {
        let mut work = self.0;
        let channels = work.channels;
        // The farthest that is read, so that the loops need not look.
        let [rows, cols] = work.taps;
        if rows > 0 && cols > 0 {
            let last = work.first
                + (rows - 1) * work.tap_steps[0]
                + (cols - 1) * work.tap_steps[1]
                + (P * work.count - 1) * work.pixel_step;
            assert!((last + 1) * channels <= work.x.len());
            assert!(((rows - 1) * work.kernel_width + cols) * channels <= work.kernel.len());
        }
        assert!(S == 0 || (cols == 3 && work.tap_steps[1] == 1 && work.pixel_step == S));
        assert!(work.out.len() == P * work.count * channels);
        assert!(work.bias.is_none_or(|bias| bias.len() == channels));
        let mut at = 0;
        for _ in 0..work.count {
            let mut c = 0;
            while S == 0 && c + 2 * V::N <= channels {
                // SAFETY: checked above, for all groups and channels.
                unsafe { work.vectors::<V, P, 2, S>(c, at) };
                c += 2 * V::N;
            }
            while c + V::N <= channels {
                // SAFETY: as above.
                unsafe { work.vectors::<V, P, 1, S>(c, at) };
                c += V::N;
            }
            for c in c..channels {
                work.channel(c, P, at);
            }
            work.first += P * work.pixel_step;
            at += P * channels;
        }
    }
}

impl Pixels<'_> {
    /// `W` vectors of channels from channel `c` on; the outputs begin at `at`.
    ///
    /// # Safety
    /// They are all there, and so is all that the window sees.
    #[inline(always)]
    unsafe fn vectors<V: Lanes, const P: usize, const W: usize, const S: usize>(
        &mut self,
        c: usize,
        at: usize,
    ) {
        let mut sums = [[V::splat(0.0); W]; P];
        let channels = self.channels;
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(bias) = self.bias {
                for sums in &mut sums {
                    for (w, sum) in sums.iter_mut().enumerate() {
                        *sum = V::load(bias.as_ptr().add(c + w * V::N));
                    }
                }
            }
            let pixel = self.pixel_step * channels;
            for ky in 0..self.taps[0] {
                let mut x = self
                    .x
                    .as_ptr()
                    .add((self.first + ky * self.tap_steps[0]) * channels + c);
                let mut kernel = self
                    .kernel
                    .as_ptr()
                    .add(ky * self.kernel_width * channels + c);
                if S > 0 {
                    three::<V, P, W, S>(&mut sums, x, kernel, channels);
                    continue;
                }
                for _ in 0..self.taps[1] {
                    let mut k = [V::splat(0.0); W];
                    for (w, k) in k.iter_mut().enumerate() {
                        *k = V::load(kernel.add(w * V::N));
                    }
                    for (p, sums) in sums.iter_mut().enumerate() {
                        for (w, sum) in sums.iter_mut().enumerate() {
                            *sum = V::load(x.add(p * pixel + w * V::N)).mul_add(k[w], *sum);
                        }
                    }
                    x = x.wrapping_add(self.tap_steps[1] * channels);
                    kernel = kernel.wrapping_add(channels);
                }
            }
            let (low, high) = (V::splat(self.low), V::splat(self.high));
            for (p, sums) in sums.iter().enumerate() {
                for (w, sum) in sums.iter().enumerate() {
                    sum.max(low)
                        .min(high)
                        .store(self.out.as_mut_ptr().add(at + p * channels + c + w * V::N));
                }
            }
        }
    }

    /// One channel of each output.
    #[inline(always)]
    fn channel(&mut self, c: usize, pixels: usize, at: usize) {
        for p in 0..pixels {
            let mut sum = self.bias.map_or(0.0, |bias| bias[c]);
            for ky in 0..self.taps[0] {
                for kx in 0..self.taps[1] {
                    let x = self.first
                        + ky * self.tap_steps[0]
                        + kx * self.tap_steps[1]
                        + p * self.pixel_step;
                    let element = ky * self.kernel_width + kx;
                    sum += self.x[x * self.channels + c] * self.kernel[element * self.channels + c];
                }
            }
            sum = if sum < self.low { self.low } else { sum };
            self.out[at + p * self.channels + c] = if self.high < sum { self.high } else { sum };
        }
    }
}

/// One row of the window, three elements: each input is read once.
#[inline(always)]
unsafe fn three<V: Lanes, const P: usize, const W: usize, const S: usize>(
    sums: &mut [[V; W]; P],
    x: *const f32,
    kernel: *const f32,
    channels: usize,
) {
    // SAFETY: as in `Pixels::vectors`: `(P - 1) * S + 3` pixels and three elements.
    unsafe {
        for w in 0..W {
            let mut x = x;
            let mut k = [V::splat(0.0); 3];
            for (i, k) in k.iter_mut().enumerate() {
                *k = V::load(kernel.add(i * channels + w * V::N));
            }
            for i in 0..(P - 1) * S + 3 {
                let column = V::load(x.add(w * V::N));
                for p in 0..P {
                    if p * S <= i && i < p * S + 3 {
                        sums[p][w] = column.mul_add(k[i - p * S], sums[p][w]);
                    }
                }
                x = x.wrapping_add(channels);
            }
        }
    }
}
