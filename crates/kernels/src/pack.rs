//! The right operand of a product, as the inner loop reads it.
//!
//! `[pieces][ceil(n / 8)][k of the piece][8]`: pieces of `k`, each in panels of eight columns, each panel from the
//! piece's first row to its last, the columns that are missing from the last panel filled with zeros. So a product of
//! a piece reads from beginning to end what lies together, which is what processors fetch ahead.

use std::ops::Range;

use super::{Matrix, NR};

/// Longest piece of `k`: a panel's piece has 8 times as many numbers, 14 KiB, and stays in the first-level cache.
pub const PIECE: usize = 448;

/// The length of the pieces of `k`, of which the last may be shorter: nearly the same for all, a multiple of 4.
pub fn piece_len(k: usize) -> usize {
    if k <= PIECE {
        return k.max(1);
    }
    k.div_ceil(k.div_ceil(PIECE)).next_multiple_of(4)
}

/// The pieces of `k` at this length each; one that is empty if `k` is 0.
pub fn pieces(k: usize, each: usize) -> impl Iterator<Item = Range<usize>> {
    (0..k.max(1))
        .step_by(each)
        .map(move |start| start..k.min(start + each))
}

/// The length of a packed `k` by `n` matrix, in numbers.
pub fn packed_len(k: usize, n: usize) -> usize {
    n.div_ceil(NR)
        .checked_mul(NR)
        .and_then(|n| n.checked_mul(k))
        .expect("a packed matrix that overflows")
}

/// Packs `b` of `k` rows and `n` columns into the first [`packed_len`] numbers of `out`.
pub fn pack_b(k: usize, n: usize, b: &Matrix, out: &mut [f32]) {
    b.check(k, n);
    let panels = n.div_ceil(NR);
    let out = &mut out[..packed_len(k, n)];
    for piece in pieces(k, piece_len(k)) {
        let rows = Matrix {
            data: b.data.get(piece.start * b.row_stride..).unwrap_or(&[]),
            ..*b
        };
        let out = &mut out[piece.start * panels * NR..piece.end * panels * NR];
        pack_piece(piece.len(), n, &rows, out);
    }
}

/// Some panels of 8-bit weights, whole and one after another, as [`pack_b`] would have packed them in floats, each multiplied by its
/// column's scale.
///
/// # Panics
/// Where there are fewer scales than columns, or `out` is of another length.
pub fn widen_panels(k: usize, panels: &[i8], scales: &[f32], out: &mut [f32]) {
    assert_eq!(panels.len(), out.len(), "a result of another length");
    if k == 0 {
        return;
    }
    let count = panels.len() / (k * NR);
    let scales = &scales.as_chunks::<NR>().0[..count];
    for piece in pieces(k, piece_len(k)) {
        let out = &mut out[piece.start * count * NR..piece.end * count * NR];
        let panels = panels.chunks_exact(k * NR).zip(scales);
        for ((panel, scales), out) in panels.zip(out.chunks_exact_mut(piece.len() * NR)) {
            let rows = panel.as_chunks::<NR>().0[piece.clone()].iter();
            for (row, out) in rows.zip(out.as_chunks_mut::<NR>().0) {
                for j in 0..NR {
                    out[j] = f32::from(row[j]) * scales[j];
                }
            }
        }
    }
}

/// Packs a piece into all of `out`.
fn pack_piece(k: usize, n: usize, b: &Matrix, out: &mut [f32]) {
    if k == 0 {
        return;
    }
    for (panel, out) in out.chunks_exact_mut(k * NR).enumerate() {
        let first = panel * NR;
        let width = NR.min(n - first);
        let data = &b.data[first * b.col_stride..];
        if width < NR {
            out.fill(0.0);
        }
        if b.col_stride == 1 {
            for (i, out) in out.chunks_exact_mut(NR).enumerate() {
                let row = &data[i * b.row_stride..][..width];
                if let (Ok(row), Ok(out)) = (
                    <&[f32; NR]>::try_from(row),
                    <&mut [f32; NR]>::try_from(&mut *out),
                ) {
                    *out = *row;
                } else {
                    out[..width].copy_from_slice(row);
                }
            }
        } else if b.row_stride == 1 && width == NR {
            let columns: [&[f32]; NR] = std::array::from_fn(|j| &data[j * b.col_stride..][..k]);
            transpose(columns, out);
        } else {
            for (i, out) in out.chunks_exact_mut(NR).enumerate() {
                for (j, out) in out[..width].iter_mut().enumerate() {
                    *out = data[i * b.row_stride + j * b.col_stride];
                }
            }
        }
    }
}

/// Eight columns side by side, a square at a time.
fn transpose(columns: [&[f32]; NR], out: &mut [f32]) {
    let (squares, rest) = out.as_chunks_mut::<{ NR * NR }>();
    let whole = squares.len() * NR;
    for (i, square) in squares.iter_mut().enumerate() {
        for (j, column) in columns.iter().enumerate() {
            let numbers: &[f32; NR] = column[i * NR..]
                .first_chunk()
                .expect("a column of k numbers");
            for (l, &number) in numbers.iter().enumerate() {
                square[l * NR + j] = number;
            }
        }
    }
    for (i, out) in rest.chunks_exact_mut(NR).enumerate() {
        for (out, column) in out.iter_mut().zip(columns) {
            *out = column[whole + i];
        }
    }
}
