//! Products of integers, exact modulo 2^32: 16-bit ones on the left, 8-bit ones on the right.
//!
//! What files call 8 bits is -255..=255 once its zero point is taken off: that is what the left operand holds. The right one
//! keeps its 8 bits, so that half as much is read, and its zero point is for the caller: a column's is the same for all of
//! the sum, which is too large by as many times the sum of the row.
//!
//! The right operand is packed as `[ceil(n / 8)][ceil(k / 2)][8][2]`: panels of eight columns, in each two numbers of a column
//! side by side, as the instruction for two products takes them.

#![allow(unsafe_code)]

use std::ops::Range;

use super::gemm::shares;
use super::lanes::{Dot, Kernel, dispatch};
use super::{NR, span};

/// The most rows of a tile: with two vectors of sums each, what they are multiplied by, and a product, there are registers for
/// these.
const ROWS: usize = 4;
/// Numbers of the left operand in a block of rows, to stay in the second-level cache: 256 KiB.
const BLOCK: usize = 128 * 1024;

/// Numbers of a row of the left operand of [`gemm_integers`]: `k`, and a zero where that is odd.
pub fn row_len_integers(k: usize) -> usize {
    k.next_multiple_of(2)
}

/// The length in bytes of a packed right operand of `k` rows and `n` columns.
pub fn packed_len_integers(k: usize, n: usize) -> usize {
    n.div_ceil(NR)
        .checked_mul(row_len_integers(k) * NR)
        .expect("a packed matrix that overflows")
}

/// Packs `b` of `k` rows and `n` columns, with these strides, into the first [`packed_len_integers`] bytes of `out`.
///
/// # Panics
/// Where one of the slices is too short.
pub fn pack_integers(k: usize, n: usize, b: &[i8], [row, col]: [usize; 2], out: &mut [i8]) {
    assert!(
        span(k, row, n, col) <= b.len(),
        "a matrix longer than its slice"
    );
    let len = packed_len_integers(k, n);
    let panel = row_len_integers(k) * NR;
    for (at, out) in out[..len].chunks_exact_mut(panel.max(1)).enumerate() {
        let first = at * NR;
        let width = NR.min(n - first);
        for (pair, out) in out.as_chunks_mut::<{ 2 * NR }>().0.iter_mut().enumerate() {
            let b = &b[2 * pair * row + first * col..];
            let two = 2 * pair + 1 < k;
            if (width, col, two) == (NR, 1, true) {
                let (even, odd) = (&b[..NR], &b[row..][..NR]);
                for (out, (even, odd)) in out.chunks_exact_mut(2).zip(even.iter().zip(odd)) {
                    out.copy_from_slice(&[*even, *odd]);
                }
                continue;
            }
            out.fill(0);
            for j in 0..width {
                out[2 * j] = b[j * col];
                if two {
                    out[2 * j + 1] = b[row + j * col];
                }
            }
        }
    }
}

/// `c = a b` with `a` of `m` rows, [`row_len_integers`] numbers each, `b` of `k` by `n` from [`pack_integers`], and `c` of `m` by
/// `n`, whose rows are `c_row_stride` apart.
///
/// # Panics
/// Where one of the slices is too short.
pub fn gemm_integers(
    m: usize,
    n: usize,
    k: usize,
    a: &[i16],
    packed: &[i8],
    c: &mut [i32],
    c_row_stride: usize,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(
        Some(a.len()) >= m.checked_mul(row_len_integers(k)),
        "the left operand is shorter than its rows"
    );
    assert!(
        packed.len() >= packed_len_integers(k, n),
        "the right operand is shorter than packed"
    );
    assert!(m == 1 || c_row_stride >= n, "rows of the result overlap");
    assert!(
        c.len() >= span(m, c_row_stride, n, 1),
        "the result is longer than its slice"
    );
    dispatch(Product {
        m,
        n,
        k: row_len_integers(k),
        a,
        packed,
        c,
        c_stride: c_row_stride,
    });
}

/// A checked product; `k` is even.
struct Product<'a> {
    m: usize,
    n: usize,
    k: usize,
    a: &'a [i16],
    packed: &'a [i8],
    c: &'a mut [i32],
    c_stride: usize,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(mut self) {
        let height = (BLOCK / self.k.max(1)).clamp(ROWS, 4096);
        for rows in shares(0..self.m, self.m.div_ceil(height)) {
            for panel in 0..self.n.div_ceil(NR) {
                self.panel::<V>(&rows, panel);
            }
        }
    }
}

