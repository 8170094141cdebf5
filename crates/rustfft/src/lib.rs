//! The part of `rustfft`'s interface that tract uses for ONNX's DFT and STFT, under that crate's name so that cargo
//! puts it in its place (`[patch.crates-io]` of the workspace).
//!
//! `rustfft` brings hand-written code for dozens of lengths, types and processors: 0.7 MB of WebAssembly, a twelfth of
//! the whole module for any ONNX. Here are two algorithms: Cooley and Tukey's for lengths of small prime factors
//! (Math. Comp. 19, 1965) and Bluestein's for the others (IEEE Trans. Audio Electroacoust. 18, 1970). Both take
//! O(n log n) steps.

use std::f64::consts::PI;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

pub use num_complex;
use num_complex::Complex;
pub use num_traits;
use num_traits::{FromPrimitive, Signed};

/// Numbers that can be transformed.
pub trait FftNum: Copy + FromPrimitive + Signed + Sync + Send + Debug + 'static {}

impl<T: Copy + FromPrimitive + Signed + Sync + Send + Debug + 'static> FftNum for T {}

/// The sign of the exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FftDirection {
    /// e<sup>-2πijk/n</sup>.
    Forward,
    /// e<sup>2πijk/n</sup>, without a division by n.
    Inverse,
}

/// A transform of one length and direction.
pub trait Fft<T: FftNum>: Sync + Send {
    /// Transforms every run of the transform's length in place.
    ///
    /// # Panics
    /// When the buffer is no whole number of runs.
    fn process(&self, buffer: &mut [Complex<T>]);
}

/// Makes transforms.
#[derive(Debug)]
pub struct FftPlanner<T>(PhantomData<T>);

impl<T: FftNum> Default for FftPlanner<T> {
    fn default() -> Self {
        FftPlanner(PhantomData)
    }
}

impl<T: FftNum> FftPlanner<T> {
    /// A planner.
    pub fn new() -> Self {
        FftPlanner::default()
    }

    /// A transform of `len` numbers.
    pub fn plan_fft(&mut self, len: usize, direction: FftDirection) -> Arc<dyn Fft<T>> {
        match factors(len) {
            Some(factors) => Arc::new(Factored::new(len, factors, direction)),
            None => Arc::new(Chirp::new(len, direction)),
        }
    }

    /// A forward transform of `len` numbers.
    pub fn plan_fft_forward(&mut self, len: usize) -> Arc<dyn Fft<T>> {
        self.plan_fft(len, FftDirection::Forward)
    }
}

/// The largest prime factor that is summed directly.
const DIRECT: usize = 13;

/// The prime factors of a length, if all are small.
fn factors(mut len: usize) -> Option<Vec<usize>> {
    let mut factors = Vec::new();
    for factor in [2, 3, 5, 7, 11, DIRECT] {
        while len > 1 && len.is_multiple_of(factor) {
            factors.push(factor);
            len /= factor;
        }
    }
    (len <= 1).then_some(factors)
}

/// The point `turns` times around the unit circle, clockwise when forward.
fn root<T: FftNum>(turns: f64, direction: FftDirection) -> Complex<T> {
    let (sin, cos) = (2.0 * PI * turns).sin_cos();
    let sin = match direction {
        FftDirection::Forward => -sin,
        FftDirection::Inverse => sin,
    };
    Complex::new(number(cos), number(sin))
}

fn number<T: FftNum>(value: f64) -> T {
    T::from_f64(value).unwrap_or_else(T::zero)
}

/// Cooley and Tukey's transform.
struct Factored<T> {
    len: usize,
    factors: Vec<usize>,
    /// The roots of unity of its length.
    roots: Vec<Complex<T>>,
}

impl<T: FftNum> Factored<T> {
    fn new(len: usize, factors: Vec<usize>, direction: FftDirection) -> Self {
        Factored {
            len,
            factors,
            roots: (0..len)
                .map(|k| root(k as f64 / len as f64, direction))
                .collect(),
        }
    }

    /// Transforms every `stride`-th number of `from` into `to`.
    fn step(&self, from: &[Complex<T>], stride: usize, factors: &[usize], to: &mut [Complex<T>]) {
        let Some((&factor, rest)) = factors.split_first() else {
            to.copy_from_slice(&from[..to.len()]);
            return;
        };
        let part = to.len() / factor;
        for (r, to) in to.chunks_exact_mut(part).enumerate() {
            self.step(&from[r * stride..], stride * factor, rest, to);
        }
        let mut terms = [Complex::new(T::zero(), T::zero()); DIRECT];
        for k in 0..part {
            for (r, term) in terms[..factor].iter_mut().enumerate() {
                *term = to[r * part + k] * self.roots[r * k * stride];
            }
            for q in 0..factor {
                let turned = terms[..factor].iter().enumerate();
                to[q * part + k] = turned
                    .map(|(r, &term)| term * self.roots[r * q % factor * (self.len / factor)])
                    .fold(Complex::new(T::zero(), T::zero()), |sum, term| sum + term);
            }
        }
    }
}

