//! How a window moves over an image, and the patches that it sees: what makes a convolution a
//! matrix product.

use std::ops::Range;

/// No image or window has a side as long as this.
pub const LONGEST: usize = 1 << 15;

/// How a window moves over an image. Each pair is height, width.
///
/// The element of the kernel at `(y, x)` meets, for the output at `(oy, ox)`, the input at
/// `oy * stride + y * dilation - pad`, and so across; what lies outside the input is padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Elements of the window.
    pub kernel: [usize; 2],
    /// From one output to the next.
    pub stride: [usize; 2],
    /// From one element of the window to the next.
    pub dilation: [usize; 2],
    /// Padding above and on the left; below and on the right there is as much as the output asks.
    pub pad: [usize; 2],
    /// The image.
    pub input: [usize; 2],
    /// The result.
    pub output: [usize; 2],
}

impl Window {
    /// Panics unless `x` is an image and `out` a result of so many channels.
    pub(super) fn check(&self, x: &[f32], channels: usize, out: &[f32], out_channels: usize) {
        self.check_image(x, channels);
        assert_eq!(
            Some(out.len()),
            volume(self.output, out_channels),
            "a result of another size"
        );
    }

    /// Panics unless `x` is an image of so many channels.
    fn check_image(&self, x: &[f32], channels: usize) {
        assert_eq!(
            Some(x.len()),
            volume(self.input, channels),
            "an image of another size"
        );
        for axis in 0..2 {
            // Far below where positions could overflow.
            let sizes = [
                self.kernel,
                self.stride,
                self.dilation,
                self.pad,
                self.input,
                self.output,
            ]
            .map(|v| v[axis]);
            assert!(
                sizes.iter().all(|&v| v < LONGEST),
                "a window that is too large"
            );
        }
    }

    /// Which elements of the window lie inside the input, for output `o` along `axis`.
    pub(super) fn inside(&self, axis: usize, o: usize) -> Range<usize> {
        let (from, step) = (o * self.stride[axis], self.dilation[axis]);
        let (pad, input, kernel) = (self.pad[axis], self.input[axis], self.kernel[axis]);
        if step == 0 {
            return if from >= pad && from - pad < input {
                0..kernel
            } else {
                0..0
            };
        }
        let start = pad.saturating_sub(from).div_ceil(step).min(kernel);
        let end = (input + pad)
            .saturating_sub(from)
            .div_ceil(step)
            .min(kernel);
        start..end.max(start)
    }

    /// Where element `e` of the window is in the input; it must lie inside.
    pub(super) fn at(&self, axis: usize, o: usize, e: usize) -> usize {
        o * self.stride[axis] + e * self.dilation[axis] - self.pad[axis]
    }
}

fn volume([height, width]: [usize; 2], channels: usize) -> Option<usize> {
    height.checked_mul(width)?.checked_mul(channels)
}

/// Some of the patches that a window sees, one a row: `out` of `[patches, kh * kw * channels]`, for the outputs from
/// number `first` on (of `oh * ow`, row by row), from `x` of `[h, w, channels]`, zeros for padding.
pub fn im2col(w: &Window, channels: usize, x: &[f32], first: usize, out: &mut [f32]) {
    let taps = w.kernel[0] * w.kernel[1];
    w.check_image(x, channels);
    if out.is_empty() {
        return;
    }
    assert_eq!(out.len() % (taps * channels), 0, "a patch is cut off");
    let last = first.checked_add(out.len() / (taps * channels));
    assert!(
        last.is_some_and(|last| last <= w.output[0] * w.output[1]),
        "patches of outputs that are not there"
    );
    let row = w.kernel[1] * channels;
    for (o, patch) in out.chunks_exact_mut(taps * channels).enumerate() {
        let (oy, ox) = ((first + o) / w.output[1], (first + o) % w.output[1]);
        let (ys, xs) = (w.inside(0, oy), w.inside(1, ox));
        for (ky, patch) in patch.chunks_exact_mut(row).enumerate() {
            if !ys.contains(&ky) || xs.is_empty() {
                patch.fill(0.0);
                continue;
            }
            patch[..xs.start * channels].fill(0.0);
            patch[xs.end * channels..].fill(0.0);
            let from = w.at(0, oy, ky) * w.input[1];
            if w.dilation[1] == 1 {
                let from = (from + w.at(1, ox, xs.start)) * channels;
                let inside = &mut patch[xs.start * channels..xs.end * channels];
                inside.copy_from_slice(&x[from..][..inside.len()]);
            } else {
                for kx in xs.clone() {
                    let from = (from + w.at(1, ox, kx)) * channels;
                    patch[kx * channels..][..channels].copy_from_slice(&x[from..][..channels]);
                }
            }
        }
    }
}
