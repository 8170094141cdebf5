//! Convolutions of planes.

use proptest::prelude::*;

use super::super::*;
use super::image::window;
use super::{activation, activations, close, everywhere, noise};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn planes(
        w in window(), channels in 1..6_usize, m in 1..9_usize, seed: u64, bias: bool,
        kind in prop::sample::select(activations()),
    ) {
        let (plane, outputs) = (w.input[0] * w.input[1], w.output[0] * w.output[1]);
        let taps = w.kernel[0] * w.kernel[1];
        let x = noise(seed, plane * channels);
        let weights = noise(seed ^ 1, m * channels * taps);
        let addends = bias.then(|| noise(seed ^ 2, m * channels));
        // What the weights from `first` on make of one channel, for one output.
        let sum = |channel: usize, first: usize, o: usize| -> f64 {
            (0..taps).map(|tap| {
                let at = |axis: usize, o: usize, e: usize| {
                    (o * w.stride[axis] + e * w.dilation[axis]).checked_sub(w.pad[axis]).filter(|&at| at < w.input[axis])
                };
                match (at(0, o / w.output[1], tap / w.kernel[1]), at(1, o % w.output[1], tap % w.kernel[1])) {
                    (Some(y), Some(x_)) => f64::from(x[channel * plane + y * w.input[1] + x_]) * f64::from(weights[first + tap]),
                    _ => 0.0,
                }
            }).sum()
        };
        let bias = |i: usize| addends.as_ref().map_or(0.0, |b| f64::from(b[i]));
        let mut whole = Vec::new();
        for i in 0..m {
            for o in 0..outputs {
                let all: f64 = (0..channels).map(|c| sum(c, (i * channels + c) * taps, o)).sum();
                whole.push(activation(kind, all + bias(i)));
            }
        }
        let mut depth = Vec::new();
        for i in 0..m * channels {
            for o in 0..outputs {
                depth.push(activation(kind, sum(i / m, i * taps, o) + bias(i)));
            }
        }
        everywhere(|| {
            let mut scratch = vec![f32::NAN; 7];
            let mut out = vec![9.0; whole.len()];
            let few = addends.as_ref().map(|b| &b[..m]);
            conv_planes(&w, channels, &x, m, &weights, few, kind, &mut out, &mut scratch);
            close(&out, &whole, 1e-5);
            scratch.fill(f32::NAN);
            let mut out = vec![9.0; depth.len()];
            depthwise_planes(&w, channels, m, &x, &weights, addends.as_deref(), kind, &mut out, &mut scratch);
            close(&out, &depth, 1e-5);
        });
    }
}

/// Several blocks of columns, and pieces of the sum.
#[test]
fn large() {
    let w = Window {
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        pad: [1, 1],
        input: [37, 41],
        output: [37, 41],
    };
    let (channels, m) = (70, 5);
    let x = noise(1, 37 * 41 * channels);
    let weights = noise(2, m * channels * 9);
    let mut out = vec![0.0; m * 37 * 41];
    conv_planes(
        &w,
        channels,
        &x,
        m,
        &weights,
        None,
        Activation::None,
        &mut out,
        &mut Vec::new(),
    );
    let (oy, ox, i) = (36, 17, 3);
    let mut want = 0.0;
    for c in 0..channels {
        for (ky, kx) in [0, 1].into_iter().flat_map(|y| [(y, 0), (y, 1), (y, 2)]) {
            let at = (c * 37 + oy + ky - 1) * 41 + ox + kx - 1;
            want += f64::from(x[at]) * f64::from(weights[(i * channels + c) * 9 + ky * 3 + kx]);
        }
    }
    close(&out[(i * 37 + oy) * 41 + ox..][..1], &[want], 1e-4);
}