impl Product<'_> {
    /// Some rows and one panel.
    #[inline(always)]
    fn panel<V: Dot>(&mut self, rows: &Range<usize>, panel: usize) {
        let weights = self.packed[panel * self.k * NR..][..self.k * NR].as_ptr();
        let first = panel * NR;
        let width = NR.min(self.n - first);
        for tile in shares(rows.clone(), rows.len().div_ceil(ROWS)) {
            let height = tile.len();
            let mut place = Place {
                pairs: self.k / 2,
                advance: 4,
                a: self.a[tile.start * self.k..].as_ptr(),
                a_stride: self.k,
                weights,
                c: self.c[tile.start * self.c_stride + first..].as_mut_ptr(),
                c_stride: self.c_stride,
            };
            // The last panel may have fewer columns: through a buffer of full width.
            let mut buffer = [0; ROWS * NR];
            if width < NR {
                (place.c, place.c_stride) = (buffer.as_mut_ptr(), NR);
            }
            // SAFETY: all lengths were checked; the rows are there, and the result or the buffer has the panel's full width.
            unsafe {
                match height {
                    1 => V::call(Tile::<1>::new(place)),
                    2 => V::call(Tile::<2>::new(place)),
                    3 => V::call(Tile::<3>::new(place)),
                    ROWS => V::call(Tile::<ROWS>::new(place)),
                    _ => unreachable!("no tile of {height} rows"),
                }
            }
            if width < NR {
                for (row, from) in tile.zip(buffer.chunks_exact(NR)) {
                    self.c[row * self.c_stride + first..][..width].copy_from_slice(&from[..width]);
                }
            }
        }
    }
}

/// Where a tile's operands and result are. Strides are in numbers.
struct Place {
    /// Half the length of the sums.
    pairs: usize,
    /// Must be 4.
    advance: usize,
    a: *const i16,
    a_stride: usize,
    /// A panel.
    weights: *const i8,
    c: *mut i32,
    c_stride: usize,
}

/// A tile of `R` rows and one panel.
struct Tile<const R: usize>(Place);

impl<const R: usize> Tile<R> {
    /// # Safety
    /// `R` rows of twice `pairs` numbers can be read from `a`, as many for each of [`NR`] columns from `weights`, and [`NR`]
    /// numbers of `R` rows can be written to `c`.
    unsafe fn new(place: Place) -> Self {
        Tile(place)
    }
}

impl<const R: usize> Kernel for Tile<R> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(self) {
        let mut totals = [V::nothing(); R];
        // SAFETY: promised when the tile was made.
        unsafe {
            products::<V, R>(&self.0, &mut totals);
            for (r, totals) in totals.into_iter().enumerate() {
                V::put(totals, self.0.c.add(r * self.0.c_stride));
            }
        }
    }
}

/// Adds the products to the sums.
///
/// # Safety
/// As [`Tile::new`].
#[inline(always)]
unsafe fn products<V: Dot, const R: usize>(place: &Place, totals: &mut [V::Totals; R]) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = [place.a; R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = row.add(r * place.a_stride);
        }
        let mut weights = place.weights;
        let mut left = place.pairs;
        if left == 0 {
            return;
        }
        // As in the tile of floats: each step a block of its own, and an advance that is read.
        loop {
            V::add_pairs(totals, &rows, 0, weights);
            left -= 1;
            if left == 0 {
                return;
            }
            V::add_pairs(totals, &rows, 2, weights.add(2 * NR));
            left -= 1;
            if left == 0 {
                return;
            }
            V::add_pairs(totals, &rows, 4, weights.add(4 * NR));
            left -= 1;
            if left == 0 {
                return;
            }
            V::add_pairs(totals, &rows, 6, weights.add(6 * NR));
            left -= 1;
            if left == 0 {
                return;
            }
            let advance = std::ptr::from_ref(&place.advance).read_volatile();
            for row in &mut rows {
                *row = row.add(2 * advance);
            }
            weights = weights.add(2 * advance * NR);
        }
    }
}
