//! Products of matrices of 32-bit floats.
//!
//! Four loops around the tile. The outermost takes blocks of rows of the left operand that stay in
//! the second-level cache (or, where all of the right operand fits in the first, a tile's height at
//! a time, so that the result is written row by row); the next takes pieces of `k` so short that a
//! tile's rows stay in the first-level cache; the third takes as many panels as the second-level cache
//! keeps beside the block; the fourth takes the tiles' rows, each of which then meets these panels one
//! after the other. Rows are divided evenly among the tiles of a block, so no tile computes rows that
//! are not there.
//!
//! So panels are read in the order they lie in, without a pause by the first rows. Where rows are few, reading the
//! weights is what takes the time; the tiles are lower then, for the processor looks a certain number of products ahead.

#![allow(unsafe_code)]

use std::ops::{Range, RangeInclusive};

use super::lanes::{Dot, Kernel, dispatch};
use super::pack::{pack_b, packed_len, piece_len, pieces};
use super::tile::{Finish, Place, Steps, Tiles};
use super::{Epilogue, Matrix, NR};

/// Numbers of the left operand in a block of rows: 256 KiB.
const BLOCK: usize = 64 * 1024;
/// Numbers of the right operand that may stay in the first-level cache throughout: 20 KiB.
const SMALL: usize = 5 * 1024;
/// The most rows that a tile has.
const TALLEST: usize = 6;
/// The same where rows are few, for the first tile at least: with 5 rows, 42 MB of weights take half as long again to read as with 4.
const LOW: usize = 4;
/// How many rows are few: fewer make one tile.
const FEW: RangeInclusive<usize> = LOW + 2..=32;
/// Numbers of the right operand that stay in the second-level cache while the tiles of few rows meet them: 256 KiB.
const SPAN: usize = 64 * 1024;

/// `c = activation(scale * a b + bias + residual)` with `a` of `m` by `k` (any strides), `b` of `k`
/// by `n` as [`pack_b`] leaves it and `c` of `m` by `n`, whose rows are `c_row_stride` apart.
///
/// `scratch` is grown as needed and kept by the caller for the next call.
#[allow(clippy::too_many_arguments)]
pub fn gemm(
    m: usize,
    n: usize,
    k: usize,
    a: &Matrix,
    packed_b: &[f32],
    c: &mut [f32],
    c_row_stride: usize,
    epilogue: &Epilogue,
    scratch: &mut Vec<f32>,
) {
    let gathered = gathered_len(m, k, a);
    if scratch.len() < gathered {
        scratch.resize(gathered, 0.0);
    }
    product(m, n, k, a, packed_b, c, c_row_stride, epilogue, scratch);
}

/// As [`gemm`], with a right operand of any strides that is packed for this one call.
#[allow(clippy::too_many_arguments)]
pub fn gemm_dynamic(
    m: usize,
    n: usize,
    k: usize,
    a: &Matrix,
    b: &Matrix,
    c: &mut [f32],
    c_row_stride: usize,
    epilogue: &Epilogue,
    scratch: &mut Vec<f32>,
) {
    let packed = packed_len(k, n);
    let needed = packed
        .checked_add(gathered_len(m, k, a))
        .expect("scratch that overflows");
    if scratch.len() < needed {
        scratch.resize(needed, 0.0);
    }
    let (packed, gathered) = scratch.split_at_mut(packed);
    pack_b(k, n, b, packed);
    product(m, n, k, a, packed, c, c_row_stride, epilogue, gathered);
}

/// Numbers of scratch that the left operand needs: none where its rows are contiguous.
fn gathered_len(m: usize, k: usize, a: &Matrix) -> usize {
    if a.col_stride == 1 || k <= 1 {
        0
    } else {
        m.checked_mul(k).expect("a matrix that overflows")
    }
}

#[allow(clippy::too_many_arguments)]
fn product(
    m: usize,
    n: usize,
    k: usize,
    a: &Matrix,
    packed_b: &[f32],
    c: &mut [f32],
    c_row_stride: usize,
    epilogue: &Epilogue,
    gathered: &mut [f32],
) {
    if m == 0 || n == 0 {
        return;
    }
    a.check(m, k);
    assert!(
        packed_b.len() >= packed_len(k, n),
        "the right operand is shorter than packed"
    );
    epilogue.check(m, n, c, c_row_stride);

    let (a, a_stride) = if gathered_len(m, k, a) == 0 {
        (a.data, a.row_stride)
    } else {
        let gathered = &mut gathered[..m * k];
        gather(k, a, gathered);
        (&*gathered, k)
    };
    dispatch(Product {
        m,
        n,
        k,
        a,
        a_stride,
        b: packed_b,
        c,
        c_stride: c_row_stride,
        epilogue,
    });
}

