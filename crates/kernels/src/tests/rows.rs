//! Softmax and normalisations.

use proptest::prelude::*;

use super::super::*;
use super::{close, everywhere, noise};

fn double(x: &[f32]) -> Vec<f64> {
    x.iter().copied().map(f64::from).collect()
}

proptest! {
    #[test]
    fn softmaxes(rows in 1..5_usize, cols in 1..40_usize, magnitude in 0.1..60.0_f32, seed: u64) {
        let x: Vec<f32> = noise(seed, rows * cols).iter().map(|x| x * magnitude).collect();
        let logs: Vec<f64> = double(&x).chunks(cols).flat_map(|row| {
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum = row.iter().map(|x| (x - top).exp()).sum::<f64>().ln();
            row.iter().map(|x| x - top - sum).collect::<Vec<_>>()
        }).collect();
        let powers: Vec<f64> = logs.iter().map(|x| x.exp()).collect();
        everywhere(|| {
            let mut y = x.clone();
            softmax(&mut y, cols);
            close(&y, &powers, 1e-6);
            let mut y = x.clone();
            log_softmax(&mut y, cols);
            close(&y, &logs, 1e-6);
        });
    }

    #[test]
    fn norms(rows in 1..5_usize, cols in 1..80_usize, residual: bool, seed: u64) {
        let x = noise(seed, rows * cols);
        let residual = residual.then(|| noise(seed ^ 1, rows * cols));
        let (gamma, beta) = (noise(seed ^ 2, cols), noise(seed ^ 3, cols));
        let eps = 1e-3;
        let y: Vec<f64> = x.iter().enumerate()
            .map(|(i, &x)| f64::from(x) + residual.as_ref().map_or(0.0, |r| f64::from(r[i]))).collect();
        let mut want = Vec::new();
        for row in y.chunks(cols) {
            let mean = row.iter().sum::<f64>() / cols as f64;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / cols as f64;
            let by = 1.0 / (variance + f64::from(eps)).sqrt();
            want.extend((0..cols).map(|j| (row[j] - mean) * by * f64::from(gamma[j]) + f64::from(beta[j])));
        }
        let mut root = Vec::new();
        for row in double(&x).chunks(cols) {
            let by = 1.0 / (row.iter().map(|x| x * x).sum::<f64>() / cols as f64 + f64::from(eps)).sqrt();
            root.extend((0..cols).map(|j| row[j] * by * f64::from(gamma[j])));
        }
        everywhere(|| {
            let mut out = vec![0.0; x.len()];
            layer_norm(&x, cols, &gamma, &beta, eps, residual.as_deref(), &mut out);
            close(&out, &want, 2e-5);
            rms_norm(&x, cols, &gamma, eps, &mut out);
            close(&out, &root, 2e-6);
        });
    }
}

#[test]
fn extremes() {
    everywhere(|| {
        let mut x = [f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY, 0.0, -1e30];
        softmax(&mut x, 5);
        assert_eq!(x, [0.0, 0.5, 0.0, 0.5, 0.0]);
        let mut x = [f32::NAN, 0.0, f32::INFINITY];
        softmax(&mut x, 3);
        log_softmax(&mut x, 3);
        layer_norm(&x, 3, &[1.0; 3], &[0.0; 3], 1e-5, None, &mut [0.0; 3]);
        softmax(&mut [], 0);
        layer_norm(&[], 0, &[], &[], 0.0, None, &mut []);
    });
}
