//! The power spectrum of real frames: a mixed-radix Fourier transform of half the length over pairs of samples.
//!
//! Its own, because a library's costs as much as the rest of this crate together (48 kB of compressed WebAssembly for realfft).
//! Frames of 400 and 512 samples are transformed some thousand times a sound, so that simple code is fast enough.

use std::f64::consts::TAU;
use std::ops::{Add, Mul, Sub};

/// The largest prime factor that a length may have.
const MAX_PRIME: usize = 13;

/// The longest frame.
pub(crate) const MAX_LENGTH: usize = 1 << 14;

#[derive(Debug, Clone, Copy, Default)]
struct Complex {
    re: f64,
    im: f64,
}

/// A transform of frames of one even length.
#[derive(Debug, Clone)]
pub(crate) struct Spectrum {
    factors: Vec<usize>,
    /// `e^(-2 pi i k / half)`.
    turns: Vec<Complex>,
    /// `e^(-2 pi i k / length)`.
    fine: Vec<Complex>,
    pairs: Vec<Complex>,
    transformed: Vec<Complex>,
    power: Vec<f64>,
}

impl Spectrum {
    /// None for a length that is odd, too long or has a large prime factor.
    pub(crate) fn new(length: usize) -> Option<Spectrum> {
        let half = length / 2;
        if length == 0 || length > MAX_LENGTH || !length.is_multiple_of(2) {
            return None;
        }
        let factors = factors(half)?;
        let turn = |at: usize, of: usize| {
            let (im, re) = (-TAU * at as f64 / of as f64).sin_cos();
            Complex { re, im }
        };
        Some(Spectrum {
            factors,
            turns: (0..half).map(|at| turn(at, half)).collect(),
            fine: (0..=half).map(|at| turn(at, length)).collect(),
            pairs: vec![Complex::default(); half],
            transformed: vec![Complex::default(); half],
            power: vec![0.0; half + 1],
        })
    }

    /// The squared magnitudes of frequencies 0 to half the length. A frame that is shorter than the length is followed by zeros.
    pub(crate) fn power(&mut self, frame: &[f64]) -> &[f64] {
        let half = self.pairs.len();
        let sample = |at: usize| frame.get(at).copied().unwrap_or(0.0);
        for (at, pair) in self.pairs.iter_mut().enumerate() {
            let (re, im) = (sample(2 * at), sample(2 * at + 1));
            *pair = Complex { re, im };
        }
        transform(
            &self.pairs,
            1,
            &mut self.transformed,
            &self.factors,
            &self.turns,
        );
        // The spectra of the even and of the odd samples are the parts of this one that are and are not its own mirror image.
        for (at, power) in self.power.iter_mut().enumerate() {
            let here = self.transformed[at % half];
            let there = self.transformed[(half - at) % half].conjugate();
            let (even, odd) = (here + there, here - there);
            let odd = odd * self.fine[at];
            let sum = even
                + Complex {
                    re: odd.im,
                    im: -odd.re,
                };
            *power = (sum.re * sum.re + sum.im * sum.im) / 4.0;
        }
        &self.power
    }
}

/// Factors of 4 first, then the primes; none where one is too large.
fn factors(mut length: usize) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for factor in std::iter::once(4).chain(2..=MAX_PRIME) {
        while length.is_multiple_of(factor) {
            found.push(factor);
            length /= factor;
        }
    }
    (length == 1).then_some(found)
}

/// Every `stride`-th of `from`, transformed to `to`.
fn transform(
    from: &[Complex],
    stride: usize,
    to: &mut [Complex],
    factors: &[usize],
    turns: &[Complex],
) {
    let Some((&factor, others)) = factors.split_first() else {
        to[0] = from[0];
        return;
    };
    let part = to.len() / factor;
    for (at, part) in to.chunks_exact_mut(part).enumerate() {
        transform(&from[at * stride..], stride * factor, part, others, turns);
    }
    let mut terms = [Complex::default(); MAX_PRIME];
    for at in 0..part {
        for (by, term) in terms[..factor].iter_mut().enumerate() {
            *term = to[by * part + at] * turns[by * at * stride];
        }
        match factor {
            2 => {
                to[at] = terms[0] + terms[1];
                to[part + at] = terms[0] - terms[1];
            }
            4 => {
                let (sum, difference) = (terms[0] + terms[2], terms[0] - terms[2]);
                let (other, turned) = (terms[1] + terms[3], (terms[1] - terms[3]).turned());
                to[at] = sum + other;
                to[part + at] = difference + turned;
                to[2 * part + at] = sum - other;
                to[3 * part + at] = difference - turned;
            }
            _ => {
                let step = turns.len() / factor;
                for out in 0..factor {
                    let products = terms[..factor].iter().enumerate();
                    to[out * part + at] = products.fold(Complex::default(), |sum, (by, term)| {
                        sum + *term * turns[by * out % factor * step]
                    });
                }
            }
        }
    }
}

impl Complex {
    fn conjugate(self) -> Complex {
        Complex {
            re: self.re,
            im: -self.im,
        }
    }

    /// Times `-i`.
    fn turned(self) -> Complex {
        Complex {
            re: self.im,
            im: -self.re,
        }
    }
}

impl Add for Complex {
    type Output = Complex;

    fn add(self, other: Complex) -> Complex {
        Complex {
            re: self.re + other.re,
            im: self.im + other.im,
        }
    }
}

impl Sub for Complex {
    type Output = Complex;

    fn sub(self, other: Complex) -> Complex {
        Complex {
            re: self.re - other.re,
            im: self.im - other.im,
        }
    }
}

impl Mul for Complex {
    type Output = Complex;

    fn mul(self, other: Complex) -> Complex {
        Complex {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    #[test]
    fn power_is_that_of_the_sums_over_all_samples() {
        for length in [2, 4, 6, 8, 10, 22, 26, 28, 30, 64, 100, 182, 400, 512, 2310] {
            let frame: Vec<f64> = noise(length, 7).into_iter().map(f64::from).collect();
            let mut spectrum = Spectrum::new(length).unwrap();
            let power = spectrum.power(&frame).to_vec();
            assert_eq!(power.len(), length / 2 + 1);
            for (bin, power) in power.into_iter().enumerate() {
                let (mut re, mut im) = (0.0, 0.0);
                for (at, sample) in frame.iter().enumerate() {
                    let angle = TAU * (at * bin % length) as f64 / length as f64;
                    re += sample * angle.cos();
                    im += sample * angle.sin();
                }
                let expected = re * re + im * im;
                assert!(
                    (power - expected).abs() < 1e-10 * (length as f64),
                    "{length} {bin}: {power} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_short_frame_is_followed_by_zeros() {
        let mut spectrum = Spectrum::new(8).unwrap();
        let padded = spectrum
            .power(&[1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            .to_vec();
        assert_eq!(spectrum.power(&[1.0, 2.0, 3.0]), padded);
    }

    #[test]
    fn lengths_that_it_does_not_have_are_none() {
        for length in [0, 1, 3, 399, 34, 2 * 10_007, 1 << 15] {
            assert!(Spectrum::new(length).is_none(), "{length}");
        }
    }
}
