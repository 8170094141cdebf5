//! The inner loop: a tile of sums in registers.

#![allow(unsafe_code)]
// Indices are constants once the loops are unrolled.
#![allow(clippy::needless_range_loop)]

use super::super::NR;
use super::super::lanes::{Dot, Kernel};
use super::super::tile::Finish;
use super::quantise::Step;

/// Where the tiles' operands and result are; the tiles lie below each other.
#[derive(Clone, Copy)]
pub struct Place {
    pub count: usize,
    /// A fourth of the sums' length.
    pub quads: usize,
    /// Must be 2.
    pub advance: usize,
    /// Rows of quantised activations, [`Dot::WIDTH`] bytes each, and from one row to the next.
    pub inputs: *const u8,
    pub stride: usize,
    /// How each row was quantised.
    pub steps: *const Step,
    /// A panel, [`Dot::WIDTH`] bytes a weight, its columns' sums and scales.
    pub weights: *const u8,
    pub sums: *const i32,
    pub scales: *const f32,
    /// The result.
    pub c: *mut f32,
    pub c_stride: usize,
    pub finish: Finish,
}

/// Tiles of `R` rows and one panel, which is `W` vectors.
pub struct Tiles<const R: usize, const W: usize>(Place);

impl<const R: usize, const W: usize> Tiles<R, W> {
    /// # Safety
    /// For each of the tiles: `R` rows of `quads * 4 * WIDTH` bytes can be read from `inputs`, as
    /// many steps, `quads * 32 * WIDTH` bytes from `weights`; [`NR`] sums and scales; and `R` rows of
    /// `c`, the bias and the residual (if there are any) are there, all [`NR`] wide.
    pub unsafe fn new(place: Place) -> Self {
        Tiles(place)
    }
}

impl<const R: usize, const W: usize> Kernel for Tiles<R, W> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(mut self) {
        for _ in 0..self.0.count {
            // SAFETY: promised when the tiles were made.
            unsafe { tile::<V, R, W>(&self.0) };
            let place = &mut self.0;
            place.inputs = place.inputs.wrapping_add(R * place.stride);
            place.steps = place.steps.wrapping_add(R);
            place.c = place.c.wrapping_add(R * place.c_stride);
            place.finish.step(0, R * place.c_stride);
        }
    }
}

#[inline(always)]
unsafe fn tile<V: Dot, const R: usize, const W: usize>(place: &Place) {
    let mut sums = [V::zero(); R];
    // SAFETY: as promised to `Tiles::new`.
    unsafe {
        products::<V, R>(place, &mut sums);
        let mut out = [[V::splat(0.0); W]; R];
        for r in 0..R {
            let step = *place.steps.add(r);
            let floats = V::floats(sums[r], step.zero, place.sums);
            for w in 0..W {
                let scale = V::load(place.scales.add(w * V::N)).mul(V::splat(step.size));
                out[r][w] = floats[w].mul(scale);
            }
        }
        place.finish.write(&mut out, place.c, place.c_stride);
    }
}

/// Adds the products to the sums.
#[inline(always)]
unsafe fn products<V: Dot, const R: usize>(place: &Place, sums: &mut [V::Sums; R]) {
    let mut rows = [place.inputs; R];
    let mut weights = place.weights;
    let tools = V::tools();
    let mut left = place.quads;
    if left == 0 {
        return;
    }
    // SAFETY: as promised to `Tiles::new`.
    unsafe {
        for (r, row) in rows.iter_mut().enumerate() {
            *row = row.add(r * place.stride);
        }
        // As in the tile of floats: an advance that is read.
        while left >= 2 {
            V::dot_two(sums, &rows, weights, tools);
            left -= 2;
            if left == 0 {
                return;
            }
            let advance = std::ptr::from_ref(&place.advance).read_volatile();
            for row in &mut rows {
                *row = row.add(advance * 4 * V::WIDTH);
            }
            weights = weights.add(advance * 4 * NR * V::WIDTH);
        }
        let w = V::weights(weights);
        for (sums, row) in sums.iter_mut().zip(rows) {
            *sums = V::dot(*sums, &w, V::inputs(row), tools);
        }
    }
}
