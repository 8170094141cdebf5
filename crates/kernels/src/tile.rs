//! The inner loop of a product: a tile of the result in registers.
//!
//! A tile is `R` rows by `W` vectors. Each step of the loop reads one row of the panel (or of
//! several, side by side) and one number of each row of the left operand, and makes `R * W`
//! products with them.

#![allow(unsafe_code)]
// Indices are constants once the loops are unrolled.
#![allow(clippy::needless_range_loop)]

use super::activation::{curve, is_curve};
use super::lanes::{Dot, Kernel, Lanes};
use super::{Activation, NR};

/// Where a tile's operands and result are. Strides are in numbers.
#[derive(Clone, Copy)]
pub struct Place {
    /// Length of the sums.
    pub k: usize,
    /// The left operand: rows of `k` contiguous numbers.
    pub a: *const f32,
    pub a_stride: usize,
    /// The first panel, at the first of the `k` rows.
    pub b: *const f32,
    /// From one panel to the next.
    pub panel_stride: usize,
    /// The result: rows of as many columns as the tile has.
    pub c: *mut f32,
    pub c_stride: usize,
    /// Must be 4.
    pub advance: usize,
    /// Whether the sums go on from what is in `c`.
    pub resume: bool,
}

/// What is done to the finished sums: `activation(scale * sum + bias + residual)`.
#[derive(Clone, Copy)]
pub struct Finish {
    pub scale: f32,
    /// One number a column, or null.
    pub bias: *const f32,
    /// Laid out as the result, or null.
    pub residual: *const f32,
    pub activation: Activation,
}

/// How many tiles there are, side by side, and from one to the next, in numbers.
#[derive(Clone, Copy)]
pub struct Steps {
    pub count: usize,
    /// To be added to the pointer of this name.
    pub b: usize,
    /// The same, also for the bias and the residual.
    pub c: usize,
}

/// Tiles to be computed, one after the other.
pub struct Tiles<const R: usize, const W: usize> {
    place: Place,
    /// None while more of `k` is to come.
    finish: Option<Finish>,
    steps: Steps,
}

impl<const R: usize, const W: usize> Tiles<R, W> {
    /// # Safety
    /// For each of the tiles: `k` numbers of `R` rows can be read from `a`; `k` rows of the `W`
    /// vectors' panels from `b`; the bias and `R` rows of the residual, if there are any, as wide as
    /// the tile; and `R` rows as wide as the tile can be read from and written to `c`, by no one
    /// else meanwhile.
    pub unsafe fn new(place: Place, finish: Option<Finish>, steps: Steps) -> Self {
        Tiles {
            place,
            finish,
            steps,
        }
    }
}

impl<const R: usize, const W: usize> Kernel for Tiles<R, W> {
    type Output = ();

    #[inline(always)]
    fn run<V: Dot>(mut self) {
        let Steps { count, b, c } = self.steps;
        for _ in 0..count {
            // SAFETY: promised when the tiles were made.
            unsafe { tile::<V, R, W>(&self.place, self.finish.as_ref()) };
            self.place.b = self.place.b.wrapping_add(b);
            self.place.c = self.place.c.wrapping_add(c);
            if let Some(finish) = &mut self.finish {
                finish.step(c, c);
            }
        }
    }
}

#[inline(always)]
unsafe fn tile<V: Dot, const R: usize, const W: usize>(place: &Place, finish: Option<&Finish>) {
    // SAFETY: every address below is inside what `Tiles::new` was promised.
    unsafe {
        let mut sums = [[V::splat(0.0); W]; R];
        if place.resume {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (w, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(place.c.add(r * place.c_stride + w * V::N));
                }
            }
        }

        products::<V, R, W>(place, &mut sums);

        match finish {
            Some(finish) => finish.write(&mut sums, place.c, place.c_stride),
            None => write(&sums, place.c, place.c_stride),
        }
    }
}

