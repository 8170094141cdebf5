//! Numbers along an axis as sums of weighted others.

use std::ops::{Add, Mul};

/// For each place of a new axis, which places of the old one it is made of.
pub(super) struct Taps {
    /// How many each is made of.
    pub each: usize,
    /// So many for each, with their weights.
    pub places: Vec<(usize, f64)>,
    /// The new places that are outside, and have another value.
    pub outside: Vec<usize>,
}

/// Floats that are computed in.
pub(super) trait Float: Copy + Add<Output = Self> + Mul<Output = Self> {
    fn of(v: f64) -> Self;
}

impl Float for f32 {
    fn of(v: f64) -> f32 {
        v as f32
    }
}

impl Float for f64 {
    fn of(v: f64) -> f64 {
        v
    }
}

impl Taps {
    pub(super) fn len(&self) -> usize {
        self.places.len() / self.each
    }

    /// The numbers along the middle axis of three.
    pub(super) fn apply<T: Float>(
        &self,
        x: &[T],
        [outer, len, inner]: [usize; 3],
        beyond: f64,
    ) -> Vec<T> {
        let new = self.len();
        let mut out = vec![T::of(0.0); outer * new * inner];
        if out.is_empty() {
            return out;
        }
        let taps: Vec<(usize, T)> = self
            .places
            .iter()
            .map(|&(at, weight)| (at, T::of(weight)))
            .collect();
        let blocks = x.chunks_exact(len * inner);
        for (block, out) in blocks.zip(out.chunks_exact_mut(new * inner)) {
            if inner == 1 {
                match self.each {
                    2 => {
                        for (out, pair) in out.iter_mut().zip(taps.chunks_exact(2)) {
                            *out = block[pair[0].0] * pair[0].1 + block[pair[1].0] * pair[1].1;
                        }
                    }
                    each => {
                        for (out, taps) in out.iter_mut().zip(taps.chunks_exact(each)) {
                            let terms = taps.iter().map(|&(at, weight)| block[at] * weight);
                            *out = terms.fold(T::of(0.0), |sum, term| sum + term);
                        }
                    }
                }
            } else {
                for (out, taps) in out
                    .chunks_exact_mut(inner)
                    .zip(taps.chunks_exact(self.each))
                {
                    for &(at, weight) in taps {
                        let row = &block[at * inner..][..inner];
                        for (out, &v) in out.iter_mut().zip(row) {
                            *out = *out + v * weight;
                        }
                    }
                }
            }
            for &at in &self.outside {
                out[at * inner..][..inner].fill(T::of(beyond));
            }
        }
        out
    }
}

/// Images whose two sides become shorter, two places for each: what is between them is never read, and so they are made at
/// once.
pub(super) fn planes<T: Float>(
    x: &[T],
    [height, width]: [usize; 2],
    rows: &Taps,
    cols: &Taps,
) -> Vec<T> {
    let images = x.chunks_exact(height * width);
    let mut out = Vec::with_capacity(images.len() * rows.len() * cols.len());
    let along: Vec<(usize, usize, T, T)> = cols
        .places
        .chunks_exact(2)
        .map(|pair| (pair[0].0, pair[1].0, T::of(pair[0].1), T::of(pair[1].1)))
        .collect();
    for image in images {
        for pair in rows.places.chunks_exact(2) {
            let row = |at: usize| &image[pair[at].0 * width..][..width];
            let (upper, lower) = (row(0), row(1));
            let (above, below) = (T::of(pair[0].1), T::of(pair[1].1));
            out.extend(along.iter().map(|&(a, b, left, right)| {
                (upper[a] * left + upper[b] * right) * above
                    + (lower[a] * left + lower[b] * right) * below
            }));
        }
    }
    out
}
