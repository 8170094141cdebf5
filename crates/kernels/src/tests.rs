//! Every kernel against a plain reference in double precision, on this machine's vectors and on the
//! portable ones.

mod elementwise;
mod image;
mod integers;
mod planes;
mod product;
mod rows;

use super::lanes::portable::FORCED;

/// Runs `f` on the best machine, then on the portable one.
fn everywhere(f: impl Fn()) {
    f();
    FORCED.set(true);
    f();
    FORCED.set(false);
}

/// Numbers of about -2..2 that depend on `seed`.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 22) as f32 - 2.0
    };
    (0..len).map(|_| next()).collect()
}

/// Panics unless `got` is within `tolerance` (absolute, and of the magnitude) of `want`.
#[track_caller]
fn close(got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(
            error <= tolerance * (1.0 + want.abs()),
            "{got} at {i}, not {want}"
        );
    }
}

/// An activation in double precision.
fn activation(activation: super::Activation, x: f64) -> f64 {
    use super::Activation::*;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let hard = |x: f64| (x / 6.0 + 0.5).clamp(0.0, 1.0);
    match activation {
        None => x,
        Relu => x.max(0.0),
        Clamp(low, high) => x.max(low.into()).min(high.into()),
        Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        GeluTanh => {
            0.5 * x
                * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
        }
        Tanh => x.tanh(),
        Sigmoid => sigmoid(x),
        Silu => x * sigmoid(x),
        HardSigmoid => hard(x),
        HardSwish => x * hard(x),
    }
}

/// The error function in double precision: its series where that converges fast, 1 where it rounds
/// to that in single precision.
fn erf(x: f64) -> f64 {
    if x.abs() > 4.5 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// All activations.
fn activations() -> Vec<super::Activation> {
    use super::Activation::*;
    vec![
        None,
        Relu,
        Clamp(-0.5, 1.5),
        Gelu,
        GeluTanh,
        Tanh,
        Sigmoid,
        Silu,
        HardSigmoid,
        HardSwish,
    ]
}