impl Finish {
    /// The rest of the work on a tile whose sums are finished.
    ///
    /// # Safety
    /// The bias, the residual and `c` are as wide and as high as the tile.
    #[inline(always)]
    pub unsafe fn write<V: Dot, const R: usize, const W: usize>(
        &self,
        sums: &mut [[V; W]; R],
        c: *mut f32,
        stride: usize,
    ) {
        let (low, high) = bounds(self.activation);
        let (scale, low, high) = (V::splat(self.scale), V::splat(low), V::splat(high));
        // SAFETY: the caller's promise.
        unsafe {
            for w in 0..W {
                let bias = if self.bias.is_null() {
                    V::splat(0.0)
                } else {
                    V::load(self.bias.add(w * V::N))
                };
                for sums in sums.iter_mut() {
                    sums[w] = sums[w].mul_add(scale, bias);
                }
            }
            if !self.residual.is_null() {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (w, sum) in sums.iter_mut().enumerate() {
                        *sum = sum.add(V::load(self.residual.add(r * stride + w * V::N)));
                    }
                }
            }
            for sum in sums.as_flattened_mut() {
                *sum = sum.max(low).min(high);
            }
            if is_curve(self.activation) {
                // In a buffer, which is near and contiguous.
                let mut buffer = [0.0; 12 * 8];
                for (i, sum) in sums.as_flattened().iter().enumerate() {
                    sum.to_slice(&mut buffer[i * V::N..]);
                }
                curve::<V>(&mut buffer[..R * W * V::N], self.activation);
                for (i, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
                    *sum = V::from_slice(&buffer[i * V::N..]);
                }
            }
            write(sums, c, stride);
        }
    }

    /// Moves to another tile.
    #[inline(always)]
    pub fn step(&mut self, columns: usize, c: usize) {
        if !self.bias.is_null() {
            self.bias = self.bias.wrapping_add(columns);
        }
        if !self.residual.is_null() {
            self.residual = self.residual.wrapping_add(c);
        }
    }
}

#[inline(always)]
unsafe fn write<V: Lanes, const R: usize, const W: usize>(
    sums: &[[V; W]; R],
    c: *mut f32,
    stride: usize,
) {
    for (r, sums) in sums.iter().enumerate() {
        for (w, sum) in sums.iter().enumerate() {
            // SAFETY: as in `tile`.
            unsafe { sum.store(c.add(r * stride + w * V::N)) };
        }
    }
}

/// Adds the products to the sums.
#[inline(always)]
unsafe fn products<V: Lanes, const R: usize, const W: usize>(
    place: &Place,
    sums: &mut [[V; W]; R],
) {
    // SAFETY: as in `tile`.
    unsafe {
        let mut rows = [place.a; R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = row.add(r * place.a_stride);
        }
        let mut b = place.b;
        let mut left = place.k;
        if left == 0 {
            return;
        }
        // Each step ends with a branch, and is so a block of its own: within one block, the back end
        // for WebAssembly would put all products for one sum next to each other, and the operands
        // of four steps into registers that are not there.
        loop {
            step::<V, R, W>(sums, &rows, 0, b, place.panel_stride);
            left -= 1;
            if left == 0 {
                return;
            }
            step::<V, R, W>(sums, &rows, 1, b, place.panel_stride);
            left -= 1;
            if left == 0 {
                return;
            }
            step::<V, R, W>(sums, &rows, 2, b, place.panel_stride);
            left -= 1;
            if left == 0 {
                return;
            }
            step::<V, R, W>(sums, &rows, 3, b, place.panel_stride);
            left -= 1;
            if left == 0 {
                return;
            }
            // Read from memory, so that it is not known to be the same each time: else the pointers
            // would be taken for one, and each address computed anew.
            let advance = std::ptr::from_ref(&place.advance).read_volatile();
            for row in &mut rows {
                *row = row.add(advance);
            }
            b = b.add(advance * NR);
        }
    }
}

/// An activation as bounds, infinite ones where it is more than that (see [`curve`]).
#[inline(always)]
pub fn bounds(activation: Activation) -> (f32, f32) {
    match activation {
        Activation::Relu => (0.0, f32::INFINITY),
        Activation::Clamp(low, high) => (low, high),
        _ => (f32::NEG_INFINITY, f32::INFINITY),
    }
}

/// One row of the panels, row `u` from `b`, by one number of each row of the left operand.
#[inline(always)]
unsafe fn step<V: Lanes, const R: usize, const W: usize>(
    sums: &mut [[V; W]; R],
    rows: &[*const f32; R],
    u: usize,
    b: *const f32,
    panel_stride: usize,
) {
    // SAFETY: as in `tile`.
    unsafe {
        // The fewer of the two are held in registers.
        if W > R {
            let mut x = [V::splat(0.0); R];
            for r in 0..R {
                x[r] = V::splat(*rows[r].add(u));
            }
            for w in 0..W {
                let y = vector::<V>(b, u, w, panel_stride);
                for r in 0..R {
                    sums[r][w] = x[r].mul_add(y, sums[r][w]);
                }
            }
        } else {
            let mut y = [V::splat(0.0); W];
            for w in 0..W {
                y[w] = vector(b, u, w, panel_stride);
            }
            for r in 0..R {
                let x = V::splat(*rows[r].add(u));
                for w in 0..W {
                    sums[r][w] = x.mul_add(y[w], sums[r][w]);
                }
            }
        }
    }
}

/// Vector `w` of the panels' row `u`.
#[inline(always)]
unsafe fn vector<V: Lanes>(b: *const f32, u: usize, w: usize, panel_stride: usize) -> V {
    let column = w * V::N;
    // SAFETY: as in `tile`.
    unsafe { V::load(b.add(column / NR * panel_stride + u * NR + column % NR)) }
}