/// Makes the rows of `a` contiguous, in squares that the caches hold.
fn gather(k: usize, a: &Matrix, out: &mut [f32]) {
    const SQUARE: usize = 32;
    for (block, out) in out.chunks_mut(SQUARE * k).enumerate() {
        for start in (0..k).step_by(SQUARE) {
            for (i, out) in out.chunks_exact_mut(k).enumerate() {
                let row = (block * SQUARE + i) * a.row_stride;
                for (j, out) in out[start..k.min(start + SQUARE)].iter_mut().enumerate() {
                    *out = a.data[row + (start + j) * a.col_stride];
                }
            }
        }
    }
}

/// A checked product: all lengths are as [`product`] asserts them.
struct Product<'a> {
    m: usize,
    n: usize,
    k: usize,
    a: &'a [f32],
    a_stride: usize,
    b: &'a [f32],
    c: &'a mut [f32],
    c_stride: usize,
    epilogue: &'a Epilogue<'a>,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(mut self) {
        let tallest = V::ROWS.min(TALLEST);
        let piece = piece_len(self.k);
        let block = if piece >= self.k && packed_len(self.k, self.n) <= SMALL {
            tallest
        } else {
            (BLOCK / piece).clamp(tallest, 4096) / tallest * tallest
        };
        // Blocks of nearly the same height, so that the last one is not a sliver.
        for rows in shares(0..self.m, self.m.div_ceil(block)) {
            for piece in pieces(self.k, piece) {
                self.block::<V>(rows.clone(), piece);
            }
        }
    }
}

/// A range in so many nearly equal parts.
#[inline(always)]
pub fn shares(whole: Range<usize>, parts: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    // Most blocks are one part, and short enough for a division to be felt.
    let (each, more) = match parts {
        1 => (whole.len(), 0),
        _ => (whole.len() / parts, whole.len() % parts),
    };
    let mut start = whole.start;
    (0..parts).map(move |i| {
        let from = start;
        start += each + usize::from(i < more);
        from..start
    })
}

