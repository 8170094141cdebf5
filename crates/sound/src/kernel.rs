//! The low-pass filter of resampling: a sinc under a Kaiser window, by table.

use std::f64::consts::PI;

/// How far the filter reaches, in samples of the lower rate.
pub(crate) const REACH: usize = 52;

/// Points of the table a sample of the lower rate. What lies between two of them is on a line, which is off by 2e-6 at most.
const FINE: usize = 512;

/// Where the filter has half its height, of the lower rate's Nyquist frequency. It passes 0.9 and stops 1.
const CUTOFF: f64 = 0.95;

/// The window's shape: 80 dB beyond a transition of 0.1 need this and [`REACH`].
const BETA: f64 = 8.0;

/// The filter at times from 0 to [`REACH`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Kernel(Vec<f32>);

impl Kernel {
    pub(crate) fn new() -> Kernel {
        let of = |at: usize| {
            let time = at as f64 / FINE as f64;
            let across = time / REACH as f64;
            let window = bessel(BETA * (1.0 - across * across).max(0.0).sqrt()) / bessel(BETA);
            let angle = PI * CUTOFF * time;
            let sinc = if at == 0 { 1.0 } else { angle.sin() / angle };
            (CUTOFF * sinc * window) as f32
        };
        let mut table: Vec<f32> = (0..=REACH * FINE).map(of).collect();
        // One more, so that the last point has a neighbour.
        table.push(0.0);
        Kernel(table)
    }

    /// The filter at a time in samples of the lower rate.
    pub(crate) fn at(&self, time: f64) -> f32 {
        let place = time.abs() * FINE as f64;
        let before = place as usize;
        let Some(&[left, right]) = self.0.get(before..before + 2) else {
            return 0.0;
        };
        left + (right - left) * (place - before as f64) as f32
    }
}

/// The modified Bessel function of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let square = x * x / 4.0;
    let (mut term, mut sum, mut at) = (1.0, 1.0, 1.0);
    while term > sum * 1e-16 {
        term *= square / (at * at);
        sum += term;
        at += 1.0;
    }
    sum
}