impl<T: FftNum> Fft<T> for Factored<T> {
    fn process(&self, buffer: &mut [Complex<T>]) {
        if self.len == 0 {
            return;
        }
        assert!(buffer.len().is_multiple_of(self.len));
        let mut from = Vec::with_capacity(self.len);
        for run in buffer.chunks_exact_mut(self.len) {
            from.clear();
            from.extend_from_slice(run);
            self.step(&from, 1, &self.factors, run);
        }
    }
}

/// Bluestein's transform: a convolution with a chirp, by transforms of a power of two.
struct Chirp<T> {
    len: usize,
    chirp: Vec<Complex<T>>,
    /// The transform of the chirp's conjugate, divided by its length.
    filter: Vec<Complex<T>>,
    forward: Factored<T>,
}

impl<T: FftNum> Chirp<T> {
    fn new(len: usize, direction: FftDirection) -> Self {
        let turns = 2 * len as u128;
        let chirp: Vec<Complex<T>> = (0..len as u128)
            .map(|k| root((k * k % turns) as f64 / turns as f64, direction))
            .collect();
        let wide = (2 * len - 1).next_power_of_two();
        let forward = Factored::new(
            wide,
            vec![2; wide.trailing_zeros() as usize],
            FftDirection::Forward,
        );
        let mut filter = vec![Complex::new(T::zero(), T::zero()); wide];
        for (k, root) in chirp.iter().enumerate() {
            filter[k] = root.conj() * number::<T>(1.0 / wide as f64);
            filter[(wide - k) % wide] = filter[k];
        }
        forward.process(&mut filter);
        Chirp {
            len,
            chirp,
            filter,
            forward,
        }
    }
}

impl<T: FftNum> Fft<T> for Chirp<T> {
    fn process(&self, buffer: &mut [Complex<T>]) {
        assert!(buffer.len().is_multiple_of(self.len));
        let mut wide = vec![Complex::new(T::zero(), T::zero()); self.filter.len()];
        for run in buffer.chunks_exact_mut(self.len) {
            wide.fill(Complex::new(T::zero(), T::zero()));
            for ((to, &value), &root) in wide.iter_mut().zip(&*run).zip(&self.chirp) {
                *to = value * root;
            }
            self.forward.process(&mut wide);
            // The inverse is the forward transform between two conjugations.
            for (value, &factor) in wide.iter_mut().zip(&self.filter) {
                *value = (*value * factor).conj();
            }
            self.forward.process(&mut wide);
            for ((to, &value), &root) in run.iter_mut().zip(&wide).zip(&self.chirp) {
                *to = value.conj() * root;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum as it is defined.
    fn defined(values: &[Complex<f64>], direction: FftDirection) -> Vec<Complex<f64>> {
        let n = values.len();
        (0..n)
            .map(|k| {
                let terms = values.iter().enumerate();
                terms
                    .map(|(j, v)| v * root::<f64>((j * k % n) as f64 / n as f64, direction))
                    .sum()
            })
            .collect()
    }

    fn values(n: usize) -> Vec<Complex<f64>> {
        let value = |k: usize| ((k * 7919 + 13) % 1009) as f64 / 504.5 - 1.0;
        (0..n)
            .map(|k| Complex::new(value(k), value(k + 500)))
            .collect()
    }

    #[test]
    fn every_length_gives_the_sum_as_defined() {
        for n in (1..=130).chain([256, 289, 400, 511, 997, 1024]) {
            for direction in [FftDirection::Forward, FftDirection::Inverse] {
                let values = values(n);
                let expected = defined(&values, direction);
                let mut exact = values.clone();
                FftPlanner::new().plan_fft(n, direction).process(&mut exact);
                let mut single: Vec<Complex<f32>> = values
                    .iter()
                    .map(|v| Complex::new(v.re as f32, v.im as f32))
                    .collect();
                FftPlanner::new()
                    .plan_fft(n, direction)
                    .process(&mut single);
                for (k, &sum) in expected.iter().enumerate() {
                    assert!((exact[k] - sum).l1_norm() < 1e-10 * n as f64, "{n} {k}");
                    let single = Complex::new(f64::from(single[k].re), f64::from(single[k].im));
                    assert!((single - sum).l1_norm() < 1e-5 * n as f64, "{n} {k}");
                }
            }
        }
    }

    #[test]
    fn runs_are_transformed_by_themselves_and_nothing_is_fine() {
        let mut two = values(34);
        let (first, second) = (
            defined(&two[..17], FftDirection::Forward),
            defined(&two[17..], FftDirection::Forward),
        );
        FftPlanner::new().plan_fft_forward(17).process(&mut two);
        for (got, expected) in two.iter().zip(first.iter().chain(&second)) {
            assert!((got - expected).l1_norm() < 1e-9);
        }
        FftPlanner::<f32>::new()
            .plan_fft_forward(0)
            .process(&mut []);
    }
}