impl Product<'_> {
    /// Some rows, all columns, a piece of `k`.
    #[inline(always)]
    fn block<V: Dot>(&mut self, rows: Range<usize>, piece: Range<usize>) {
        let panels = self.n / NR;
        let few = FEW.contains(&self.m);
        // The first tile waits for memory, those after it find the panels in the cache.
        let first = usize::from(few && rows.len() >= LOW + TALLEST) * LOW;
        let tallest = V::ROWS.min(if few && first == 0 { LOW } else { TALLEST });
        let rest = rows.start + first..rows.end;
        let tiles = rest.len().div_ceil(tallest);
        let first = (first > 0).then_some(rows.start..rest.start);
        let rows = first.into_iter().chain(shares(rest, tiles));
        let group = group::<V>(rows.clone().next().map_or(0, |rows| rows.len()));
        let (whole, width) = (panels - panels % group, piece.len() * NR);
        let span = if whole * width <= SPAN {
            whole.max(1)
        } else {
            (SPAN / (width * group)).max(1) * group
        };
        for start in (0..whole).step_by(span) {
            let end = whole.min(start + span);
            for rows in rows.clone() {
                self.tiles::<V>(rows, start..end, group, &piece);
            }
        }
        if whole < panels {
            for rows in rows.clone() {
                self.tiles::<V>(rows, whole..panels, 1, &piece);
            }
        }
        if !self.n.is_multiple_of(NR) {
            for rows in rows {
                self.edge::<V>(rows, &piece);
            }
        }
    }

    /// Tiles of these rows, each of so many of the panels.
    #[inline(always)]
    fn tiles<V: Dot>(
        &mut self,
        rows: Range<usize>,
        panels: Range<usize>,
        each: usize,
        piece: &Range<usize>,
    ) {
        let (panel, columns) = (panels.start, each * NR);
        let steps = Steps {
            count: panels.len() / each,
            b: columns * piece.len(),
            c: columns,
        };
        let at = rows.start * self.c_stride + panel * NR;
        let finish = (piece.end == self.k).then(|| Finish {
            scale: self.epilogue.scale,
            bias: self
                .epilogue
                .bias
                .map_or(std::ptr::null(), |bias| bias[panel * NR..].as_ptr()),
            residual: self
                .epilogue
                .residual
                .map_or(std::ptr::null(), |r| r[at..].as_ptr()),
            activation: self.epilogue.activation,
        });
        let place = Place {
            c: self.c[at..].as_mut_ptr(),
            c_stride: self.c_stride,
            ..self.place(rows.start, panel, piece)
        };
        // SAFETY: `product` checked all lengths; the tiles' rows and columns are all there.
        unsafe { tiles::<V>(rows.len(), each, place, finish, steps) };
    }

    /// A tile of the last panel, which has fewer columns: through a buffer of full width.
    #[inline(always)]
    fn edge<V: Dot>(&mut self, rows: Range<usize>, piece: &Range<usize>) {
        let first = self.n / NR * NR;
        let width = self.n - first;
        let mut c = [0.0; TALLEST * NR];
        let mut residual = [0.0; TALLEST * NR];
        let mut bias = [0.0; NR];
        for (i, row) in rows.clone().enumerate() {
            let at = row * self.c_stride + first;
            if piece.start > 0 {
                c[i * NR..][..width].copy_from_slice(&self.c[at..][..width]);
            }
            if let Some(all) = self.epilogue.residual {
                residual[i * NR..][..width].copy_from_slice(&all[at..][..width]);
            }
        }
        if let Some(all) = self.epilogue.bias {
            bias[..width].copy_from_slice(&all[first..][..width]);
        }
        let place = Place {
            c: c.as_mut_ptr(),
            c_stride: NR,
            ..self.place(rows.start, first / NR, piece)
        };
        let finish = (piece.end == self.k).then_some(Finish {
            scale: self.epilogue.scale,
            bias: bias.as_ptr(),
            residual: residual.as_ptr(),
            activation: self.epilogue.activation,
        });
        // SAFETY: as in `tiles`; the buffers have the tile's full width.
        unsafe {
            tiles::<V>(
                rows.len(),
                1,
                place,
                finish,
                Steps {
                    count: 1,
                    b: 0,
                    c: 0,
                },
            )
        };
        for (i, row) in rows.enumerate() {
            self.c[row * self.c_stride + first..][..width].copy_from_slice(&c[i * NR..][..width]);
        }
    }

    /// A tile's operands; its result is for the caller to fill in.
    #[inline(always)]
    fn place(&self, row: usize, panel: usize, piece: &Range<usize>) -> Place {
        Place {
            k: piece.len(),
            a: self.a[(row * self.a_stride + piece.start).min(self.a.len())..].as_ptr(),
            a_stride: self.a_stride,
            b: self.b[(piece.start * self.n.div_ceil(NR) + panel * piece.len()) * NR..].as_ptr(),
            panel_stride: piece.len() * NR,
            c: std::ptr::null_mut(),
            c_stride: 0,
            advance: 4,
            resume: piece.start > 0,
        }
    }
}

/// How many panels a tile of so many rows has: enough sums to keep the multipliers busy.
#[inline(always)]
fn group<V: Dot>(rows: usize) -> usize {
    match (rows, V::WIDE) {
        (1, false) => 4,
        (1, true) => 8,
        (2, false) => 2,
        (2, true) => 4,
        (_, false) => 1,
        (_, true) => 2,
    }
}

/// Computes tiles of `rows` by `panels`, one or as [`group`] says.
///
/// # Safety
/// As [`Tiles::new`].
#[inline(always)]
unsafe fn tiles<V: Dot>(
    rows: usize,
    panels: usize,
    place: Place,
    finish: Option<Finish>,
    steps: Steps,
) {
    macro_rules! tiles {
        ($(($rows:literal, $panels:literal, $vectors:literal)),*) => {
            match (rows, panels) {
                // SAFETY: the caller's promise: as many rows, as many vectors.
                $(($rows, $panels) => V::call(unsafe { Tiles::<$rows, $vectors>::new(place, finish, steps) }),)*
                _ => unreachable!("no tile of {rows} rows and {panels} panels"),
            }
        };
    }
    if V::WIDE {
        tiles!(
            (1, 8, 8),
            (2, 4, 4),
            (2, 2, 2),
            (3, 2, 2),
            (4, 2, 2),
            (5, 2, 2),
            (6, 2, 2),
            (1, 1, 1),
            (2, 1, 1),
            (3, 1, 1),
            (4, 1, 1),
            (5, 1, 1),
            (6, 1, 1)
        )
    } else {
        tiles!(
            (1, 4, 8),
            (2, 2, 4),
            (1, 1, 2),
            (2, 1, 2),
            (3, 1, 2),
            (4, 1, 2),
            (5, 1, 2),
            (6, 1, 2)
        )
    }
}
