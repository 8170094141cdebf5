//! Pooling over images, channels last.

use super::window::Window;

/// The largest of what the window sees: `out` of `[oh, ow, channels]` from `x` of `[h, w, channels]`.
/// Padding is not looked at; a window of nothing but padding gives negative infinity.
pub fn pool_max(w: &Window, channels: usize, x: &[f32], out: &mut [f32]) {
    w.check(x, channels, out, channels);
    walk(w, channels, x, out, f32::NEG_INFINITY, |a, b| {
        if a < b { b } else { a }
    });
}

/// The average of what the window sees, with padding as zeros that count (`include_pad`) or do not;
/// then a window of nothing but padding gives 0.
pub fn pool_average(w: &Window, channels: usize, x: &[f32], include_pad: bool, out: &mut [f32]) {
    w.check(x, channels, out, channels);
    walk(w, channels, x, out, 0.0, |a, b| a + b);
    if out.is_empty() {
        return;
    }
    let all = w.kernel[0] * w.kernel[1];
    for (o, out) in out.chunks_exact_mut(channels).enumerate() {
        let seen = w.inside(0, o / w.output[1]).len() * w.inside(1, o % w.output[1]).len();
        let by = 1.0 / if include_pad { all } else { seen }.max(1) as f32;
        for x in out {
            *x *= by;
        }
    }
}

/// Folds what each window sees, channel by channel.
#[inline(always)]
fn walk(
    w: &Window,
    channels: usize,
    x: &[f32],
    out: &mut [f32],
    start: f32,
    fold: impl Fn(f32, f32) -> f32,
) {
    out.fill(start);
    if out.is_empty() {
        return;
    }
    for (o, out) in out.chunks_exact_mut(channels).enumerate() {
        let (oy, ox) = (o / w.output[1], o % w.output[1]);
        for ky in w.inside(0, oy) {
            for kx in w.inside(1, ox) {
                let at = w.at(0, oy, ky) * w.input[1] + w.at(1, ox, kx);
                for (out, &x) in out.iter_mut().zip(&x[at * channels..][..channels]) {
                    *out = fold(*out, x);
                }
            }
        }
    }
}
