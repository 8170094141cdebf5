//! Kernels along rows: softmax and normalisations.

use super::lanes::{Dot, Kernel, Lanes, dispatch};
use super::math::{exp, numbers};

/// Rows of `cols` numbers, each to `e^x` over the row's sum of those, in place.
pub fn softmax(x: &mut [f32], cols: usize) {
    struct Run<'a>(&'a mut [f32], usize);
    impl Kernel for Run<'_> {
        type Output = ();
        #[inline(always)]
        fn run<V: Dot>(self) {
            for row in self.0.chunks_exact_mut(self.1) {
                let sum = exponentials::<V>(row);
                scale::<V>(row, 1.0 / sum);
            }
        }
    }
    if check(x.len(), cols) {
        dispatch(Run(x, cols));
    }
}

/// Rows of `cols` numbers, each to the logarithm of its [`softmax`], in place.
pub fn log_softmax(x: &mut [f32], cols: usize) {
    if check(x.len(), cols) {
        let mut powers = vec![0.0; cols];
        for row in x.chunks_exact_mut(cols) {
            powers.copy_from_slice(row);
            let largest = row
                .iter()
                .fold(f32::NEG_INFINITY, |a, &b| if a < b { b } else { a });
            let sum = dispatch(Exponentials(&mut powers));
            let shift = f64::from(sum).ln();
            for x in row {
                *x = ((f64::from(*x) - f64::from(largest)) - shift) as f32;
            }
        }
    }
}

/// Whether there is anything to do; panics unless `len` is whole rows.
fn check(len: usize, cols: usize) -> bool {
    assert!(
        len == 0 || (cols > 0 && len.is_multiple_of(cols)),
        "{len} numbers are not rows of {cols}"
    );
    len > 0
}

/// See [`exponentials`].
struct Exponentials<'a>(&'a mut [f32]);

impl Kernel for Exponentials<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<V: Dot>(self) -> f32 {
        exponentials::<V>(self.0)
    }
}

/// Replaces each number by `e^(x - largest)`; the sum of them.
#[inline(always)]
pub fn exponentials<V: Lanes>(row: &mut [f32]) -> f32 {
    let whole = row.len() / V::N * V::N;
    let (body, tail) = row.split_at_mut(whole);
    let mut tops = [V::splat(f32::NEG_INFINITY); 2];
    let mut pairs = body.chunks_exact(2 * V::N);
    for pair in &mut pairs {
        tops[0] = tops[0].max(V::from_slice(pair));
        tops[1] = tops[1].max(V::from_slice(&pair[V::N..]));
    }
    for one in pairs.remainder().chunks_exact(V::N) {
        tops[0] = tops[0].max(V::from_slice(one));
    }
    let largest = tail.iter().fold(
        tops[0].max(tops[1]).largest(),
        |a, &b| if a < b { b } else { a },
    );

    let k = numbers();
    let shift = V::splat(largest);
    let mut sums = [V::splat(0.0); 2];
    // Two at a time, for which the constants are read once.
    let mut pairs = body.chunks_exact_mut(2 * V::N);
    for pair in &mut pairs {
        let (a, b) = pair.split_at_mut(V::N);
        let x = exp(k, V::from_slice(a).sub(shift));
        let y = exp(k, V::from_slice(b).sub(shift));
        x.to_slice(a);
        y.to_slice(b);
        sums = [sums[0].add(x), sums[1].add(y)];
    }
    for chunk in pairs.into_remainder().chunks_exact_mut(V::N) {
        let e = exp(k, V::from_slice(chunk).sub(shift));
        e.to_slice(chunk);
        sums[0] = sums[0].add(e);
    }
    let sum = sums[0].add(sums[1]);
    let mut sum = sum.sum();
    if !tail.is_empty() {
        let mut buffer = [largest; 8];
        buffer[..tail.len()].copy_from_slice(tail);
        exp(k, V::from_slice(&buffer).sub(shift)).to_slice(&mut buffer);
        tail.copy_from_slice(&buffer[..tail.len()]);
        sum += tail.iter().sum::<f32>();
    }
    sum
}

/// Multiplies each number.
#[inline(always)]
pub fn scale<V: Lanes>(row: &mut [f32], by: f32) {
    let mut chunks = row.chunks_exact_mut(V::N);
    for chunk in &mut chunks {
        V::from_slice(chunk).mul(V::splat(by)).to_slice(chunk);
    }
    for x in chunks.into_remainder() {
        *x *= by;
    }
}

