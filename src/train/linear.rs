//! The rows that a head is trained on, and the head: a linear model.

/// Labelled rows.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    /// Row-major `[rows, width]`.
    pub dense: &'a [f32],
    /// Dense features of a row; may be 0.
    pub width: usize,
    /// One list a row of the buckets that are present, in rising order; each counts as one over the
    /// root of their number. Empty when there are no sparse features.
    pub sparse: &'a [Vec<u32>],
    /// How many buckets there are; 0 when there are no sparse features.
    pub buckets: usize,
    /// One class a row.
    pub labels: &'a [u32],
    /// How many classes there are.
    pub classes: usize,
}

/// A trained head: logits are `dense . weights + sum of table rows / sqrt(n) + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Row-major `[width, classes]`, for features as they come.
    pub weights: Vec<f32>,
    /// Row-major `[buckets, classes]`.
    pub table: Vec<f32>,
    /// One a class.
    pub bias: Vec<f32>,
}

impl Linear {
    /// The logits of one row.
    pub fn logits(&self, dense: &[f32], sparse: &[u32]) -> Vec<f32> {
        let classes = self.bias.len();
        let mut out = self.bias.clone();
        for (x, row) in dense.iter().zip(self.weights.chunks_exact(classes)) {
            out.iter_mut().zip(row).for_each(|(o, w)| *o += x * w);
        }
        let value = 1.0 / (sparse.len().max(1) as f32).sqrt();
        for &bucket in sparse {
            let row = self.table.iter().skip(bucket as usize * classes);
            out.iter_mut().zip(row).for_each(|(o, w)| *o += value * w);
        }
        out
    }
}
