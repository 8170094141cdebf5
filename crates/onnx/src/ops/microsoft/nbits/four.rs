//! Products with weights of 4 bits that stay so: an eighth of what they take as floats.
//!
//! A few rows are multiplied with the integers, block by block, so that what is read from memory is short. For more rows some
//! columns at a time become floats, in a buffer that stays in the cache.

use smallfirst_kernels::{self as kernels, Epilogue, Matrix};

/// Columns that lie together: those of the lower halves of bytes, then those of the upper ones.
const GROUP: usize = 32;
const HALF: usize = GROUP / 2;
/// Rows that are few.
const FEW: usize = 3;

/// Weights of `k` by `n`.
pub(super) struct Four {
    k: usize,
    n: usize,
    block: usize,
    /// `[groups][k][HALF]`.
    bytes: Vec<u8>,
    /// `[groups][blocks][GROUP]`.
    scales: Vec<f32>,
    zeros: Vec<f32>,
}

impl Four {
    /// Of bytes of `[n, blocks, block / 2]` that hold two neighbours each, the lower half first, and scales and zero points of
    /// `[n, blocks]`.
    pub(super) fn new(
        [k, n, block]: [usize; 3],
        weights: &[u8],
        scales: &[f32],
        zeros: &[f32],
    ) -> Four {
        let (groups, blocks) = (n.div_ceil(GROUP), k.div_ceil(block));
        let mut bytes = vec![0; groups * k * HALF];
        let turned = |of: &[f32]| -> Vec<f32> {
            let mut out = vec![0.0; groups * blocks * GROUP];
            for (at, v) in of.iter().enumerate() {
                let (col, block) = (at / blocks, at % blocks);
                out[(col / GROUP * blocks + block) * GROUP + col % GROUP] = *v;
            }
            out
        };
        for (col, own) in weights.chunks_exact(blocks * block / 2).enumerate() {
            let (group, place) = (col / GROUP, col % GROUP);
            let to = &mut bytes[group * k * HALF..(group + 1) * k * HALF];
            let shift = if place < HALF { 0 } else { 4 };
            for (i, row) in to.chunks_exact_mut(HALF).enumerate() {
                let q = own[i / 2] >> (i % 2 * 4) & 15;
                row[place % HALF] |= q << shift;
            }
        }
        Four {
            k,
            n,
            block,
            bytes,
            scales: turned(scales),
            zeros: turned(zeros),
        }
    }

    /// The rows of a group, in blocks with their scales and zero points.
    fn blocks(&self, group: usize) -> impl Iterator<Item = Block<'_>> {
        let bytes = self.bytes[group * self.k * HALF..(group + 1) * self.k * HALF]
            .as_chunks()
            .0;
        let each = self.k.div_ceil(self.block);
        let part = group * each..(group + 1) * each;
        let scales = &self.scales.as_chunks().0[part.clone()];
        let zeros = &self.zeros.as_chunks().0[part];
        bytes
            .chunks(self.block)
            .zip(scales.iter().zip(zeros))
            .map(|(rows, (scales, zeros))| Block {
                rows,
                scales,
                zeros,
            })
    }

    /// `c = a b + bias`, with `a` of `m` by `k`.
    pub(super) fn product(&self, m: usize, a: &[f32], bias: Option<&[f32]>, c: &mut [f32]) {
        if m <= FEW {
            for (a, c) in a.chunks_exact(self.k).zip(c.chunks_exact_mut(self.n)) {
                self.row(a, bias, c);
            }
            return;
        }
        const WIDTH: usize = 2 * GROUP;
        let mut floats = vec![0.0; self.k * WIDTH];
        let mut packed = vec![0.0; kernels::packed_len(self.k, WIDTH)];
        let mut scratch = Vec::new();
        let a = Matrix {
            data: a,
            row_stride: self.k,
            col_stride: 1,
        };
        for first in (0..self.n).step_by(WIDTH) {
            let width = WIDTH.min(self.n - first);
            for half in 0..width.div_ceil(GROUP) {
                let mut rows = floats.as_chunks_mut::<WIDTH>().0.iter_mut();
                for block in self.blocks(first / GROUP + half) {
                    for (q, out) in block.rows.iter().zip(&mut rows) {
                        block.floats(q, &mut out[half * GROUP..]);
                    }
                }
            }
            let b = Matrix {
                data: &floats,
                row_stride: WIDTH,
                col_stride: 1,
            };
            kernels::pack_b(self.k, width, &b, &mut packed);
            let epilogue = Epilogue {
                bias: bias.map(|bias| &bias[first..]),
                ..Epilogue::default()
            };
            kernels::gemm(
                m,
                width,
                self.k,
                &a,
                &packed,
                &mut c[first..],
                self.n,
                &epilogue,
                &mut scratch,
            );
        }
    }

    /// One row: sums of products with the integers, each scaled at the end of its block.
    fn row(&self, a: &[f32], bias: Option<&[f32]>, c: &mut [f32]) {
        for (group, c) in c.chunks_mut(GROUP).enumerate() {
            let mut all = [0f32; GROUP];
            for (block, a) in self.blocks(group).zip(a.chunks(self.block)) {
                let mut sums = [0f32; GROUP];
                let mut inputs = 0.0;
                for (q, &x) in block.rows.iter().zip(a) {
                    inputs += x;
                    for j in 0..HALF {
                        sums[j] += x * f32::from(q[j] & 15);
                        sums[HALF + j] += x * f32::from(q[j] >> 4);
                    }
                }
                for j in 0..GROUP {
                    all[j] += block.scales[j] * (sums[j] - block.zeros[j] * inputs);
                }
            }
            c.copy_from_slice(&all[..c.len()]);
            if let Some(bias) = bias {
                let bias = &bias[group * GROUP..];
                c.iter_mut().zip(bias).for_each(|(c, b)| *c += b);
            }
        }
    }
}

struct Block<'a> {
    rows: &'a [[u8; HALF]],
    scales: &'a [f32; GROUP],
    zeros: &'a [f32; GROUP],
}

impl Block<'_> {
    fn floats(&self, q: &[u8; HALF], out: &mut [f32]) {
        let (low, high) = out[..GROUP].split_at_mut(HALF);
        for j in 0..HALF {
            low[j] = (f32::from(q[j] & 15) - self.zeros[j]) * self.scales[j];
            high[j] = (f32::from(q[j] >> 4) - self.zeros[HALF + j]) * self.scales[HALF + j];
        }
    }
}
