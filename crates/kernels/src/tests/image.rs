//! Windows over images.

use proptest::prelude::*;

use super::super::*;
use super::{activation, activations, close, everywhere, noise};

fn pair(range: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    prop::array::uniform2(range)
}

pub fn window() -> impl Strategy<Value = Window> {
    (
        pair(1..4),
        pair(1..4),
        pair(1..3),
        pair(0..3),
        pair(1..15),
        pair(1..15),
    )
        .prop_map(|(kernel, stride, dilation, pad, input, output)| Window {
            kernel,
            stride,
            dilation,
            pad,
            input,
            output,
        })
}

/// The input under element `(ky, kx)` for output `o`, none in the padding.
fn seen(
    w: &Window,
    channels: usize,
    x: &[f32],
    o: usize,
    (ky, kx): (usize, usize),
    c: usize,
) -> Option<f64> {
    let position = |axis: usize, o: usize, e: usize| {
        let at = (o * w.stride[axis] + e * w.dilation[axis]).checked_sub(w.pad[axis])?;
        (at < w.input[axis]).then_some(at)
    };
    let (y, x_) = (
        position(0, o / w.output[1], ky)?,
        position(1, o % w.output[1], kx)?,
    );
    Some(f64::from(x[(y * w.input[1] + x_) * channels + c]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn windows(
        w in window(), channels in prop_oneof![1..10_usize, 15..35_usize], seed: u64, bias: bool,
        kind in prop::sample::select(activations()),
    ) {
        let x = noise(seed, w.input[0] * w.input[1] * channels);
        let taps: Vec<(usize, usize)> =
            (0..w.kernel[0]).flat_map(|y| (0..w.kernel[1]).map(move |x| (y, x))).collect();
        let kernel = noise(seed ^ 1, taps.len() * channels);
        let bias = bias.then(|| noise(seed ^ 2, channels));
        let outputs = w.output[0] * w.output[1];
        let (mut depth, mut columns) = (Vec::new(), vec![0.0; outputs * taps.len() * channels]);
        let (mut top, mut mean, mut padded) = (Vec::new(), Vec::new(), Vec::new());
        for o in 0..outputs {
            for c in 0..channels {
                let all: Vec<Option<f64>> = taps.iter().map(|&tap| seen(&w, channels, &x, o, tap, c)).collect();
                let inside: Vec<f64> = all.iter().copied().flatten().collect();
                let sum: f64 = inside.iter().sum();
                top.push(inside.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                mean.push(sum / inside.len().max(1) as f64);
                padded.push(sum / taps.len() as f64);
                let mut sum = bias.as_ref().map_or(0.0, |bias| f64::from(bias[c]));
                for (tap, x) in all.iter().enumerate() {
                    sum += x.unwrap_or(0.0) * f64::from(kernel[tap * channels + c]);
                    columns[(o * taps.len() + tap) * channels + c] = x.unwrap_or(0.0);
                }
                depth.push(activation(kind, sum));
            }
        }
        everywhere(|| {
            let mut out = vec![9.0; outputs * channels];
            depthwise(&w, channels, &x, &kernel, bias.as_deref(), kind, &mut out);
            close(&out, &depth, 1e-5);
            pool_max(&w, channels, &x, &mut out);
            for (got, want) in out.iter().zip(&top) {
                assert_eq!(f64::from(*got), *want);
            }
            pool_average(&w, channels, &x, false, &mut out);
            close(&out, &mean, 1e-6);
            pool_average(&w, channels, &x, true, &mut out);
            close(&out, &padded, 1e-6);
            let mut out = vec![9.0; columns.len()];
            im2col(&w, channels, &x, 0, &mut out);
            close(&out, &columns, 0.0);
            let half = outputs / 2;
            let rest = &columns[columns.len() / outputs.max(1) * half..];
            let out = &mut out[..rest.len()];
            out.fill(9.0);
            im2col(&w, channels, &x, half, out);
            close(out, rest, 0.0);
        });
    }
}

#[test]
fn nothing() {
    let w = Window {
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        pad: [1, 1],
        input: [4, 4],
        output: [0, 4],
    };
    depthwise(
        &w,
        2,
        &[0.0; 32],
        &[0.0; 18],
        None,
        Activation::Gelu,
        &mut [],
    );
    im2col(&w, 2, &[0.0; 32], 0, &mut []);
    pool_max(&w, 0, &[], &mut []);
    pool_average(&w, 0, &[], true, &mut []);
}
