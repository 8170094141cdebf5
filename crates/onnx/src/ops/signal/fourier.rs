//! Fourier transforms of any length: in steps of small factors, or, where a length has large ones, as a convolution (Bluestein).

use std::f64::consts::PI;
use std::ops::{Add, Mul, Sub};

use crate::fault::Result;
use crate::op::Context;
use crate::tensor::count;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Complex {
    pub re: f64,
    pub im: f64,
}

impl Complex {
    fn turn(angle: f64) -> Complex {
        Complex {
            re: angle.cos(),
            im: angle.sin(),
        }
    }

    fn conjugate(self) -> Complex {
        Complex {
            re: self.re,
            im: -self.im,
        }
    }

    fn scaled(self, by: f64) -> Complex {
        Complex {
            re: self.re * by,
            im: self.im * by,
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

/// Factors that a transform is taken apart into.
const FACTORS: [usize; 5] = [4, 2, 3, 5, 7];

/// A forward transform of a length that only has those factors.
struct Steps {
    n: usize,
    factors: Vec<usize>,
    /// The n-th roots of one, clockwise.
    roots: Vec<Complex>,
    spare: Vec<Complex>,
}

impl Steps {
    fn new(n: usize) -> Option<Steps> {
        let (mut factors, mut rest) = (Vec::new(), n);
        for factor in FACTORS {
            while rest % factor == 0 {
                factors.push(factor);
                rest /= factor;
            }
        }
        (rest == 1).then(|| Steps {
            n,
            factors,
            roots: (0..n)
                .map(|k| Complex::turn(-2.0 * PI * k as f64 / n as f64))
                .collect(),
            spare: vec![Complex::default(); n],
        })
    }

    fn run(&mut self, line: &mut [Complex]) {
        let mut input = std::mem::take(&mut self.spare);
        input.copy_from_slice(line);
        self.part(&input, 1, line, 0);
        self.spare = input;
    }

    /// The transform of every `stride`-th value.
    fn part(&self, from: &[Complex], stride: usize, to: &mut [Complex], level: usize) {
        let Some(&p) = self.factors.get(level) else {
            to[0] = from[0];
            return;
        };
        let m = to.len() / p;
        for (at, part) in to.chunks_exact_mut(m).enumerate() {
            self.part(&from[at * stride..], stride * p, part, level + 1);
        }
        for k in 0..m {
            let turned =
                |at: usize, to: &[Complex]| to[at * m + k] * self.roots[(at * k * stride) % self.n];
            match p {
                2 => {
                    let (a, b) = (to[k], turned(1, to));
                    (to[k], to[k + m]) = (a + b, a - b);
                }
                4 => {
                    let (a, b, c, d) = (to[k], turned(1, to), turned(2, to), turned(3, to));
                    let (even, odd) = ((a + c, a - c), (b + d, b - d));
                    // A quarter of a turn.
                    let turn = Complex {
                        re: odd.1.im,
                        im: -odd.1.re,
                    };
                    to[k] = even.0 + odd.0;
                    to[k + m] = even.1 + turn;
                    to[k + 2 * m] = even.0 - odd.0;
                    to[k + 3 * m] = even.1 - turn;
                }
                _ => {
                    let mut parts = [Complex::default(); 7];
                    for (at, part) in parts[..p].iter_mut().enumerate() {
                        *part = turned(at, to);
                    }
                    for q in 0..p {
                        let mut sum = parts[0];
                        for (at, part) in parts[..p].iter().enumerate().skip(1) {
                            sum = sum + *part * self.roots[(at * q % p) * (self.n / p)];
                        }
                        to[k + q * m] = sum;
                    }
                }
            }
        }
    }
}

/// A transform as a convolution with a chirp.
struct Chirp {
    steps: Steps,
    chirp: Vec<Complex>,
    /// The transform of what is convolved with.
    kernel: Vec<Complex>,
    spare: Vec<Complex>,
}

impl Chirp {
    fn new(n: usize) -> Option<Chirp> {
        let m = (2 * n - 1).next_power_of_two();
        let mut steps = Steps::new(m)?;
        // The square is taken within a whole turn, so that no digits are lost.
        let angle = |k: usize| -PI * ((k as u128 * k as u128) % (2 * n as u128)) as f64 / n as f64;
        let chirp: Vec<Complex> = (0..n).map(|k| Complex::turn(angle(k))).collect();
        let mut kernel = vec![Complex::default(); m];
        for (k, c) in chirp.iter().enumerate() {
            kernel[k] = c.conjugate();
            kernel[(m - k) % m] = c.conjugate();
        }
        steps.run(&mut kernel);
        Some(Chirp {
            steps,
            chirp,
            kernel,
            spare: vec![Complex::default(); m],
        })
    }

    fn run(&mut self, line: &mut [Complex]) {
        let spare = &mut self.spare;
        spare.fill(Complex::default());
        for ((to, x), c) in spare.iter_mut().zip(&*line).zip(&self.chirp) {
            *to = *x * *c;
        }
        self.steps.run(spare);
        // Conjugates make a backward transform of the forward one.
        for (x, k) in spare.iter_mut().zip(&self.kernel) {
            *x = (*x * *k).conjugate();
        }
        self.steps.run(spare);
        let scale = 1.0 / spare.len() as f64;
        for ((to, x), c) in line.iter_mut().zip(&*spare).zip(&self.chirp) {
            *to = x.conjugate().scaled(scale) * *c;
        }
    }
}

enum Kind {
    Steps(Steps),
    Chirp(Chirp),
}

/// A transform of one length.
pub(super) struct Fourier {
    kind: Kind,
    inverse: bool,
    work: u64,
}

impl Fourier {
    pub(super) fn new(n: usize, inverse: bool, context: &mut Context) -> Result<Fourier> {
        // A convolution takes up to four times as many values.
        count(&[n, 4])?;
        context.spend(16 * n as u64)?;
        let log = u64::from(n.ilog2()) + 1;
        Ok(match Steps::new(n) {
            Some(steps) => Fourier {
                kind: Kind::Steps(steps),
                inverse,
                work: 4 * n as u64 * log,
            },
            None => {
                let chirp = Chirp::new(n).ok_or("a length that cannot be transformed")?;
                Fourier {
                    kind: Kind::Chirp(chirp),
                    inverse,
                    work: 32 * n as u64 * log,
                }
            }
        })
    }

    /// Transforms a line of this length.
    pub(super) fn run(&mut self, line: &mut [Complex], context: &mut Context) -> Result<()> {
        context.spend(self.work)?;
        if self.inverse {
            line.iter_mut().for_each(|x| *x = x.conjugate());
        }
        match &mut self.kind {
            Kind::Steps(steps) => steps.run(line),
            Kind::Chirp(chirp) => chirp.run(line),
        }
        if self.inverse {
            let scale = 1.0 / line.len() as f64;
            line.iter_mut()
                .for_each(|x| *x = x.conjugate().scaled(scale));
        }
        Ok(())
    }
}
