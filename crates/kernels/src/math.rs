//! Functions of a vector that the machine has no instruction for.
//!
//! The exponential reduces `x` to `n ln 2 + r`, `|r| <= ln(2) / 2` (Cody and Waite's subtraction in
//! two steps), takes a polynomial of `r` and puts `n` into the exponent. The error function and the
//! hyperbolic tangent are odd and end at ±1, so each is `x p(x²) / q(x²)` up to where it rounds to
//! one. All coefficients are minimax fits of the relative error, made for this crate (linearised
//! least squares, reweighted after Lawson until the errors are level, in double precision) and then
//! rounded to single precision.
//!
//! Measured against double precision over all magnitudes, the relative errors are below 3e-7
//! ([`exp`]), 4e-7 ([`sigmoid`]) and 6e-7 ([`erf`], [`tanh`]).

use super::lanes::Lanes;

/// The constants of the functions below.
///
/// They are read from memory where they are used, a whole vector of each: V8 makes a constant
/// vector anew in three instructions each time, spreads a number from memory in two, and reads a
/// vector in one. So [`numbers`] hides from the compiler that they are constants.
pub struct Numbers {
    pub half: Spread,
    pub one: Spread,
    pub sixth: Spread,
    pub root_half: Spread,
    pub gelu_linear: Spread,
    pub gelu_cubic: Spread,
    exp_zero: Spread,
    exp_limit: Spread,
    log2_e: Spread,
    round: Spread,
    ln_2_high: Spread,
    ln_2_low: Spread,
    exp: [Spread; 6],
    erf_limit: Spread,
    erf_p: [Spread; 6],
    erf_q: [Spread; 6],
    tanh_limit: Spread,
    tanh_p: [Spread; 5],
    tanh_q: [Spread; 5],
}

/// A number for each lane of the widest vector.
type Spread = [f32; 8];

const fn spread(x: f32) -> Spread {
    [x; 8]
}

/// 2 sqrt(2 / π): the scale of the tangent's argument, doubled.
const GELU: f32 = 2.0 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;

static NUMBERS: Numbers = Numbers {
    half: spread(0.5),
    one: spread(1.0),
    sixth: spread(1.0 / 6.0),
    root_half: spread(std::f32::consts::FRAC_1_SQRT_2),
    gelu_linear: spread(GELU),
    gelu_cubic: spread(0.044_715 * GELU),
    // Below this the result would come near the smallest normal number.
    exp_zero: spread(-86.6),
    exp_limit: spread(89.0),
    log2_e: spread(std::f32::consts::LOG2_E),
    // Adding 1.5 * 2^23 rounds to an integer, which is then in the lowest bits. The 126 more are the
    // exponent's bias but one, so that n = 128 has a power of two; the coefficients make up for it.
    round: spread(12_582_912.0 + 126.0),
    // -ln 2 in two parts, the first of 9 bits, so that n times it is exact.
    ln_2_high: spread(-355.0 / 512.0),
    ln_2_low: spread((355.0 / 512.0 - std::f64::consts::LN_2) as f32),
    exp: [
        spread(2.0 * 1.000_000_1),
        spread(2.0 * 0.999_999_7),
        spread(2.0 * 0.499_988_94),
        spread(2.0 * 0.166_675_75),
        spread(2.0 * 0.041_915_43),
        spread(2.0 * 0.008_297_648),
    ],
    erf_limit: spread(3.92),
    erf_p: [
        spread(std::f32::consts::FRAC_2_SQRT_PI),
        spread(0.190_406_08),
        spread(0.052_748_665),
        spread(0.003_765_598_9),
        spread(0.000_284_882_06),
        spread(2.050_086_8e-6),
    ],
    erf_q: [
        spread(1.0),
        spread(0.502_075_73),
        spread(0.114_108_95),
        spread(0.014_969_18),
        spread(0.001_162_530_6),
        spread(3.809_167_5e-5),
    ],
    tanh_limit: spread(9.02),
    tanh_p: [
        spread(1.0),
        spread(0.133_797_12),
        spread(0.003_494_027),
        spread(2.058_335_8e-5),
        spread(1.331_890_7e-8),
    ],
    tanh_q: [
        spread(1.0),
        spread(0.467_130_27),
        spread(0.025_871_044),
        spread(0.000_328_308_06),
        spread(7.761_950_7e-7),
    ],
};

/// The constants, as if they were not known. To be called once before a loop.
#[inline(always)]
pub fn numbers() -> &'static Numbers {
    std::hint::black_box(&NUMBERS)
}

/// `e^x`: 0 below -86.6, infinite from 88.73 on.
#[inline(always)]
pub fn exp<V: Lanes>(k: &Numbers, x: V) -> V {
    let limit = V::from_slice(&k.exp_zero);
    let y = x.max(limit).min(V::from_slice(&k.exp_limit));
    let shifted = y.mul_add(V::from_slice(&k.log2_e), V::from_slice(&k.round));
    let n = shifted.sub(V::from_slice(&k.round));
    let r = n.mul_add(V::from_slice(&k.ln_2_high), y);
    let r = n.mul_add(V::from_slice(&k.ln_2_low), r);
    polynomial(r, &k.exp)
        .mul(shifted.low_bits_to_exponent())
        .zero_where_below(x, limit)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid<V: Lanes>(k: &Numbers, x: V) -> V {
    let one = V::from_slice(&k.one);
    one.div(one.add(exp(k, x.neg())))
}

/// The error function.
#[inline(always)]
pub fn erf<V: Lanes>(k: &Numbers, x: V) -> V {
    let x = clamp(x, &k.erf_limit);
    let t = x.mul(x);
    clamp(
        x.mul(polynomial(t, &k.erf_p)).div(polynomial(t, &k.erf_q)),
        &k.one,
    )
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh<V: Lanes>(k: &Numbers, x: V) -> V {
    let x = clamp(x, &k.tanh_limit);
    let t = x.mul(x);
    clamp(
        x.mul(polynomial(t, &k.tanh_p))
            .div(polynomial(t, &k.tanh_q)),
        &k.one,
    )
}

/// Within `-limit..=limit`.
#[inline(always)]
fn clamp<V: Lanes>(x: V, limit: &Spread) -> V {
    let limit = V::from_slice(limit);
    x.max(limit.neg()).min(limit)
}

/// `c[0] + c[1] x + c[2] x² + …`: Horner's scheme in `x²`, with pairs as coefficients, for half of the
/// waiting.
#[inline(always)]
fn polynomial<V: Lanes, const N: usize>(x: V, c: &[Spread; N]) -> V {
    let square = x.mul(x);
    let mut sum = pair(x, c, (N - 1) / 2);
    for i in 1..N.div_ceil(2) {
        sum = sum.mul_add(square, pair(x, c, (N - 1) / 2 - i));
    }
    sum
}

/// `c[2i] + c[2i + 1] x`, of which the second may be missing.
#[inline(always)]
fn pair<V: Lanes, const N: usize>(x: V, c: &[Spread; N], i: usize) -> V {
    let first = V::from_slice(&c[2 * i]);
    if 2 * i + 1 < N {
        x.mul_add(V::from_slice(&c[2 * i + 1]), first)
    } else {
        first
    }
}