/// Rows of `cols` numbers: `(y - mean) / sqrt(variance + eps) * gamma + beta`, where `y` is `x`, plus
/// the residual if there is one.
///
/// `x`, the residual and `out` have the same length, `gamma` and `beta` that of a row.
pub fn layer_norm(
    x: &[f32],
    cols: usize,
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
    residual: Option<&[f32]>,
    out: &mut [f32],
) {
    assert_eq!(x.len(), out.len(), "the result of another length");
    assert!(
        residual.is_none_or(|r| r.len() == x.len()),
        "a residual of another length"
    );
    assert!(
        gamma.len() == cols && beta.len() == cols,
        "gamma or beta of another length than a row"
    );
    if check(x.len(), cols) {
        dispatch(Norm {
            x,
            cols,
            gamma,
            beta: Some(beta),
            eps,
            residual,
            out,
        });
    }
}

/// Rows of `cols` numbers: `x / sqrt(mean of squares + eps) * gamma`.
pub fn rms_norm(x: &[f32], cols: usize, gamma: &[f32], eps: f32, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "the result of another length");
    assert!(gamma.len() == cols, "gamma of another length than a row");
    if check(x.len(), cols) {
        dispatch(Norm {
            x,
            cols,
            gamma,
            beta: None,
            eps,
            residual: None,
            out,
        });
    }
}

/// A checked normalisation: about the mean where there is a `beta`, else about zero.
struct Norm<'a> {
    x: &'a [f32],
    cols: usize,
    gamma: &'a [f32],
    beta: Option<&'a [f32]>,
    eps: f32,
    residual: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl Kernel for Norm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(self) {
        let cols = self.cols;
        for (i, out) in self.out.chunks_exact_mut(cols).enumerate() {
            let x = &self.x[i * cols..][..cols];
            match self.residual {
                None => out.copy_from_slice(x),
                Some(residual) => add::<V>(x, &residual[i * cols..][..cols], out),
            }
            let mean = if self.beta.is_some() {
                sum::<V, false>(out, 0.0) / cols as f32
            } else {
                0.0
            };
            let variance = sum::<V, true>(out, mean) / cols as f32;
            let by = 1.0 / (variance + self.eps).sqrt();
            affine::<V>(out, mean, by, self.gamma, self.beta);
        }
    }
}

#[inline(always)]
fn add<V: Lanes>(a: &[f32], b: &[f32], out: &mut [f32]) {
    let whole = out.len() / V::N * V::N;
    let (body, tail) = out.split_at_mut(whole);
    for ((out, a), b) in body
        .chunks_exact_mut(V::N)
        .zip(a.chunks_exact(V::N))
        .zip(b.chunks_exact(V::N))
    {
        V::from_slice(a).add(V::from_slice(b)).to_slice(out);
    }
    for ((out, a), b) in tail.iter_mut().zip(&a[whole..]).zip(&b[whole..]) {
        *out = a + b;
    }
}

/// The sum of the numbers less `mean`, or of the squares of that.
#[inline(always)]
fn sum<V: Lanes, const SQUARES: bool>(x: &[f32], mean: f32) -> f32 {
    // Several sums, so that an addition need not wait for the one before.
    let mut sums = [V::splat(0.0); 4];
    let mut chunks = x.chunks_exact(4 * V::N);
    for chunk in &mut chunks {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = term::<V, SQUARES>(V::from_slice(&chunk[i * V::N..]), mean, *sum);
        }
    }
    let mut rest = chunks.remainder().chunks_exact(V::N);
    for chunk in &mut rest {
        sums[0] = term::<V, SQUARES>(V::from_slice(chunk), mean, sums[0]);
    }
    let tail = rest
        .remainder()
        .iter()
        .map(|x| if SQUARES { (x - mean) * (x - mean) } else { *x })
        .sum::<f32>();
    sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum() + tail
}

#[inline(always)]
fn term<V: Lanes, const SQUARES: bool>(x: V, mean: f32, sum: V) -> V {
    if SQUARES {
        let x = x.sub(V::splat(mean));
        x.mul_add(x, sum)
    } else {
        sum.add(x)
    }
}

#[inline(always)]
fn affine<V: Lanes>(x: &mut [f32], mean: f32, by: f32, gamma: &[f32], beta: Option<&[f32]>) {
    let whole = x.len() / V::N * V::N;
    for at in (0..whole).step_by(V::N) {
        let y = V::from_slice(&x[at..])
            .sub(V::splat(mean))
            .mul(V::splat(by))
            .mul(V::from_slice(&gamma[at..]));
        let y = if let Some(beta) = beta {
            y.add(V::from_slice(&beta[at..]))
        } else {
            y
        };
        y.to_slice(&mut x[at..]);
    }
    for i in whole..x.len() {
        x[i] = (x[i] - mean) * by * gamma[i] + beta.map_or(0.0, |beta| beta[i]);
    }
}
