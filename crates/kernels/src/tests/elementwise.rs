//! Functions of single numbers, over all magnitudes, and of pairs.

use proptest::prelude::*;

use super::super::*;
use super::{activation, activations, close, erf, everywhere, noise};

type Plain = fn(f64) -> f64;
type Pair = fn(f64, f64) -> f64;

/// Numbers of either sign from 1e-30 to `limit`, and zero.
fn sweep(limit: f32) -> Vec<f32> {
    let steps = 200_000;
    let (low, high) = (1e-30_f32.ln(), limit.ln());
    let mut x: Vec<f32> = (0..steps)
        .map(|i| (low + (high - low) * i as f32 / steps as f32).exp())
        .collect();
    x.extend((0..steps).map(|i| limit * i as f32 / steps as f32));
    x.extend(x.clone().iter().map(|x| -x));
    x
}

/// Panics unless the relative error of `op` is below `bound` wherever `f` is normal.
fn relative(op: Unary, x: Vec<f32>, bound: f64, f: impl Fn(f64) -> f64) {
    everywhere(|| {
        let mut y = x.clone();
        unary(op, &mut y);
        let mut worst = (0.0, 0.0);
        for (&x, &y) in x.iter().zip(&y) {
            let want = f(f64::from(x));
            if want.abs() > 2.6e-38 && want.abs() < f64::from(f32::MAX) {
                let error = (f64::from(y) / want - 1.0).abs();
                worst = if error > worst.0 { (error, x) } else { worst };
            } else {
                assert!(
                    (f64::from(y) - want).abs() < 1e-37 || y.is_infinite(),
                    "{op:?} of {x} is {y}"
                );
            }
        }
        println!("{op:?}: {:.2e} at {}", worst.0, worst.1);
        assert!(worst.0 < bound, "{op:?}: {:e} at {}", worst.0, worst.1);
    });
}

#[test]
fn relative_errors() {
    relative(Unary::Exp, sweep(110.0), 3e-7, f64::exp);
    relative(Unary::Sigmoid, sweep(86.0), 4e-7, |x| {
        1.0 / (1.0 + (-x).exp())
    });
    relative(Unary::Erf, sweep(20.0), 6e-7, erf);
    relative(Unary::Tanh, sweep(20.0), 6e-7, f64::tanh);
    relative(Unary::Softplus, sweep(80.0), 5e-7, |x| x.exp().ln_1p());
}

#[test]
fn plain_functions() {
    let x = noise(5, 1003);
    let positive: Vec<f32> = x.iter().map(|x| x.abs() + 0.01).collect();
    let cases: [(Unary, Plain); 13] = [
        (Unary::Abs, f64::abs),
        (Unary::Neg, |x| -x),
        (Unary::Ln, f64::ln),
        (Unary::Sqrt, f64::sqrt),
        (Unary::Rsqrt, |x| 1.0 / x.sqrt()),
        (Unary::Recip, |x| 1.0 / x),
        (Unary::Square, |x| x * x),
        (Unary::Floor, f64::floor),
        (Unary::Ceil, f64::ceil),
        (Unary::Round, f64::round_ties_even),
        (Unary::Sin, f64::sin),
        (Unary::Cos, f64::cos),
        (Unary::Sign, f64::signum),
    ];
    for (op, f) in cases {
        let x = if matches!(op, Unary::Ln | Unary::Sqrt | Unary::Rsqrt) {
            &positive
        } else {
            &x
        };
        everywhere(|| {
            let mut y = x.clone();
            unary(op, &mut y);
            let want: Vec<f64> = x.iter().map(|&x| f(x.into())).collect();
            close(&y, &want, 1e-6);
        });
    }
}

#[test]
fn activations_everywhere() {
    for kind in activations() {
        let x = sweep(30.0);
        let want: Vec<f64> = x.iter().map(|&x| activation(kind, x.into())).collect();
        everywhere(|| {
            let mut y = x.clone();
            activate(&mut y, kind);
            close(&y, &want, 2e-6);
        });
    }
}

#[test]
fn no_numbers() {
    everywhere(|| {
        for kind in activations() {
            let mut x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, 1.0];
            activate(&mut x, kind);
            assert!(x[0].is_nan(), "{kind:?} hides what is not a number");
            assert!(!x[3].is_nan() && !x[4].is_nan());
        }
        let mut x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1000.0, -1000.0];
        unary(Unary::Exp, &mut x);
        assert!(x[0].is_nan());
        assert_eq!(x[1..], [f32::INFINITY, 0.0, f32::INFINITY, 0.0]);
    });
}

proptest! {
    #[test]
    fn pairs(len in 0..40_usize, seed: u64) {
        let a = noise(seed, len);
        let b: Vec<f32> = noise(seed ^ 1, len).iter().map(|x| x.abs() + 0.1).collect();
        let base: Vec<f32> = a.iter().map(|x| x.abs()).collect();
        let cases: [(Binary, Pair); 7] = [
            (Binary::Add, |a, b| a + b),
            (Binary::Sub, |a, b| a - b),
            (Binary::Mul, |a, b| a * b),
            (Binary::Div, |a, b| a / b),
            (Binary::Min, f64::min),
            (Binary::Max, f64::max),
            (Binary::Pow, f64::powf),
        ];
        for (op, f) in cases {
            let a = if op == Binary::Pow { &base } else { &a };
            let want = |f: &dyn Fn(usize) -> (f32, f32), op: fn(f64, f64) -> f64| -> Vec<f64> {
                (0..len).map(|i| { let (a, b) = f(i); op(a.into(), b.into()) }).collect()
            };
            everywhere(|| {
                let mut out = vec![0.0; len];
                binary(op, a, &b, &mut out);
                close(&out, &want(&|i| (a[i], b[i]), f), 1e-6);
                binary_scalar(op, a, 1.7, &mut out);
                close(&out, &want(&|i| (a[i], 1.7), f), 1e-6);
                binary_scalar_left(op, 1.7, &b, &mut out);
                close(&out, &want(&|i| (1.7, b[i]), f), 1e-6);
            });
        }
    }
}
